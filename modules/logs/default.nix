# The log shipper: reads the journal and writes to Loki, as the unit
# soloscope-<engine>. It is a unit of our own, because nixpkgs no longer has a
# module for Promtail, and so that every engine runs in the same way.
# State (how far it has read) is in /var/lib/soloscope-<engine>.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  inherit (lib) getExe getExe' mkIf;
  soloscope = config.services.soloscope;
  cfg = soloscope.logs;
  paths = (import ../paths.nix).host;
  settings = import ./settings.nix { inherit soloscope paths; };
  inherit (settings) engine;

  file = (pkgs.formats.json { }).generate "promtail.yaml" settings.configuration;
  verified =
    pkgs.runCommand "soloscope-${cfg.shipper}-config" { nativeBuildInputs = [ cfg.package ]; }
      ''
        ${engine.verify file}
        ln -s ${file} $out
      '';

  script =
    name: runtimeInputs:
    getExe (
      pkgs.writeShellApplication {
        name = "soloscope-${name}";
        inherit runtimeInputs;
        text = builtins.readFile (./. + "/${name}.sh");
      }
    );
  # Runs before the shipper: start from Loki's newest line, not from the shipper's position.
  rewind = script "rewind" [
    pkgs.coreutils
    pkgs.gnused
    pkgs.gawk
    pkgs.curl
    config.systemd.package
  ];
  # If the other engine ran before: start where it stopped.
  carry = script "carry" [
    pkgs.coreutils
    pkgs.findutils
    pkgs.gnugrep
    pkgs.gnused
  ];
in
{
  imports = [
    ./assertions.nix
    ./options.nix
  ];

  config = mkIf soloscope.enable {
    services.soloscope.listeners."services.soloscope.logs.ports.${cfg.shipper}" =
      cfg.ports.${cfg.shipper};

    systemd.services."soloscope-${cfg.shipper}" = {
      description = "soloscope: carry the journal to Loki";
      wantedBy = [ "multi-user.target" ];
      wants = [ "loki.service" ];
      # Stopped before Loki, so that Loki still accepts its last lines.
      after = [ "loki.service" ];
      startLimitIntervalSec = 0;
      inherit (engine) environment;
      serviceConfig = import ../hardening.nix // {
        ExecStartPre =
          # As root: the folders belong to different users.
          map (arguments: "+" + utils.escapeSystemdExecArgs ([ carry ] ++ arguments)) engine.carry
          ++ [
            (utils.escapeSystemdExecArgs (
              [
                rewind
                engine.positions
              ]
              ++ settings.rewind
            ))
          ];
        ExecStart = utils.escapeSystemdExecArgs (
          [ (getExe' cfg.package cfg.shipper) ] ++ engine.arguments "${verified}"
        );
        Restart = "always";
        RestartSec = 2;
        # Without this group it starts without an error and ships nothing.
        SupplementaryGroups = [ "systemd-journal" ] ++ cfg.groups;
        StateDirectory = baseNameOf (paths.shipper cfg.shipper);
        # It waits for Loki without a limit; the journal has what it did not ship.
        TimeoutStopSec = 5;
        MemoryMax = "512M";
        RestrictAddressFamilies = [
          "AF_UNIX"
          "AF_INET"
          "AF_INET6"
        ];
        IPAddressAllow = "localhost";
        IPAddressDeny = "any";
      };
    };
  };
}
