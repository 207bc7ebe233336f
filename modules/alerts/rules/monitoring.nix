# Whether the monitoring itself works. What only it could say must not fail in silence.
{ soloscope }:
let
  inherit (builtins) concatStringsSep;
  inherit (import ../../pure.nix) filterAttrs;
  paths = (import ../../paths.nix).host;
  notify = soloscope.notify.enable;

  # The scrape jobs of soloscope's own parts on this host.
  jobs =
    let
      all = (import ../../prometheus/settings.nix { inherit soloscope paths; }).scrapeConfigs;
    in
    builtins.filter (name: !(soloscope.apps ? ${name})) (map (job: job.job_name) all);

  # Whose consequences are known, among those that Prometheus evaluates.
  causes = builtins.attrNames (
    filterAttrs (
      _: rule: rule.enable && rule.source == "prometheus" && rule.inhibits != [ ]
    ) (removeAttrs soloscope.alerts.rules [ "Aftermath" ])
  );
in
{
  # The first alert: it always fires, and a service outside of the host misses it.
  Watchdog = _: {
    severity = "info";
    expr = "vector(1)";
    summary = "The alerts work";
    description = "This alert always fires. Who misses it knows that the host, Prometheus or Alertmanager is down.";
  };

  # Rules look back over minutes, so what follows from an alert may fire for as long after
  # it is over. This holds it back as that alert did (../../alertmanager/settings.nix);
  # nobody is notified of it.
  Aftermath = rule: {
    enable = causes != [ ];
    severity = "info";
    threshold = 10;
    expr = ''
      max by (app, cause) (label_replace(
        max_over_time(ALERTS{alertstate="firing",alertname=~"${concatStringsSep "|" causes}"}[${rule.threshold}m]),
        "cause", "$1", "alertname", "(.+)"
      ))
    '';
    summary = "{{ $labels.cause }} fires, or did a moment ago";
    description = "What follows from it is held back until it has been over for ${rule.limit} minutes.";
  };

  MonitoringDown = _: {
    for = "5m";
    # The redis and blackbox jobs have a target for each app, and one exporter each.
    expr = ''min by (job) (up{job=~"${concatStringsSep "|" jobs}"}) == 0'';
    summary = "A part of the monitoring is down: {{ $labels.job }}";
    description = "Prometheus has not been able to read it for five minutes. What depends on it is blind.";
  };

  # `up` says nothing about a job that is not asked at all.
  ExporterGone = _: {
    for = "10m";
    expr = concatStringsSep " or " (map (name: ''absent(up{job="${name}"})'') jobs);
    summary = "Prometheus does not read {{ $labels.job }} any more";
    description = "The job has had no series for ten minutes: it was taken out of the configuration, or its name is used elsewhere.";
  };

  # soloscope's own checks, where the program runs and is not well all the same.
  StackCheckDown = _: {
    for = "5m";
    expr = ''
      min by (name) (soloscope_check_up{app="",name!="postgres"}) == 0
      unless on (name) label_replace(up == 0, "name", "$1", "job", "(.+)")
    '';
    summary = "{{ $labels.name }} runs and is not well";
    description = "Its check has failed for five minutes. `soloscope health-check` says why.";
  };

  RuleFailures = rule: {
    threshold = 2;
    expr = ''
      sum by (job) (increase({__name__=~"prometheus_rule_evaluation_failures_total|loki_prometheus_rule_evaluation_failures_total"}[15m])) > ${rule.threshold}
    '';
    summary = "Rules of {{ $labels.job }} fail";
    description = ''{{ printf "%.0f" $value }} evaluations in a quarter of an hour failed. The limit is ${rule.limit}: alerts may be missing.'';
  };

  NotificationsFailing = rule: {
    enable = soloscope.alertmanager.enable;
    severity = "critical";
    threshold = 0;
    for = "5m";
    expr = "sum by (integration) (increase(alertmanager_notifications_failed_total[15m])) > ${rule.threshold}";
    summary = "Alerts cannot be sent by {{ $labels.integration }}";
    description = ''{{ printf "%.0f" $value }} notifications in a quarter of an hour failed.'';
    labels.component = "notify";
  };

  NotifyChannelDown = _: {
    enable = notify;
    severity = "critical";
    for = "5m";
    expr = "min by (channel) (soloscope_notify_channel_up) == 0";
    summary = "Messages cannot be sent by {{ $labels.channel }}";
    description = "The service has refused them or has been out of reach for five minutes. They wait on the disk.";
    labels.component = "notify";
    inhibits = [ "MessagesWaiting" ];
  };

  MessagesWaiting = rule: {
    enable = notify;
    threshold = 900;
    for = "5m";
    expr = "max by (channel) (soloscope_notify_oldest_waiting_seconds) > ${rule.threshold}";
    summary = "Messages wait to be sent by {{ $labels.channel }}";
    description = "The oldest has waited for {{ $value | humanizeDuration }}. The limit is ${rule.limit} s for ${rule.for}.";
    labels.component = "notify";
  };
}
