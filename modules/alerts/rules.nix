# The alert rules of soloscope, by name: what
# `services.soloscope.alerts.rules.<name>` is before a host changes it. A
# threshold is defined once for the rule and its text, so both follow when it is
# changed. Pure, builtins only.
#
#   { soloscope } -> { <name> = rule; }
{ soloscope }:
let
  threshold = name: builtins.toJSON soloscope.alerts.rules.${name}.threshold;
  errors = window: ''sum by (app) (count_over_time({app=~".+", level=~"error|fatal"}[${window}]))'';
in
{
  # More errors than on an average five minutes of the last day, and at least
  # ten: one failing request is no spike.
  ErrorSpike = {
    source = "loki";
    severity = "warning";
    threshold = 5;
    expr = ''
      ${errors "5m"}
        > ${threshold "ErrorSpike"} * ${errors "24h"} / 288
      and ${errors "5m"} >= 10
    '';
    summary = "{{ $labels.app }} logs many errors";
    description = "{{ $value }} lines of level error or fatal in five minutes, more than ${threshold "ErrorSpike"} times the day's average.";
  };

  CriticalError = {
    source = "loki";
    severity = "critical";
    threshold = 0;
    expr = ''sum by (app) (count_over_time({app=~".+", level="fatal"}[5m])) > ${threshold "CriticalError"}'';
    summary = "{{ $labels.app }} logged a fatal error";
    description = "{{ $value }} lines of level fatal in five minutes.";
  };
}
