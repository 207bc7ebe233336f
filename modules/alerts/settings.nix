# The alert rules as rule files, one for each severity. Prometheus and Loki's
# ruler take the same form. Pure, builtins only.
#
#   { soloscope, ... } -> { prometheus, loki }, each { <severity> = { groups }; }
#     of the severities that have a rule
{ soloscope, ... }:
let
  inherit (import ../pure.nix) filterAttrs optionalAttrs;

  rendered =
    name: rule:
    {
      alert = name;
      inherit (rule) expr;
      labels = {
        inherit (rule) severity;
      }
      // rule.labels;
      annotations = {
        inherit (rule) summary;
      }
      // optionalAttrs (rule.description != "") { inherit (rule) description; }
      // rule.annotations;
    }
    // optionalAttrs (rule.for != null) { inherit (rule) for; };

  filesFor =
    source:
    let
      rules = filterAttrs (_: rule: rule.enable && rule.source == source) soloscope.alerts.rules;
    in
    builtins.mapAttrs (severity: names: {
      groups = [
        {
          name = "soloscope-${severity}";
          rules = map (name: rendered name rules.${name}) names;
        }
      ];
    }) (builtins.groupBy (name: rules.${name}.severity) (builtins.attrNames rules));
in
{
  prometheus = filesFor "prometheus";
  loki = filesFor "loki";
}
