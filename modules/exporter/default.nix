# `soloscope serve` as the unit soloscope-exporter: /metrics for Prometheus and
# /health for people, from the apps' Redis.
{
  config,
  lib,
  ...
}:
let
  inherit (lib)
    mapAttrsToList
    mkIf
    mkOption
    types
    ;
  inherit (import ../types.nix { inherit lib; }) portOption secretFile;
  defaults = (import ../defaults.nix).exporter;
  soloscope = config.services.soloscope;
  cfg = soloscope.exporter;
  settings = import ./settings.nix {
    inherit soloscope;
    paths = (import ../paths.nix).host;
  };

  # The groups that own the Redis sockets.
  groups = import ../apps/groups.nix soloscope.apps;
in
{
  options.services.soloscope.exporter = {
    port = portOption "`soloscope serve`" defaults.port;
    history = mkOption {
      type = types.int;
      default = defaults.history;
      description = "How many days back `/metrics` shows the apps' counts. 0 shows today only.";
    };
    maxConnections = mkOption {
      type = types.int;
      default = defaults.maxConnections;
      description = "How many connections are served at once. Further ones wait.";
    };
    logLevel = mkOption {
      type = types.enum [
        "debug"
        "info"
        "warning"
        "error"
      ];
      default = defaults.logLevel;
      description = "The least severe events that it logs.";
    };
    tokenFile = mkOption {
      type = secretFile;
      default = defaults.tokenFile;
      example = "/run/secrets/soloscope-token";
      description = ''
        A file with the token that `/api/admin/metrics` asks for. When it is null,
        one is made at the first boot: {file}`/var/lib/soloscope-secrets/exporter-token`.
      '';
    };
  };

  config = mkIf soloscope.enable {
    services.soloscope = {
      listeners."services.soloscope.exporter.port" = cfg.port;
      secrets.generate = mkIf (cfg.tokenFile == null) { exporter-token = "key"; };
    };

    systemd.services.soloscope-exporter = {
      description = "soloscope: the apps' counts and health for Prometheus and people";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [
        "network-online.target"
        "soloscope-secrets.service"
      ];
      requires = mkIf (soloscope.secrets.generate != { }) [ "soloscope-secrets.service" ];
      restartTriggers = [ config.environment.etc."soloscope/soloscope.json".source ];
      startLimitIntervalSec = 0; # it may start before its secrets or its Redis
      environment = import ./environment.nix;
      serviceConfig = import ../hardening.nix // {
        Type = "notify";
        ExecStart = "${lib.getExe soloscope.package} serve";
        Restart = "on-failure";
        RestartSec = 2;
        LoadCredential = mapAttrsToList (name: path: "${name}:${path}") settings.credentials;
        SupplementaryGroups = groups;
        RestrictAddressFamilies = [
          "AF_UNIX"
          "AF_INET"
          "AF_INET6"
        ];
        MemoryMax = "256M";
        TasksMax = 128;
      };
    };
  };
}
