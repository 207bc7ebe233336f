# What happens to a line between its source and Loki, as stages of Promtail
# (Alloy reads the same). Pure, builtins only.
#
# The order matters: clean, join, mask, then parse what is left, so that neither
# a label nor a field of structured metadata can hold what was masked.
#
#   { redact, flood, wait } -> { journal, file }
#     journal            stages
#     file FORMAT MASKS  stages of a file of one of formats.nix, with masks of its own
#     redact  { enable, patterns, units }: what is masked
#     flood   { rate, burst }: lines per second and unit
#     wait    milliseconds that the beginning of a stack trace waits for its next line
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
    # Before anything is masked: a time may look like a number to dial.
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
    ++ last;

  # Counted in logentry_dropped_lines_by_label_total{label_name="unit"}.
  limit = {
    limit = {
      inherit (flood) rate burst;
      drop = true;
      by_label_name = "unit";
      max_distinct_labels = 10000; # the least it takes
    };
  };

  # The exporter's own counts by day are a stream of their own.
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
      # Promtail adds the path; it is the same as the job, or one of a few.
      last = [ { labeldrop = [ "filename" ]; } ];
    };
}
