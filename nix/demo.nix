# `nix run .#demo`: the demo's runner with nixpkgs' programs on PATH. Where the
# programs come from is the only difference to `./justw demo`.
{
  lib,
  pkgs,
  promtail,
  soloscope,
  source,
}:
let
  # demo/pyproject.toml
  python = pkgs.python3.withPackages (packages: [
    packages.hiredis
    packages.mirakuru
    packages.prometheus-client
    packages.psutil
    packages.redis
    packages.requests
    packages.rich
  ]);
in
pkgs.writeShellApplication {
  name = "soloscope-demo";
  runtimeInputs = [
    pkgs.grafana
    pkgs.grafana-loki
    pkgs.nix
    pkgs.prometheus
    pkgs.prometheus.cli
    pkgs.prometheus-alertmanager
    pkgs.prometheus-blackbox-exporter
    pkgs.prometheus-node-exporter
    pkgs.prometheus-postgres-exporter
    pkgs.prometheus-redis-exporter
    pkgs.redis
    promtail
    python
    soloscope
  ];
  text = ''
    export PYTHONPATH=${source}/demo/src
    # systemd keeps systemd-journal-remote beside its other helpers.
    PATH=$PATH:${pkgs.systemd}/lib/systemd
    exec python3 -m soloscope_demo run "$@"
  '';
  meta = {
    description = "Starts the whole stack with a sample app on this machine";
    platforms = lib.platforms.linux;
  };
}
