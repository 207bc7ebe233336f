# The log shipper: reads the journal and writes to Loki, as the unit
# soloscope-<engine>. It is a unit of our own, because nixpkgs no longer has a
# module for Promtail, and so that every engine is run in the same way.
# State (how far it has read) is in /var/lib/soloscope-<engine>.
#
# An engine is one entry of `engines`; the pipeline is settings.nix for all.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    attrNames
    getExe'
    mkIf
    mkOption
    types
    ;
  inherit (import ../types.nix { inherit lib; }) duration portOption;
  defaults = (import ../defaults.nix).logs;
  places = (import ../places.nix).host;
  soloscope = config.services.soloscope;
  cfg = soloscope.logs;
  settings = import ./settings.nix { inherit soloscope places; };

  # package  the default package
  # start    command line, given a configuration file
  # verify   command that fails when the file is not accepted
  engines = {
    promtail = {
      package = pkgs.promtail;
      packageText = "promtail, from the flake's second nixpkgs";
      file = (pkgs.formats.json { }).generate "promtail.yaml" settings.configuration;
      start = file: "${getExe' cfg.package "promtail"} -config.file=${file}";
      verify = file: "promtail -check-syntax -config.file=${file}";
    };
  };
  engine = engines.${cfg.shipper};

  verified =
    pkgs.runCommand "soloscope-${cfg.shipper}-config" { nativeBuildInputs = [ cfg.package ]; }
      ''
        ${engine.verify engine.file}
        ln -s ${engine.file} $out
      '';
in
{
  options.services.soloscope.logs = {
    shipper = mkOption {
      type = types.enum (attrNames engines);
      default = defaults.shipper;
      description = "The program that carries log lines from the journal to Loki.";
    };

    package = mkOption {
      type = types.package;
      default = engine.package;
      defaultText = lib.literalMD "the package of the `shipper`; for Promtail, which nixpkgs no longer has, that of the flake's second input";
      description = "The package of the `shipper`.";
    };

    ports = lib.mapAttrs (name: portOption "`${name}`, when it is the shipper,") (
      lib.intersectAttrs engines defaults.ports
    );

    maxAge = mkOption {
      type = duration;
      default = defaults.maxAge;
      description = ''
        How far back the journal is read when the shipper starts for the first time.
        Loki takes lines of up to a week.
      '';
    };
  };

  config = mkIf soloscope.enable {
    services.soloscope.listeners."services.soloscope.logs.ports.${cfg.shipper}" =
      cfg.ports.${cfg.shipper};

    # What is not on disk is lost at a reboot before it was shipped.
    services.journald.storage = lib.mkDefault "persistent";

    systemd.services."soloscope-${cfg.shipper}" = {
      description = "soloscope: carry the journal to Loki";
      wantedBy = [ "multi-user.target" ];
      wants = [ "loki.service" ];
      # Stopped before Loki, so that its last lines are still taken.
      after = [ "loki.service" ];
      startLimitIntervalSec = 0;
      serviceConfig = import ../hardening.nix // {
        ExecStart = engine.start verified;
        Restart = "always";
        RestartSec = 2;
        # Without this group it starts well and ships nothing.
        SupplementaryGroups = [ "systemd-journal" ];
        StateDirectory = baseNameOf (places.shipper cfg.shipper);
        # It waits for Loki for ever; the journal has what it did not ship.
        TimeoutStopSec = 5;
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
