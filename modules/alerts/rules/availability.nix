# Whether apps, and what they need, answer at all.
{ soloscope }:
let
  inherit (builtins)
    attrNames
    attrValues
    concatStringsSep
    filter
    ;
  inherit (import ../../pure.nix) filterAttrs;
  apps = soloscope.apps;
  withMetrics = attrNames (filterAttrs (_: app: app.metrics.url != null) apps);
  withPostgres = attrNames (filterAttrs (_: app: app.postgres != null) apps);
  paths = (import ../../paths.nix).host;
  blackbox =
    soloscope.prometheus.exporters.blackbox.enable
    && (import ../../prometheus/probes.nix { inherit soloscope paths; }).enable;

  # What fails with the app, or with what it needs.
  consequences = [
    "ErrorBudgetBurnFast"
    "ErrorBudgetBurn"
    "ErrorBudgetBurnSlow"
    "ErrorSpike"
    "HighErrorRate"
    "HighResponseTime"
    "SlowAPI"
    "TaskFailures"
    "MessageDeliveryFailures"
    "SocketDisconnects"
  ];
in
{
  ServiceDown = _: {
    enable = withMetrics != [ ];
    severity = "critical";
    for = "1m";
    expr = ''min by (app, job) (up{job=~"${concatStringsSep "|" withMetrics}"}) == 0'';
    summary = "{{ $labels.app }} is down";
    description = "Its metrics have not been readable for a minute: the app is stopped, hangs, or listens elsewhere.";
    inhibits = consequences ++ [
      "CheckDown"
      "ProbeDown"
      "UnitFailed"
      "UnitCrashLooping"
    ];
  };

  RedisDown = _: {
    enable = filter (app: app.redis.url != null) (attrValues apps) != [ ];
    severity = "critical";
    for = "1m";
    expr = "min by (app) (soloscope_up) == 0";
    summary = "The Redis of {{ $labels.app }} does not answer";
    description = "soloscope has not been able to read the app's counts for a minute.";
    inhibits = consequences ++ [
      "CheckDown"
      "ProbeDown"
      "LowCacheHitRate"
    ];
  };

  DatabaseConnectionFailure =
    _:
    {
      enable = withPostgres != [ ];
      severity = "critical";
      for = "1m";
      expr = "min(pg_up) == 0";
      summary = "The PostgreSQL database does not answer";
      description = "The exporter has not been able to connect to the database for a minute.";
      inhibits = consequences ++ [
        "CheckDown"
        "ProbeDown"
      ];
    }
    # There is one exporter; with one database it is known whose that is.
    // (if builtins.length withPostgres == 1 then { labels.app = builtins.head withPostgres; } else { });

  # redis and postgres have rules of their own, and scrape is soloscope's view of Redis.
  CheckDown = _: {
    enable = apps != { };
    severity = "critical";
    for = "2m";
    expr = ''min by (app, name) (soloscope_check_up{app!="",name!~"redis|postgres|scrape"}) == 0'';
    summary = "{{ $labels.app }}: {{ $labels.name }} is not well";
    description = "The check has failed for two minutes. `soloscope health-check` says why.";
    inhibits = consequences ++ [
      "ProbeDown"
      "UnitFailed"
      "UnitCrashLooping"
    ];
  };

  ProbeDown = _: {
    enable = blackbox;
    severity = "critical";
    for = "2m";
    expr = "min by (app, name, instance) (probe_success) == 0";
    summary = "{{ $labels.instance }} does not answer";
    description = "The page has not answered as it should for two minutes.";
    inhibits = consequences;
  };

  CertificateExpiry = rule: {
    enable = blackbox;
    threshold = 14;
    for = "30m";
    expr = "min by (app, name, instance) (probe_ssl_earliest_cert_expiry - time()) / 86400 < ${rule.threshold}";
    summary = "The certificate of {{ $labels.instance }} ends soon";
    description = ''It is valid for {{ printf "%.1f" $value }} more days. Renewal should have happened ${rule.limit} days before the end.'';
  };
}
