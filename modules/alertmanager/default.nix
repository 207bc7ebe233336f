# Alertmanager, off by default: services.prometheus.alertmanager, connected to
# Prometheus, Loki's ruler and Grafana. It notifies nobody until the host sets
# services.prometheus.alertmanager.configuration, which then replaces ours.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkDefault mkIf;
  inherit (import ../types.nix { inherit lib; })
    flagList
    inForce
    listensHere
    portOption
    servedAtRoot
    ;
  defaults = (import ../defaults.nix).alertmanager;
  address = (import ../defaults.nix).listenAddress;
  soloscope = config.services.soloscope;
  cfg = soloscope.alertmanager;
  upstream = config.services.prometheus.alertmanager;
  settings = import ./settings.nix {
    inherit soloscope;
    paths = (import ../paths.nix).host;
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

  config = mkIf (soloscope.enable && cfg.enable) {
    services.soloscope.listeners."services.soloscope.alertmanager.port" = cfg.port;

    assertions = [
      (inForce {
        program = "Alertmanager";
        option = "services.prometheus.alertmanager.port";
        value = upstream.port;
        ours = "services.soloscope.alertmanager.port";
        expected = cfg.port;
      })
      (listensHere "Alertmanager" "services.prometheus.alertmanager.listenAddress" upstream.listenAddress)
      (servedAtRoot "Alertmanager" "services.prometheus.alertmanager.webExternalUrl"
        upstream.webExternalUrl
        upstream.extraFlags
      )
    ];

    services.prometheus.alertmanager = {
      enable = true;
      package = mkDefault cfg.package;
      listenAddress = mkDefault address;
      port = mkDefault cfg.port;
      # Set as a whole: nixpkgs' type does not merge nested values.
      configuration = mkDefault settings.configuration;
      # nixpkgs sets the address itself.
      extraFlags = flagList (removeAttrs settings.flags [ "web.listen-address" ]);
    };
  };
}
