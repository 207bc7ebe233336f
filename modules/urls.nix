# URL parsing, for settings and assertions. Builtins only.
let
  # scheme :// [user[:password] @] host [: port] [/path] [?query]
  shape = "([a-z]+)://(([^@/?#]*)@)?(\\[[0-9a-fA-F:.]+]|[^]@/?#: []*)(:([0-9]*))?(/[^?# ]*)?(\\?[^# ]*)?";
  orEmpty = text: if text == null then "" else text;
  # "080" is not valid JSON, and not a port either.
  isNumber = text: builtins.match "0|[1-9][0-9]{0,4}" text != null;
in
rec {
  # null when `text` is not a URL; port is null when none is given.
  parse =
    text:
    let
      parts = builtins.match shape text;
      at = builtins.elemAt parts;
      user = builtins.match "([^:]*)(:(.*))?" (orEmpty (at 2));
      port = at 5;
    in
    if parts == null || (port != null && !(isNumber port)) then
      null
    else
      {
        scheme = at 0;
        user = builtins.elemAt user 0;
        hasPassword = builtins.elemAt user 1 != null;
        host = at 3;
        port = if port == null then null else builtins.fromJSON port;
        path = orEmpty (at 6);
        query = orEmpty (at 7);
      };

  # For settings, which need a URL. Anything else never gets to a host:
  # check-config refuses it, with the option's name, at build time.
  need =
    text:
    let
      url = if text == null then null else parse text;
    in
    if url == null then need "http://invalid" else url;

  # The text after ://, without the user.
  address =
    url:
    let
      port = if url.port == null then "" else ":${toString url.port}";
    in
    "${url.host}${port}${url.path}${url.query}";

  # Whether the URL names this machine (and so one of its ports).
  isLocal =
    url:
    url.scheme == "unix"
    || builtins.elem url.host [
      "127.0.0.1"
      "localhost"
      "[::1]"
    ];

  defaultPort =
    url:
    if url.port != null then
      url.port
    else
      {
        http = 80;
        https = 443;
        redis = 6379;
        rediss = 6379;
        postgres = 5432;
        postgresql = 5432;
      }
      .${url.scheme} or null;

  # Whether it contains a password, also when it is not a valid URL.
  hasPassword =
    text:
    let
      url = parse text;
    in
    if url != null then url.hasPassword else builtins.match "[^/]*://[^@]*:.*@.*" text != null;

  # A Redis URL with the user name that the option `username` gives.
  withUser =
    username: text:
    let
      url = need text;
      user = if username != null then username else url.user;
    in
    if user == "" || parse text == null then text else "${url.scheme}://${user}@${address url}";

  # The same server in redis_exporter's form: for a socket only the path,
  # because it does not support a query there.
  redisTarget =
    username: text:
    let
      url = need (withUser username text);
      user = if url.user == "" then "" else "${url.user}@";
    in
    if url.scheme == "unix" then
      "unix://${user}${url.path}"
    else
      "${url.scheme}://${user}${address url}";
}
