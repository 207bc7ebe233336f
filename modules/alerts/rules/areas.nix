# What an app's metrics say about the areas that it names (apps.<name>.metrics.areas;
# docs/app-metrics.md lists the metrics).
{ soloscope }:
let
  has =
    area:
    builtins.any (app: app.metrics.url != null && builtins.elem area app.metrics.areas) (
      builtins.attrValues soloscope.apps
    );

  # The share of `bad` in `all`, where there are at least so many bad ones.
  shareOf =
    {
      by,
      bad,
      all,
      window,
      least,
    }:
    threshold:
    let
      sum = selector: "sum by (${by}) (increase(${selector}[${window}]))";
    in
    ''
      ${sum bad} / ${sum all} > ${threshold}
      and ${sum bad} >= ${toString least}
    '';
in
{
  MessageDeliveryFailures = rule: {
    enable = has "messaging";
    threshold = 0.1;
    for = "5m";
    expr = shareOf {
      by = "app, channel";
      bad = ''messages_sent_total{result="failed"}'';
      all = "messages_sent_total";
      window = "30m";
      least = 5;
    } rule.threshold;
    summary = "{{ $labels.app }} cannot deliver messages by {{ $labels.channel }}";
    description = "{{ $value | humanizePercentage }} of the messages of half an hour failed. The limit is ${rule.percent} for ${rule.for}.";
    dashboard = "soloscope-messaging";
  };

  TaskFailures = rule: {
    enable = has "tasks";
    threshold = 0.25;
    for = "5m";
    expr = shareOf {
      by = "app, task";
      bad = ''task_runs_total{result="failed"}'';
      all = "task_runs_total";
      window = "1h";
      least = 5;
    } rule.threshold;
    summary = "{{ $labels.app }}: the task {{ $labels.task }} fails";
    description = "{{ $value | humanizePercentage }} of its runs in an hour failed. The limit is ${rule.percent} for ${rule.for}.";
    dashboard = "soloscope-tasks";
  };

  # Sockets that neither side closed on purpose. A deploy closes all of them once.
  SocketDisconnects = rule: {
    enable = has "realtime";
    threshold = 0.3;
    for = "15m";
    expr = shareOf {
      by = "app";
      bad = ''socket_disconnects_total{reason!~"closed|client.*|server.*|io .*|transport close"}'';
      all = "socket_disconnects_total";
      window = "10m";
      least = 10;
    } rule.threshold;
    summary = "{{ $labels.app }} loses its sockets";
    description = "{{ $value | humanizePercentage }} of the connections that ended in ten minutes broke off. The limit is ${rule.percent} for ${rule.for}.";
    dashboard = "soloscope-application";
  };

  OutsideApiFailures = rule: {
    enable = has "integrations";
    threshold = 0.2;
    for = "10m";
    expr = shareOf {
      by = "app, provider";
      bad = ''api_calls_total{status!~"2.."}'';
      all = "api_calls_total";
      window = "15m";
      least = 5;
    } rule.threshold;
    summary = "{{ $labels.provider }} fails for {{ $labels.app }}";
    description = "{{ $value | humanizePercentage }} of the calls of a quarter of an hour failed. The limit is ${rule.percent} for ${rule.for}.";
    dashboard = "soloscope-integrations";
  };

  # The rate of hits, not the share since Redis started. A Redis that only counts is no
  # cache: soloscope's own reading of keys that are not there yet counts as misses, so
  # few lookups say nothing.
  LowCacheHitRate = rule: {
    threshold = 0.8;
    for = "10m";
    expr = ''
      (
        sum by (app) (rate(cache_requests_total{result="hit"}[5m])) / sum by (app) (rate(cache_requests_total[5m]))
        and sum by (app) (increase(cache_requests_total[5m])) >= 50
        or
        app:redis_keyspace_hits:ratio_rate5m and on (app) app:redis_keyspace_lookups:rate5m >= 20
      ) < ${rule.threshold}
    '';
    summary = "The cache of {{ $labels.app }} misses often";
    description = "It has {{ $value | humanizePercentage }} of what it is asked for. At least ${rule.percent} is expected; it was less for ${rule.for}.";
    dashboard = "soloscope-application";
  };
}
