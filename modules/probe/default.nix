# `soloscope probe` as the unit soloscope-probe and its timer: runs the apps' checks
# of kind `api` against outside APIs, and writes the results to
# /run/soloscope-probe for `soloscope serve`. It exists only when such a check is
# declared, and only this unit has the keys.
{
  config,
  lib,
  ...
}:
let
  inherit (lib) mkIf;
  inherit (import ../durations.nix) milliseconds;
  paths = (import ../paths.nix).host;
  soloscope = config.services.soloscope;
  settings = import ./settings.nix { inherit soloscope paths; };

  inherit (settings) checks;
  # The timer uses the shortest interval of the checks; the command runs
  # only those that are due.
  every = lib.foldl' lib.min (lib.head intervals) (lib.tail intervals);
  intervals = map (check: milliseconds check.interval) checks;
  name = baseNameOf paths.probe;
  unit = import ../results.nix {
    inherit lib name;
    inherit (settings) credentials;
  };
in
{
  config = mkIf (soloscope.enable && checks != [ ]) {
    inherit (unit) users;

    systemd.services.${name} = {
      description = "soloscope: ask the outside APIs that the apps need";
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      serviceConfig = unit.serviceConfig // {
        ExecStart = "${lib.getExe soloscope.package} probe";
        RuntimeDirectory = name;
        RuntimeDirectoryPreserve = true; # the results outlive the process
      };
    };

    systemd.timers.${name} = {
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnActiveSec = "1s";
        OnUnitActiveSec = "${toString every}ms";
        AccuracySec = "1s";
      };
    };
  };
}
