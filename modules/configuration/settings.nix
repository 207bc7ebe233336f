# soloscope.json, which `soloscope serve` and every other command read: the parts
# that the rooms give. Pure, builtins only. The keys are the options' own names; it
# holds all of them but those that are null, so no program has defaults of its own.
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
      "exporter"
      "grafana"
      "logs"
      "loki"
      "probe"
      "prometheus"
    ]
  );
}
