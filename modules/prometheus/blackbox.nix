# The blackbox exporter, when an app declares a health URL or a check of kind `http` or
# `tcp`, or the host a domain: services.prometheus.exporters.blackbox.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkDefault mkForce mkIf;
  inherit (import ../types.nix { inherit lib; }) exporterInForce portOption;
  defaults = (import ../defaults.nix).prometheus.exporters.blackbox;
  address = (import ../defaults.nix).listenAddress;
  soloscope = config.services.soloscope;
  cfg = soloscope.prometheus.exporters.blackbox;
  settings = import ./settings.nix {
    inherit soloscope;
    paths = (import ../paths.nix).host;
  };
  file = (pkgs.formats.json { }).generate "blackbox.json" settings.exporters.blackbox.configuration;
in
{
  options.services.soloscope.prometheus.exporters.blackbox = {
    enable =
      lib.mkEnableOption "the exporter that asks the apps' health URLs and their checks of kind `http` and `tcp`, for how long each part of an answer takes and when certificates end. nixpkgs chooses its package"
      // {
        default = defaults.enable;
      };
    port = portOption "the blackbox exporter" defaults.port;
  };

  config =
    mkIf (soloscope.enable && soloscope.prometheus.enable && settings.exporters.blackbox.enable)
      {
        assertions = exporterInForce config "blackbox" ++ [
          {
            assertion = config.services.prometheus.exporters.blackbox.configFile == file;
            message = "services.prometheus.exporters.blackbox.configFile is yours, but soloscope's checks need the modules of its own file. Remove it, or set services.soloscope.prometheus.exporters.blackbox.enable = false.";
          }
        ];
        services.soloscope.listeners."services.soloscope.prometheus.exporters.blackbox.port" = cfg.port;

        services.prometheus.exporters.blackbox = {
          enable = true;
          port = mkDefault cfg.port;
          listenAddress = mkDefault address;
          configFile = mkDefault file;
        };
        systemd.services.prometheus-blackbox-exporter.serviceConfig = {
          AmbientCapabilities = mkForce ""; # nixpkgs lets it ping, which it is not asked to
          ProtectProc = "invisible";
          PrivateUsers = true;
          SystemCallFilter = [
            "@system-service"
            "~@privileged"
          ];
        };
      };
}
