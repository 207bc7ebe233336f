# Forbidden labels: a label's values are kept in every index, cannot be
# masked afterwards and multiply the streams. Pure, builtins only.
#
#   guard.offending NAMES -> the names that would identify a person, a request or a secret
#   guard.labels WHERE LABELS -> LABELS, or an error that names WHERE
#
# Used for labels of logs, metrics and rules.
rec {
  # Words in a label name, separated by "_" or by a change of case.
  personal = [
    "user"
    "users"
    "userid"
    "username"
    "customer"
    "account"
    "phone"
    "msisdn"
    "mobile"
    "email"
    "mail"
    "ip"
    "address"
    "session"
    "sessionid"
    "conversation"
    "request"
    "requestid"
    "reqid"
    "trace"
    "traceid"
    "span"
    "spanid"
    "correlation"
    "token"
    "password"
    "secret"
    "cookie"
    "waid"
  ];

  # Harmless names that contain one of these words: bounded by the
  # declaration, not by the people.
  harmless = [
    "user_agent_family"
    "trace_flags"
  ];

  # "requestId" -> "request_id"
  lower =
    let
      characters = text: builtins.genList (at: builtins.substring at 1 text) (builtins.stringLength text);
      upper = characters "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
      small = map (c: "_${c}") (characters "abcdefghijklmnopqrstuvwxyz");
    in
    builtins.replaceStrings
      (
        upper
        ++ [
          "-"
          "."
        ]
      )
      (
        small
        ++ [
          "_"
          "_"
        ]
      );

  words = name: builtins.filter (w: builtins.isString w && w != "") (builtins.split "_" (lower name));

  # "reqId" matches none of these words in parts, but does as "reqid".
  offends =
    name:
    !(builtins.elem name harmless)
    && builtins.any (word: builtins.elem word personal) (
      words name ++ [ (builtins.concatStringsSep "" (words name)) ]
    );

  offending = builtins.filter offends;

  message =
    where: names:
    "${where}: ${
      builtins.concatStringsSep ", " (map (n: "`${n}`") names)
    } cannot be a label: it would hold a person, a request or a secret, in every index and without bounds. Print it as a field of the line, and search for it with `| json` or `|=`.";

  labels =
    where: set:
    let
      bad = offending (builtins.attrNames set);
    in
    if bad == [ ] then set else throw (message where bad);
}
