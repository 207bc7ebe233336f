# Where files are. `host`: systemd's folders on a NixOS host. `under DIR`: one
# folder with everything, for the demo and the tests. Builtins only.
#
# `secret NAME FILE` is the reference to a secret in soloscope.json: on a host the unit
# loads FILE as the credential NAME, elsewhere it is the file itself. `credential UNIT
# NAME FILE` is the path of it, for programs that read a file.
{
  host = {
    config = "/etc/soloscope";
    loki = "/var/lib/loki";
    lokiRules = "/etc/soloscope/loki/rules";
    lokiOverrides = folder: "${folder}/soloscope-overrides.json";
    lokiBudget = "/var/lib/soloscope-loki-budget";
    shipper = engine: "/var/lib/soloscope-${engine}";
    journal = null; # the machine's own
    prometheus = "/var/lib/prometheus2";
    alertmanager = "/var/lib/alertmanager";
    grafana = "/var/lib/grafana";
    dashboards = "/etc/soloscope/dashboards";
    probe = "/run/soloscope-probe";
    notify = "/var/lib/soloscope-notify";
    digest = "/var/lib/soloscope-digest";
    canary = "/var/lib/soloscope-canary";
    secrets = "/var/lib/soloscope-secrets";
    grafanaSecret = name: "/run/credentials/grafana.service/${name}";
    credential =
      unit: name: _file:
      "/run/credentials/${unit}.service/${name}";
    secret = name: _file: { credential = name; };
  };

  under = dir: {
    config = dir;
    loki = "${dir}/state/loki";
    lokiRules = "${dir}/loki/rules";
    lokiOverrides = _: "${dir}/loki/overrides.json";
    lokiBudget = "${dir}/state/loki-budget";
    shipper = engine: "${dir}/state/${engine}";
    journal = "${dir}/state/journal";
    prometheus = "${dir}/state/prometheus";
    alertmanager = "${dir}/state/alertmanager";
    grafana = "${dir}/state/grafana";
    dashboards = "${dir}/dashboards";
    probe = "${dir}/state/probe";
    notify = "${dir}/state/notify";
    digest = "${dir}/state/digest";
    canary = "${dir}/state/canary";
    secrets = "${dir}/secrets";
    grafanaSecret = name: "${dir}/secrets/${name}";
    credential =
      _unit: _name: file:
      file;
    secret = _name: file: { inherit file; };
  };
}
