# The log shipper's configuration. Pure, builtins only.
#
#   { soloscope, paths } -> { configuration, part, engine, retentionStreams, rewind }
#     configuration     Promtail's configuration file; Alloy also reads it
#     part              of soloscope.json: the shipper, its address and its metrics
#     engine            the shipper in use, as in engines.nix, with these attributes set:
#                         arguments  file -> its program's arguments
#                         positions  the positions file of the journal
#                         carry      the arguments of carry.sh, for each other engine
#     retentionStreams  sources with a shorter retention in Loki
#     rewind            arguments of rewind.sh after the positions file
#
# Labels: app, unit, job, service_name, host, level. Structured metadata: event,
# trace_id, conversation_id, user. Nothing else, whatever the source.
{ soloscope, paths }:
let
  inherit (import ../pure.nix)
    concatMap
    mapAttrsToList
    optionalAttrs
    optionals
    ;
  inherit (import ../durations.nix) milliseconds;
  cfg = soloscope.logs;
  address = (import ../defaults.nix).listenAddress;
  loki = "http://${address}:${toString soloscope.loki.port}";

  pipeline = import ./pipeline {
    inherit (cfg) flood redact;
    wait = cfg.joinMilliseconds;
  };

  # Go's durations have no days.
  hours =
    duration:
    let
      seconds = milliseconds duration / 1000;
    in
    if seconds == 3600 * (seconds / 3600) then
      "${toString (seconds / 3600)}h"
    else
      "${toString seconds}s";

  journal = {
    job_name = "journal";
    journal = {
      max_age = hours cfg.maxAge;
    }
    // optionalAttrs (paths.journal != null) { path = paths.journal; };
    relabel_configs = import ./journal.nix {
      inherit (soloscope) apps;
      named = builtins.attrNames cfg.redact.units;
      attached = cfg.attachedContainers;
    };
    pipeline_stages = pipeline.journal;
  };

  files = import ./files.nix {
    inherit (cfg) sources host;
    inherit pipeline;
  };

  engines = import ./engines.nix;
  engine = engines.${cfg.shipper};
  folder = paths.shipper cfg.shipper;
  positions = "${folder}/${engine.positions}";
  legacy = "${folder}/${engine.legacy}";
in
{
  configuration = {
    server = {
      http_listen_address = address;
      http_listen_port = cfg.ports.${cfg.shipper};
      grpc_listen_address = address;
      grpc_listen_port = 0; # any free port: unused
      log_level = "warn";
    };

    positions = {
      filename = legacy;
      # Read again after a crash: Loki drops duplicates.
      sync_period = "1s";
    };

    clients = [
      {
        url = "${loki}/loki/api/v1/push";
        batchwait = "250ms";
        # Batches in flight when the shipper is killed: rewind.sh reads them again.
        batchsize = 524288;
        backoff_config = {
          # Retry without a limit: the journal is the buffer while Loki is down.
          max_retries = 0;
          max_period = "5s";
        };
      }
    ];

    scrape_configs = [ journal ] ++ map (file: file.scrape) files;
  };

  part.shipper = {
    engine = cfg.shipper;
    listenAddress = address;
    port = cfg.ports.${cfg.shipper};
    floodMetric = engine.metrics.flood;
    lostMetric = engine.metrics.lost;
  };

  engine = engine // {
    arguments =
      file:
      engine.arguments {
        inherit file address folder;
        port = cfg.ports.${cfg.shipper};
      };
    inherit positions;
    carry = mapAttrsToList (name: other: [
      positions
      (engine.position "CURSOR")
      legacy
      "${paths.shipper name}/${other.positions}"
    ]) (removeAttrs engines [ cfg.shipper ]);
  };

  rewind = [
    (toString cfg.rewindLines)
    loki
    (
      if files == [ ] then
        ''{job=~".+"}''
      else
        "{job!~\"${builtins.concatStringsSep "|" (map (file: file.job) files)}\"}"
    )
  ]
  ++ optionals (paths.journal != null) [ "--directory=${paths.journal}" ];

  # selector and retention, for Loki
  retentionStreams = concatMap (
    file:
    optionals (file.retention != null) [
      {
        selector = "{job=${builtins.toJSON file.job}}";
        inherit (file) retention;
      }
    ]
  ) files;
}
