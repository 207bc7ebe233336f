# The configuration of `soloscope probe`. Pure, builtins only.
#
#   { soloscope, paths } -> { part, credentials, checks }
#     part         of soloscope.json, when an app has a check of kind `api`
#     credentials  credential name -> the file that the unit loads (host only)
#     checks       those checks
{ soloscope, paths }:
let
  apps = import ../apps/settings.nix { inherit soloscope paths; };
  checks = builtins.filter (check: check.kind == "api") (
    builtins.concatMap (app: builtins.attrValues app.checks) (builtins.attrValues soloscope.apps)
  );
in
{
  part.probe = if checks == [ ] then null else { resultFile = "${paths.probe}/results.json"; };
  credentials = apps.keys;
  inherit checks;
}
