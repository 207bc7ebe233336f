# What soloscope changes on the host itself: journald's limits, and an annotation in
# the graphs for each switch to a new system.
{
  config,
  lib,
  ...
}:
let
  soloscope = config.services.soloscope;
in
{
  config = lib.mkIf soloscope.enable {
    services.journald = {
      # Entries that are only in memory are lost at a reboot before they are shipped.
      storage = lib.mkDefault "persistent";
      # journald drops lines beyond the limit and logs that. Ten thousand
      # lines in a second are a busy second, not a flood.
      rateLimitBurst = lib.mkDefault 20000;
      # The journal is the buffer while Loki is down; Loki is the archive: two
      # weeks are enough here. A line longer than 48 kB stays whole.
      extraConfig = lib.mkBefore ''
        MaxRetentionSec=2week
        SystemMaxUse=2G
        LineMax=256K
      '';
    };

    # No RemainAfterExit, so every switch starts it again.
    systemd.services.soloscope-annotate = {
      description = "soloscope: mark a new system";
      wantedBy = [ "multi-user.target" ];
      after = [ "soloscope-${soloscope.logs.shipper}.service" ];
      path = [ soloscope.package ];
      script = ''
        system=$(readlink /run/current-system) || exit 0
        if [ "$system" != "$(cat "$STATE_DIRECTORY/system" 2>/dev/null)" ]; then
          name=''${system##*/}
          soloscope annotate --kind deploy "switched to ''${name#*-}"
          printf '%s\n' "$system" > "$STATE_DIRECTORY/system"
        fi
      '';
      serviceConfig = import ../hardening.nix // {
        Type = "oneshot";
        StateDirectory = "soloscope-annotate";
        RestrictAddressFamilies = [ "AF_UNIX" ];
        IPAddressDeny = "any";
      };
    };
  };
}
