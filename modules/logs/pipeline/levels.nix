# The label `level`: trace, debug, info, warn, error or fatal. Pure, builtins only.
#
#   plain          finds a plain line's own word for its level
#   status REGEX   the level of a request, from its HTTP status
#   set            the label, from what was found and the journal's priority
let
  inherit (import ./stage.nix)
    compute
    find
    isPlain
    whenLabels
    ;

  # Among a plain line's first few words.
  words = "TRACE|DEBUG|VERBOSE|INFO|NOTICE|WARN|WARNING|ERROR|ERR|SEVERE|FATAL|CRITICAL|CRIT|ALERT|EMERG|PANIC|LOG|HINT|DETAIL|STATEMENT";
  smallWords = "trace|debug|info|notice|warn|warning|error|err|fatal|critical|crit|alert|emerg|panic";

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
in
{
  # Only when the journal's priority is "info", which is what everything printed
  # gets: another one was set on purpose.
  plain = whenLabels ''job=~".+", level=~"info|notice"'' isPlain [
    # 2026-11-22 08:00:00.123 [main] ERROR text · [ERROR] text · ERROR: text
    (find ''^(?:\S+\s+){0,7}?(?:[\[(<|]|-{3}\s+)?(?P<x_level>${words})(?:[\])>|]|:|\s|$)'')
    # <warn> text · [error] text · level "error:" at the start of npm and others
    (find ''^(?:[^\[<]{0,60})[\[<](?P<x_level>${smallWords})[\]>]'')
    # Redis: 812:M 22 Nov 2026 08:20:00.123 # text
    (find ''^\d+:[XCSM] \d+ \w{3} \d{4} [\d:.]+ (?P<x_level>[.*#-]) '')
    # klog: E1122 08:31:00.123456
    (find ''^(?P<x_level>[IWEF])\d{4} \d\d:\d\d:\d\d\.'')
    # The first line of a crash.
    (find ''^(?:Uncaught |Unhandled |\(node:\d+\) )?(?P<x_level>Traceback \(most recent|panic: |fatal error: |thread '[^']*' panicked|Exception in thread|(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)(?:: |$|\n|\s\[))'')
  ];

  set = [
    (compute "level" (levelOf "info"))
    { labels.level = null; }
  ];

  # Of a request: its status says how it ended.
  status =
    expression:
    if expression == null then
      [ ]
    else
      [
        (find expression)
        (compute "x_level" "{{ if .x_status }}{{ if ge (int .x_status) 500 }}error{{ else }}info{{ end }}{{ else }}{{ .x_level }}{{ end }}")
      ];
}
