# Loki stores the logs: services.loki with the configuration of settings.nix, state
# in /var/lib/loki, one tenant, listening on 127.0.0.1 only. Any Loki setting can be
# changed under services.loki.configuration.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    mkDefault
    mkIf
    mkMerge
    mkOption
    types
    ;
  inherit (import ../types.nix { inherit lib; }) duration mkDefaults portOption;
  defaults = (import ../defaults.nix).loki;
  hardening = import ../hardening.nix;
  paths = (import ../paths.nix).host;
  soloscope = config.services.soloscope;
  cfg = soloscope.loki;
  settings = import ./settings.nix { inherit soloscope paths; };
  # Both access files of Loki's user, which is not dynamic.
  asLoki = removeAttrs hardening [ "DynamicUser" ] // {
    ReadWritePaths = [ cfg.dataDir ];
    RestrictAddressFamilies = [
      "AF_UNIX"
      "AF_INET"
      "AF_INET6"
    ];
  };
in
{
  imports = [ ./assertions.nix ];

  options.services.soloscope.loki = {
    package = lib.mkPackageOption pkgs "grafana-loki" { };
    port = portOption "Loki" defaults.port;
    grpcPort = portOption "Loki's gRPC, which Loki uses to talk to itself," defaults.grpcPort;
    dataDir = mkOption {
      type = types.path;
      default = config.services.loki.dataDir;
      readOnly = true;
      internal = true;
      description = "Loki's folder. It is what {option}`services.loki.dataDir` says.";
    };
    retention = mkOption {
      type = duration;
      default = defaults.retention;
      example = "90d";
      description = "How long log lines are kept, as far as `maxDiskGiB` allows.";
    };
    shorter = mkOption {
      type = types.attrsOf (
        types.submodule {
          options = {
            selector = mkOption {
              type = types.str;
              example = ''{unit="noisy.service"}'';
              description = "The streams, by labels only.";
            };
            retention = mkOption {
              type = types.nullOr duration;
              example = "48h";
              description = "How long their lines are kept, at least 24 hours. Null switches the entry off.";
            };
          };
        }
      );
      default = { };
      defaultText = lib.literalExpression (
        lib.generators.toPretty { } { inherit (defaults.shorter) debug; }
      );
      example.noisy = {
        selector = ''{unit="noisy.service"}'';
        retention = "48h";
      };
      description = "Streams whose lines are kept for a shorter time than the others.";
    };
    maxDiskGiB = mkOption {
      type = types.nullOr types.numbers.positive;
      default = defaults.maxDiskGiB;
      description = ''
        How much of the disk Loki may fill. Before it is full, the oldest lines go, to the last
        {option}`budgetFloor`; then Loki takes no more, and the journal keeps the new lines
        until there is room. Null sets no bound.
      '';
    };
    budgetFloor = mkOption {
      type = duration;
      default = defaults.budgetFloor;
      description = "What `maxDiskGiB` never shortens the retention below, at least 24 hours.";
    };
  };

  config = mkIf soloscope.enable (mkMerge [
    {
      services.soloscope.loki.shorter = lib.mapAttrs (_: lib.mapAttrs (_: mkDefault)) defaults.shorter;
      services.soloscope.listeners = {
        "services.soloscope.loki.port" = cfg.port;
        "services.soloscope.loki.grpcPort" = cfg.grpcPort;
      };

      services.loki = {
        enable = true;
        package = mkDefault cfg.package;
        dataDir = mkDefault paths.loki;
        configuration = mkDefaults settings.configuration;
      };

      systemd.services.loki = {
        # Loki does not start without its file of overrides; the disk budget
        # writes it.
        preStart = ''
          if [ ! -e ${settings.overridesFile} ]; then
            echo ${lib.escapeShellArg (builtins.toJSON settings.runtime)} > ${settings.overridesFile}
          fi
        '';
        unitConfig.RequiresMountsFor = [ cfg.dataDir ];
        serviceConfig = asLoki // {
          # nixpkgs sets `full`; Loki writes only to its own folder.
          ProtectSystem = lib.mkOverride 90 hardening.ProtectSystem;
          # It lists network interfaces, and logs an error if it cannot.
          RestrictAddressFamilies = asLoki.RestrictAddressFamilies ++ [ "AF_NETLINK" ];
        };
      };
    }

    (mkIf (cfg.maxDiskGiB != null) {
      systemd.services.soloscope-loki-budget = {
        description = "soloscope: keep Loki's folder under its budget";
        unitConfig.RequiresMountsFor = [ cfg.dataDir ];
        serviceConfig = asLoki // {
          Type = "oneshot";
          # It reads Loki's folder and writes Loki's file of overrides.
          User = config.services.loki.user;
          Group = config.services.loki.group;
          ExecStart = "${lib.getExe soloscope.package} loki-budget";
          StateDirectory = baseNameOf paths.lokiBudget;
          StateDirectoryMode = "0755";
          # The node exporter reads what it writes.
          UMask = "0022";
          IPAddressAllow = "localhost";
          IPAddressDeny = "any";
        };
      };
      systemd.timers.soloscope-loki-budget = {
        description = "soloscope: keep Loki's folder under its budget";
        wantedBy = [ "timers.target" ];
        timerConfig = {
          OnBootSec = "2min";
          OnUnitActiveSec = "5min";
        };
      };
      services.prometheus.exporters.node = mkIf soloscope.prometheus.enable {
        enabledCollectors = [ "textfile" ];
        extraFlags = [ "--collector.textfile.directory=${paths.lokiBudget}" ];
      };
    })
  ]);
}
