# `soloscope canary` as the unit soloscope-canary and its timer: it prints a line,
# makes a count and raises an alert, and looks for each where it should arrive. Its
# folder has the results, which `soloscope serve` shows as metrics.
{
  config,
  lib,
  ...
}:
let
  inherit (lib) mkIf mkOption;
  inherit (import ../types.nix { inherit lib; }) duration secretFile;
  defaults = (import ../defaults.nix).canary;
  paths = (import ../paths.nix).host;
  soloscope = config.services.soloscope;
  cfg = soloscope.canary;
  settings = import ./settings.nix { inherit soloscope paths; };
  name = baseNameOf paths.canary;
  unit = import ../results.nix {
    inherit lib name;
    inherit (settings) credentials;
  };
in
{
  options.services.soloscope.canary = {
    enable = lib.mkEnableOption "the canary, which proves every few minutes that lines, counts and alerts still arrive" // {
      default = defaults.enable;
    };
    interval = mkOption {
      type = duration;
      default = defaults.interval;
      description = "How long after one run the next one begins.";
    };
    timeout = mkOption {
      type = duration;
      default = defaults.timeout;
      description = "When a line, a count or an alert that was not found is lost. Longer than two scrape intervals.";
    };
    heartbeatUrlFile = mkOption {
      type = secretFile;
      default = defaults.heartbeatUrlFile;
      example = "/run/secrets/healthchecks-url";
      description = ''
        A file with a URL that is asked after each run in which everything arrived, such as
        one of healthchecks.io. Whoever watches it from outside notices when this host
        is gone, with all that would tell you so.
      '';
    };
  };

  config = mkIf (soloscope.enable && cfg.enable) {
    inherit (unit) users;

    systemd.services.${name} = {
      description = "soloscope: prove that lines, counts and alerts arrive";
      serviceConfig = unit.serviceConfig // {
        ExecStart = "${lib.getExe soloscope.package} canary";
        # What was lost is an alert of its own, not also that of a failed unit.
        SuccessExitStatus = 1;
        StateDirectory = name;
      };
    };

    systemd.timers.${name} = {
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnActiveSec = "2min"; # after a start of the host its programs need a moment
        OnUnitInactiveSec = cfg.interval;
        AccuracySec = "1s";
      };
    };
  };
}
