# The configuration of `soloscope digest`. Pure, builtins only.
#
#   { soloscope, paths } -> { part, credentials }
#     part         of soloscope.json, also when the timer is off: the command can be tried
#     credentials  credential name -> the file that the unit loads (host only)
{ soloscope, paths }:
let
  apps = import ../apps/settings.nix { inherit soloscope paths; };
  notify = import ../notify/settings.nix { inherit soloscope paths; };
in
{
  part.digest = {
    inherit (soloscope.digest) enable at;
    stateFile = "${paths.digest}/sent.json";
  };

  # The token of `soloscope notify`, and the passwords of the Redis servers that it reads.
  credentials = {
    notify-token = notify.tokenFile;
  }
  // apps.passwords;
}
