# What Loki is told: one binary, one host, files on the local disk.
# Pure, builtins only. Valid for Loki 3.4 to 3.7, and free of what 4.0 removes.
#
#   { soloscope, paths } -> { configuration, part, runtime, overridesFile }
#     configuration  Loki's file
#     part           of soloscope.json: where Loki is, and its disk budget
#     runtime        what stands in the file of overrides until the disk budget
#                    writes its own (`soloscope loki-budget`)
#     overridesFile  that file
#     soloscope  the completed options (with-defaults.nix or config.services.soloscope)
#     paths     a set from paths.nix
{ soloscope, paths }:
let
  inherit (import ../pure.nix) optionalAttrs;
  cfg = soloscope.loki;
  address = (import ../defaults.nix).listenAddress;
  logs = import ../logs/settings.nix { inherit soloscope paths; };
  # On a host it may lie elsewhere than by default.
  folder = cfg.dataDir or paths.loki;
  overridesFile = paths.lokiOverrides folder;

  # Streams with a shorter life. Of several that fit, the higher priority wins,
  # and Loki takes no two of one priority and selector.
  shorter =
    builtins.filter (stream: stream.retention != null) (builtins.attrValues cfg.shorter)
    ++ logs.retentionStreams;
  retentionStream = builtins.genList (
    index:
    let
      stream = builtins.elemAt shorter index;
    in
    {
      inherit (stream) selector;
      period = stream.retention;
      priority = index + 1;
    }
  ) (builtins.length shorter);
in
{
  inherit overridesFile;
  runtime.overrides = { };

  part.loki = {
    listenAddress = address;
    inherit (cfg) port;
    budget =
      if cfg.maxDiskGiB == null then
        null
      else
        {
          inherit folder overridesFile;
          stateFile = "${paths.lokiBudget}/state.json";
          metricsFile = "${paths.lokiBudget}/loki-budget.prom";
          maxGib = cfg.maxDiskGiB;
          inherit (cfg) retention;
          floor = cfg.budgetFloor;
          streams = retentionStream;
        };
  };

  configuration = {
    auth_enabled = false; # one tenant, called "fake"; nothing listens beyond 127.0.0.1
    analytics.reporting_enabled = false;

    server = {
      http_listen_address = address;
      http_listen_port = cfg.port;
      grpc_listen_address = address;
      grpc_listen_port = cfg.grpcPort;
      # Its own line for each query would come back to it through the journal.
      log_level = "warn";
      # Answers of log queries go over gRPC, even to itself; 4 MiB is soon full.
      grpc_server_max_recv_msg_size = 33554432;
      grpc_server_max_send_msg_size = 33554432;
    };

    common = {
      path_prefix = folder;
      # Without this the query frontend announces the address of the first
      # network card, where gRPC does not listen, and every query hangs.
      instance_addr = address;
      replication_factor = 1;
      ring = {
        instance_addr = address;
        kvstore.store = "inmemory";
      };
      storage.filesystem = {
        chunks_directory = "${folder}/chunks";
        rules_directory = "${folder}/rules";
      };
    };

    # Never edit an entry: append one with a date in the future.
    schema_config.configs = [
      {
        from = "2024-01-01";
        store = "tsdb";
        object_store = "filesystem";
        schema = "v13";
        index = {
          prefix = "index_";
          period = "24h";
        };
      }
    ];

    ingester = {
      # An idle stream's lines go to disk after half an hour, a busy stream's when
      # its chunk is full.
      chunk_idle_period = "30m";
      # Loki refuses a line that is older than its stream's newest by half of
      # this. Promtail's `match` stages let lines of one stream overtake each
      # other by a few; when hours of a quiet app's journal are read in a second,
      # those few lines are hours apart.
      max_chunk_age = "24h";
      # Ready at once instead of after 15 seconds: there is no ring to settle.
      lifecycler.min_ready_duration = "0s";
      # The default lets a replay take 4 GB.
      wal.replay_memory_ceiling = "256MB";
    };
    # The querier asks the frontend directly. Found through the ring it would
    # answer its first query only after ten seconds.
    frontend_worker.frontend_address = "${address}:${toString cfg.grpcPort}";

    # Lines that arrive with an older time (a first start reads hours of the
    # journal) are in memory like any other. The default, 3h, hides them until
    # their chunk is written.
    querier.query_ingesters_within = "0s";

    limits_config = {
      retention_period = cfg.retention;
      retention_stream = retentionStream;
      # Retention is the bound; 30d1h, the default, cuts a 31-day query off.
      max_query_length = "0s";
      max_query_series = 5000;
      # One host may have a busy second: 10,000 lines are some 5 MB.
      ingestion_rate_mb = 16;
      ingestion_burst_size_mb = 32;
      per_stream_rate_limit = "8MB";
      per_stream_rate_limit_burst = "32MB";
      # A line over 256 kB is cut, not refused. The shipper cuts before, with a
      # mark.
      max_line_size = "256KB";
      max_line_size_truncate = true;
      # A day at a time: the volume is small, the splitting costs more.
      split_queries_by_interval = "24h";
      split_instant_metric_queries_by_interval = "24h";
      allow_structured_metadata = true;
      discover_log_levels = false; # the shipper sets `level`
      discover_service_name = [ ]; # the shipper sets `service_name`
      volume_enabled = true; # Grafana's log volume
      # As far back as the shipper reads the journal.
      reject_old_samples = true;
      reject_old_samples_max_age = "168h";
    };

    compactor = {
      working_directory = "${folder}/compactor";
      retention_enabled = true;
      delete_request_store = "filesystem";
      compaction_interval = "10m";
      retention_delete_delay = "15m";
    };

    # Read again every ten seconds; a bad file leaves the limits as they were.
    runtime_config = {
      file = overridesFile;
      period = "10s";
    };

    ruler = {
      enable_api = true;
      rule_path = "${folder}/rules-scratch";
      storage = {
        type = "local";
        local.directory = paths.lokiRules;
      };
      ring.kvstore.store = "inmemory";
    }
    // optionalAttrs soloscope.alertmanager.enable {
      alertmanager_url = "http://${address}:${toString soloscope.alertmanager.port}";
      enable_alertmanager_v2 = true;
    };
  };
}
