# What the log shipper is told. Pure, builtins only.
#
#   { soloscope, places } -> { configuration }
{ soloscope, places }:
let
  inherit (import ../pure.nix)
    concatMap
    mapAttrsToList
    optionalAttrs
    ;
  defaults = import ../defaults.nix;
  cfg = soloscope.logs;
  address = defaults.listenAddress;

  # A regular expression that matches exactly these unit names.
  literal = builtins.replaceStrings [ "." "+" "@" "\\" ] [ "\\." "\\+" "@" "\\\\" ];
  oneOf = names: "(?:${builtins.concatStringsSep "|" (map literal names)})";

  # An app's units get the app's name as their label `app`.
  appLabel =
    name: app:
    if app.units == [ ] then
      [ ]
    else
      [
        {
          source_labels = [ "__journal__systemd_unit" ];
          regex = oneOf app.units;
          target_label = "app";
          replacement = name;
        }
      ];

  relabel =
    source: target: extra:
    {
      source_labels = [ source ];
      target_label = target;
    }
    // extra;
in
{
  configuration = {
    server = {
      http_listen_address = address;
      http_listen_port = cfg.ports.promtail;
      grpc_listen_address = address;
      grpc_listen_port = 0; # any free one: nobody asks it
      log_level = "warn";
    };

    positions.filename = "${places.shipper "promtail"}/positions.yaml";

    clients = [
      {
        url = "http://${address}:${toString soloscope.loki.port}/loki/api/v1/push";
        # Never give a batch up: the journal is the buffer while Loki is away.
        backoff_config.max_retries = 0;
        batchwait = "250ms";
      }
    ];

    scrape_configs = [
      {
        job_name = "journal";
        journal = {
          max_age = cfg.maxAge;
        }
        // optionalAttrs (places.journal != null) { path = places.journal; };
        relabel_configs = [
          (relabel "__journal__systemd_unit" "unit" { })
          (relabel "__journal__systemd_unit" "job" {
            regex = "(.+?)(?:\\.service)?";
            replacement = "$1";
          })
          (relabel "job" "service_name" { })
          (relabel "__journal__hostname" "host" { })
          (relabel "__journal_priority_keyword" "level" { })
        ]
        ++ concatMap (x: x) (mapAttrsToList appLabel soloscope.apps);
        pipeline_stages = [
          {
            json.expressions = {
              json_level = "level || levelname";
              event = "event";
              trace_id = "trace_id";
              conversation_id = "conversation_id";
              user = "user";
            };
          }
          {
            structured_metadata = {
              event = null;
              trace_id = null;
              conversation_id = null;
              user = null;
            };
          }
          {
            template = {
              source = "level";
              template = "{{ $l := or .json_level .level | toString | ToLower }}{{ if or (eq $l \"10\") (eq $l \"trace\") }}trace{{ else if or (eq $l \"20\") (eq $l \"debug\") }}debug{{ else if or (eq $l \"30\") (eq $l \"info\") (eq $l \"notice\") }}info{{ else if or (eq $l \"40\") (eq $l \"warn\") (eq $l \"warning\") }}warn{{ else if or (eq $l \"50\") (eq $l \"error\") (eq $l \"err\") }}error{{ else if or (eq $l \"60\") (eq $l \"fatal\") (eq $l \"critical\") (eq $l \"crit\") (eq $l \"alert\") (eq $l \"emerg\") }}fatal{{ else }}info{{ end }}";
            };
          }
          { labels.level = null; }
        ];
      }
    ];
  };
}
