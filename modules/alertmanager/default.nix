# Alertmanager, off by default: services.prometheus.alertmanager, connected to
# Prometheus, Loki's ruler and Grafana. It tells nobody until the host sets
# routes and receivers under services.prometheus.alertmanager.configuration.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkDefault mkIf mkMerge;
  inherit (import ../types.nix { inherit lib; }) flagList mkDefaults portOption;
  defaults = (import ../defaults.nix).alertmanager;
  address = (import ../defaults.nix).listenAddress;
  soloscope = config.services.soloscope;
  cfg = soloscope.alertmanager;
  settings = import ./settings.nix {
    inherit soloscope;
    places = (import ../places.nix).host;
  };
in
{
  options.services.soloscope.alertmanager = {
    enable = lib.mkEnableOption "Alertmanager, which groups alerts and passes them on" // {
      default = defaults.enable;
    };
    package = lib.mkPackageOption pkgs "prometheus-alertmanager" { };
    port = portOption "Alertmanager" defaults.port;
  };

  config = mkIf (soloscope.enable && cfg.enable) (mkMerge [
    {
      services.soloscope.listeners."services.soloscope.alertmanager.port" = cfg.port;

      services.prometheus.alertmanager = {
        enable = true;
        package = mkDefault cfg.package;
        listenAddress = mkDefault address;
        port = mkDefault cfg.port;
        configuration = mkDefaults settings.configuration;
        extraFlags = flagList settings.flags;
      };
    }
    (mkIf soloscope.prometheus.enable {
      services.prometheus.alertmanagers = [
        { static_configs = [ { targets = [ "${address}:${toString cfg.port}" ]; } ]; }
      ];
    })
  ]);
}
