# The configuration of `soloscope serve`. Pure, builtins only.
#
#   { soloscope, paths } -> { part, credentials }
#     part         of soloscope.json
#     credentials  credential name -> the file that the unit loads (host only)
{ soloscope, paths }:
let
  defaults = import ../defaults.nix;
  apps = import ../apps/settings.nix { inherit soloscope paths; };
  cfg = soloscope.exporter;
  tokenFile = if cfg.tokenFile == null then "${paths.secrets}/exporter-token" else cfg.tokenFile;
in
{
  part.exporter = {
    inherit (defaults) listenAddress;
    inherit (cfg)
      port
      history
      maxConnections
      logLevel
      ;
    tokenFile = paths.secret "exporter-token" tokenFile;
  };

  # Its own token, and the passwords of the Redis servers that it reads.
  credentials = {
    exporter-token = tokenFile;
  }
  // apps.passwords;
}
