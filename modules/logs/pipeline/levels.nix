# The level of a line, from its text. Pure, builtins only.
#
#   plain          finds the level of a line that is neither JSON nor logfmt
#   status REGEX   the level of a request, from its HTTP status
#   set            sets the label, from the extracted data (x_level, x_plain…) and the
#                  journal's priority
#
# A word counts only at the position where loggers put it: `Sent price ALERT mail` is
# no alert.
let
  inherit (import ./stage.nix)
    anyOf
    compute
    find
    inCases
    isPlain
    patterns
    texts
    whenAny
    whenLabels
    ;

  # --- words -------------------------------------------------------------------

  # Names of a level in programs -> the level. Lower case.
  names = {
    trace = [
      "trace"
      "trce"
      "trc"
      "trac"
      "verbose"
      "vrb"
      "silly"
      "finest"
      "finer"
      "t"
    ];
    debug = [
      "debug"
      "dbug"
      "dbg"
      "debu"
      "fine"
      "config"
      "."
      "d"
      "d1"
      "d2"
      "d3"
      "d4"
      "d5"
    ];
    info = [
      "info"
      "inf"
      "information"
      "informational"
      "notice"
      "note"
      "log"
      "hint"
      "detail"
      "statement"
      "success"
      "system"
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
      "deprecated"
      "#"
      "w"
    ];
    error = [
      "error"
      "err"
      "erro"
      "fail"
      "severe"
      "e"
    ];
    fatal = [
      "fatal"
      "ftl"
      "fata"
      "critical"
      "crit"
      "crt"
      "alert"
      "emerg"
      "emergency"
      "panic"
      "pnc"
      "pani"
      "dpanic"
      "f"
      "c"
    ];
  };
  order = [
    "info"
    "warn"
    "error"
    "debug"
    "fatal"
    "trace"
  ];

  # Words that are a level without punctuation; the others need a sign after them.
  loud = "TRACE|DEBUG|INFO|WARN|WARNING|ERROR|SEVERE|FATAL|CRITICAL|TRC|DBG|INF|WRN|ERR|FTL|PNC|TRAC|DEBU|ERRO|FATA|PANI";
  signed = "${loud}|VERBOSE|NOTICE|CRIT|ALERT|EMERG|PANIC|LOG|HINT|DETAIL|STATEMENT|SUCCESS";
  anyCase = "(?i:trace|debug|verbose|info|information|notice|note|warn|warning|error|err|fatal|critical|crit|alert|emerg|panic|success|trc|vrb|dbg|inf|wrn|ftl)";
  offset = "(?:[+-]\\d+)?"; # slog: WARN+2

  # --- places ------------------------------------------------------------------

  # Text before the level: times, zones, numbers, bracketed text.
  before = anyOf [
    ''\d[\w:.,+/-]*''
    ''[+-]\d{2}:?\d{2}''
    "[DIWEFA],|AM|PM"
    "UTC|GMT|[A-Z]{2,4}T|Z"
    "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec),?"
    ''\[[^\]\n]{0,80}\]''
    ''\([^)\n]{0,60}\)''
    ''\{[^}\n"]{0,60}\}''
    "[|-]{1,3}"
    # PostgreSQL's user and database, Sidekiq's fields
    ''[\w-]+@[\w-]+''
    ''\w+=\S+''
  ];

  # Each matches one form; the last match wins. The names of the groups differ,
  # because an expression that does not match keeps the value of another.
  forms = {
    # 2026-11-22 08:00:00.123 ERROR text · [ERROR] text · ERROR: text · WARN[0001] text
    a = ''^\s*(?:${before}\s+){0,8}[\[(<|]?(?:(?P<x_plain_a>${loud})${offset}(?:[\])>|:/\[]|\s|$)|(?P<x_plain_b>${signed})${offset}(?:[\])>|]|:(?:\s|$)))'';
    # 2026-11-22 08:00:00,123 - app.sync - ERROR - text · 2026-11-22 08:00:00 app ERROR text
    c = ''^[\[(]?\d[\d\s:.,TZ+/-]*[\])]?\s*(?:[|-]\s+)?[\w.$:/@-]+\s+(?:[|-]\s+)?(?:[\w.-]+\s+[|-]\s+)?(?P<x_plain_c>${loud})(?:\s|:|$)'';
    # <warn> text · [error] text · 10:00:00 [Warning] text · [warning  ] text
    d = ''^(?:${before}\s*){0,8}[\[<(](?P<x_plain_d>${anyCase})\s*[\]>)]'';
    # [10:00:00 FTL] text · [2026-11-22 08:00:00,123: ERROR/MainProcess] text
    e = ''^\[\d[^\]\n]*?[\s:](?P<x_plain_e>${loud}|VRB)(?:\]|/)'';
    # 2026-11-22 08:00:00.123 | ERROR    | app:f:3 - text
    f = ''^\d[^|\n]*\|\s*(?P<x_plain_f>${signed})\s*\|'';
    # [2026-11-22 08:00:00] production.ERROR: text
    g = ''^\[[^\]\n]+\] [\w-]+\.(?P<x_plain_g>${signed}|EMERGENCY):'';
    # error: text · fail: App.Worker[0] · warning: text
    h = ''^(?:[\w/.-]+\[\d+\]: )?(?P<x_plain_h>trce|dbug|fail|crit|trace|debug|verbose|silly|info|notice|warn|warning|error|err|fatal|panic|Warning)(?:\[\w+\])?: '';
    # 10:00:00 error: text · [Fri Nov 27 10:00:00 2026] [core:error] text
    n = ''^\d[\dTZ:.,+/-]{4,}\s+(?:[\d:.,]+\s+)?(?P<x_plain_n>${anyCase}): '';
    o = ''^\[[A-Z][a-z]{2} [^\]\n]{10,40}\] \[\w*:(?P<x_plain_o>${anyCase})\]'';
    # Nov 27 10:00:00 host app[42]: ERROR: text
    p = ''^[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S+ \S+: [\[<]?(?P<x_plain_p>${anyCase})[\]>:]'';
    # prog: Error: text · imap(kim): Fatal: text · [Fri Nov 27 10:00:00 UTC 2026] Error: text
    s = ''^(?:[\w.-]+(?:\([^)\n]{0,60}\))?:|\[[^\]\n]{1,60}\]) (?P<x_plain_s>Fatal|Panic|Error|Warning): '';
    # Fatal: text · nginx: [emerg] text · [1795770000] unbound[42:0] error: text · ✖  error  text
    t = ''^(?:(?P<x_plain_t>Fatal|Critical|Debug|Info|Notice|Warn): |[\w/.-]+: \[(?P<x_plain_u>${anyCase})\] |\[\d+\] [\w-]+\[[\d:]+\] (?P<x_plain_v>${anyCase}): |[^\x00-\x7f]{1,2}\s+(?P<x_plain_w>${anyCase})\s{2,})'';
    # 2026-11-22T08:00:00.123+0100<tab>error<tab>text · 27-Nov-2026 10:00:00.123 general: error: text · 10:00:00.123:WARN:oejs: text
    x = ''^\d(?:[\dTZ:.,+-]{4,}\t(?P<x_plain_x>${anyCase})\t|\S* [\d:.]+ [\w-]+: (?P<x_plain_y>${anyCase}): |[\d:. -]+:(?P<x_plain_z>${loud}):)'';
    # ==1==ERROR: AddressSanitizer · Vite's and Nuxt's
    jb = ''^(?:=+\d+=+(?P<x_plain_jb>ERROR|WARNING): |\[[\w-]+\] (?:Internal server (?P<x_plain_jc>error): |\[request (?P<x_plain_jd>error)\]))'';
    # npm warn text · error Command failed · warn  - text
    q = ''^(?:npm (?P<x_plain_q>WARN|ERR|error|warn)[! ]|(?P<x_plain_r>error|warn)(?: [A-Z]| +- ))'';
    # Next.js
    m = ''^ (?:(?P<x_error_m>⨯)|(?P<x_warn_m>⚠)) '';
  };

  # Redis: 812:M 22 Nov 2026 08:20:00.123 # text · klog: E1122 08:31:00.123456 ·
  # MongoDB: …+0000 E  NETWORK  [conn1] · Gitea: x.go:9:f() [E] text
  signs = "^${anyOf [
    ''\d+:[XCSM] \d+ \w{3} \d{4} [\d:.]+ (?P<x_plain_i>[.*#-]) ''
    ''(?P<x_plain_j>[IWEF])\d{4} \d\d:\d\d:\d\d\.''
    ''\S+ (?P<x_plain_k>[FEWID])\s{1,2}[A-Z]+\s+\[''
    # Telegraf: 2026-11-22T08:00:00Z E! [inputs.x] text
    ''\S+ (?P<x_plain_ta>[EWID])! ''
    ''\d[^\[\n]{0,120} \[(?P<x_plain_l>[TDIWEFC])\] ''
  ]}";
  # Lines without one of these have no word of a level, and no crash.
  hints = texts (
    builtins.concatMap inCases [
      "trac"
      "trc"
      "debu"
      "dbg"
      "verbose"
      "vrb"
      "inf"
      "notice"
      "note"
      "warn"
      "wrn"
      "err"
      "fata"
      "ftl"
      "crit"
      "alert"
      "emerg"
      "pani"
      "pnc"
      "success"
      "exception"
    ]
    ++ [
      "trce"
      "dbug"
      "fail"
      "silly"
      "SEVERE"
      "LOG"
      "HINT"
      "DETAIL"
      "STATEMENT"
      "SIGQUIT"
      "Throwable"
      "nhandled"
      "Segmentation"
      "PHP "
      "** ("
      "(Use"
      "=SUPERVISOR"
      "Execution"
      "HasCallStack"
      "! Unable"
      ".rb:"
      "::"
      "⨯"
      "⚠"
    ]
  );

  # The beginning of a crash.
  crash = {
    fatal = ''^(?P<x_fatal>panic: |[fF]atal error: |Fatal Python error: |SIGQUIT: |dpanic: )'';
    error = ''^(?:\s*\+ )?(?:Uncaught |Unhandled |Exception Group |\(node:\d+\) )?(?:NOTICE: PHP message: )?(?P<x_error>=(?:ERROR|CRASH|SUPERVISOR) REPORT=|\[UnhandledPromiseRejection|Execution error|! Unable to load application|\s?ERR_PNPM_|\*\* \([A-Z][\w.]*\)|Traceback \(most recent|thread '[^']*'(?: \(\d+\))? panicked|thread caused non-unwinding panic|Exception in thread|Unhandled exception|Internal Server Error: |PHP (?:Fatal|Parse|Recoverable fatal) error|Segmentation fault|(?:[A-Za-z_][\w$]*[.:]+)*[A-Z]?\w*(?:Error|Exception|Throwable)(?: \[\w+\])?(?:: |$|\n|\s\[))'';
    # below the source line that Node prints first, or a logger's message
    node = ''^(?:(?:file://)?/|node:)\S+:\d+\n(?:.*\n)*?(?P<x_error_n>\[?\S*(?:Error|Exception|UnhandledPromiseRejection)(?: \[\w+\])?(?:: |\n|$))'';
    # a traceback below a message without a level
    below = ''(?P<x_error_below>\n(?:Traceback \(most recent call last\)|CallStack \(from HasCallStack\)))'';
    ruby = ''^(?:\S+\.rb:\d+:in .*\((?P<x_error_r>[A-Z][\w:]*)\)|(?P<x_error_s>[A-Z]\w*(?:::\w+)+) \(.*\):(?:\n|$))'';
    go = ''^\S+ \S+ (?:http: (?P<x_error_g>panic) serving |\[Recovery\] [^\n]{0,60}(?P<x_error_h>panic) recovered)'';
    warning = ''^(?P<x_warn>\(node:\d+\) (?:\[\w+\] )?\w*Warning: |\(Use `node --trace-|PHP (?:Warning|Notice|Deprecated)|(?:\S+:\d+: )?\w+Warning: )'';
  };

  letters = builtins.filter (letter: letter != "m") (builtins.attrNames forms);
  plainWord = "or .x_plain_b .x_plain_r ${
    builtins.concatStringsSep " " (map (letter: ".x_plain_${letter}") (
        letters
        ++ [ "i" "j" "k" "l" "ta" "u" "v" "w" "y" "z" "jc" "jd" ]
      ))
  } \"\"";

  # --- the level ---------------------------------------------------------------

  byName = builtins.concatStringsSep "{{ else " (
    map (level: "if contains $w ` ${builtins.concatStringsSep " " names.${level}} ` }}${level}") order
  );

  # A name, or a number: from 100 on as Monolog's, from 10 on as pino's, below 10 as
  # syslog's. No `regexMatch`, which compiles its expression for each line.
  ofWord =
    otherwise:
    "{{ $n := int $l }}"
    + "{{ if ge $n 100 }}{{ if lt $n 200 }}debug{{ else if lt $n 300 }}info{{ else if lt $n 400 }}warn{{ else if lt $n 500 }}error{{ else }}fatal{{ end }}"
    + "{{ else if ge $n 10 }}{{ if lt $n 20 }}trace{{ else if lt $n 30 }}debug{{ else if lt $n 40 }}info{{ else if lt $n 50 }}warn{{ else if lt $n 60 }}error{{ else }}fatal{{ end }}"
    + "{{ else if or (ge $n 1) (eq $l `0`) }}{{ if lt $n 3 }}fatal{{ else if eq $n 3 }}error{{ else if eq $n 4 }}warn{{ else if lt $n 7 }}info{{ else }}debug{{ end }}"
    + "{{ else }}{{ $w := printf ` %s ` $l }}{{ ${byName}{{ else }}${otherwise}{{ end }}{{ end }}";
in
{
  # Only when the journal's priority is "info", the default for printed lines:
  # any other was set on purpose.
  plain = whenLabels ''job=~".+", level=~"info|notice"'' isPlain (
    [ (find signs) ]
    ++ whenAny "hints" hints (
      # This one costs a line with a date 100 µs.
      whenAny "bracketed" (patterns [ "\\[${anyCase}\\s*\\]" "<${anyCase}\\s*>" "\\(${anyCase}\\s*\\)" ]) [ (find forms.d) ]
      ++ map find (builtins.attrValues (removeAttrs forms [ "d" ]) ++ builtins.attrValues crash)
    )
  );

  # For a request: the level follows from the HTTP status.
  status =
    expression:
    if expression == null then
      [ ]
    else
      [
        (find expression)
        (compute "x_level" "{{ if .x_status }}{{ if ge (int .x_status) 500 }}error{{ else }}info{{ end }}{{ else }}{{ .x_level }}{{ end }}")
      ];

  set = [
    # The line's own level; then a crash; then the level word of a plain line; then the priority.
    (compute "level" (
      "{{ $own := .x_level | default \"\" | toString | lower | trim }}"
      + "{{ $word := ${plainWord} }}"
      + "{{ if $own }}{{ $l := index (splitList \"+\" $own) 0 }}{{ if contains \"-\" $l }}{{ $l = regexReplaceAll \"-[0-9]+$\" $l \"\" }}{{ end }}${ofWord "info"}"
      + "{{ else if .x_fatal }}fatal"
      + "{{ else if or .x_error .x_error_m .x_error_n .x_error_g .x_error_h .x_error_r .x_error_s }}error"
      + "{{ else if or .x_warn .x_warn_m }}warn"
      + "{{ else if and .x_error_below (not $word) }}error"
      + "{{ else }}{{ $l := or $word .level \"\" | toString | lower | trim }}${ofWord "info"}{{ end }}"
    ))
    { labels.level = null; }
  ];
}
