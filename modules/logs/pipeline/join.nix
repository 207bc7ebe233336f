# Several lines that are one entry. Pure, builtins only.
#
#   import ./join.nix MILLISECONDS -> { firstLine, traces }
#     MILLISECONDS  how long the beginning of an entry waits for its next line
#     firstLine REGEX  stages that join by the form of an entry's first line
#     traces           stages that join the lines of a stack trace, at the time of
#                      the first line
#
# A `match` lets lines overtake each other: what goes through it is later. So no
# stage before this one stands in a `match`.
wait:
let
  inherit (import ./stage.nix)
    compute
    find
    isPlain
    remove
    rewrite
    when
    ;

  join = milliseconds: firstline: {
    multiline = {
      inherit firstline;
      max_wait_time = "${toString milliseconds}ms";
      # Written out: Alloy takes 0 from a file that leaves it to the default.
      max_lines = 1000;
    };
  };

  # `multiline` gives a line that continues nothing (the block before it was
  # sent already) the time of that earlier block, hours ago perhaps, together
  # with what had been extracted from it. So each line carries the time at which
  # it was read: MARK F begins an entry, MARK C continues one. A block whose mark
  # is not the extracted one is such a leftover, and is dated by its mark.
  mark = builtins.fromJSON ''"\u001f"'';
  stamp = [
    (find "(?P<x_continues>${continues})")
    (compute "x_mark" "{{ (now).UnixNano }}")
  ]
  ++ rewrite "${mark}{{ if .x_continues }}C{{ else }}F{{ end }}{{ .x_mark }} {{ .Entry }}";
  unstamp = [
    (find ''^\x1f[FC](?P<x_read>\d+) '')
    (compute "x_leftover" "{{ if ne .x_read .x_mark }}{{ .x_read }}{{ end }}")
    {
      timestamp = {
        source = "x_leftover";
        format = "UnixNs";
      };
    }
    (remove ''(?m)^(\x1f[FC]\d+ )'')
  ];

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
in
{
  firstLine = firstline: [ (join wait firstline) ];

  traces = [
    (when isPlain (
      stamp
      ++ [
        (join wait ''^\x1fF'')
        (when ''|~ `^\x1fF\d+ ${pythonEnd}` !~ `\n\x1fC\d+ +at `'' [
          # Longer than the last line was held above.
          (join (3 * wait) ''^\x1fF\d+ Traceback '')
        ])
      ]
      ++ unstamp
    ))
  ];
}
