# `soloscope digest` as the unit soloscope-digest and its timer: each morning it
# reads the apps' counts, Loki and Prometheus, and hands one message to
# `soloscope notify`. Its folder has the date of the last message, which
# `soloscope serve` shows as a metric: a missing digest is an alert.
{
  config,
  lib,
  ...
}:
let
  inherit (lib) mkIf mkOption;
  inherit (import ../types.nix { inherit lib; }) matching;
  defaults = (import ../defaults.nix).digest;
  paths = (import ../paths.nix).host;
  soloscope = config.services.soloscope;
  cfg = soloscope.digest;
  settings = import ./settings.nix { inherit soloscope paths; };
  name = baseNameOf paths.digest;
  unit = import ../results.nix {
    inherit lib name;
    inherit (settings) credentials;
  };
in
{
  options.services.soloscope.digest = {
    enable = lib.mkEnableOption "the message of each morning: yesterday's numbers, the night's jobs, what fired and what is new" // {
      default = defaults.enable;
    };
    at = mkOption {
      type = matching "time of day such as `08:00`" "([01][0-9]|2[0-3]):[0-5][0-9]";
      default = defaults.at;
      example = "07:15";
      description = ''
        When the message is sent, in {option}`services.soloscope.timeZone`. A host that was
        off at that time sends it when it is on again, once a day.
      '';
    };
  };

  config = mkIf (soloscope.enable && cfg.enable) {
    assertions = [
      {
        assertion = soloscope.notify.enable;
        message = "services.soloscope.digest.enable needs services.soloscope.notify.enable, which sends the message. Set services.soloscope.notify.whatsapp or a channel in services.soloscope.notify.channels.";
      }
    ];

    inherit (unit) users;

    systemd.services.${name} = {
      description = "soloscope: send the report of the day before";
      after = [
        "soloscope-notify.service"
        "loki.service"
        "prometheus.service"
      ];
      serviceConfig = unit.serviceConfig // {
        ExecStart = "${lib.getExe soloscope.package} digest";
        # Only `notify` can refuse it: what cannot be read is said in the message.
        Restart = "on-failure";
        RestartSec = "5min";
        StateDirectory = name;
        SupplementaryGroups = import ../apps/groups.nix soloscope.apps;
      };
    };

    systemd.timers.${name} = {
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = "*-*-* ${cfg.at}:00 ${soloscope.timeZone}";
        Persistent = true;
        AccuracySec = "1s";
      };
    };
  };
}
