# Loki's configuration: one binary, one host, files on the local disk.
# Pure, builtins only. Valid for Loki 3.4 to 3.7, and without options that 4.0 removes.
#
#   { soloscope, paths } -> { configuration, part, runtime, overridesFile }
#     configuration  Loki's configuration file
#     part           of soloscope.json: where Loki is, and its disk budget
#     runtime        the content of the overrides file until the disk budget
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
  # On a host it may be elsewhere than by default.
  folder = cfg.dataDir or paths.loki;
  overridesFile = paths.lokiOverrides folder;

  # Streams with a shorter retention. If several match, the higher priority wins,
  # and Loki refuses two with the same priority and selector.
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
      # A log line per query would be ingested again through the journal.
      log_level = "warn";
      # Results of log queries use gRPC, even internally; the default 4 MiB is too small.
      grpc_server_max_recv_msg_size = 33554432;
      grpc_server_max_send_msg_size = 33554432;
    };

    common = {
      path_prefix = folder;
      # Without this the query frontend advertises the address of the first
      # network interface, where gRPC does not listen, and every query hangs.
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
      # An idle stream's chunk is flushed after half an hour, a busy stream's when
      # it is full.
      chunk_idle_period = "30m";
      # Loki rejects a line that is older than its stream's newest by half of
      # this. Promtail's `match` stages slightly reorder the lines of one
      # stream; when a week of a quiet app's journal is read in a second, such
      # lines may be days apart. (24h lost one of 1,900 lines.) A stream ends
      # its chunk after chunk_idle_period anyway.
      max_chunk_age = "168h";
      # Ready at once instead of after 15 seconds: there is no ring to join.
      lifecycler.min_ready_duration = "0s";
      # The default lets a WAL replay use 4 GB.
      wal.replay_memory_ceiling = "256MB";
    };
    # The querier connects to the frontend directly. Through the ring the first
    # query would be answered only after ten seconds.
    frontend_worker.frontend_address = "${address}:${toString cfg.grpcPort}";

    # Lines with an older timestamp (a first start reads hours of the
    # journal) are in memory like any other. The default, 3h, hides them until
    # their chunk is flushed.
    querier.query_ingesters_within = "0s";

    limits_config = {
      retention_period = cfg.retention;
      retention_stream = retentionStream;
      # Retention is the limit; 30d1h, the default, would reject a 31-day query.
      max_query_length = "0s";
      max_query_series = 5000;
      # One host may have short peaks: 10,000 lines are some 5 MB.
      ingestion_rate_mb = 16;
      ingestion_burst_size_mb = 32;
      per_stream_rate_limit = "8MB";
      per_stream_rate_limit_burst = "32MB";
      # A line over 256 kB is truncated, not rejected. The shipper truncates before,
      # with a marker.
      max_line_size = "256KB";
      max_line_size_truncate = true;
      # Split by day: the volume is small, smaller splits cost more.
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

    # Read again every ten seconds; an invalid file leaves the limits unchanged.
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
      external_labels = { inherit (soloscope.logs) host; }; # as Prometheus' alerts have it
    };
  };
}
