# Lines that belong together become one entry, at the time of the first line: stack
# traces, statements of several lines. Pure, builtins only.
#
#   import ./join.nix MILLISECONDS -> { firstLine, traces }
#     MILLISECONDS     how long a line waits for what may follow it
#     firstLine REGEX  stages that join by the form of an entry's first line
#     traces           stages for the lines of any program
#
# Promtail's `multiline` looks at one line at a time: it knows whether a line begins
# an entry or continues one, and not what came before. So each line is marked:
# MARK F begins an entry, MARK C continues one.
#
# `multiline` gives a line that continues nothing (the block before it was sent
# already) the time of that earlier block, hours ago perhaps, together with what had
# been extracted from it. So the mark also carries the time at which the line was
# read. A block whose mark is not the extracted one is such a leftover, and is dated
# by its mark.
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

  # Lines that begin with a blank and are entries of their own: sudo's, Next.js',
  # those of loggers that indent the level, and the first line of a group of
  # Python's exceptions.
  indented = [
    ''\s+\S+ : ''
    '' [⨯✓○●▲⚠] ''
    '' (?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /''
    ''\s+(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL)\s''
    ''\s*\+ Exception Group Traceback''
  ];

  continues = [
    ''\s''
    ''[\]})]+[;,]?$''
    # Java, .NET
    ''Caused by: ''
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
    # what a database says about an error
    "(?:DETAIL|HINT|CONTEXT): "
    ''LINE \d+: ''
    ''\[(?:SQL|parameters): ''
    ''\(Background on this error''
    # Node
    ''Node\.js v\d''
    "Emitted 'error' event"
    # Rust: the message of a panic is a line of its own; these are the standard
    # library's
    "note: (?:run with|Some details)"
    "stack backtrace:"
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
    ''#\d+ (?:/|\{main\}|\[internal|0x|\S+\()''
    # SQL
    ''(?:FROM|WHERE|AND|ORDER BY|GROUP BY|LIMIT|OFFSET|(?:LEFT |RIGHT |INNER |OUTER |FULL |CROSS )*JOIN|VALUES|RETURNING|HAVING|UNION(?: ALL)?|ON CONFLICT|SET \w+ ?=)\b[^:]*$''
  ];

  mark = builtins.fromJSON ''"\u001f"'';
  stamp = [
    (find "^(?:${anyOf indented}|(?P<x_continues>${anyOf continues}))")
    (compute "x_mark" "{{ (now).UnixNano }}")
  ]
  ++ rewrite "${mark}{{ if or .x_continues (eq .Entry \"\") }}C{{ else }}F{{ end }}{{ .x_mark }} {{ .Entry }}";
  unstamp = [
    (find ''^\x1f[A-Z](?P<x_read>\d+) '')
    (compute "x_leftover" "{{ if ne .x_read .x_mark }}{{ .x_read }}{{ end }}")
    {
      timestamp = {
        source = "x_leftover";
        format = "UnixNs";
      };
    }
    (remove ''(?m)^(\x1f[A-Z]\d+ )|(\n+)\z'')
  ];

  firstLineFor = milliseconds: firstline: {
    multiline = {
      inherit firstline;
      max_wait_time = "${toString milliseconds}ms";
      # Written out: Alloy takes 0 from a file that leaves it to the default. What
      # is longer than Loki takes is cut later, with a mark.
      max_lines = 20000;
    };
  };
  firstLine = firstLineFor wait;
  # --- blocks that belong together ---------------------------------------------
  #
  # At the margin stand: a traceback below the message of `logging.exception` (T),
  # the last line of a traceback, Java's exception below logback's message (E), and
  # the end of a traceback that another one follows (P). Messages of errors keep
  # their F. First what follows a message or a P is joined to it, then what is left
  # to its traceback. Node's errors are not among them: each of a row of them is an
  # error of its own.
  #
  # An error that ends Node is printed in blocks: where it was, the line of the source
  # with a ^ below it, and the error with the version of Node behind it. The second
  # and the third continue (N).
  #
  # The marks are set without `match`, which would let blocks overtake each other.
  traceback = ''Traceback \(most recent call last\):'';
  exception = anyOf [
    ''(?:[A-Za-z_]\w*\.)+[A-Z]\w*(?::|\n|$)''
    ''[A-Z]\w*(?:Error|Exception|Warning|Interrupt|Exit|Group|Iteration|DoesNotExist|Found|Timeout|Refused|Exceeded|Denied|Failed)(?::|\n|$)''
  ];
  next = "\\n${mark}C[0-9]+ ";
  remark = [
    (find ''^\x1fF\d+ (?:(?P<x_traceback>${traceback})|(?P<x_exception>${exception}))'')
  ]
  ++ rewrite (
    "{{ if not (hasPrefix `${mark}F` .Entry) }}{{ .Entry }}{{ else }}${mark}"
    + "{{ $more := contains `${mark}C` .Entry }}"
    + "{{ if and $more (regexMatch `${next}Node[.]js v[0-9]|^[^\n]+${next} +\\^+(?:\n|$)` .Entry) }}N"
    + "{{ else if .x_traceback }}T"
    + "{{ else if not .x_exception }}F"
    + "{{ else if and $more (regexMatch `${next}(?:The above exception was|During handling of)` .Entry) }}P"
    + "{{ else if and $more (regexMatch `${next} +at ` .Entry) }}F"
    + "{{ else }}E{{ end }}"
    + "{{ trimPrefix `${mark}F` .Entry }}{{ end }}"
  );

  # Each wait is longer than the last line was held by those before.
  regroup =
    family: firstline: waits:
    when "|~ `${family}`" [ (firstLineFor (waits * wait) firstline) ];
  message = ''(?i:\b(?:err(?:or)?|exceptions?|fail(?:ed|ure|s)?|critical|crit|severe|fatal|unhandled|uncaught|never retrieved|panic)\b)'';
  exceptions = ''^\x1f(?:[TPE]|F\d+ [^\n]*${message})'';
  source = ''(?:(?:file://)?/|node:)[^\n]*:\d+(?:\n|$)'';
  regroups = [
    (regroup ''^\x1f(?:N|F\d+ ${source})'' ''^\x1fF'' 2)
    (regroup exceptions ''^\x1f[FP]'' 2)
    (regroup exceptions ''^\x1f[FT]'' 4)
  ];
in
{
  firstLine = firstline: [ (firstLine firstline) ];

  traces = [
    (when isPlain (stamp ++ [ (firstLine ''^\x1fF'') ] ++ remark ++ regroups ++ unstamp))
  ];
}
