# Loki keeps the logs: services.loki with what settings.nix says, state in
# /var/lib/loki, one tenant, nothing beyond 127.0.0.1. Any setting of Loki is
# changed under services.loki.configuration.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkDefault mkIf mkOption;
  inherit (import ../types.nix { inherit lib; }) duration mkDefaults portOption;
  defaults = (import ../defaults.nix).loki;
  places = (import ../places.nix).host;
  soloscope = config.services.soloscope;
  cfg = soloscope.loki;
  settings = import ./settings.nix { inherit soloscope places; };
in
{
  options.services.soloscope.loki = {
    package = lib.mkPackageOption pkgs "grafana-loki" { };
    port = portOption "Loki" defaults.port;
    grpcPort = portOption "Loki's gRPC, which Loki uses to talk to itself," defaults.grpcPort;
    retention = mkOption {
      type = duration;
      default = defaults.retention;
      example = "90d";
      description = "How long log lines are kept.";
    };
  };

  config = mkIf soloscope.enable {
    services.soloscope.listeners = {
      "services.soloscope.loki.port" = cfg.port;
      "services.soloscope.loki.grpcPort" = cfg.grpcPort;
    };

    services.loki = {
      enable = true;
      package = mkDefault cfg.package;
      dataDir = mkDefault places.loki;
      configuration = mkDefaults settings.configuration;
    };

    # Loki does not start without its file of overrides; the disk budget
    # writes it.
    systemd.services.loki.preStart = ''
      if [ ! -e ${places.lokiRuntime} ]; then
        echo ${lib.escapeShellArg (builtins.toJSON settings.runtime)} > ${places.lokiRuntime}
      fi
    '';
    environment.etc."soloscope/loki/rules/fake/soloscope.yaml".source =
      (pkgs.formats.yaml { }).generate "soloscope-loki-rules.yaml" settings.rules;

    systemd.services.loki.serviceConfig = {
      # nixpkgs says `full`; Loki writes nowhere but its own folder.
      ProtectSystem = lib.mkOverride 90 "strict";
      ReadWritePaths = [ config.services.loki.dataDir ];
      CapabilityBoundingSet = "";
      LockPersonality = true;
      PrivateDevices = true;
      ProtectClock = true;
      ProtectControlGroups = true;
      ProtectHostname = true;
      ProtectKernelLogs = true;
      ProtectKernelModules = true;
      ProtectKernelTunables = true;
      RestrictAddressFamilies = [
        "AF_UNIX"
        "AF_INET"
        "AF_INET6"
        "AF_NETLINK" # it asks for the network cards, and complains without an answer
      ];
      RestrictNamespaces = true;
      RestrictRealtime = true;
      RestrictSUIDSGID = true;
      SystemCallArchitectures = "native";
    };
  };
}
