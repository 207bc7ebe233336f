# What the shipper masks before a line leaves the host. Pure, builtins only.
#
#   everywhere { enable, patterns, units } -> stages: what the options say, then the table
#   only PATTERNS                          -> stages of these patterns alone
#
# Each entry: `name`; what a line must have before the expression is tried: `word`, a
# text, `any`, filters of which one must match (stage.nix), both cheap, or `gate`, a
# regular expression (costs up to 40 µs a line, less when it begins with a text or
# \b); `expression` (RE2), whose CAPTURED groups are
# replaced; `replace`, the template of what stands there afterwards (.Value = what
# was captured). An entry with `table` holds further ones behind its gate.
#
# RE2 has no look-ahead. What must stay is matched first, without a group: the
# leftmost alternative wins, and a match without a captured group changes
# nothing. So `keep|(mask)` masks only what `keep` does not claim.
#
# Escapes: in `\nkim@example.com` the letter n belongs to the escape. Before
# anything is masked, a boundary (a character that no text has) is set behind
# every escape, and taken away at the end.
#
# JSON: a masked value stays within its quotes. A masked number leaves a bare
# ***, which gets quotes at the end, so that a line that was JSON is JSON.
let
  inherit (import ../../pure.nix) concatMap mapAttrsToList optionals;
  inherit (import ./stage.nix)
    anyOf
    inCases
    patterns
    rewrite
    texts
    upper
    when
    whenAny
    whenLabels
    ;
  inherit (import ../units.nix) isPattern regex;
  shapes = import ./secret-shapes.nix;
  mask = "***";
  # The last four digits, whatever stands between them.
  lastFour = ''***{{ trunc -4 (regexReplaceAll "[^0-9]" .Value "") }}'';

  # --- escapes -----------------------------------------------------------------

  # U+FDD0: Unicode keeps it for such use within a program.
  boundary = "\\x{FDD0}";
  fdd0 = builtins.fromJSON ''"\ufdd0"'';
  sentinel = builtins.fromJSON ''"\ufdd1"'';
  # \n, \u003c, also behind several backslashes (JSON in JSON); %20; &lt;. Not %40 (@)
  # and %2B (+), which belong to what is looked for. Each with what a line must have.
  escapes = [
    {
      word = "\\";
      expression = "\\\\+(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[\"'/bfnrt])";
    }
    {
      word = "%";
      expression = "%(?:[0135-9A-Fa-f][0-9A-Fa-f]|4[1-9A-Fa-f]|2[0-9ac-fAC-F])";
    }
    {
      word = "&";
      expression = "&(?:quot|lt|gt|amp|#\\d+);";
    }
  ];
  # \u0040 and \u002b are @ and +.
  at = "(?:@|%40|\\\\+u0040${boundary}?)";
  plus = "(?:\\+|%2[Bb]|\\\\+u002[bB]${boundary}?)";

  # A quotation mark, at any depth of JSON in JSON, or in a URL.
  quote = "(?:\\\\*[\"']${boundary}?|%22${boundary}?|&quot;${boundary}?)";
  # Between a name and its value.
  separator = "${quote}?(?:\\]|%5[Dd]${boundary}?)?\\s*(?::=|=>|->|={1,3}|:|%3[AaDd]${boundary}?)\\s*";
  # A text in quotes: JSON's or a program's, and one and two levels down.
  quoted = inner: anyOf [
    ''"${inner ''(?:[^"\\]|\\.)''}"''
    "'${inner "(?:[^'\\\\]|\\\\.)"}'"
    "\\\\[\"']${inner ''(?:[^"\\]|\\\\(?:\\"|[^"]))''}\\\\[\"']"
    "\\\\{2,}[\"']${inner ''[^"\\]''}\\\\"
    "%22${boundary}?${inner ''[^\s"%]''}%22"
  ];

  # A JSON list or object, three levels deep.
  text = ''"(?:[^"\\]|\\.)*"'';
  level0 = ''(?:[^"\[\]{}]|${text})'';
  level1 = "(?:${level0}|[\\[{]${level0}*[\\]}])";
  level2 = "(?:${level1}|[\\[{]${level1}*[\\]}])";
  container = "[\\[{]${level2}*[\\]}]";
  # Masks the texts and numbers in it, and leaves the names. A mark behind each
  # text tells a name, which has a colon behind it, from a value.
  leaves = builtins.concatStringsSep "" [
    ''{{ $v := regexReplaceAll `"(?:[^"\\]|\\.)*"` .Value "''${0}${sentinel}" }}''
    "{{ $v = regexReplaceAll `${sentinel}(\\s*:)` $v \"\${1}\" }}"
    ''{{ $v = regexReplaceAll `"(?:[^"\\]|\\.)+"${sentinel}` $v `"${mask}"` }}''
    "{{ $v = $v | replace `${sentinel}` `` }}"
    ''{{ regexReplaceAll `([:,\[]\s*)-?\d[\d.eE+-]*` $v `''${1}"${mask}"` }}''
  ];

  # Of lists of secrets: texts alone, and none that is a word.
  longLeaves = ''{{ regexReplaceAll `"(?:[^"\\]|\\.){12,}"(\s*:)?` .Value `"***"''${1}` }}'';

  # --- names -------------------------------------------------------------------

  # Names of fields, headers and parameters whose value is secret, whatever it is.
  secretName = anyOf [
    "(?i:(?:[\\w.-]*[_.-])?${
      anyOf [
        "[a-z]*pass[_-]?w(?:or)?d(?:\\d|[_-]?(?:hash|digest|salt|confirm(?:ation)?))?"
        "pass[_-]?(?:phrase|code)"
        "security[_-]?answer"
        "passwort|kennwort|mot[ _]de[ _]passe|contraseña|senha|wachtwoord|hasło|lösenord"
        "bind[_-]?pw"
        "secret"
        "secret[_-]?(?:access[_-]?)?key"
        "secret[_-]?key[_-]?base"
        "(?:client|app|consumer|shared)[_-]?secret"
        "(?:x-)?api[._-]?(?:key|token|secret)"
        "(?:access|private|encryption|master|account|license|service[_-]?role|webhook|shared[_-]?access|functions|subscription|pre[_-]?shared|hmac|anon|session|deploy|application)[_-]?key"
        "shared[_-]?access[_-]?signature"
        "(?:auth|access|refresh|id|session|csrf|xsrf|bot|device|push|reset|bearer|verify|deploy|api|oauth|security|personal[_-]?access|registry)[_-]?token"
        "_?authtoken"
        "(?:aws|session)[_-]?(?:access[_-]?key[_-]?id|session[_-]?token)"
        "otp"
        "totp"
        "(?:cvc|cvv)2?"
        "x-amz-(?:security-token|signature|credential)"
      ]
    })"
    # DB_PASS, PGPASSWORD, MYSQL_PWD, STRIPE_KEY, SECRET_KEY_BASE
    "(?:[A-Z0-9]+_)+(?:PASS|PW|PWD|KEY|TOKEN|SECRET|CREDENTIALS?|PAT|DSN)"
    "SSHPASS"
    "[A-Z]*PASSWORD"
    "[A-Z0-9_]*(?:SECRET|TOKEN|PASSWORD|KEY)_(?:BASE|VALUE|[0-9]+)"
    # dbPassword, jwtSecret, accessKeySecret, refreshTokenValue
    "[A-Za-z_][A-Za-z0-9_]*(?:Password|Passwd|Passphrase|Pass|Pwd|Secret|Token|(?:Api|Access|Private|Secret|Encryption|Master|Signing|Auth)Key)(?:Value|Hash|Confirmation)?"
    "(?:api|access|private|secret|encryption|master|signing|auth|subscription|account)Key"
    "password(?:Hash|Confirmation)|otp[cC]ode"
    "(?:[a-z]+_)+(?:pass|pwd)"
  ];
  # The same, when the value looks like a secret: it has a digit or is long.
  maybeName = "(?i:(?:[\\w.-]*[_.-])?${
    anyOf [
      "[a-z]*token"
      "jwt"
      "auth"
      "authorization"
      "[a-z]*credentials?"
      "psk"
      "(?:authorization|device|verification|mfa|2fa|two[_-]?factor|recovery|backup|security|t?otp)[_-]?code"
      "signing[_-]?key"
      "signature"
      "pass"
      "pwd"
      "pin"
      "[a-z]*sess(?:ion)?(?:[_-]?id)?"
      "sid"
      "nonce"
      "bearer"
    ]
  })";
  # What stands behind a name and is none of its values.
  absent = "(?i:${
    anyOf [
      "null"
      "none"
      "nil"
      "true"
      "false"
      "undefined"
      "required"
      "invalid"
      "incorrect"
      "wrong"
      "missing"
      "expired"
      "denied"
      "rejected"
      "rotated"
      "changed"
      "reset"
      "not"
      "must"
      "can"
      "should"
      "does"
      "empty"
      "enabled"
      "disabled"
      "unknown"
      "filtered"
      "redacted"
      "hidden"
      "masked"
      "removed"
      "updated"
      "is"
      "was"
      "has"
      "too"
      "cannot"
      "could"
      "authentication"
    ]
  })(?:[\\s,;.)}\\]\"'\\\\]|$)";

  # Letters and digits, as no word has them.
  looksSecret = "((?:[A-Za-z_-]+[0-9]|[0-9]+[A-Za-z])[\\w.~+/=!$%^&*#@-]{6,})";

  # Fields that hold a phone number. `phone_last4` and `phone_number_id` are none.
  phoneKey = "(?i:\\b${
    anyOf [
      "(?:[\\w]+[_.-])?phones?(?:[_-]?(?:numbers?|no|nr))?"
      "(?:[\\w]+[_.-])?(?:mobiles?|telephone|telefon|msisdn|cell)(?:[_-]?(?:phone|numbers?|no|nr))?"
      "wa[_-]?ids?"
      "whatsapp(?:[_-]?(?:id|number))?"
      "tel"
      "fax"
      "handy"
    ]
  }|(?-i:[a-z]+(?:Phone|Mobile|Msisdn)(?:Number|No)?))";
  # Fields that hold one only when the number is long.
  partyKey = "(?i:\\b(?:from|to|sender|recipients?(?:_id)?|caller|callee))";
  # Seconds, milliseconds, microseconds and nanoseconds since 1970, to 2033.
  epoch = "1[0-9]{9}(?:[0-9]{3}){0,3}";

  # Mobile numbers without "+", by country: digits that identify themselves.
  bareMobile = anyOf [
    "491[567]\\d{8,9}"
    "447[1-9]\\d{8}"
    "34[67]\\d{8}"
    "33[67]\\d{8}"
    "393\\d{8,9}"
    "436[5-9]\\d{7,9}"
    "417[5-9]\\d{7}"
    "316\\d{8}"
    "329?4\\d{8}"
    "48[5-8]\\d{8}"
    "3519\\d{8}"
    "55\\d{2}9\\d{8}"
    "91[6-9]\\d{9}"
    "905\\d{9}"
    "3806\\d{8}"
  ];

  # Between the digits of a phone number: blanks of every kind, hyphens, dots,
  # slashes, brackets.
  gap = "(?:[ .()/\\x{A0}\\x{2007}\\x{2009}\\x{202F}\\x{2010}-\\x{2013}-]|%20${boundary}?|%2[89]${boundary}?|\\\\u(?:00[aA]0|202[fF]|201[0-3])${boundary}?)";
  # Of one kind, for what has no "+".
  blank = "(?:[ \\x{A0}\\x{202F}]|%20${boundary}?)";

  uuid = "\\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\\b";

  # What looks like a number to dial and is none.
  notPhone = anyOf [
    uuid
    # dates and times with what follows them
    "\\b\\d{4}[-/.]\\d{2}[-/.]\\d{2}[T ,]?(?:\\d{2}:\\d{2}(?::\\d{2}(?:[.,]\\d+)?)?)?(?:Z|[ ]?[+-]\\d{2}:?\\d{2})?\\b"
    # addresses
    "\\b\\d{1,3}(?:\\.\\d{1,3}){3}(?::\\d+)?\\b"
    # ISBN
    "(?i:\\bisbn(?:-1[03])?:?\\s*[\\d -]{10,17})"
    # versions, and what was added to them
    "\\bv?\\d+(?:\\.\\d+)+(?:-[\\w.]+)?\\+[\\w.-]+"
    # a range of bytes, and the size of all
    "\\b\\d+-\\d+/\\d+\\b"
    # values of other fields: "bytes":34696123456, offset=34696123456
    ''"\s*:\s*-?\d[\d.eE+-]*''
    ''[\w"]=-?[1-9]\d{6,}\b''
    # what is counted or measured
    "\\b\\d+(?:\\.\\d+)?\\s?(?:[kKMGTP]?i?B|bytes?|octets?|bits?|[nuµm]?s|secs?|seconds?|minutes?|hours?|rows?|records?|lines?|tokens?|items?|keys?|entries|events?|requests?|reqs?|hits?|ops|blocks?|pages?|cycles?|ticks?|files?|objects?|points?|%)\\b"
    "(?i:\\b(?:id|order|invoice|ticket|job|build|block|offset|seq|sequence|transaction|tx|txid|xid|rev|revision|cursor|nonce|height|commit|took|wrote|read|size|epoch|timestamp|inode|uid|serial|isbn|ean|gtin|iban)\\W{1,3})\\d+\\b"
  ];
  # A word that says that a number to dial follows.
  dial = "(?:(?i:\\b(?:tel|telephone|telefono|telefon|phone|fon|fax|mobile?|m[óo]vil|handy|cell|call(?:ed|ing)?|sms|whatsapp|dial|ring|number|nummer|numero|anruf|llam[ae]r?|appel(?:er|le[rz]?)?|chiama(?:re)?|bel|text)\\b|zadzwoń)\\W{0,3}(?:(?:al?|le|au|to|at|on|under|is|me|you|him|her|it)\\W{1,2}){0,2})";

  # Not addresses: Git's user, users of a URL, file names and unit names with an
  # "@" in them, and what is left of WhatsApp's addresses.
  notMail = anyOf [
    "[\\d:]+@(?:s\\.whatsapp\\.net|c\\.us|g\\.us|lid|newsletter|broadcast)\\b"
    "\\bgit@[\\w.-]+"
    "[A-Za-z][A-Za-z0-9+.-]*://[^\\s/@\"'?]*@"
    "[\\w.\\\\-]+@[\\w.\\\\:-]*\\.(?:service|scope|slice|socket|timer|target|mount|automount|path|device|swap)\\b"
    "[\\w./-]+@[\\w.-]*\\.(?:png|jpe?g|gif|svg|webp|avif|css|js|mjs|cjs|ts|tsx|json|yaml|yml|toml|html?|txt|log|lock|tgz|zip|gz|tar|conf|nix|py|rb|go|rs|java|class|jar|so|map|woff2?)\\b"
  ];
  # A name that nobody would take for a top-level domain is none.
  letter = "(?:[\\p{L}\\p{N}]|\\\\u[0-9a-fA-F]{4}${boundary})";
  mail = "(?:${letter}|_)(?:(?:${letter}|[_.+'-])*(?:${letter}|[_+-]))?${at}(?:${letter}(?:(?:${letter}|-)*${letter})?\\.)+(?:xn--[\\w-]+|(?:[\\p{L}]|\\\\u[0-9a-fA-F]{4}${boundary}){2,24})";

  # --- the table ---------------------------------------------------------------

  # The check digit of Luhn (ISO/IEC 7812): one number in ten passes by chance.
  ifLuhn = builtins.concatStringsSep "" [
    ''{{ $d := regexReplaceAll "[^0-9]" .Value "" }}{{ $odd := mod (len $d) 2 }}{{ $sum := 0 }}''
    ''{{ range $i, $c := splitList "" $d }}{{ $n := atoi $c }}''
    "{{ if eq (mod $i 2) $odd }}{{ $n = mul 2 $n }}{{ if gt $n 9 }}{{ $n = sub $n 9 }}{{ end }}{{ end }}"
    "{{ $sum = add $sum $n }}{{ end }}"
    "{{ if eq (mod $sum 10) 0 }}${mask}{{ else }}{{ .Value }}{{ end }}"
  ];

  # Words of which a name of a secret has one; each stands in three cases.
  secretWords = [
    "pass"
    "pwd"
    "secret"
    "token"
    "key"
    "credential"
    "auth"
    "jwt"
    "otp"
    "pin"
    "sess"
    "sid"
    "sig"
    "hmac"
    "nonce"
    "bearer"
    "cookie"
    "cvc"
    "cvv"
    "_pat"
    "_pw"
    "dsn"
    "psk"
    "answer"
    "identified"
    "bindpw"
    "kennwort"
    "contraseña"
    "senha"
    "wachtwoord"
    "hasło"
    "lösenord"
  ];
  # device_code, two factor code: "code" alone is in every second line.
  secretCodes = concatMap (
    end:
    map (code: end + code) [ "code" " code" "_code" "-code" "Code" " Code" "-Code" ]
    ++ map (code: upper end + code) [ "CODE" " CODE" "_CODE" "-CODE" " code" "Code" ]
  ) [ "device" "ation" "fa" "factor" "recovery" "backup" "security" "login" "sms" "time" ];
  parameters = concatMap (word: map (sign: sign + word) [ "?" "&" ]) [ "code" "state" "ticket" ];
  # What stands between a name and its value.
  assigned = "[\\w.-]{0,24}[\"'\\\\\\]\\x{FDD0}]*(?:%(?:22|5[Dd])\\x{FDD0}?)?\\s{0,3}(?:[:=,>]|->|%3)";
  inAnyCase = concatMap inCases;

  phoneWords = inAnyCase [
    "phone"
    "mobile"
    "msisdn"
    "cell"
    "wa_id"
    "wa-id"
    "waid"
    "whatsapp"
    "tel"
    "fax"
    "handy"
    "from"
    "sender"
    "recipient"
    "calle"
  ]
  ++ [ "WhatsApp" "waId" "WaId" ];

  # The second gate: the word with what stands between a name and its value, or a word
  # on a command line.
  named = {
    name = "names-of-secrets";
    any =
      patterns (map (word: "${word}${assigned}") (inAnyCase (secretWords ++ [ "code" "state" "ticket" ])))
      ++ patterns (
        concatMap (word: [
          "${word}\"?\\s+(?:[\"']|value=)"
          "${word}\\s+(?:is|was|for|(?:(?:set|reset|changed)\\s+to\\s+)?[A-Za-z_-]*[0-9])"
        ]) (inAnyCase [ "password" "passphrase" "token" "key" "auth" ])
      )
      ++ patterns [
        "ession [iI][dD]${assigned}"
        "ey \\d+:" # Unseal Key 1:
        "indpw\\s"
        " is your "
        "ode(?:\\s+is:?|:)\\s+\\d{4}"
        "assword for "
        "dentified (?i:by|with)\\s"
        "DENTIFIED (?i:BY|WITH)\\s"
        "earer\\s"
        "EARER\\s"
        "-[\\w-]*(?i:pass|pwd|token|secret|key|auth)"
      ]
      ++ texts (inAnyCase [ "requirepass" "masterauth" ] ++ [ "redis-cli" "mysql" ]);
    table = [
      {
        name = "header";
        any = texts (inAnyCase [ "authorization" "bearer" "cookie" ]);
        expression = builtins.concatStringsSep "|" [
          ''"(?i:(?:proxy-)?authorization)"\s*:\s*"((?:[^"\\]|\\.)+)"''
          ''(?i:\b(?:proxy-)?authorization)${separator}${quote}?(?i:aws4-hmac-sha256)\s+([^\r\n"\\]+)''
          ''(?i:\b(?:proxy-)?authorization)${separator}${quote}?(?i:basic|bearer|token|negotiate|apikey)\s+([^\s"'\\]+)''
          ''(?i:\b(?:proxy-)?authorization)${separator}${quote}?(?i:digest)\s+(\w+=\\?"[^"]*"(?:,\s*\w+=(?:\\?"[^"]*"|[^\s,"\\]+))*)''
          ''(?i:\bbearer)\s+([A-Za-z0-9._~+/=-]{16,})''
          # the whole list of cookies; a number of them stays
          ''(?i:\b(?:set-)?cookies?)${separator}(?:null|none|true|false|missing|expired|disabled|-?\d+)\b''
          "(?i:\\b(?:set-)?cookies?)${separator}${quoted (c: "(${c}+)")}"
          ''(?i:\b(?:set-)?cookies?)\s*=\s*([^\s;"'\\{\[]+(?:;\s*[^\s;="']+=[^\s;"']*)*)''
          ''(?i:\b(?:set-)?cookies?)\s*:\s*([^\s"'\\{\[][^"'\r\n\\]*)''
        ];
      }
      {
        name = "json-containers";
        gate = ''\w\\?"\s*:\s*[\[{]'';
        expression = ''"(?:${secretName}|${maybeName}|(?i:(?:set-)?cookies?))"\s*:\s*(${container})'';
        replace = leaves;
      }
      {
        # Several of them. What is short or a number may be a word or a count.
        name = "json-plurals";
        gate = ''s\\?"\s*:\s*[\[{]'';
        expression = ''"(?i:[\w.-]*(?:passwords|secrets|tokens|api[_-]?keys))"\s*:\s*(${container})'';
        replace = longLeaves;
      }
      {
        # {"name": "DB_PASSWORD", "value": "x"}
        name = "name-and-value";
        gate = ''(?i:value)(?:"\s*:\s*|=)"'';
        expression = builtins.concatStringsSep "|" [
          ''"(?:${secretName}|${maybeName}|(?i:(?:set-)?cookie))"\s*,\s*"(?i:value)"\s*:\s*"((?:[^"\\]|\\.)+)"''
          ''"(?i:value)"\s*:\s*"((?:[^"\\]|\\.)+)"\s*,\s*"(?i:name|key)"\s*:\s*"(?:${secretName}|(?i:(?:set-)?cookie|authorization))"''
          ''="${secretName}"\s+value="([^"]+)"''
        ];
      }
      {
        name = "header-lists";
        gate = ''\w\\*"\s*,\s*"'';
        expression = ''"\s*,\s*"(?:[^"\\]|\\.)*"\s*:|"(?i:-{0,2}(?:(?:x-)?[\w-]*(?:api[_-]?key|token|secret|password|passwd|authorization|cookie|auth))|default|AUTH)"\s*,\s*"((?:[^"\\]|\\.)+)"'';
      }
      {
        name = "redis-auth";
        any = texts ([ "AUTH\"" "auth\"" ] ++ inAnyCase [ "requirepass" "masterauth" ]);
        expression = builtins.concatStringsSep "|" [
          ''(?i:"AUTH")(?:\s+"[^"]*")?\s+"([^"]+)"''
          ''(?i:\b(?:requirepass|masterauth))"?\s+"?([^\s"]+)''
        ];
      }
      {
        name = "named-secrets";
        # Each name stands as few times as it can: the engine follows all of them.
        expression = builtins.concatStringsSep "|" [
          ''\b(?:PWD|OLDPWD)=''
          # what says that there is none; the scheme of a header, which was dealt with
          # above; PHP: ['password'] => string(16) "x"
          "\\b(?:${secretName}|${maybeName})${separator}${
            anyOf [
              "${quote}?[\\[(<]?${absent}"
              "${quote}?(?i:basic|bearer|token|digest|negotiate|apikey|aws4-hmac-sha256)\\s"
              ''string\(\d+\)\s*"([^"]+)"''
            ]
          }"
          "\\b${secretName}${separator}${
            anyOf [
              # Terraform: password = "x" -> "y"
              ''"([^"]*)"\s*->\s*"([^"]+)"''
              (quoted (c: "(${c}+)"))
              # Some("x"), PASSWORD('x'), [x], <x>
              ''\w+\(\s*["']([^"']+)["']''
              ''[\[(<{]([^\s"'\\\[\](){}<>,:=]+)[\])>}]''
              ''([^\s"'\\{\[(&,;<>*%\x{FDD0}][^\s"'\\&,;<>)\]}]*)''
            ]
          }"
          "\\b${maybeName}${separator}${
            anyOf [
              (quoted (c: "(${c}*[0-9]${c}*|${c}{16,})"))
              ''\w+\(\s*["']([^"']*[0-9][^"']*|[^"']{16,})["']''
              ''([^\s"'\\{\[(&,;<>*:/0-9.-][^\s"'\\&,;<>)\]}:]*[0-9][^\s"'\\&,;<>)\]}]*|[0-9]{3,}[^\s"'\\&,;<>)\]}.:]*|[^\s"'\\{\[(&,;<>*/][^\s"'\\&,;<>()\]}]{15,})''
            ]
          }"
        ];
      }
      {
        # <password>x</password>
        name = "element";
        word = "</";
        expression = ''<(?:\w+:)?(?:${secretName}|${maybeName})(?:\s[^<>]*)?>([^<\s]+)<'';
      }
      {
        # :password "x"
        name = "keyword";
        gate = '':[a-zA-Z][\w-]*\s+"'';
        expression = '':${secretName}\s+"([^"]+)"'';
      }
      {
        name = "sentences";
        expression = builtins.concatStringsSep "|" [
          "(?i:\\b(?:api|secret|access|private|encryption|license)\\s+key|\\b(?:client|shared)\\s+secret|\\b(?:access|refresh|auth|session|reset|api|id|root)\\s+token|\\b(?:unseal|recovery)\\s+key(?:\\s+\\d+)?|\\bsession\\s+id|\\b(?:verification|security|recovery|backup)\\s+code)\\s*[:=]\\s*${quote}?${looksSecret}"
          "(?i:\\b(?:password|passphrase|token|api\\s+key|secret\\s+key)(?:\\s+(?:is|was))?:?)\\s+[\"'`]${looksSecret}"
          "(?i:\\bpassword\\s+(?:is|was):?)\\s+${looksSecret}"
          "(?i:\\b(?:password|passphrase|api\\s+key|secret\\s+key|access\\s+token)(?:\\s+(?:set|reset|changed)\\s+to)?)\\s+${looksSecret}"
          "(?i:\\bpassword\\s+for\\s+[^\\n:\"]{1,100}:)\\s+${looksSecret}"
          "(?i:\\bpassword(?:\\s+is\\s+generated)?\\s+for\\s+[^\\s:]+:)\\s+([^\\s\"'\\\\]{6,})"
          "(?i:\\bbindpw)\\s+([^\\s\"'\\\\]+)"
          # codes that were sent to someone
          "(?i:\\b(?:verification|confirmation|security|login|recovery|sms|one[ -]?time|2fa|mfa|otp)\\s+(?:code|pin|password)(?:\\s+is:?|:))\\s+([0-9]{4,8})\\b"
          "\\b([0-9]{4,8}) is your (?:[\\w ]{0,30} )?(?i:code|otp|pin)\\b"
          # --password x, --token=x, redis-cli -a x
          ''\s--?(?i:[\w-]*(?:password|passwd|passphrase|pass|pwd|token|secret|api-?key|auth))[ =]["']?([^\s"'\\=-][^\s"'\\]*)''
          ''\bredis-cli\b[^|;]*?\s-a\s+["']?([^\s"'\\]+)''
          ''\bmysql\w*\b[^|;]*?\s-p([^\s"'\\]+)''
          # SQL: PASSWORD 'x', IDENTIFIED BY 'x'
          "(?i:\\b(?:password|identified\\s+by|identified\\s+with\\s+\\S+\\s+(?:by|as)))\\s+'([^']+)'"
          "(?i:\\bset\\s+password\\s+for\\s+\\S+)\\s*=\\s*'([^']+)'"
          # a parameter of a URL
          ''[?&](?i:sig|signature|auth|hmac|pass|pwd|x-amz-(?:signature|credential|security-token))=([^\s&"'#\\]+)''
          ''[?&](?i:key)=([^\s&"'#\\0-9]*[0-9][^\s&"'#\\]*|[^\s&"'#\\]{24,})''
          ''[?&](?i:code|state|ticket)=([^\s&"'#\\]{16,})''
        ];
      }
    ];
  };

  # The second gate: the word with a long number, or a list, behind it.
  phoneFields = {
    name = "phone-fields";
    any = patterns (
      map (word: "${word}\\w{0,16}[\\\\\"')\\]\\x{FDD0}]{0,4}\\s*[:=]+[\\s\\\\\"'(+\\x{FDD0}]{0,6}(?:\\d[^\",}]{5}|\\[)") (
        phoneWords ++ inCases "to"
      )
    );
    table = [
      {
        name = "phone-field";
        expression = builtins.concatStringsSep "|" [
          ''${partyKey}\\?["')\]]*\s*[:=]+\s*\\?["'(]*${epoch}\b''
          ''${phoneKey}\\?["')\]]*\s*[:=]+\s*\\?["'(]*(\+?\(?\d(?:${gap}{0,3}\d){5,17}(?:\.\d+)?)''
          ''${partyKey}\\?["')\]]*\s*[:=]+\s*\\?["'(]*(\+?[1-9]\d{9,14}|0\d(?:${gap}{0,2}\d){7,12}|[2-9]\d\d-\d{3}-\d{4})\b''
        ];
        replace = lastFour;
      }
      {
        # "phones": [4915123456789, "0151 23456789"]
        name = "phone-list";
        gate = ''"\s*:\s*\['';
        expression = ''"(?:${phoneKey}|${partyKey})"\s*:\s*(\[[^\[\]{}]*\])'';
        replace = ''{{ regexReplaceAll `\+?\(?\d(?:[ ()./-]{0,3}\d){3,13}([ ()./-]{0,2}\d)([ ()./-]{0,2}\d)([ ()./-]{0,2}\d)([ ()./-]{0,2}\d)(?:\.\d+)?` .Value "***''${1}''${2}''${3}''${4}" }}'';
      }
    ];
  };

  table = [
    {
      name = "private-key";
      word = "-----BEGIN";
      expression = "-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----([^-]+)";
    }
    {
      # The lines of a key that was printed line by line. Not a hash, which is hex.
      name = "private-key-line";
      gate = "^[A-Za-z0-9+/]{20,}={0,2}$";
      expression = "^(?:[0-9a-f]+|[0-9A-F]+|[a-z]+|[A-Z]+|[0-9]+)$|^([A-Za-z0-9+/]{40,}={0,2}|[A-Za-z0-9+/]{20,}={1,2})$";
    }
    {
      name = "url-password";
      word = "://";
      # A name of a user that is long and has a digit is a token.
      expression = ''[A-Za-z][\w+.-]*://(?:[^\s/@:"'<>]*:([^\s/"'<>]+)|([A-Za-z_-]{0,60}[0-9][\w.~-]{15,}))@'';
    }
    (shapes // { name = "shapes"; })
    {
      name = "words-of-secrets";
      any = texts (inAnyCase secretWords ++ secretCodes ++ parameters ++ [ "redis-cli" "mysql" " is your " ]);
      table = [ named ];
    }
    {
      # A link that someone was sent: https://x.example/reset-password/TOKEN
      name = "link";
      any = patterns (map (word: "/${word}[\\w-]*/") [ "reset" "confirm" "verify" "activat" "invit" "magic" "unsubscribe" "password" ]);
      expression = "/(?:reset|confirm|verify|activat|invit|magic|unsubscribe|password)[\\w-]*/(?:[a-z-]{1,20}/)?([A-Za-z_-]{0,60}[0-9][A-Za-z0-9_.-]{15,})";
    }
    {
      name = "command-line-password";
      word = "-u";
      expression = ''(?:\s-u|--user)[ =]["']?[^\s:"'/]+:([^\s"']+)'';
    }
    {
      name = "login-password";
      word = " -p";
      expression = ''\b(?:sshpass|(?:docker|podman|helm registry|oras|skopeo)\s+login)\b[^|;]*?\s-p\s*["']?([^\s"'\\]+)'';
    }
    {
      # WhatsApp's addresses are phone numbers.
      name = "whatsapp-address";
      gate = "@(?:s\\.whatsapp\\.net|c\\.us|lid)";
      expression = "\\b(\\d{7,15})(?::\\d+)?@(?:s\\.whatsapp\\.net|c\\.us)";
      replace = lastFour;
    }
  ]
  ++ map
    (word: {
      name = "email";
      inherit word;
      expression = "${notMail}|(${mail})";
      replace = "***@***";
    })
    [
      "@"
      "%40"
      "u0040"
    ]
  ++ [
    {
      # Visa, Mastercard, American Express, Discover, JCB, Diners; not a part of a
      # longer number and not the digits after a decimal point.
      name = "card";
      gate = "\\b[2-6]\\d{3}[ -]?\\d{2,4}[ -]?\\d";
      expression = "(?:^|[^\\w.*-])?${uuid}|(?:^|[^\\w.*-])(4\\d{3}(?:[ -]?\\d{4}){3}|(?:5[1-5]\\d{2}|2(?:22[1-9]|2[3-9]\\d|[3-6]\\d{2}|7[01]\\d|720))(?:[ -]?\\d{4}){3}|3[47]\\d{2}[ -]?\\d{6}[ -]?\\d{5}|6(?:011|4[4-9]\\d|5\\d{2}|2\\d{2})(?:[ -]?\\d{4}){3}|35(?:2[89]|[3-8]\\d)(?:[ -]?\\d{4}){3}|3(?:0[0-5]|[68]\\d)\\d[ -]?\\d{6}[ -]?\\d{4})\\b";
      replace = ifLuhn;
    }
    {
      name = "words-of-phones";
      any =
        texts phoneWords
        ++ texts (concatMap (word: map (end: word + end) [ "\"" "'" "\\" ":" "=" ")" "]" " :" " =" ]) (inCases "to"));
      table = [ phoneFields ];
    }
    {
      name = "phone";
      # Among the bare numbers, milliseconds since 1970 begin with 1 or 2.
      any = patterns [
        "\\+\\D?[1-9]"
        "%2[Bb]\\D?[1-9]"
        "u002[bB]\\D?[1-9]"
        "\\((?:0|[2-9]\\d\\d\\))"
        "\\b${
          anyOf [
            "0(?:0[1-9]\\d{0,2}(?:\\d{5}|\\D{1,3}\\d)|0 [1-9]|[1-9]\\d{1,4}(?:\\D{1,3}\\d\\d|\\d{5})|[1-9](?:%20|[^\\d:])\\x{FDD0}?(?:\\d\\d(?:%20|[^\\d:])\\x{FDD0}?\\d\\d(?:[^:\\d]|$))|[1-9](?:%20|[^\\d:.,])\\x{FDD0}?\\d{3}| \\d\\d\\D)"
            # not the time behind a date
            "[1-9]\\d(?:\\d?[ .-]\\d{2,3}[ .-]\\d\\d(?:[^:]|$)|\\d\\D{1,2}\\d{3}\\D{1,2}\\d)"
            "[2-9]\\d\\d(?:[-. )]{1,2}\\d{2,3}[-. ]?\\d|\\d{6})"
          ]
        }"
      ];
      expression = builtins.concatStringsSep "|" [
        # +1 415 555 0132
        "(?:^|[^\\w+])(${plus}1${gap}{1,2}[2-9]\\d\\d${gap}{1,2}[2-9]\\d\\d${gap}\\d{4})\\b"
        # +4915123456789
        "(?:^|[^\\w+])(${plus}[1-9]\\d{7,14})\\b"
        # +49 1512 3456789, +49(0)151 23456789
        "(?:^|[^\\w+])(${plus}[1-9]\\d{0,2}(?:${gap}{1,3}\\d{1,5}){0,3}${gap}{1,3}\\d{6,11})\\b"
        # +49151 234 567 89
        "(?:^|[^\\w+])(${plus}[1-9]\\d{3,5}(?:${gap}{1,2}\\d{5,9}|(?:${gap}{1,2}\\d{2,4}){2,5}))\\b"
        # +33 6 12 34 56 78
        "(?:^|[^\\w+])(${plus}[1-9]\\d{0,2}(?:${gap}{1,3}\\d{1,5}){2,6})\\b"
        # 06.12.34.56.78
        "(?:^|[^\\w.-])(0[1-9](?:\\.\\d\\d){4})\\b"
        "(?:^|[^\\w.-])?${notPhone}"
        # 0049 151 23456789
        "(?:^|[^\\w.-])(00[1-9]\\d{8,13})\\b"
        "(?:^|[^\\w.-])(00[1-9]\\d{1,2}(?:${blank}\\d{1,4}){3,6})\\b"
        "(?:^|[^\\w.-])(00 [1-9]\\d{1,2}(?:${gap}\\d{2,5}){1,2}${gap}\\d{5,9})\\b"
        "(?:^|[^\\w.-])(00[1-9]\\d{0,2}(?:${gap}{1,3}\\d{2,5}){0,3}${gap}{1,3}\\d{3,8})\\b"
        # behind a word that says so: tel. 030/901820, call 612 345 678
        "${dial}(\\(?0 ?\\d{1,5}\\)?(?:${gap}{1,3}\\d{2,9}){1,4})\\b"
        "${dial}([1-9]\\d{1,4}(?:${gap}\\d{2,4}){2,4})\\b"
        "${dial}([06-9]\\d{8,11})\\b"
        # (415) 555-0132, 415-555-0132; no area code begins with 0 or 1
        "(\\([2-9]\\d{2}\\) ?[2-9]\\d{2}[- .]\\d{4})\\b"
        "(?:^|[^\\w.-])(1[-.][2-9]\\d{2}[-.][2-9]\\d{2}[-.]\\d{4})\\b"
        "(?:^|[^\\w.-])([2-9]\\d{2}([-.])[2-9]\\d{2}[-.]\\d{4})\\b"
        # (030) 9018-2010, (01234) 567890
        "(\\(0[1-9]\\d{0,4}\\)[ /-]?(?:\\d{5,8}|\\d{2,5}[ /-]\\d{2,8}))\\b"
        # mobile numbers as they are written at home: 0171 2345678, 07911 123456
        "(?:^|[^\\w.-])(01[567]\\d{1,2}(?:[ /-]|${blank})\\d{6,8})\\b"
        "(?:^|[^\\w.-])(07\\d{3}${blank}?\\d{6}|07\\d{3}${blank}\\d{3}${blank}\\d{3})\\b"
        # 06 12 34 56 78
        "(?:^|[^\\w.-])(0[1-9](?:(?:-|${blank})\\d\\d){4})\\b"
        # 030/901820
        "(?:^|[^\\w./-])(0[1-9]\\d{1,4}/\\d{5,8})\\b"
        # a mobile number as bare digits
        "(?:^|[^\\w.-])(${bareMobile})\\b"
      ];
      replace = lastFour;
    }
  ];

  # --- stages ------------------------------------------------------------------

  # labels: of the lines that are looked at; name: of the entry
  stages =
    labels: name:
    {
      word ? "",
      any ? null,
      gate ? null,
      table ? null,
      expression ? null,
      replace ? mask,
      ...
    }:
    let
      inner = if table != null then inOrder labels table else [ { replace = { inherit expression replace; }; } ];
      filter =
        (if word == "" then "" else "|= ${builtins.toJSON word} ")
        + (if gate == null then "" else "|~ `${gate}`");
    in
    if any != null then whenAny name any inner else [ (whenLabels labels filter inner) ];
  inOrder = labels: concatMap (entry: stages labels entry.name entry);

  # One template over the whole line: a `replace` would run one for each escape.
  setBoundaries = map (
    escape:
    when "|= ${builtins.toJSON escape.word}" (
      rewrite "{{ regexReplaceAll `${escape.expression}` .Entry `\${0}${fdd0}` }}"
    )
  ) escapes;
  removeBoundaries = when "|= ${builtins.toJSON fdd0}" (rewrite "{{ .Entry | replace `${fdd0}` `` }}");

  # In a line of JSON, what was masked outside of a text becomes a text.
  quoteNumbers = stages all "numbers" {
    word = mask;
    gate = ''^[^{]{0,64}\{\s*"` |~ `[:,\[]\s*-?\*\*\*'';
    expression = ''"(?:[^"\\]|\\.)*"|[:,\[]\s*(-?\*\*\*\d{0,4})'';
    replace = ''"{{ .Value }}"'';
  };

  all = ''job=~".+"'';
  ofUnit =
    unit:
    if isPattern unit then
      "unit=~${builtins.toJSON (regex unit)}"
    else
      "unit=${builtins.toJSON unit}";
  own = labels: masks: concatMap (x: x) (mapAttrsToList (stages labels) masks);
in
{
  inherit table;

  only = own all;
  everywhere =
    {
      enable,
      patterns,
      units,
    }:
    optionals enable (
      setBoundaries
      ++ own all patterns
      ++ concatMap (x: x) (mapAttrsToList (unit: own (ofUnit unit)) units)
      ++ inOrder all table
      ++ quoteNumbers
      ++ [ removeBoundaries ]
    );
}
