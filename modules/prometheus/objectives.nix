# The apps' objectives as recording rules, for graphs and alerts to compare with.
# Pure, builtins only.
#
#   apps with metrics, by name -> { groups }
apps:
let
  inherit (builtins) concatMap toJSON;
  inherit (import ../pure.nix) filterAttrs mapAttrsToList optionals;
  inherit (import ../numbers.nix) decimal;
  inherit (import ./windows.nix) rates;

  withLatency = filterAttrs (_: app: app.objectives.latency != null) apps;

  objective = record: value: name: app: {
    inherit record;
    expr = "vector(${toJSON (value app.objectives)})";
    labels.app = name;
  };

  # Requests that took longer than the objective says: all of them without those of
  # its bucket. Python writes a bucket of one second as 1.0, Go as 1.
  slow =
    window: name: app:
    let
      bound = builtins.replaceStrings [ "." ] [ "[.]" ] (decimal app.objectives.latency.seconds);
      rate =
        part: matchers:
        ''sum by (app) (rate(http_request_duration_seconds_${part}{app="${name}"${matchers}}[${window}]))'';
    in
    ''${rate "count" ""} - on (app) ${rate "bucket" '',le=~"${bound}([.]0+)?"''}'';

  slowOver =
    window:
    rates "app" "http_requests_timed"
      ''sum by (app) (rate(http_request_duration_seconds_count{app!=""}[${window}]))''
      "http_requests_slow"
      (builtins.concatStringsSep " or " (mapAttrsToList (slow window) withLatency))
      window;
in
{
  groups =
    optionals (apps != { }) [
      {
        name = "soloscope-objectives";
        rules =
          mapAttrsToList (objective "app:availability:objective" (o: o.availability)) apps
          ++ mapAttrsToList (objective "app:latency:objective" (o: o.latency.share)) withLatency;
      }
    ]
    ++ optionals (withLatency != { }) [
      {
        name = "soloscope-slow-requests";
        interval = "1m";
        rules = concatMap slowOver [
          "30m"
          "6h"
        ];
      }
    ];
}
