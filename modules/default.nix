# soloscope: logs, metrics and dashboards for one host, from one description of
# each app. This file imports one folder per component; in each,
# default.nix has the options and the units, settings.nix the program's
# configuration. Minimal use:
#
#   services.soloscope = {
#     enable = true;
#     apps.shop = {
#       units = [ "shop.service" ];
#       redis.url = "unix:///run/redis-shop/redis.sock";
#       counters.orders.help = "Orders placed";
#     };
#   };
#
# Everything listens on 127.0.0.1; nginx listens on public addresses when `domain` is set.
{
  config,
  lib,
  ...
}:
let
  inherit (lib) mkEnableOption mkOption types;
  inherit (import ./types.nix { inherit lib; }) matching;
  defaults = import ./defaults.nix;
in
{
  imports = [
    ./alertmanager
    ./alerts
    ./apps
    ./canary
    ./configuration
    ./digest
    ./exporter
    ./grafana
    ./host
    ./listeners
    ./logs
    ./loki
    ./nginx
    ./notify
    ./probe
    ./prometheus
    ./secrets
  ];

  options.services.soloscope = {
    enable = mkEnableOption "soloscope, which shows what this host's apps do";

    timeZone = mkOption {
      type = types.str;
      default = if config.time.timeZone != null then config.time.timeZone else defaults.timeZone;
      defaultText = lib.literalExpression ''config.time.timeZone, or "${defaults.timeZone}" when that is null'';
      example = "Europe/Berlin";
      description = ''
        The time zone of the person who looks: it decides when a day is reported
        and what counts as night. Each app's days follow its own
        {option}`services.soloscope.apps.<name>.timeZone`.
      '';
    };

    domain = mkOption {
      type = types.nullOr (
        matching "host name such as `grafana.example.org`, without scheme, port and path (those are nginx.path and grafana.rootUrl)" "[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*"
      );
      default = defaults.domain;
      example = "grafana.example.org";
      description = ''
        The name under which Grafana is reached from outside. When it is set,
        nginx serves Grafana there with TLS (see
        {option}`services.soloscope.nginx.tls`). When it is null, nothing is
        reachable from outside and `ssh -L 3000:127.0.0.1:3000 HOST` brings
        Grafana to your own machine.
      '';
    };
  };
}
