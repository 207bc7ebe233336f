# The pipeline stages between a source and Loki, as Promtail stages
# (Alloy reads the same). Pure, builtins only.
#
# The order matters: clean, join, mask, then parse the result, so that neither
# labels nor structured metadata can contain masked values.
#
#   { redact, flood, wait } -> { journal, file }
#     journal            stages
#     file FORMAT MASKS  stages of a file with a format of formats.nix, with its own masks
#     redact  { enable, patterns, units }: the masks
#     flood   { rate, burst }: lines per second and unit
#     wait    milliseconds that the first line of a stack trace waits for the next one
{
  redact,
  flood,
  wait,
}:
let
  inherit (import ./stage.nix) whenLabels;
  clean = import ./clean.nix;
  join = import ./join.nix wait;
  levels = import ./levels.nix;
  parse = import ./parse.nix;
  masked = import ./redact.nix;
  ownTime = import ./time.nix;

  pipeline =
    {
      format ? { }, # one of formats.nix
      masks ? { }, # patterns of this source alone
      last ? [ ],
    }:
    [ limit ]
    ++ ownTime.read format
    ++ clean.early
    ++ (if format ? firstLine then join.firstLine format.firstLine else join.traces)
    ++ clean.late
    # Before masking: a timestamp may look like a phone number.
    ++ ownTime.own format
    ++ masked.only masks
    ++ masked.everywhere redact
    ++ parse.json
    ++ [
      parse.logfmt
      levels.plain
    ]
    ++ levels.status (format.status or null)
    ++ levels.set
    ++ parse.metadata
    ++ clean.cut
    # The stages' own marks.
    ++ [ { labeldrop = [ "x_json" "x_without" ]; } ]
    ++ last;

  # Counted in logentry_dropped_lines_by_label_total{label_name="unit"}.
  limit = {
    limit = {
      inherit (flood) rate burst;
      drop = true;
      by_label_name = "unit";
      max_distinct_labels = 10000; # the minimum
    };
  };

  # The exporter's counts by day get their own stream.
  days = whenLabels ''unit="soloscope-exporter.service"'' ''|~ `"event":\s*"metrics_`'' [
    {
      static_labels = {
        job = "soloscope-days";
        service_name = "soloscope-days";
      };
    }
  ];
in
{
  journal = pipeline { last = [ days ]; };

  file =
    format: masks:
    pipeline {
      inherit format masks;
      # Promtail adds the path; it is equivalent to the job, or one of a few.
      last = [ { labeldrop = [ "filename" ]; } ];
    };
}
