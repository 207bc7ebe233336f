# What happens to a line between its source and Loki, as stages of Promtail
# (Alloy reads the same). Pure, builtins only.
#
# The order matters, and is the order of this file: limit, clean, join, mask, parse,
# level, metadata, cut. Lines are masked before they are parsed, so that neither a
# label nor a field of structured metadata can hold what was masked.
#
#   { redact, flood, wait } -> { journal, file, … }: lists of stages
#     redact  the masking stages (redact.nix)
#     flood   { rate, burst }: lines per second and unit
#     wait    milliseconds that a line waits for what may follow it (joining.nix)
{
  redact,
  flood,
  wait,
}:
let
  inherit (import ./stages.nix)
    compute
    extract
    isPlain
    remove
    rewrite
    when
    ;
  selector = import ./selector.nix;
  joining = import ./joining.nix { inherit wait; };
  parsing = import ./parsing.nix;
  levels = import ./levels.nix;
  times = import ./file-times.nix;

  # --- limit: a unit that prints without end -----------------------------------

  # Counted in logentry_dropped_lines_by_label_total{label_name="unit"}.
  limit = {
    limit = {
      inherit (flood) rate burst;
      drop = true;
      by_label_name = "unit";
      max_distinct_labels = 10000; # the least it takes
    };
  };

  # --- clean: what is for terminals --------------------------------------------

  # `match` lets lines overtake each other: what takes its way round is later.
  # So nothing that comes before the joining stands in a `match`. These begin
  # with a fixed byte, which is searched for quickly.
  clean = [
    # Colours and other codes, in seven and in eight bits.
    (remove ''(\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[@-Z\\^_=>78]))'')
    (remove ''(\x{9b}[0-9;:?]*[ -/]*[@-~])'')
    # The end of a line of Windows, and the mark at the beginning of its files.
    (remove ''(\r+)$'')
    (remove ''^(\x{FEFF})'')
  ];
  cleanLate = [
    # The same codes inside JSON.
    (when ''|~ `\\u001[bB]`'' [ (remove ''(\\u001[bB]\[[0-9;:?]*[@-~])'') ])
    # Bytes that are not UTF-8 become the character that says so.
    (when ''|~ `[\x{FFFD}\x{FFFE}]`'' (
      rewrite ''{{ regexReplaceAll "[\\x{FFFD}\\x{FFFE}]" .Entry "�" }}''
    ))
  ];

  # --- cut: what is longer than Loki takes --------------------------------------

  # Loki takes 256 KiB. What does not fit is cut here, where it can be marked
  # (Loki 3.4 has no text for it).
  maxBytes = 256000;
  cut = [
    (compute "x_cut" (
      "{{ if gt (len .Entry) ${toString maxBytes} }}"
      + ''{{ regexReplaceAll "[\\x{FFFD}\\x{FFFE}]+$" (trunc ${toString maxBytes} .Entry) "" }}''
      + " …[cut: {{ len .Entry }} bytes]{{ end }}"
    ))
    # Without x_cut the line stays.
    { output.source = "x_cut"; }
  ];

  # --- what differs by source ----------------------------------------------------

  # The exporter's own counts by day are a stream of their own.
  days = {
    match = {
      selector = selector ''{unit="soloscope-exporter.service"} |~ `"event":\s*"metrics_`'';
      stages = [
        {
          static_labels = {
            job = "soloscope-days";
            service_name = "soloscope-days";
          };
        }
      ];
    };
  };

  # Of a request in a file: its status says how it ended.
  statusLevel =
    status:
    if status == null then
      [ ]
    else
      [
        (extract status)
        (compute "x_level" "{{ if .x_status }}{{ if ge (int .x_status) 500 }}error{{ else }}info{{ end }}{{ else }}{{ .x_level }}{{ end }}")
      ];

  parse = parsing.json ++ [
    parsing.logfmt
    levels.plain
  ];
  finish = levels.set ++ parsing.metadata ++ cut;
in
{
  journal =
    [ limit ]
    ++ clean
    ++ [ (when isPlain joining.traces) ]
    ++ cleanLate
    ++ redact
    ++ parse
    ++ finish
    ++ [ days ];

  # A file of one of the formats of formats.nix, with masks of its own.
  file =
    format: ownMasks:
    [
      limit
      times.read
    ]
    ++ clean
    ++ (
      if format.firstLine or null != null then
        [ (joining.firstLine format.firstLine) ]
      else
        [ (when isPlain joining.traces) ]
    )
    ++ cleanLate
    # Before anything is masked: a time may look like a number to dial.
    ++ times.own format
    ++ ownMasks
    ++ redact
    ++ parse
    ++ statusLevel (format.status or null)
    ++ finish
    ++ [
      # Promtail adds the path; it is the same as the job, or one of a few.
      { labeldrop = [ "filename" ]; }
    ];
}
