# What is read from a line: its own level (x_level), and the four fields that Loki
# keeps beside it as structured metadata. Pure, builtins only.
#
#   { json, logfmt, metadata }: stages
#
# A line that begins as JSON or logfmt and is neither stays as it is, and gets the
# event `malformed_line`.
let
  inherit (import ./stage.nix)
    anyOf
    compute
    find
    isJson
    isPlain
    patterns
    when
    whenAny
    whenLabels
    ;

  # The spellings of a field. JSON also has them one level down.
  spellings = {
    event = [ "event" ];
    trace_id = [
      "trace_id"
      "traceId"
      "traceID"
      "trace.id"
      "TraceId"
      "otelTraceID"
    ];
    conversation_id = [
      "conversation_id"
      "conversationId"
      "conversationID"
      "conversation.id"
    ];
    user = [
      "user.id"
      "user_id"
      "userId"
      "userID"
      "user"
    ];
    level = [
      "level_name" # Monolog has a number in `level`
      "level"
      "levelname"
      "severity"
      "lvl"
      "log.level"
      "@l"
      "@level"
      "Level"
      "LEVEL"
      "LogLevel"
      "logLevel"
      "log_level"
      "loglevel"
      "severityText"
      "severity_text"
      "SeverityText"
      "record.level.name"
    ];
  };
  names = builtins.attrNames spellings;
  # What Loki keeps; the level becomes a label.
  fields = builtins.filter (name: name != "level") names;

  # A value that Loki keeps is a scalar of reasonable length. An event is a name: some
  # libraries keep the whole message in a field `event`.
  scalars = map (
    field:
    compute "x_${field}" (
      ''{{ with .x_${field} }}{{ if and (le (len .) 128) (not (hasPrefix "{" .)) (not (hasPrefix "[" .)) ''
      + (if field == "event" then ''(not (contains " " .)) '' else "")
      + "}}{{ . }}{{ end }}{{ end }}"
    )
  ) fields;
  # JSON may have another value. Five templates would cost each line 20 µs.
  odd = builtins.concatMap (
    field:
    map (
      name:
      let
        inner = builtins.replaceStrings [ "." ] [ "\\." ] name;
      in
      ''"${inner}"\s*:\s*(?:[\[{]|""|"(?:[^"\\]|\\.)*(?:(?:[^"\\]|\\.){128}${if field == "event" then "| " else ""}))''
    ) spellings.${field}
  ) fields;

  # --- JSON --------------------------------------------------------------------

  # "a.b" is a name with a dot, or a field of an object.
  paths =
    name:
    let
      parts = builtins.filter builtins.isString (builtins.split "\\." name);
      whole = "\"${name}\"";
    in
    if builtins.length parts > 1 then
      [
        whole
        (builtins.concatStringsSep "." (map (part: "\"${part}\"") parts))
      ]
    else
      [ whole ];
  oneOf = builtins.concatStringsSep " || ";
  expressions =
    known:
    {
      ${known} = "`true`"; # set by whatever is JSON
      # MongoDB's is called `s`; zap's and others' may be an object with a name
      x_level = oneOf ([ "level.name" ] ++ builtins.concatMap paths spellings.level ++ [ "c && ctx && s" ]);
    }
    // builtins.listToAttrs (
      map (field: {
        name = "x_${field}";
        value = oneOf (builtins.concatMap paths spellings.${field});
      }) fields
    );

  # One level down, where there is such a level.
  parents = [
    "fields"
    "context"
    "extra"
  ];
  nested = when ''|~ `"${anyOf parents}"\s*:\s*\{`'' (
    [
      {
        json.expressions = builtins.listToAttrs (
          map (field: {
            name = "x_nested_${field}";
            value = oneOf (
              builtins.concatMap (parent: map (path: "${parent}.${path}") (builtins.concatMap paths spellings.${field})) parents
            );
          }) names
        );
      }
    ]
    ++ map (field: compute "x_${field}" "{{ or .x_${field} .x_nested_${field} \"\" }}") names
    ++ scalars
  );

  # JSON knows numbers as floats: digits beyond 2^53 are read as text.
  numbers =
    let
      number =
        field:
        find ''"${anyOf (map (builtins.replaceStrings [ "." ] [ "\\." ]) spellings.${field})}"\s*:\s*(?P<x_${field}>-?\d{16,})\b'';
      inner =
        field: object:
        find ''"${object}"\s*:\s*\{[^{}]*"id"\s*:\s*(?P<x_${field}>-?\d{16,})\b'';
    in
    when "|~ `:\\s*-?\\d{16}`" (
      map (field: when ''|~ `"${anyOf spellings.${field}}"\s*:\s*-?\d{16}`'' [ (number field) ]) [
        "trace_id"
        "conversation_id"
        "user"
      ]
      ++ [
        (inner "trace_id" "trace")
        (inner "conversation_id" "conversation")
        (inner "user" "user")
      ]
    );

  # Numbers that JSON does not have, as Python, Go and nginx may write them.
  notNumber = ''(?:[+-]?(?:NaN|nan|NAN|[iI]nf(?:inity)?)|undefined|None|True|False|-?0x[0-9a-fA-F]+|-?[0-9]+\.|[+-]?\.[0-9]+|[0-9]+(?:_[0-9]+)+|-?0[0-9]+(?:\.[0-9]+)?|-?[0-9][0-9.]*[eE]\+?[0-9]{3,})'';
  # What is read in place of a line that is no JSON: without such numbers, escapes and
  # control characters that JSON does not have, commas at an end, and text behind the
  # object.
  text = ''"(?:[^"\\]|\\.)*"'';
  object = inner: ''\{(?:[^{}"]|${text}|${inner})*\}'';
  repaired = "{{ ${
    builtins.foldl' (line: step: "regexReplaceAll `${step.find}` (${line}) `${step.put}`") ".Entry" [
      {
        find = ''(\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})|\\'';
        put = "\${1}";
      }
      {
        find = ''[\x00-\x1f]'';
        put = " ";
      }
      # Twice: what stands between two of them belongs to both.
      {
        find = ''([:,\[]\s*)${notNumber}(\s*[,}\]])'';
        put = "\${1}null\${2}";
      }
      {
        find = ''([:,\[]\s*)${notNumber}(\s*[,}\]])'';
        put = "\${1}null\${2}";
      }
      {
        find = '',(\s*[}\]])'';
        put = "\${1}";
      }
      {
        find = ''^\s*(${object (object (object (object "\\{\\}")))})(?:\s*[;,{].*|\s+\S.*)$'';
        put = "\${1}";
      }
    ]
  } }}";
  # Of a line that is cut off: its level and ids, as far as they are there.
  cutOff = map (
    field:
    find ''"${anyOf (map (builtins.replaceStrings [ "." ] [ "\\." ]) spellings.${field})}"\s*:\s*"?(?P<x_${field}>[\w.+-]{1,128})''
  ) (builtins.filter (field: field != "event") names);
  # A few words before the object: docker compose's `api-1  | {…}`.
  prefix = ''^(?:(?:\d\d:\d\d:\d\d )?[\w./@:|-]{1,60}(?:\[[\w.-]{1,60}\])?\s*(?:\||:|>>)|[\[(][\w./@:-]{1,60}[\])]|\d{4}-\d\d-\d\d[T ][\w:.,+-]+(?: std(?:out|err) [FP])?|[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S+ \S+:)\s*'';
  again = template: [
    (compute "x_repaired" template)
    {
      json = {
        source = "x_repaired";
        expressions = expressions "x_json_repaired";
      };
    }
  ]
  ++ scalars;

  json = [
    (when isJson (
      [
        { json.expressions = expressions "x_json"; }
        { labels.x_json = null; }
      ]
      ++ whenAny "odd-fields" (patterns odd) scalars
      ++ [
        nested
        numbers
        (whenLabels ''job=~".+", x_json=""'' "" (
          again repaired
          ++ [
            { labels.x_json = "x_json_repaired"; }
            (whenLabels ''job=~".+", x_json=""'' "" cutOff)
            (compute "x_event" "{{ if .x_json_repaired }}{{ or .x_event \"malformed_line\" }}{{ else }}malformed_line{{ end }}")
          ]
        ))
      ]
    ))
    (when "${isPlain} |~ `${prefix}\\{\\s*\"`" (again "{{ regexReplaceAll `${prefix}(\\{)` .Entry \"\${1}\" }}"))
  ];

  # --- logfmt ------------------------------------------------------------------

  # `key=value key="a value"`, with a level somewhere.
  looksLikeLogfmt = ''|~ `^[A-Za-z_@][\w.@/-]*=` |~ `(?:^|\s)(?:level|lvl|severity|loglevel|log_level)=`'';
  isLogfmt = ''^\s*(?:[\w.@/\[\]-]+(?:=(?:"(?:[^"\\]|\\.)*"|[^\s"]*))?(?:\s+|$))+$'';
  # In logfmt each spelling is extracted under a name of its own.
  mapping = builtins.listToAttrs (
    builtins.concatMap (
      field:
      builtins.genList (index: {
        name = "x_${field}_${toString index}";
        value = builtins.elemAt spellings.${field} index;
      }) (builtins.length spellings.${field})
    ) names
  );
  first =
    field:
    compute "x_${field}" "{{ or ${
      builtins.concatStringsSep " " (
        builtins.genList (index: ".x_${field}_${toString index}") (
          builtins.length spellings.${field}
        )
      )
    } \"\" }}";
  logfmt = when "${isPlain} ${looksLikeLogfmt}" [
    (when "|~ `${isLogfmt}`" ([ { logfmt = { inherit mapping; }; } ] ++ map first names ++ scalars))
    (when "!~ `${isLogfmt}`" [ (compute "x_event" "malformed_line") ])
  ];

  # --- structured metadata -----------------------------------------------------

  metadata = [
    {
      structured_metadata = builtins.listToAttrs (
        map (field: {
          name = field;
          value = "x_${field}";
        }) fields
      );
    }
  ];
in
{
  inherit json logfmt metadata;
}
