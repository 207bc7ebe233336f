# The configuration of each program, as one set: file name -> content (a set becomes
# JSON, which YAML readers accept; a string is written as it is). Builtins only:
#
#   nix-instantiate --store dummy:// --eval --strict --json modules/render.nix \
#     --argstr root DIR --argstr overrides '{"loki": {"port": 3101}}'
#
# The demo, the tests and `just render` write these files; the NixOS modules
# call the same settings.nix. `programs.json` holds the command line of each
# program as a plain process; for the shipper also the path that answers when it
# is ready, the positions file of the journal, and the arguments of carry.sh.
{
  declaration ? import ../demo/declaration.nix,
  overrides ? "{}",
  # every option with its value
  soloscope ? import ./with-defaults.nix (
    (import ./pure.nix).recursiveUpdate declaration (builtins.fromJSON overrides)
  ),
  root,
}:
let
  inherit (import ./pure.nix)
    toINI
    mapAttrsToList
    optionalAttrs
    ;
  defaults = import ./defaults.nix;
  paths = (import ./paths.nix).under root;
  room = name: import (./. + "/${name}/settings.nix") { inherit soloscope paths; };

  loki = room "loki";
  logs = room "logs";
  prometheus = room "prometheus";
  configuration = room "configuration";
  grafana = room "grafana";
  alerts = room "alerts";
  alertmanager = room "alertmanager";

  # { a = 1; } -> { "FOLDER/a.EXTENSION" = 1; }
  filesIn =
    folder: extension: set:
    builtins.listToAttrs (
      mapAttrsToList (name: value: {
        name = "${folder}/${name}.${extension}";
        inherit value;
      }) set
    );

  address = defaults.listenAddress;
  at = port: "${address}:${toString port}";
  exporters = soloscope.prometheus.exporters;
  # Go's flags: a boolean is given as --name=true.
  flags =
    dash: set:
    mapAttrsToList (
      name: value:
      "${dash}${name}=${
        if builtins.isBool value then (if value then "true" else "false") else toString value
      }"
    ) set;

  # Grafana as a plain process also needs its folders.
  grafanaIni = grafana.settings // {
    paths = {
      data = paths.grafana;
      logs = "${paths.grafana}/log";
      plugins = "${paths.grafana}/plugins";
      provisioning = "${root}/grafana/provisioning";
    };
  };
in
{
  "loki.yaml" = loki.configuration;
  "loki/overrides.json" = loki.runtime;
  "promtail.yaml" = logs.configuration;
  # Arguments of modules/logs/rewind.sh, after the shipper's file of positions.
  "rewind.json" = logs.rewind;
  "soloscope.json" = configuration.configuration;
  "programs.json" = {
    loki.argv = [
      "loki"
      "-config.file=${root}/loki.yaml"
    ];
    ${soloscope.logs.shipper} = {
      argv = [ soloscope.logs.shipper ] ++ logs.engine.arguments "${root}/promtail.yaml";
      inherit (logs.engine) ready positions carry;
    };
    soloscope.argv = [
      "soloscope"
      "--config"
      "${root}/soloscope.json"
      "serve"
    ];
  }
  // optionalAttrs soloscope.prometheus.enable (
    {
      prometheus.argv = [
        "prometheus"
        "--config.file=${root}/prometheus.yml"
        "--storage.tsdb.path=${paths.prometheus}"
      ]
      ++ flags "--" prometheus.flags;
    }
    // optionalAttrs exporters.node.enable {
      node.argv = [
        "prometheus-node-exporter"
        "--web.listen-address=${at exporters.node.port}"
      ];
    }
    // optionalAttrs prometheus.exporters.redis.enable {
      redis.argv = [
        "prometheus-redis-exporter"
        "--web.listen-address=${at exporters.redis.port}"
      ]
      ++ flags "--" prometheus.exporters.redis.flags;
    }
    // optionalAttrs prometheus.exporters.blackbox.enable {
      blackbox.argv = [
        "prometheus-blackbox-exporter"
        "--config.file=${root}/blackbox.json"
        "--web.listen-address=${at exporters.blackbox.port}"
      ];
    }
  )
  // optionalAttrs soloscope.alertmanager.enable {
    alertmanager.argv = [
      "alertmanager"
      "--config.file=${root}/alertmanager.yml"
      "--storage.path=${paths.alertmanager}"
    ]
    ++ flags "--" alertmanager.flags;
  }
  // optionalAttrs soloscope.notify.enable {
    notify.argv = [
      "soloscope"
      "--config"
      "${root}/soloscope.json"
      "notify"
    ];
  }
  // optionalAttrs soloscope.grafana.enable {
    grafana.argv = [
      "grafana"
      "server"
      "--config"
      "${root}/grafana/grafana.ini"
    ];
  };
}
// filesIn "loki/rules/fake" "yaml" alerts.loki
// optionalAttrs soloscope.prometheus.enable (
  {
    "prometheus.yml" = {
      global = prometheus.globalConfig;
      scrape_configs = prometheus.scrapeConfigs;
      alerting = { inherit (prometheus) alertmanagers; };
      rule_files = [ "${root}/rules/*.yml" ];
    };
    "rules/soloscope.yml" = prometheus.rules;
  }
  // optionalAttrs prometheus.exporters.blackbox.enable {
    "blackbox.json" = prometheus.exporters.blackbox.configuration;
  }
  // filesIn "rules" "yml" alerts.prometheus
)
// optionalAttrs soloscope.alertmanager.enable {
  "alertmanager.yml" = alertmanager.configuration;
}
// optionalAttrs soloscope.grafana.enable {
  "grafana/grafana.ini" = toINI grafanaIni;
  "grafana/provisioning/datasources/soloscope.yaml" = grafana.datasources;
  "grafana/provisioning/dashboards/soloscope.yaml" = grafana.dashboards;
}
