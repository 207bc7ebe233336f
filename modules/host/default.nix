# What soloscope changes of the host itself: the journal's limits, and a mark in the
# graphs for each system that the host is switched to.
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
      # What is not on disk is lost at a reboot before it was shipped.
      storage = lib.mkDefault "persistent";
      # journald drops what goes beyond, and says so in the journal. Ten thousand
      # lines in a second are a busy second, not a flood.
      rateLimitBurst = lib.mkDefault 20000;
      # The journal is the buffer while Loki is away, and Loki the memory: two
      # weeks are enough here. A line longer than 48 kB stays whole.
      extraConfig = lib.mkBefore ''
        MaxRetentionSec=2week
        SystemMaxUse=2G
        LineMax=256K
      '';
    };

    # It is not kept active, so every switch starts it again.
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
