# Failed and slow requests, by what an app's own metrics say. The shares are recorded
# (../../prometheus/rules.nix); a share alone would fire at one failure in a quiet night.
_:
let
  dashboard = "soloscope-application";
  ratio = window: "app:http_request_errors:ratio_rate${window}";
  failures = window: seconds: "app:http_request_errors:rate${window} * ${toString seconds}";

  # More failures than so many times those that the objective allows, in both windows.
  burns = long: short: factor: ''
    ${ratio long} > on (app) ${factor} * (1 - app:availability:objective)
    and on (app) ${ratio short} > on (app) ${factor} * (1 - app:availability:objective)
  '';
  budget =
    window: factor:
    "{{ $value | humanizePercentage }} of the requests of the last ${window} failed, more than ${factor} times what the objective allows over 30 days";
in
{
  HighErrorRate = rule: {
    inherit dashboard;
    threshold = 0.05;
    for = "5m";
    # One sum over another. Series by series each status would be compared with itself.
    expr = ''
      ${ratio "5m"} > ${rule.threshold}
      and on (app) ${failures "5m" 300} >= 5
    '';
    summary = "{{ $labels.app }} answers with errors";
    description = "{{ $value | humanizePercentage }} of the requests of five minutes failed. The limit is ${rule.percent} for ${rule.for}.";
    inhibits = [ "ErrorSpike" ];
  };

  # The burn rates of Google's SRE workbook for an objective over 30 days.
  ErrorBudgetBurnFast = rule: {
    inherit dashboard;
    severity = "critical";
    threshold = 14.4;
    for = "2m";
    expr = ''
      ${burns "1h" "5m" rule.threshold}and on (app) ${failures "1h" 3600} >= 5
      and on (app) ${failures "5m" 300} >= 1.9
    '';
    summary = "{{ $labels.app }} fails too often for its objective, now";
    description = "${budget "hour" rule.limit}. At this rate the month's failures are used up in two days.";
    inhibits = [
      "ErrorBudgetBurn"
      "ErrorBudgetBurnSlow"
      "HighErrorRate"
      "ErrorSpike"
    ];
  };

  ErrorBudgetBurn = rule: {
    inherit dashboard;
    severity = "critical";
    threshold = 6;
    for = "5m";
    expr = ''
      ${burns "6h" "30m" rule.threshold}and on (app) ${failures "6h" 21600} >= 10
      and on (app) ${failures "30m" 1800} >= 2.9
    '';
    summary = "{{ $labels.app }} has failed too often for its objective for hours";
    description = "${budget "six hours" rule.limit}. At this rate the month's failures are used up in five days.";
    inhibits = [
      "ErrorBudgetBurnSlow"
      "HighErrorRate"
      "ErrorSpike"
    ];
  };

  ErrorBudgetBurnSlow = rule: {
    inherit dashboard;
    threshold = 1;
    for = "1h";
    expr = ''
      ${burns "3d" "6h" rule.threshold}and on (app) ${failures "3d" 259200} >= 20
      and on (app) ${failures "6h" 21600} >= 5
    '';
    summary = "{{ $labels.app }} will miss its objective";
    description = "${budget "three days" rule.limit}. If it goes on the objective is missed this month.";
  };

  LatencyBudgetBurn = rule: {
    inherit dashboard;
    threshold = 6;
    for = "5m";
    expr = ''
      app:http_requests_slow:ratio_rate6h > on (app) ${rule.threshold} * (1 - app:latency:objective)
      and on (app) app:http_requests_slow:ratio_rate30m > on (app) ${rule.threshold} * (1 - app:latency:objective)
      and on (app) app:http_requests_slow:rate6h * 21600 >= 10
      and on (app) app:http_requests_slow:rate30m * 1800 >= 3
    '';
    summary = "{{ $labels.app }} is slower than its objective";
    description = "{{ $value | humanizePercentage }} of the requests of the last six hours took longer than the objective says, more than ${rule.limit} times what it allows.";
  };

  # The percentile is of all of an app's requests, not one of each series.
  SlowAPI = rule: {
    inherit dashboard;
    threshold = 1;
    for = "10m";
    expr = ''
      app:http_request_duration_seconds:p95_5m > ${rule.threshold}
      and on (app) app:http_requests:rate5m * 300 >= 10
    '';
    summary = "{{ $labels.app }} answers slowly";
    description = "One request in twenty takes {{ $value | humanizeDuration }} or longer. The limit is ${rule.limit} s for ${rule.for}.";
  };

  HighResponseTime = rule: {
    inherit dashboard;
    severity = "critical";
    threshold = 2;
    for = "5m";
    expr = ''
      app:http_request_duration_seconds:p95_5m > ${rule.threshold}
      and on (app) app:http_requests:rate5m * 300 >= 10
    '';
    summary = "{{ $labels.app }} answers very slowly";
    description = "One request in twenty takes {{ $value | humanizeDuration }} or longer. The limit is ${rule.limit} s for ${rule.for}.";
    inhibits = [
      "SlowAPI"
      "LatencyBudgetBurn"
    ];
  };
}
