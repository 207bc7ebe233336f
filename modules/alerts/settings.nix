# The alert rules as rule files, one for each severity. Prometheus and Loki's
# ruler take the same form. Pure, builtins only.
#
#   { soloscope, paths } -> { prometheus, loki, catalogue }
#     prometheus, loki  { <severity> = { groups }; } of the severities that have a rule
#     catalogue         soloscope's own rules (rules/default.nix)
{ soloscope, paths }:
let
  inherit (builtins) attrNames;
  inherit (import ../pure.nix) filterAttrs mapAttrsToList optionalAttrs;
  cfg = soloscope.alerts;
  catalogue = import ./rules { inherit soloscope; };
  inherit (import ../grafana/settings.nix { inherit soloscope paths; }) rootUrl;
  grafana = if builtins.match ".*/" rootUrl == null then "${rootUrl}/" else rootUrl;

  # --- when it began --------------------------------------------------------------
  # Prometheus stores since when an alert is active, and its templates can ask for it.
  # At the first evaluation it is not stored yet. Loki's ruler stores nothing.
  since =
    name: series: found: otherwise:
    ''{{ $of := "" }}{{ range $k, $v := $labels }}{{ if ne $k "__name__" }}{{ $of = printf "%s,%s=%q" $of $k $v }}{{ end }}{{ end }}''
    + ''{{ with query (printf `${series ''last_over_time(ALERTS_FOR_STATE{alertname="${name}"%s}[15m])''}` $of) }}${found}{{ else }}${otherwise}{{ end }}'';

  description =
    name: rule:
    rule.description
    + (
      if rule.source == "prometheus" && rule.for != null then
        since name (series: series)
          ''{{ " " }}Since {{ (. | first | value | toTime).Format "2 Jan 15:04" }} UTC.''
          ""
      else
        ""
    );

  # An hour before it began, until now.
  dashboard =
    name: rule:
    let
      from =
        if rule.source == "prometheus" then
          since name (series: "(${series} - 3600) * 1000") ''{{ printf "%.0f" (. | first | value) }}'' "now-1h"
        else
          "now-1h";
    in
    "${grafana}d/${rule.dashboard}?{{ with $labels.app }}var-app={{ . }}&{{ end }}from=${from}&to=now";

  # --- a rule ---------------------------------------------------------------------
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
      // optionalAttrs (rule.description != "") { description = description name rule; }
      // optionalAttrs (rule.dashboard != null && soloscope.grafana.enable) {
        dashboard = dashboard name rule;
      }
      // optionalAttrs (catalogue ? ${name}) { runbook_url = "${cfg.runbooks}/${name}.md"; }
      // rule.annotations;
    }
    // optionalAttrs (rule.for != null) { inherit (rule) for; };

  # A group for each interval of a severity; null is the program's own interval.
  groupsOf =
    severity: rules:
    let
      suffix = rule: if rule.interval == null then "" else "-${rule.interval}";
      groups = builtins.groupBy (name: "soloscope-${severity}${suffix rules.${name}}") (attrNames rules);
    in
    mapAttrsToList (
      group: names:
      {
        name = group;
        rules = map (name: rendered name rules.${name}) names;
      }
      // optionalAttrs (rules.${builtins.head names}.interval != null) {
        inherit (rules.${builtins.head names}) interval;
      }
    ) groups;

  filesFor =
    source:
    let
      rules = filterAttrs (_: rule: rule.enable && rule.source == source) cfg.rules;
      severities = builtins.groupBy (name: rules.${name}.severity) (attrNames rules);
    in
    builtins.mapAttrs (severity: names: {
      groups = groupsOf severity (filterAttrs (name: _: builtins.elem name names) rules);
    }) severities;
in
{
  inherit catalogue;
  prometheus = filesFor "prometheus";
  loki = filesFor "loki";
}
