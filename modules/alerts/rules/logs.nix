# What the apps' logs say. Loki's ruler evaluates these.
{ soloscope }:
let
  inherit (builtins) concatStringsSep concatMap;
  inherit (import ../../pure.nix) filterAttrs mapAttrsToList;
  errors = window: ''sum by (app) (count_over_time({app=~".+", level=~"error|fatal"}[${window}]))'';

  # Errors by event and type; `soloscope errors` also has their messages apart.
  kinds =
    range:
    ''sum by (app, event, error) (count_over_time({app=~".+", level=~"error|fatal"} | json error="err.type" | drop __error__, __error_details__ ${range}))'';

  declared = filterAttrs (_: app: app.criticalEvents != { }) soloscope.apps;
  events = concatMap (entry: entry) (
    mapAttrsToList (
      name: app:
      mapAttrsToList (
        event: given:
        ''sum by (app, event) (count_over_time({app="${name}", level!="fatal"} | event="${event}" [${given.within}])) >= ${toString given.atLeast}''
      ) app.criticalEvents
    ) declared
  );
in
{
  # More errors than on an average five minutes of the last day, and at least ten: one
  # failing request is no spike.
  ErrorSpike = rule: {
    source = "loki";
    threshold = 5;
    expr = ''
      ${errors "5m"}
        > ${rule.threshold} * ${errors "24h"} / 288
      and ${errors "5m"} >= 10
    '';
    summary = "{{ $labels.app }} logs many errors";
    description = "{{ $value }} lines of level error or fatal in five minutes, more than ${rule.limit} times the day's average.";
  };

  CriticalError = rule: {
    source = "loki";
    severity = "critical";
    threshold = 0;
    # critical_error is what an app calls such an event that goes on all the same.
    expr = ''sum by (app) (count_over_time({app=~".+", level=~"error|fatal"} | level="fatal" or event="critical_error" [5m])) > ${rule.threshold}'';
    summary = "{{ $labels.app }} logged a critical error";
    description = "{{ $value }} lines of level fatal, or with the event critical_error, in five minutes.";
  };

  # Fatal lines are CriticalError's.
  CriticalEvent = _: {
    enable = events != [ ];
    source = "loki";
    severity = "critical";
    expr = if events == [ ] then "vector(0) > 0" else concatStringsSep " or " events;
    summary = "{{ $labels.app }}: {{ $labels.event }}";
    description = "The log has this event {{ $value }} times, which apps.{{ $labels.app }}.criticalEvents calls critical.";
  };

  # On a fresh host every kind is new: the app must have logged the day before.
  NewErrorGroup = _: {
    source = "loki";
    severity = "info";
    interval = "5m"; # it reads a week
    expr = ''
      ${kinds "[15m]"}
      unless ${kinds "[7d] offset 15m"}
      and on (app) sum by (app) (count_over_time({app=~".+"}[1h] offset 1d)) > 0
    '';
    summary = "{{ $labels.app }} has a new kind of error";
    description = "{{ $labels.event }} {{ $labels.error }} came {{ $value }} times in a quarter of an hour, and not in the seven days before. `soloscope errors` shows it.";
  };
}
