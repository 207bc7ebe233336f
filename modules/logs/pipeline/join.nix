# Joins lines into one entry with the time of the first line: stack traces,
# multi-line statements. Pure, builtins only.
#
#   import ./join.nix MILLISECONDS -> { firstLine, traces }
#     MILLISECONDS     how long a line waits for a continuation
#     firstLine REGEX  stages that join by a pattern of an entry's first line
#     traces           stages for the lines of any program
#
# Promtail's `multiline` matches one line at a time: whether a line starts an entry or
# continues one, without the context before it. So each line gets a marker:
# MARK F starts an entry, MARK C continues one.
#
# If the block before a continuation line was sent already, `multiline` gives that
# line the time of the earlier block, perhaps hours ago, and its extracted data.
# So the marker also contains the time at which the line was read. A block whose
# marker differs from the extracted one is such a remainder, and gets the time of
# its marker.
wait:
let
  inherit (import ./stage.nix)
    anyOf
    compute
    find
    isPlain
    remove
    rewrite
    when
    ;

  # Lines that begin with a space and are separate entries: sudo's, Next.js',
  # those of loggers that indent the level, and the first line of a Python
  # exception group.
  indented = [
    ''\s+\S+ : ''
    # In double quotes: the other kind loses its first blank.
    " [⨯✓○●▲⚠] "
    " (?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /"
    ''\s+(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL)\s''
    ''\s*\+ Exception Group Traceback''
    " ERR_PNPM_"
  ];

  continues = [
    ''\s''
    ''[\]})]+[;,]?$''
    # Java, .NET
    ''Caused by:''
    ''Suppressed: ''
    ''\.\.\. \d+ (?:more|common)''
    ''--- End of ''
    # Go
    ''goroutine \d+ ''
    ''panic\(''
    ''created by ''
    ''[A-Za-z_][\w./-]*\.(?:\(\*?\w+\)\.)?[\w.\[\]·…]+\([^ ]*(?:, [^ ]*)*\)$''
    ''exit status \d''
    ''\[signal ''
    ''\[recovered\]''
    ''PC=0x''
    ''[a-z][a-z0-9]{1,5}\s+0x[0-9a-f]+$''
    # Python
    "During handling of the above exception"
    "The above exception was the direct cause"
    "future: <"
    "(?:Current thread|Thread) 0x[0-9a-f]+ "
    # a database's error details
    "(?:DETAIL|HINT|CONTEXT): "
    ''LINE \d+: ''
    ''\[(?:SQL|parameters): ''
    ''\(Background on this error''
    # Node
    ''Node\.js v\d''
    "Emitted 'error' event"
    # Rust: the message of a panic is a separate line; these are the standard
    # library's
    "note: (?:run with|Some details)"
    "[sS]tack backtrace:"
    "index out of bounds: "
    "called `(?:Option|Result)::"
    "attempt to (?:add|subtract|multiply|divide|negate|shift|calculate) "
    "assertion (?:failed: |`)"
    "explicit panic$"
    "not (?:yet )?implemented"
    "internal error: entered unreachable code"
    "(?:range (?:start|end) |byte |slice )index "
    "already (?:mutably )?borrowed"
    "capacity overflow$"
    # PHP
    "Stack trace:$"
    ''\[(?:stacktrace|previous exception)\]''
    ''"\}\s*$''
    # Elixir, Erlang
    ''\*\* (?:Generic server|Last message|When Server|Reason for|State )''
    "Last message(?: \\(from .*\\))?: "
    "State: "
    # Ruby
    ''[^\s:]+\.\w+:\d+:in [`'][^']*'$''
    ''#\d+ (?:/|\{main\}|\[internal|0x|\S+\()''
    # Haskell, OCaml, Swift, Lua, sanitizers of C, Dart
    "CallStack \\(from HasCallStack"
    "(?:Raised at|Re-raised at|Called from) "
    "Current stack trace:$"
    ''\d+\s+\S+\s+0x[0-9a-f]+ ''
    "stack traceback:$"
    ''coroutine \d+:$''
    ''(?:READ|WRITE) of size \d''
    ''#\d+\s{2,}\S''
    # SQL
    ''(?:FROM|WHERE|AND|ORDER BY|GROUP BY|LIMIT|OFFSET|(?:LEFT |RIGHT |INNER |OUTER |FULL |CROSS )*JOIN|VALUES|RETURNING|HAVING|UNION(?: ALL)?|ON CONFLICT|SET \w+ ?=)\b[^:]*$''
  ];

  mark = builtins.fromJSON ''"\u001f"'';
  stamp = [
    (find "^(?:${anyOf indented}|(?P<x_continues>${anyOf continues}))")
    (compute "x_first" "${mark}{{ if or .x_continues (eq .Entry \"\") }}C{{ else }}F{{ end }}{{ (now).UnixNano }} {{ .Entry }}")
    { output.source = "x_first"; }
  ];
  # A marker has 22 bytes, of which the time is the third to the 21st.
  unstamp = [
    # A block that starts with an entry of its own is none.
    (when ''!~ `^\x1f[FM]`'' [
      (compute "x_leftover" "{{ $read := substr 2 21 .Entry }}{{ if ne $read (substr 2 21 .x_first) }}{{ $read }}{{ end }}")
      {
        timestamp = {
          source = "x_leftover";
          format = "UnixNs";
          # "fudge", the default, would date the unit's later lines by this one.
          action_on_failure = "skip";
        };
      }
    ])
  ]
  # In one template: a `replace` that matches costs 40 µs.
  ++ rewrite (
    ''{{ if contains "\n" .Entry }}{{ regexReplaceAll `(?m)^\x1f[A-Z]\d+ |\n+\z` .Entry "" }}''
    + "{{ else }}{{ substr 22 -1 .Entry }}{{ end }}"
  );

  firstLineFor = milliseconds: firstline: {
    multiline = {
      inherit firstline;
      max_wait_time = "${toString milliseconds}ms";
      # Set explicitly: Alloy uses 0 where Promtail's default is omitted. Text beyond
      # Loki's limit is cut later, with a marker.
      max_lines = 20000;
    };
  };
  firstLine = firstLineFor wait;

  # --- blocks that belong together ---------------------------------------------
  #
  # Not indented are: a traceback below the message of `logging.exception` (T),
  # the last line of a traceback, Java's exception below logback's message, and the text
  # of a panic of Rust (E), and the end of a traceback that is followed by another one
  # (P). First the lines after the message of an error (M) or a P are joined to it, then
  # the rest to its traceback. Node errors are not included: consecutive ones are
  # separate errors.
  #
  # Node prints an uncaught error in blocks: the location, the source line with a ^
  # below it, and the error followed by the Node version. The second and the third
  # continue (N).
  #
  # The markers are set without `match`, which would let blocks overtake each other.
  traceback = ''Traceback \(most recent call last\):'';
  exception = anyOf [
    ''\*\* \([A-Z]'' # Elixir
    ''(?:[A-Za-z_]\w*\.)+[A-Z]\w*(?: \(0x[0-9A-Fa-f]+\))?(?::|\n|$)''
    ''[A-Z]\w*(?:Error|Exception|Warning|Interrupt|Exit|Group|Iteration|DoesNotExist|Found|Timeout|Refused|Exceeded|Denied|Failed)(?::|\n|$)''
  ];
  next = "\\n${mark}C[0-9]+ ";
  message = ''(?i:\b(?:err(?:or)?|exceptions?|fail(?:ed|ure|s)?|critical|crit|severe|fatal|unhandled|uncaught|never retrieved|panic(?:ked)?)\b)'';
  remark = [
    (find ''^\x1fF\d+ (?:(?P<x_traceback>${traceback})|(?P<x_exception>${exception})|[^\n]*?(?P<x_message>${message}))'')
  ]
  ++ rewrite (
    "{{ if not (hasPrefix `${mark}F` .Entry) }}{{ .Entry }}"
    + "{{ else if not (or .x_traceback .x_exception .x_message (contains `${mark}C` .Entry)) }}{{ .Entry }}"
    + "{{ else }}${mark}"
    + "{{ $more := contains `${mark}C` .Entry }}"
    + "{{ if and $more (regexMatch `${next}Node[.]js v[0-9]|^[^\n]+${next} +\\^+(?:\n|$)` .Entry) }}N"
    + "{{ else if .x_traceback }}T"
    + "{{ else if and $more (regexMatch `${next}(?:note: (?:run with|Some details)|stack backtrace:)` .Entry) (not (contains `panicked at` .Entry)) }}E"
    + "{{ else if and $more (regexMatch `${next} +at ` .Entry) (not (regexMatch `^[^ ]+ [A-Za-z_]\\w*[.]` .Entry)) }}F"
    + "{{ else if not .x_exception }}{{ if .x_message }}M{{ else }}F{{ end }}"
    + "{{ else if and $more (regexMatch `${next}(?:The above exception was|During handling of)` .Entry) }}P"
    + "{{ else }}E{{ end }}"
    + "{{ trimPrefix `${mark}F` .Entry }}{{ end }}"
  );

  # Each wait is longer than the earlier stages can hold a line.
  regroup =
    family: firstline: waits:
    when "|~ `${family}`" [ (firstLineFor (waits * wait) firstline) ];
  source = ''(?:(?:file://)?/|node:)[^\n]*:\d+(?:\n|$)'';
  regroups = [
    (regroup ''^\x1f(?:N|[FM]\d+ ${source})'' ''^\x1f[FM]'' 3)
    (regroup ''^\x1f[TPEM]'' ''^\x1f[PM]'' 2)
    (regroup ''^\x1f[TPEM]'' ''^\x1f[MT]'' 4)
  ];
in
{
  firstLine = firstline: [ (firstLine firstline) ];

  traces = [
    (when isPlain (stamp ++ [ (firstLine ''^\x1fF'') ] ++ remark ++ regroups ++ unstamp))
  ];
}
