# The alert rules of Prometheus and of Loki's ruler, with one type: soloscope's own
# (rules/) and the host's. Each is changed or switched off by its name. They
# are sent when Alertmanager is enabled.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    concatStringsSep
    filterAttrs
    getExe'
    mapAttrs
    mapAttrsToList
    mkDefault
    mkIf
    mkOption
    types
    ;
  inherit (import ../types.nix { inherit lib; }) duration;
  defaults = (import ../defaults.nix).alertRule;
  everywhere = (import ../defaults.nix).alerts;
  soloscope = config.services.soloscope;
  settings = import ./settings.nix {
    inherit soloscope;
    paths = (import ../paths.nix).host;
  };
  inherit (settings) catalogue;
  option = name: "services.soloscope.alerts.rules.${name}";

  texts =
    what:
    mkOption {
      type = types.attrsOf types.str;
      default = { };
      description = "Further ${what} of the alert.";
    };

  rule =
    { name, ... }:
    {
      options = {
        enable = lib.mkEnableOption "this rule" // {
          default = defaults.enable;
        };
        source = mkOption {
          type = types.enum [
            "prometheus"
            "loki"
          ];
          default = defaults.source;
          description = "Who evaluates it: Prometheus (PromQL) or Loki's ruler (LogQL).";
        };
        expr = mkOption {
          type = types.nullOr types.str;
          default = defaults.expr;
          example = "probe_success == 0";
          description = "The query. Each series that it returns is an alert.";
        };
        threshold = mkOption {
          type = types.nullOr types.number;
          default = defaults.threshold;
          example = 10;
          description = ''
            The number that `expr` of a rule of soloscope's compares with. In a rule of your
            own, write it into `expr`.
          '';
        };
        for = mkOption {
          type = types.nullOr duration;
          default = defaults.for;
          example = "5m";
          description = "How long `expr` must hold before the alert is sent. Null sends it at once.";
        };
        severity = mkOption {
          type = types.enum [
            "critical"
            "warning"
            "info"
          ];
          default = defaults.severity;
          description = "The label `severity`: at once, within hours, or when there is time.";
        };
        summary = mkOption {
          type = types.str;
          default = name;
          defaultText = "the rule's attribute name";
          example = "{{ $labels.app }} is slow";
          description = "The annotation `summary`, one line.";
        };
        description = mkOption {
          type = types.str;
          default = defaults.description;
          example = "{{ $value }} seconds for the slowest twentieth of the requests.";
          description = "The annotation `description`: the value and what it means. Empty leaves it out.";
        };
        interval = mkOption {
          type = types.nullOr duration;
          default = defaults.interval;
          example = "5m";
          description = "How often `expr` is computed. Null is as often as the other rules.";
        };
        dashboard = mkOption {
          type = types.nullOr types.str;
          default = defaults.dashboard;
          example = "soloscope-system";
          description = "The uid of the dashboard that the annotation `dashboard` links to, with the alert's app and time. Null leaves the link out.";
        };
        labels = texts "labels";
        annotations = texts "annotations";
        inhibits = mkOption {
          type = types.listOf types.str;
          default = defaults.inhibits;
          example = [ "SlowAPI" ];
          description = ''
            The alerts that say nothing new while this one fires for the same app, so nobody
            is notified of them.
          '';
        };
      };
    };

  # Loki reads its rules only at run time, so an invalid query is reported here.
  lokiFile =
    severity: content:
    pkgs.runCommand "soloscope-loki-${severity}.yaml"
      {
        nativeBuildInputs = [ soloscope.loki.package ];
        rules = builtins.toJSON content;
        passAsFile = [ "rules" ];
      }
      ''
        ${concatStringsSep "\n" (
          map (
            rule:
            "${getExe' soloscope.loki.package "logcli"} fmt <<< ${lib.escapeShellArg rule.expr} > /dev/null || { echo ${lib.escapeShellArg "${option rule.alert}.expr is no LogQL"} >&2; exit 1; }"
          ) (lib.concatMap (group: group.rules) content.groups)
        )}
        cp "$rulesPath" $out
      '';
in
{
  options.services.soloscope.alerts = {
    runbooks = mkOption {
      type = types.str;
      default = everywhere.runbooks;
      example = "https://wiki.example.org/runbooks";
      description = ''
        Where the runbooks are: the annotation `runbook_url` of soloscope's own rules is this
        with `/<Name>.md` behind it.
      '';
    };
    rules = mkOption {
      type = types.attrsOf (types.submodule rule);
      default = { };
      defaultText = lib.literalMD "the rules that {file}`docs/runbooks/README.md` lists";
      example = lib.literalExpression ''
        {
          ErrorSpike.threshold = 10;
          CriticalError.enable = false;
          TooManyOrders = {
            expr = "app:http_requests:rate5m > 100";
            for = "10m";
            severity = "info";
            summary = "{{ $labels.app }} is popular";
          };
        }
      '';
      description = ''
        The alert rules, by name. soloscope's own are changed or switched off by theirs, and
        yours stand beside them.
      '';
    };
  };

  config = mkIf soloscope.enable {
    services.soloscope.alerts.rules = mapAttrs (_: mapAttrs (_: mkDefault)) catalogue;

    assertions =
      mapAttrsToList (name: _: {
        assertion = false;
        message = "${option name} has no `expr`, and no rule of soloscope's has that name (docs/runbooks/README.md lists them). Correct the name, or set `expr`.";
      }) (filterAttrs (_: rule: rule.expr == null) soloscope.alerts.rules)
      ++ mapAttrsToList (name: _: {
        assertion = catalogue ? ${name} || soloscope.prometheus.enable;
        message = "${option name} is a rule for Prometheus, but services.soloscope.prometheus.enable is false, so nothing evaluates it. Set ${option name}.source = \"loki\" and write `expr` in LogQL, or remove the rule.";
      }) (filterAttrs (_: rule: rule.enable && rule.source == "prometheus") soloscope.alerts.rules);

    environment.etc = lib.mapAttrs' (severity: content: {
      name = "soloscope/loki/rules/fake/${severity}.yaml";
      value.source = lokiFile severity content;
    }) settings.loki;

    services.prometheus.ruleFiles = mkIf soloscope.prometheus.enable (
      mapAttrsToList (
        severity: (pkgs.formats.json { }).generate "soloscope-${severity}.yml"
      ) settings.prometheus
    );
  };
}
