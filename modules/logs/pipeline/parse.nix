# The fields of a line that is JSON or logfmt: its level, for levels.nix, and what
# becomes structured metadata. A line that begins as one of them and is neither
# stays as it is, with the event `malformed_line`. Pure, builtins only.
let
  inherit (import ./stage.nix)
    compute
    isJson
    isPlain
    when
    ;

  fields = {
    event = "event";
    trace_id = ''trace_id || traceId || trace.id || "trace.id"'';
    conversation_id = "conversation_id || conversationId";
    user = "user.id || user || user_id || userId";
  };

  # `key=value key="a value"`, with a level somewhere.
  looksLikeLogfmt = ''|~ `^[A-Za-z_@][\w.@/-]*=` |~ `(?:^|\s)(?:level|lvl|severity)=`'';
  isLogfmt = ''^\s*(?:[\w.@/\[\]-]+(?:=(?:"(?:[^"\\]|\\.)*"|[^\s"]*))?(?:\s+|$))+$'';

  # A scalar of reasonable length, or nothing. An event is a name: some
  # libraries keep the whole message in a field called `event`.
  scalar =
    name: extra:
    compute "x_${name}" ''{{ with .x_${name} }}{{ if and (le (len .) 128) (not (hasPrefix "{" .)) (not (hasPrefix "[" .)) ${extra} }}{{ . }}{{ end }}{{ end }}'';
in
{
  json = when isJson [
    {
      json.expressions = {
        x_json = "`true`"; # set by whatever is JSON
        x_level = ''level || levelname || severity || lvl || "log.level" || log.level || "@l"'';
        x_event = fields.event;
        x_trace_id = fields.trace_id;
        x_conversation_id = fields.conversation_id;
        x_user = fields.user;
      };
    }
    # Kept as it is, and marked.
    (compute "x_event" "{{ if .x_json }}{{ .x_event }}{{ else }}malformed_line{{ end }}")
  ];

  logfmt = when "${isPlain} ${looksLikeLogfmt}" [
    (when "|~ `${isLogfmt}`" [
      {
        logfmt.mapping = {
          x_level = "level";
          x_lvl = "lvl";
          x_severity = "severity";
          x_event = "event";
          x_trace_id = "trace_id";
          x_traceID = "traceID";
          x_conversation_id = "conversation_id";
          x_user = "user";
        };
      }
      (compute "x_level" "{{ or .x_level .x_lvl .x_severity }}")
      (compute "x_trace_id" ''{{ or .x_trace_id .x_traceID "" }}'')
    ])
    (when "!~ `${isLogfmt}`" [ (compute "x_event" "malformed_line") ])
  ];

  metadata = [
    (scalar "event" ''(not (contains " " .))'')
    (scalar "trace_id" "")
    (scalar "conversation_id" "")
    (scalar "user" "")
    {
      structured_metadata = {
        event = "x_event";
        trace_id = "x_trace_id";
        conversation_id = "x_conversation_id";
        user = "x_user";
      };
    }
  ];
}
