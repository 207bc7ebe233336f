# The secrets that soloscope itself needs, generated at the first boot.
#
# The unit soloscope-secrets writes each secret once into
# /var/lib/soloscope-secrets (0700, files 0400, root). Nothing changes or
# removes them afterwards; back this folder up with Grafana's database, which
# is encrypted with the key in it. Units receive them by LoadCredential. Each
# is replaced by an option of its component that ends in `File`; then it is not generated.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    concatStringsSep
    mapAttrsToList
    mkIf
    mkOption
    types
    ;
  cfg = config.services.soloscope;
in
{
  options.services.soloscope.secrets.generate = mkOption {
    type = types.attrsOf (
      types.enum [
        "key"
        "password"
      ]
    );
    default = { };
    internal = true;
    description = ''
      What soloscope-secrets makes: a file's name, and whether a program reads it
      (64 hexadecimal digits) or a person types it (24 letters and digits).
    '';
  };

  config = mkIf (cfg.enable && cfg.secrets.generate != { }) {
    systemd.services.soloscope-secrets = {
      description = "soloscope: create missing secrets";
      wantedBy = [ "multi-user.target" ];
      path = [ pkgs.coreutils ];
      script = ''
        set -o pipefail
        # In a subshell, which has its own trap.
        create() (
          name=$1
          if [ -s "$name" ]; then
            exit 0
          fi
          if [ -e "$name" ]; then
            echo "$PWD/$name is empty: restore it from a backup, or remove it to have a new one made" >&2
            exit 1
          fi
          new=$(mktemp ".$name.XXXXXX")
          trap 'rm -f "$new"' EXIT
          "$2" > "$new"
          chmod 0400 "$new"
          sync "$new"
          mv --no-clobber "$new" "$name"
          sync .
          echo "created $PWD/$name"
        )
        key() { od -A n -v -t x1 -N 32 /dev/urandom | tr -d ' \n'; echo; }
        password() { head -c 15 /dev/urandom | base32; }

        ${concatStringsSep "\n" (
          mapAttrsToList (name: kind: "create ${name} ${kind}") cfg.secrets.generate
        )}
      '';
      serviceConfig = import ./service.nix // {
        RemainAfterExit = true;
      };
    };
  };
}
