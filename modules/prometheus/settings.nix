# What Prometheus and its exporters are told. Pure, builtins only.
#
#   { soloscope, places } -> { globalConfig, scrapeConfigs, rules, flags, exporters }
#     flags      long options that the unit and the demo both pass
#     exporters  the same for each exporter
{ soloscope, places }:
let
  inherit (import ../pure.nix) mapAttrsToList optionals filterAttrs;
  defaults = import ../defaults.nix;
  cfg = soloscope.prometheus;
  address = defaults.listenAddress;
  at = port: "${address}:${toString port}";

  job = name: port: {
    job_name = name;
    static_configs = [ { targets = [ (at port) ]; } ];
  };

  # "http://127.0.0.1:8080/metrics" in the parts that a scrape job takes.
  url =
    text:
    let
      parts = builtins.match "(https?)://([^/?]+)([^?]*)(\\?.*)?" text;
    in
    if parts == null then
      throw "soloscope: `${text}` is not an http or https URL"
    else
      {
        scheme = builtins.elemAt parts 0;
        host = builtins.elemAt parts 1;
        path = builtins.elemAt parts 2;
      };

  ownMetrics =
    name: app:
    let
      parts = url app.metrics.url;
    in
    {
      job_name = name;
      inherit (parts) scheme;
      metrics_path = if parts.path == "" then "/metrics" else parts.path;
      static_configs = [
        {
          targets = [ parts.host ];
          labels.app = name;
        }
      ];
    };

  withRedis = filterAttrs (_: app: app.redis.url != null) soloscope.apps;
  withMetrics = filterAttrs (_: app: app.metrics.url != null) soloscope.apps;
in
{
  globalConfig = {
    scrape_interval = cfg.scrapeInterval;
    evaluation_interval = cfg.evaluationInterval;
  };

  scrapeConfigs = [
    (job "soloscope" soloscope.exporter.port)
    (job "node" cfg.exporters.node.port)
    (job "prometheus" cfg.port)
    (job "loki" soloscope.loki.port)
    (job soloscope.logs.shipper soloscope.logs.ports.${soloscope.logs.shipper})
  ]
  ++ optionals soloscope.grafana.enable [ (job "grafana" soloscope.grafana.port) ]
  ++ optionals soloscope.alertmanager.enable [ (job "alertmanager" soloscope.alertmanager.port) ]
  ++ optionals (withRedis != { }) [
    # One exporter asks every app's Redis; the target is the Redis' own URL.
    {
      job_name = "redis";
      metrics_path = "/scrape";
      static_configs = mapAttrsToList (name: app: {
        targets = [ app.redis.url ];
        labels.app = name;
      }) withRedis;
      relabel_configs = [
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
          replacement = at cfg.exporters.redis.port;
        }
      ];
    }
  ]
  ++ mapAttrsToList ownMetrics withMetrics;

  rules = import ./rules.nix;

  flags = {
    "storage.tsdb.retention.time" = cfg.retention;
    "web.listen-address" = at cfg.port;
  };

  exporters = {
    node.collectors = [ "systemd" ];
    # What /scrape?target= answers: Redis' own state, no key of any app.
    redis.flags = {
      "redis.addr" = ""; # none of its own: every target is named by Prometheus
      "include-system-metrics" = true;
      "exclude-latency-histogram-metrics" = true;
    };
  };
}
