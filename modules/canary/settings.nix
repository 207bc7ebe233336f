# The configuration of `soloscope canary`. Pure, builtins only.
#
#   { soloscope, paths } -> { part, credentials }
#     part         of soloscope.json, when it is enabled
#     credentials  credential name -> the file that the unit loads (host only)
{ soloscope, paths }:
let
  inherit (import ../pure.nix) optionalAttrs;
  notify = import ../notify/settings.nix { inherit soloscope paths; };
  cfg = soloscope.canary;
  heartbeat = "canary-heartbeat-url";
in
{
  part.canary =
    if !cfg.enable then
      null
    else
      {
        inherit (cfg) timeout;
        stateFile = "${paths.canary}/last.json";
        heartbeatUrlFile =
          if cfg.heartbeatUrlFile == null then null else paths.secret heartbeat cfg.heartbeatUrlFile;
      };

  credentials =
    optionalAttrs soloscope.notify.enable { notify-token = notify.tokenFile; }
    // optionalAttrs (cfg.heartbeatUrlFile != null) { ${heartbeat} = cfg.heartbeatUrlFile; };
}
