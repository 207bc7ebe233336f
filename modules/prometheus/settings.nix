# The configuration of Prometheus and its exporters. Pure, builtins only.
#
#   { soloscope, paths } ->
#     { globalConfig, scrapeConfigs, alertmanagers, rules, flags, exporters, part }
#     rules      recording rules; alert rules are in ../alerts
#     part       of soloscope.json
#     flags      long options that the unit and the demo both pass
#     exporters  the same for each exporter
{ soloscope, paths }:
let
  inherit (import ../pure.nix)
    filterAttrs
    mapAttrsToList
    optionalAttrs
    optionals
    ;
  inherit (import ../grafana/settings.nix { inherit soloscope paths; }) subPath;
  probes = import ./probes.nix { inherit soloscope paths; };
  urls = import ../urls.nix;
  defaults = import ../defaults.nix;
  cfg = soloscope.prometheus;
  address = defaults.listenAddress;
  at = port: "${address}:${toString port}";

  job = name: port: {
    job_name = name;
    static_configs = [ { targets = [ (at port) ]; } ];
  };

  # The exporter at `port` asks the target for Prometheus.
  through = port: [
    {
      source_labels = [ "__address__" ];
      target_label = "__param_target";
    }
    {
      source_labels = [ "__param_target" ];
      target_label = "instance";
    }
    {
      target_label = "__address__";
      replacement = at port;
    }
  ];

  ownMetrics =
    name: app:
    let
      url = urls.need app.metrics.url;
      # Without the URL, so that the names of all jobs are known before it is
      # found wrong.
      hasQuery = builtins.match ".*\\?.+" app.metrics.url != null;
      port = if url.port == null then "" else ":${toString url.port}";
    in
    {
      job_name = name;
      scheme = if url.scheme == "https" then "https" else "http";
      metrics_path = if url.path == "" then "/metrics" else url.path;
      static_configs = [
        {
          targets = [ "${url.host}${port}" ];
          labels.app = name;
        }
      ];
    }
    // optionalAttrs hasQuery { params = parameters url.query; }
    // optionalAttrs (app.metrics.names != { } || app.metrics.labels != { }) {
      metric_relabel_configs =
        mapAttrsToList renamed app.metrics.names ++ mapAttrsToList labelled app.metrics.labels;
    };

  # "?a=1&b=2" as a scrape job takes it: { a = [ "1" ]; b = [ "2" ]; }
  parameters =
    query:
    let
      pairs = builtins.filter builtins.isList (builtins.split "([^?&=]+)=([^&]*)" query);
      name = pair: builtins.elemAt pair 0;
    in
    builtins.mapAttrs (_: map (pair: builtins.elemAt pair 1)) (builtins.groupBy name pairs);

  # Renames the app's metrics to the names that dashboards and rules use. The
  # series of a histogram are renamed with it.
  renamed = ours: theirs: {
    source_labels = [ "__name__" ];
    regex = "${theirs}(_bucket|_sum|_count|_created)?";
    target_label = "__name__";
    replacement = "${ours}$1";
  };

  # Copies a label of the metrics about requests to the name that dashboards and rules
  # use. Other metrics of the app may need the label of that name, so it stays.
  labelled = ours: theirs: {
    source_labels = [
      "__name__"
      theirs
    ];
    regex = "http_request[^;]*;(.+)";
    target_label = ours;
    replacement = "$1";
  };

  withRedis = filterAttrs (_: app: app.redis.url != null) soloscope.apps;
  withMetrics = filterAttrs (_: app: app.metrics.url != null) soloscope.apps;
  withPostgres = filterAttrs (_: app: app.postgres != null) soloscope.apps;
  asksRedis = cfg.exporters.redis.enable && withRedis != { };
in
{
  part = {
    prometheus = {
      listenAddress = address;
      inherit (cfg) enable port;
      nodeExporter = cfg.exporters.node.enable;
    };
    postgresExporter =
      if withPostgres != { } then
        {
          listenAddress = address;
          inherit (cfg.exporters.postgres) port;
        }
      else
        null;
  };

  globalConfig = {
    scrape_interval = cfg.scrapeInterval;
    evaluation_interval = cfg.evaluationInterval;
    # Every alert says from which host it comes.
    external_labels = { inherit (soloscope.logs) host; };
  };

  scrapeConfigs = [
    (job "soloscope" soloscope.exporter.port)
    (job "prometheus" cfg.port)
    (job "loki" soloscope.loki.port)
    (job soloscope.logs.shipper soloscope.logs.ports.${soloscope.logs.shipper})
  ]
  ++ optionals cfg.exporters.node.enable [ (job "node" cfg.exporters.node.port) ]
  ++ optionals soloscope.grafana.enable [
    # Without its path Grafana redirects every client to the public URL.
    (job "grafana" soloscope.grafana.port // { metrics_path = "${subPath}/metrics"; })
  ]
  ++ optionals soloscope.alertmanager.enable [ (job "alertmanager" soloscope.alertmanager.port) ]
  ++ optionals soloscope.notify.enable [ (job "notify" soloscope.notify.port) ]
  ++ optionals asksRedis [
    # One exporter for all Redis servers; the target is the server's URL.
    {
      job_name = "redis";
      metrics_path = "/scrape";
      static_configs = mapAttrsToList (name: app: {
        targets = [ (urls.redisTarget app.redis.username app.redis.url) ];
        labels.app = name;
      }) withRedis;
      relabel_configs = through cfg.exporters.redis.port;
    }
  ]
  ++ optionals probes.enable [
    {
      job_name = "blackbox";
      metrics_path = "/probe";
      inherit (probes) static_configs;
      relabel_configs = through cfg.exporters.blackbox.port;
    }
  ]
  ++ optionals (withPostgres != { }) [ (job "postgres" cfg.exporters.postgres.port) ]
  ++ mapAttrsToList ownMetrics withMetrics;

  alertmanagers = optionals soloscope.alertmanager.enable [
    { static_configs = [ { targets = [ (at soloscope.alertmanager.port) ]; } ]; }
  ];

  rules.groups = (import ./rules.nix).groups ++ (import ./objectives.nix withMetrics).groups;

  flags = {
    "storage.tsdb.retention.time" = cfg.retention;
  }
  // optionalAttrs (cfg.maxDiskGiB != null) {
    # Prometheus' GB are GiB; MB, so that the option may be a fraction.
    "storage.tsdb.retention.size" = "${toString (builtins.floor (1024 * cfg.maxDiskGiB))}MB";
  }
  // {
    "web.listen-address" = at cfg.port;
  };

  exporters = {
    node = {
      collectors = [ "systemd" ];
      # How often systemd restarted a unit by itself.
      flags = [ "--collector.systemd.enable-restarts-metrics" ];
    };
    blackbox = { inherit (probes) enable configuration; };
    postgres.flags = optionals cfg.exporters.postgres.statements [ "--collector.stat_statements" ];
    # For /scrape?target=: the state of the Redis server, no keys of any app.
    redis = {
      enable = asksRedis;
      flags = {
        "redis.addr" = ""; # no default: Prometheus names every target
        "include-system-metrics" = true;
        "exclude-latency-histogram-metrics" = true;
      };
      # For its password file: target -> the file with the password.
      passwords = builtins.listToAttrs (
        mapAttrsToList (_: app: {
          name = urls.redisTarget app.redis.username app.redis.url;
          value = app.redis.passwordFile;
        }) (filterAttrs (_: app: app.redis.passwordFile != null) withRedis)
      );
    };
  };
}
