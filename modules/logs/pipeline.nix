# What happens to a line between its source and Loki, as stages of Promtail
# (Alloy reads the same). Pure, builtins only.
#
# The order matters: clean, join, mask, then parse what is left, so that neither
# a label nor a field of structured metadata can hold what was masked.
#
#   { redact, flood, wait } -> { journal, file, … }: lists of stages
#     redact  the masking stages
#     flood   { rate, burst }: lines per second and unit
#     wait    milliseconds that the beginning of a stack trace waits for its next line
{
  redact,
  flood,
  wait,
}:
let
  selector = import ./selector.nix;
  all = ''{job=~".+"}'';
  when = filter: stages: {
    match = {
      selector = selector "${all} ${filter}";
      inherit stages;
    };
  };
  compute = source: template: { template = { inherit source template; }; };
  remove = expression: {
    replace = {
      inherit expression;
      replace = "";
    };
  };
  # The line is replaced by what the template gives.
  rewrite = template: [
    (compute "x_line" template)
    { output.source = "x_line"; }
  ];

  # What begins an object with a name is taken for JSON.
  isJson = ''|~ `^\s*\{\s*"`'';
  isPlain = ''!~ `^\s*\{\s*"`'';

  # --- clean -----------------------------------------------------------------
  #
  # `match` lets lines overtake each other: what takes its way round is later.
  # So nothing that comes before the joining stands in a `match`. These begin
  # with a fixed byte, which is searched for quickly.

  clean = [
    # Colours and other codes for terminals.
    (remove ''(\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[@-Z\\^_=>78]))'')
    # The end of a line of Windows.
    (remove ''(\r+)$'')
  ];
  cleanLate = [
    # The same codes inside JSON.
    (when ''|~ `\\u001[bB]`'' [ (remove ''(\\u001[bB]\[[0-9;:?]*[@-~])'') ])
    # Bytes that are not UTF-8 become the character that says so.
    (when ''|~ `[\x{FFFD}\x{FFFE}]`'' (
      rewrite ''{{ regexReplaceAll "[\\x{FFFD}\\x{FFFE}]" .Entry "�" }}''
    ))
  ];

  # --- join ------------------------------------------------------------------
  #
  # The lines of a stack trace become one entry, at the time of the first line.
  #
  # `multiline` gives a line that continues nothing (the block before it was
  # sent already) the time of that earlier block, hours ago perhaps, together
  # with what had been extracted from it. So each line carries the time at which
  # it was read: MARK F begins an entry, MARK C continues one. A block whose mark
  # is not the extracted one is such a leftover, and is dated by its mark.

  mark = builtins.fromJSON ''"\u001f"'';
  stamp = [
    { regex.expression = "(?P<x_continues>${continues})"; }
    (compute "x_mark" "{{ (now).UnixNano }}")
  ]
  ++ rewrite "${mark}{{ if .x_continues }}C{{ else }}F{{ end }}{{ .x_mark }} {{ .Entry }}";
  unstamp = [
    { regex.expression = ''^\x1f[FC](?P<x_read>\d+) ''; }
    (compute "x_leftover" "{{ if ne .x_read .x_mark }}{{ .x_read }}{{ end }}")
    {
      timestamp = {
        source = "x_leftover";
        format = "UnixNs";
      };
    }
    (remove ''(?m)^(\x1f[FC]\d+ )'')
  ];
  join = firstline: joinFor firstline wait;
  joinFor = firstline: milliseconds: {
    multiline = {
      inherit firstline;
      max_wait_time = "${toString milliseconds}ms";
      # Written out: Alloy takes 0 from a file that leaves it to the default.
      max_lines = 1000;
    };
  };

  continues = builtins.concatStringsSep "|" [
    # sudo begins its lines with spaces
    ''^\s+[^\s:][^:]*$''
    ''^\s+\S+:''
    ''^\s+(?:at |File "|\S+\.\S+|[~^|*]|\S+\(|[({\["'])''
    ''^[\]})]+[;,]?$''
    "^Caused by: "
    "^Suppressed: "
    ''^\.\.\. \d+ more''
    ''^goroutine \d+ \[''
    "^created by "
    ''^[A-Za-z_][\w./-]*\.(?:\(\*?\w+\)\.)?[\w.]+\([^ ]*(?:, [^ ]*)*\)$''
    ''^exit status \d''
    "^During handling of the above exception"
    "^The above exception was the direct cause"
    ''^Node\.js v\d''
    "^note: run with .RUST_BACKTRACE"
    "^stack backtrace:"
  ];
  # The last line of a Python traceback stands at the margin, as any line does.
  # It joins a traceback that is still open, and stays alone otherwise.
  pythonEnd = ''(?:Traceback \(most recent call last\)|(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Warning|Interrupt|Exit|Group|Iteration|DoesNotExist|NotFound|Timeout|Refused)(?::|$|\n))'';

  traces =
    stamp
    ++ [
      (join ''^\x1fF'')
      (when ''|~ `^\x1fF\d+ ${pythonEnd}` !~ `\n\x1fC\d+ +at `'' [
        # Longer than the last line was held above.
        (joinFor ''^\x1fF\d+ Traceback '' (3 * wait))
      ])
    ]
    ++ unstamp;

  # --- parse -----------------------------------------------------------------

  fields = {
    event = "event";
    trace_id = ''trace_id || traceId || trace.id || "trace.id"'';
    conversation_id = "conversation_id || conversationId";
    user = "user.id || user || user_id || userId";
  };

  parseJson = when isJson [
    {
      json.expressions = {
        x_json = "`true`"; # set by whatever is JSON
        x_level = ''level || levelname || severity || lvl || "log.level" || log.level || "@l"'';
        x_event = fields.event;
        x_trace_id = fields.trace_id;
        x_conversation_id = fields.conversation_id;
        x_user = fields.user;
      };
    }
    # Kept as it is, and marked.
    (compute "x_event" "{{ if .x_json }}{{ .x_event }}{{ else }}malformed_line{{ end }}")
  ];

  # `key=value key="a value"`, with a level somewhere.
  looksLikeLogfmt = ''|~ `^[A-Za-z_@][\w.@/-]*=` |~ `(?:^|\s)(?:level|lvl|severity)=`'';
  isLogfmt = ''^\s*(?:[\w.@/\[\]-]+(?:=(?:"(?:[^"\\]|\\.)*"|[^\s"]*))?(?:\s+|$))+$'';
  parseLogfmt = when "${isPlain} ${looksLikeLogfmt}" [
    (when "|~ `${isLogfmt}`" [
      {
        logfmt.mapping = {
          x_level = "level";
          x_lvl = "lvl";
          x_severity = "severity";
          x_event = "event";
          x_trace_id = "trace_id";
          x_traceID = "traceID";
          x_conversation_id = "conversation_id";
          x_user = "user";
        };
      }
      (compute "x_level" "{{ or .x_level .x_lvl .x_severity }}")
      (compute "x_trace_id" ''{{ or .x_trace_id .x_traceID "" }}'')
    ])
    (when "!~ `${isLogfmt}`" [ (compute "x_event" "malformed_line") ])
  ];

  # A plain line's own word for its level, among its first few words. Only when
  # the journal's priority is "info", which is what everything printed gets:
  # another one was set on purpose.
  words = "TRACE|DEBUG|VERBOSE|INFO|NOTICE|WARN|WARNING|ERROR|ERR|SEVERE|FATAL|CRITICAL|CRIT|ALERT|EMERG|PANIC|LOG|HINT|DETAIL|STATEMENT";
  smallWords = "trace|debug|info|notice|warn|warning|error|err|fatal|critical|crit|alert|emerg|panic";
  parsePlain = {
    match = {
      selector = selector ''{job=~".+", level=~"info|notice"} ${isPlain}'';
      stages = [
        # 2026-11-22 08:00:00.123 [main] ERROR text · [ERROR] text · ERROR: text
        {
          regex.expression = ''^(?:\S+\s+){0,7}?(?:[\[(<|]|-{3}\s+)?(?P<x_level>${words})(?:[\])>|]|:|\s|$)'';
        }
        # <warn> text · [error] text · level "error:" at the start of npm and others
        {
          regex.expression = ''^(?:[^\[<]{0,60})[\[<](?P<x_level>${smallWords})[\]>]'';
        }
        # Redis: 812:M 22 Nov 2026 08:20:00.123 # text
        { regex.expression = ''^\d+:[XCSM] \d+ \w{3} \d{4} [\d:.]+ (?P<x_level>[.*#-]) ''; }
        # klog: E1122 08:31:00.123456
        { regex.expression = ''^(?P<x_level>[IWEF])\d{4} \d\d:\d\d:\d\d\.''; }
        # The first line of a crash.
        {
          regex.expression = ''^(?:Uncaught |Unhandled |\(node:\d+\) )?(?P<x_level>Traceback \(most recent|panic: |fatal error: |thread '[^']*' panicked|Exception in thread|(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)(?:: |$|\n|\s\[))'';
        }
      ];
    };
  };

  # --- level -----------------------------------------------------------------

  # What the journal and programs call a level -> the level. Numbers: from 10 on
  # as pino's, below 10 as syslog's.
  names = {
    trace = [
      "trace"
      "verbose"
      "silly"
      "finest"
      "finer"
      "t"
    ];
    debug = [
      "debug"
      "fine"
      "dbug"
      "."
      "d"
    ];
    info = [
      "info"
      "information"
      "notice"
      "log"
      "hint"
      "detail"
      "statement"
      "success"
      "http"
      "-"
      "*"
      "i"
      "n"
    ];
    warn = [
      "warn"
      "warning"
      "wrn"
      "#"
      "w"
    ];
    error = [
      "error"
      "err"
      "severe"
      "e"
    ];
    fatal = [
      "fatal"
      "critical"
      "crit"
      "alert"
      "emerg"
      "emergency"
      "panic"
      "f"
      "c"
    ];
  };
  equals = level: "eq $l ${builtins.concatStringsSep " " (map (n: "\"${n}\"") names.${level})}";
  levels = [
    "trace"
    "debug"
    "info"
    "warn"
    "error"
    "fatal"
  ];
  byName = builtins.concatStringsSep "{{ else " (map (level: "if ${equals level} }}${level}") levels);
  levelOf =
    otherwise:
    ''{{ $l := or .x_level .level "" | toString | lower }}''
    + ''{{ $n := 0 }}{{ if regexMatch "^[0-9]+$" $l }}{{ $n = add 1 (int $l) }}{{ end }}''
    + "{{ if ge $n 11 }}{{ if lt $n 21 }}trace{{ else if lt $n 31 }}debug{{ else if lt $n 41 }}info{{ else if lt $n 51 }}warn{{ else if lt $n 61 }}error{{ else }}fatal{{ end }}"
    + "{{ else if ge $n 1 }}{{ if lt $n 4 }}fatal{{ else if eq $n 4 }}error{{ else if eq $n 5 }}warn{{ else if lt $n 8 }}info{{ else }}debug{{ end }}"
    + ''{{ else }}{{ ${byName}{{ else if hasPrefix "fatal error" $l }}fatal{{ else if hasPrefix "panic: " $l }}fatal{{ else if gt (len $l) 8 }}error{{ else }}${otherwise}{{ end }}{{ end }}'';

  setLevel = [
    (compute "level" (levelOf "info"))
    { labels.level = null; }
  ];

  # --- structured metadata ---------------------------------------------------

  # A scalar of reasonable length, or nothing. An event is a name: some
  # libraries keep the whole message in a field called `event`.
  scalar =
    name: extra:
    compute "x_${name}" ''{{ with .x_${name} }}{{ if and (le (len .) 128) (not (hasPrefix "{" .)) (not (hasPrefix "[" .)) ${extra} }}{{ . }}{{ end }}{{ end }}'';
  metadata = [
    (scalar "event" ''(not (contains " " .))'')
    (scalar "trace_id" "")
    (scalar "conversation_id" "")
    (scalar "user" "")
    {
      structured_metadata = {
        event = "x_event";
        trace_id = "x_trace_id";
        conversation_id = "x_conversation_id";
        user = "x_user";
      };
    }
  ];

  # --- cut -------------------------------------------------------------------

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

  # --- flood -----------------------------------------------------------------

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

  finish = [
    parseJson
    parseLogfmt
    parsePlain
  ]
  ++ setLevel
  ++ metadata
  ++ cut;
  # --- files -----------------------------------------------------------------

  # A file's line has a time of its own, of which the journal knows nothing. It
  # is taken when it is within 30 minutes of now: an older one would be refused
  # as soon as the stream has newer lines, and a wrong clock would hide the line.
  # Two equal lines of one second would be one in Loki, so a time without
  # fractions gets those of the moment at which it was read.
  near =
    seconds: body:
    "{{ $d := sub (now | unixEpoch) (${seconds}) }}{{ if and (lt $d 1800) (gt $d -1800) }}${body}{{ end }}";
  ofLayout =
    seconds: layout:
    # A layout that does not fit gives the year 1, which is not near.
    ''{{ $t := toDate "${layout}" .x_own }}''
    + near "$t | unixEpoch" (
      if seconds then
        ''{{ $t.UTC.Format "2006-01-02T15:04:05" }}{{ (now).UTC.Format ".000000000Z" }}''
      else
        ''{{ $t.UTC.Format "2006-01-02T15:04:05.999999999Z07:00" }}''
    );
  timestamp = format: {
    timestamp = {
      source = "x_time";
      inherit format;
    };
  };
  ownTime =
    {
      time ? null,
      layouts ? [ ],
      seconds ? false,
      ...
    }:
    if time == null then
      [ ]
    else if layouts == [ ] then
      # groups x_sec and x_ms: seconds since 1970 and milliseconds
      [
        { regex.expression = time; }
        (compute "x_time" "{{ if .x_sec }}${near ".x_sec" "{{ .x_sec }}{{ .x_ms }}"}{{ end }}")
        (timestamp "UnixMs")
      ]
    else
      # group x_own
      [
        { regex.expression = time; }
        (compute "x_time" "{{ if .x_own }}${builtins.concatStringsSep "" (map (ofLayout seconds) layouts)}{{ end }}")
        (timestamp "RFC3339Nano")
      ];

  # Of a request: its status says how it ended.
  statusLevel =
    status:
    if status == null then
      [ ]
    else
      [
        { regex.expression = status; }
        (compute "x_level" "{{ if .x_status }}{{ if ge (int .x_status) 500 }}error{{ else }}info{{ end }}{{ else }}{{ .x_level }}{{ end }}")
      ];
in
{
  journal = [
    limit
  ]
  ++ clean
  ++ [ (when isPlain traces) ]
  ++ cleanLate
  ++ redact
  ++ finish
  ++ [ days ];

  # A file of one of the formats of formats.nix, with masks of its own.
  file =
    format: ownMasks:
    [ limit ]
    ++ clean
    ++ (
      if format.firstLine or null != null then [ (join format.firstLine) ] else [ (when isPlain traces) ]
    )
    ++ cleanLate
    # Before anything is masked: a time may look like a number to dial.
    ++ ownTime format
    ++ ownMasks
    ++ redact
    ++ [
      parseJson
      parseLogfmt
      parsePlain
    ]
    ++ statusLevel (format.status or null)
    ++ setLevel
    ++ metadata
    ++ cut
    ++ [
      # Promtail adds the path; it is the same as the job, or one of a few.
      { labeldrop = [ "filename" ]; }
    ];
}
