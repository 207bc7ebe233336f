# soloscope.json, which `soloscope serve` and every other command read: the parts
# from all component folders. Pure, builtins only. The keys are the option names; all
# options are written except those that are null, so no program has its own defaults.
#
#   { soloscope, paths } -> { configuration }
{ soloscope, paths }:
let
  inherit (import ../pure.nix) dropNulls;
  part = room: (import (../. + "/${room}/settings.nix") { inherit soloscope paths; }).part;
in
{
  configuration = dropNulls (
    builtins.foldl' (all: room: all // part room) { inherit (soloscope) timeZone; } [
      "alertmanager"
      "apps"
      "canary"
      "digest"
      "exporter"
      "grafana"
      "logs"
      "loki"
      "notify"
      "probe"
      "prometheus"
    ]
  );
}
