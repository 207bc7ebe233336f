# What the shipper masks before a line leaves the host. Pure, builtins only.
#
#   everywhere { enable, patterns, units } -> stages: what the options say, then the table
#   only PATTERNS                          -> stages of these patterns alone
#
# Each entry of the table: `name`; `gate`, a cheap regular expression that a line must match
# before the expensive one is tried; `expression` (RE2), whose CAPTURED groups
# are replaced; `replace`, the template of what stands there afterwards
# (.Value = what was captured).
#
# RE2 has no look-ahead. What must stay is matched first, without a group: the
# leftmost alternative wins, and a match without a captured group changes
# nothing. So `keep|(mask)` masks only what `keep` does not claim.
let
  inherit (import ../../pure.nix) concatMap mapAttrsToList optionals;
  inherit (import ./stage.nix) whenLabels;
  inherit (import ../units.nix) isPattern regex;
  mask = "***";
  # The last four digits, whatever stands between them.
  lastFour = ''***{{ trunc -4 (regexReplaceAll "[^0-9]" .Value "") }}'';

  anyOf = list: "(?:${builtins.concatStringsSep "|" list})";

  # Names of fields, headers and parameters that hold a secret.
  secretName = "(?:[\\w.-]*[_.-])?${
    anyOf [
      "password"
      "passwd"
      "passphrase"
      "passcode"
      "secret"
      "secret[_-]?key"
      "client[_-]?secret"
      "secret[_-]?access[_-]?key"
      "(?:x-)?api[_-]?(?:key|token|secret)"
      "access[_-]?key"
      "private[_-]?key"
      "signing[_-]?key"
      "encryption[_-]?key"
      "token"
      "auth[_-]?token"
      "_?authtoken"
      "credentials?"
      "authorization"
      "jwt"
      "otp"
    ]
  }|(?:db|user|my|new|old|current|confirm|root|admin|access|refresh|id|verify|session|csrf|bot|device|push|reset)(?:Password|Token|Secret)|api[kK]ey|accessKey|privateKey|secretKey|clientSecret|authToken";

  # In camel case, too: "refreshToken", "dbPassword".
  secretKey = "(?i:\\b(?:${secretName}))";
  separator = ''(?:\\?["'])?\s*(?:[:=]|=>)\s*'';

  # Fields that hold a phone number. `phone_last4` and `phone_number_id` are none.
  phoneKey = "(?i:\\b${
    anyOf [
      "(?:[\\w]+[_.-])?phone(?:[_-]?(?:number|no|nr))?"
      "(?:[\\w]+[_.-])?(?:mobile|telephone|msisdn|cell)(?:[_-]?(?:number|no|nr))?"
      "wa[_-]?id"
      "whatsapp(?:[_-]?(?:id|number))?"
      "tel"
      "fax"
    ]
  })";
  # Fields that hold one only when the number is long.
  partyKey = "(?i:\\b(?:from|to|sender|recipient(?:_id)?|caller|callee))";

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
  ];

  # File names and unit names with an "@" in them, Git's user, and what is left
  # of WhatsApp's addresses.
  notMail = anyOf [
    "[\\d:]+@(?:s\\.whatsapp\\.net|c\\.us|g\\.us|lid|newsletter|broadcast)\\b"
    "\\bgit@[\\w.-]+"
    "[\\w.\\\\-]+@[\\w.\\\\:-]*\\.(?:service|scope|slice|socket|timer|target|mount|automount|path|device|swap)\\b"
    "[\\w.-]+@\\dx\\.\\w+"
  ];

  # Top-level domains: two or three letters, or one of the common longer ones.
  # Not any word: `name@unit.service` and `pkg@file.json` are no addresses.
  topLevel = anyOf [
    "[A-Za-z]{2,3}"
    "(?:info|name|mobi|email|mail|online|store|tech|site|cloud|shop|club|life|live|world|today|agency|digital|company|group|team|work|studio|design|media|news|zone|space|website|systems|solutions|services|academy|school|education|health|berlin|hamburg|koeln|bayern|wien|london|paris|amsterdam|tokyo|nyc|museum|aero|jobs|asia|example|test|invalid|local|localhost|internal|home|arpa)"
  ];

  table = [
    {
      name = "private-key";
      gate = "-----BEGIN";
      expression = "-----BEGIN [A-Z ]*PRIVATE KEY-----([^-]+)";
    }
    {
      name = "url-password";
      gate = "://";
      expression = ''[A-Za-z][\w+.-]*://[^\s/@:"'<>]*:([^\s/"'<>]+)@'';
    }
    {
      name = "header";
      gate = "(?i:authorization|cookie|bearer)";
      expression = builtins.concatStringsSep "|" [
        ''(?i:\b(?:proxy-)?authorization)\\?["']?\s*[:=]\s*\\?["']?(?i:basic|bearer|token|digest|negotiate|apikey|aws4-hmac-sha256)\s+([^\s"'\\]+)''
        ''(?i:\bbearer)\s+([A-Za-z0-9._~+/=-]{16,})''
        # the whole list of cookies
        ''(?i:\b(?:set-)?cookies?)\\?["']?\s*[:=]\s*(?:\\?["']([^"'\\]+)|([^\s"'][^"'\r\n]*))''
      ];
    }
    {
      name = "known-shapes";
      gate = "sk[-_]|rk_|whsec_|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|xapp-|A[KS]IA|AIza|ya29\\.|SG\\.|npm_|pypi-|EAA|eyJ|hooks\\.slack\\.com|bot\\d|hf_|shpat_|dop_v1_|v\\d\\.(?:local|public)\\.";
      expression = builtins.concatStringsSep "|" [
        "\\b(sk-[A-Za-z0-9_*-]{12,})"
        "\\b((?:sk|rk)_(?:live|test)_\\w{8,}|whsec_\\w{8,})"
        "\\b(gh[pousr]_\\w{16,}|github_pat_\\w{16,}|glpat-[\\w-]{12,})"
        "\\b(xox[a-z]-[\\w-]{8,}|xapp-[\\w-]{8,})"
        "\\b(A[KS]IA[0-9A-Z]{12,})\\b"
        "\\b(AIza[\\w-]{20,}|ya29\\.[\\w-]{16,})"
        "\\b(SG\\.[\\w-]{8,}\\.[\\w-]{8,})"
        "\\b(npm_\\w{20,}|pypi-[\\w-]{16,}|hf_\\w{16,}|shpat_\\w{16,}|dop_v1_\\w{16,})"
        "\\b(EAA[A-Za-z0-9]{16,})"
        "\\b(eyJ[\\w-]{6,}\\.[\\w-]{4,}(?:\\.[\\w-]+)?)"
        "\\b(v[1-4]\\.(?:local|public)\\.[\\w-]{8,})"
        "hooks\\.slack\\.com/services/([\\w/]+)"
        "\\bbot\\d{5,}:([\\w-]{20,})"
      ];
    }
    {
      name = "named-secrets";
      gate = "(?i:passw|passp|passc|secret|token|key|credential|authorization|jwt|otp)";
      expression = builtins.concatStringsSep "|" [
        # a JSON or quoted string, and one inside a JSON string
        ''${secretKey}${separator}"((?:[^"\\]|\\.)+)"''
        "${secretKey}${separator}'((?:[^'\\\\]|\\\\.)+)'"
        ''${secretKey}${separator}\\"([^"\\]+)\\"''
        # what says that there is none stays
        "${secretKey}${separator}(?i:null|none|true|false|undefined)\\b"
        # a bare value; the scheme of a header was dealt with above
        "${secretKey}${separator}(?i:basic|bearer|token|digest|negotiate|apikey|aws4-hmac-sha256)\\s"
        ''${secretKey}${separator}([^\s"'\\{\[(&,;<>*][^\s"'\\&,;<>)\]}]*)''
        # SQL: PASSWORD 'x'
        "(?i:\\bpassword)\\s+'([^']+)'"
        # a parameter of a URL
        ''[?&](?i:key|sig|signature|auth|hmac|pass|pwd)=([^\s&"'#\\]+)''
        ''[?&](?i:code|state|ticket)=([^\s&"'#\\]{16,})''
      ];
    }
    {
      name = "command-line-password";
      gate = "-u |--user";
      expression = ''(?:\s-u|--user)[ =]["']?[^\s:"'/]+:([^\s"']+)'';
    }
    {
      # WhatsApp's addresses are phone numbers.
      name = "whatsapp-address";
      gate = "@(?:s\\.whatsapp\\.net|c\\.us|lid)";
      expression = "\\b(\\d{7,15})(?::\\d+)?@(?:s\\.whatsapp\\.net|c\\.us)";
      replace = lastFour;
    }
    {
      name = "email";
      gate = "@|%40";
      expression = ''(?:^|[^\w.%+*/-])?${notMail}|(?:^|[^\w.%+*/-])([A-Za-z0-9_][\w.+'-]*(?:@|%40)(?:[A-Za-z][A-Za-z0-9-]*|\d{3,}[A-Za-z0-9-]*)(?:\.[A-Za-z0-9-]+)*\.${topLevel})\b'';
      replace = "***@***";
    }
    {
      # Visa, Mastercard, American Express, Discover; not a part of a longer
      # number and not the digits after a decimal point.
      name = "card";
      gate = "\\b(?:4\\d{3}|5[1-5]\\d{2}|2[2-7]\\d{2}|3[47]\\d{2}|6[05]\\d{2})[ -]?\\d{4}[ -]?\\d";
      expression = "(?:^|[^\\w.*-])?${uuid}|(?:^|[^\\w.*-])(4\\d{3}(?:[ -]?\\d{4}){3}|(?:5[1-5]\\d{2}|2(?:22[1-9]|2[3-9]\\d|[3-6]\\d{2}|7[01]\\d|720))(?:[ -]?\\d{4}){3}|3[47]\\d{2}[ -]?\\d{6}[ -]?\\d{5}|6(?:011|5\\d{2})(?:[ -]?\\d{4}){3})\\b";
    }
    {
      name = "phone-field";
      gate = ''(?i:phone|mobile|msisdn|cell|wa_?id|whatsapp|tel|fax|from|to|sender|recipient|calle)\w*\W{1,8}\d[\d ()./-]{4}'';
      expression = builtins.concatStringsSep "|" [
        ''${phoneKey}\\?["')\]]*\s*[:=]+\s*\\?["'(]*(\+?\(?\d[\d ()./-]{4,18}\d)''
        ''${partyKey}\\?["')\]]*\s*[:=]+\s*\\?["'(]*(\+?[1-9]\d{9,14})\b''
      ];
      replace = lastFour;
    }
    {
      name = "phone";
      # Among the bare numbers, milliseconds since 1970 begin with 1 or 2.
      gate = "\\+[1-9]|%2[Bb]\\d|\\b(?:00[1-9]|01[567]|\\d{3}-\\d{3}-|[3-59]\\d{9})|\\((?:0|\\d{3}\\))";
      expression = builtins.concatStringsSep "|" [
        "(?:^|[^\\w.-])?${notPhone}"
        # +49 1512 3456789, also with %2B for the plus sign
        "(\\+\\d{8,15})\\b"
        "(%2[Bb]\\d{8,15})\\b"
        "(\\+[1-9]\\d{0,2}(?:[ ./-]|[ ./-]?\\()\\d{2,5}\\)?(?:[ ./-]?\\d{2,5}){0,3}[ ./-]?\\d{3,8})\\b"
        "(\\+[1-9]\\d{0,2}(?:-\\d{1,4}){2,4})\\b"
        # 0049 151 23456789
        "(?:^|[^\\w.-])(00[1-9]\\d{8,13})\\b"
        "(?:^|[^\\w.-])(00[1-9]\\d{0,2}[ ./-]\\(?\\d{2,5}\\)?[ ./-]?\\d{3,8}(?:[ ./-]?\\d{2,6})?)\\b"
        # (415) 555-0132, 415-555-0132, (030) 9018-2010, 0171 2345678
        "(\\(\\d{3}\\) ?\\d{3}[- .]\\d{4})\\b"
        "(?:^|[^\\w.-])(\\d{3}-\\d{3}-\\d{4})\\b"
        "(\\(0\\d{1,5}\\)[ /-]?\\d{2,8}(?:[ /-]\\d{1,8})?)\\b"
        "(?:^|[^\\w.-])(01[567]\\d{1,2}[ /-]\\d{6,8})\\b"
        # a mobile number as bare digits
        "(?:^|[^\\w.-])(${bareMobile})\\b"
      ];
      replace = lastFour;
    }
    {
      # A masked number in JSON is a string from now on: the line stays JSON.
      name = "json-number";
      gate = ":\\s*\\*\\*\\*";
      expression = ''[^\\]":\s*(\*\*\*\d{0,4})\s*[,}\]]'';
      replace = ''"{{ .Value }}"'';
    }
  ];

  # labels: of the lines that are looked at
  stage =
    labels:
    {
      gate ? null,
      expression,
      replace ? mask,
      ...
    }:
    whenLabels labels (if gate == null then "" else "|~ `${gate}`") [
      { replace = { inherit expression replace; }; }
    ];

  all = ''job=~".+"'';
  ofUnit =
    unit:
    if isPattern unit then
      "unit=~${builtins.toJSON (regex unit)}"
    else
      "unit=${builtins.toJSON unit}";
  own = labels: mapAttrsToList (_: stage labels);
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
      own all patterns
      ++ concatMap (x: x) (mapAttrsToList (unit: own (ofUnit unit)) units)
      ++ map (stage all) table
    );
}
