# What the log shipper is told. Pure, builtins only.
#
#   { soloscope, places } -> { configuration, part, arguments, retentionStreams, positions, rewind }
#     configuration     Promtail's file; Alloy reads it, too
#     part              of soloscope.json: which shipper it is, and where its metrics are
#     arguments         of the engine's program, for that file
#     retentionStreams  sources that Loki keeps for a shorter time
#     rewind            arguments of rewind.sh after the file of positions
#
# Labels: app, unit, job, service_name, host, level. Structured metadata: event,
# trace_id, conversation_id, user. Nothing else, whatever the source.
{ soloscope, places }:
let
  inherit (import ../pure.nix)
    concatMap
    filterAttrs
    mapAttrsToList
    optionalAttrs
    optionals
    recursiveUpdate
    ;
  defaults = import ../defaults.nix;
  guard = import ./guard.nix;
  masking = import ./redact.nix;
  inherit (import ./formats.nix) formats;
  cfg = recursiveUpdate defaults.logs soloscope.logs;
  address = defaults.listenAddress;

  # Go's durations have no days.
  hours =
    duration:
    let
      days = builtins.match "([0-9]+)d" duration;
      weeks = builtins.match "([0-9]+)w" duration;
    in
    if days != null then
      "${toString (24 * builtins.fromJSON (builtins.head days))}h"
    else if weeks != null then
      "${toString (168 * builtins.fromJSON (builtins.head weeks))}h"
    else
      duration;

  # --- masking ---------------------------------------------------------------

  extra =
    labels: patterns:
    mapAttrsToList (
      _: pattern:
      {
        inherit labels;
        replace = masking.mask;
      }
      // filterAttrs (_: v: v != null) pattern
    ) patterns;

  # Patterns for all sources, and those of single units.
  redact = optionals cfg.redact.enable (
    masking.stages (
      extra ''{job=~".+"}'' cfg.redact.patterns
      ++ concatMap (x: x) (mapAttrsToList (unit: extra "{unit=${builtins.toJSON unit}}") cfg.redact.units)
    )
  );

  pipeline = import ./pipeline.nix {
    inherit redact;
    inherit (cfg) flood;
    wait = cfg.joinMilliseconds;
  };

  # --- the journal -----------------------------------------------------------

  # A regular expression that matches exactly these unit names.
  literal = builtins.replaceStrings [ "." "+" "\\" ] [ "\\." "\\+" "\\\\" ];
  oneOf = names: "(?:${builtins.concatStringsSep "|" (map literal names)})";

  set = target: replacement: {
    target_label = target;
    inherit replacement;
  };
  copy = source: target: {
    source_labels = [ source ];
    target_label = target;
  };
  # unit := REPLACEMENT where it is REGEX
  rename = regex: replacement: {
    source_labels = [ "unit" ];
    target_label = "unit";
    inherit regex replacement;
  };

  # The units of all apps keep their whole name, whatever it looks like.
  appUnits = concatMap (app: app.units) (builtins.attrValues soloscope.apps);

  appLabel =
    name: app:
    optionals (app.units != [ ]) [
      {
        source_labels = [ "unit" ];
        regex = oneOf app.units;
        target_label = "app";
        replacement = name;
      }
    ];

  unitLabels = [
    (set "unit" "other")
    ((copy "__journal__transport" "unit") // { regex = "(kernel|audit)"; })
    ((copy "__journal__systemd_unit" "unit") // { regex = "(.+)"; })
    # A unit of a user's own systemd: its name says more than user@1000.service.
    {
      source_labels = [
        "__journal__systemd_unit"
        "__journal__systemd_user_unit"
      ];
      regex = "user@.+;(.+\\.service)";
      target_label = "unit";
      replacement = "$1";
    }
    # What systemd says about a unit belongs to that unit, as in journalctl -u.
    {
      source_labels = [
        "__journal__systemd_unit"
        "__journal_unit"
      ];
      regex = "init\\.scope;(.+\\.(?:service|timer|socket|path|mount|scope|target))";
      target_label = "unit";
      replacement = "$1";
    }
    # `soloscope annotate` is called from anywhere; its marks are found in one place.
    {
      source_labels = [ "__journal_syslog_identifier" ];
      regex = "soloscope-annotate";
      target_label = "unit";
      replacement = "soloscope-annotate.service";
    }
    (copy "unit" "__unit")
    # One name for what is numbered, so that the streams stay few.
    (rename "session-.+\\.scope" "session.scope")
    (rename "user@.+\\.service" "user@.service")
    (rename "(?:run|app|init|docker|libpod|crio|vte|machine|flatpak)-.+\\.(scope|service)" "$1")
  ]
  ++ [
    (rename "(?:scope|service)" "transient.$0")
    # sshd@7-203.0.113.1:22-198.51.100.5:51234.service, systemd-coredump@3-77-0.service
    (rename "([^@]+)@[^@]*[0-9][^@]*[-:][^@]*\\.(service|socket)" "$1@.$2")
    (rename "([^@]+)@[0-9a-f-]{8,}\\.(service|socket)" "$1@.$2")
  ]
  ++ optionals (appUnits != [ ]) [
    {
      source_labels = [ "__unit" ];
      regex = "(${oneOf appUnits})";
      target_label = "unit";
      replacement = "$1";
    }
  ];

  journal = {
    job_name = "journal";
    journal = {
      max_age = hours cfg.maxAge;
    }
    // optionalAttrs (places.journal != null) { path = places.journal; };
    relabel_configs =
      unitLabels
      ++ [
        {
          source_labels = [ "unit" ];
          regex = "(.+?)(?:\\.service)?";
          target_label = "job";
          replacement = "$1";
        }
        (copy "job" "service_name")
        (copy "__journal__hostname" "host")
        (set "level" "info")
        ((copy "__journal_priority_keyword" "level") // { regex = "(.+)"; })
      ]
      ++ concatMap (x: x) (mapAttrsToList appLabel soloscope.apps);
    pipeline_stages = pipeline.journal;
  };

  # --- files -----------------------------------------------------------------

  file =
    source:
    let
      inherit (source) name job;
      where = "services.soloscope.logs.sources.${name}";
      format =
        formats.${source.format}
          or (throw "${where}.format: `${source.format}` is none of ${builtins.concatStringsSep ", " (builtins.attrNames formats)}");
    in
    {
      job_name = "file-${name}";
      static_configs = map (path: {
        labels = {
          inherit job;
          service_name = job;
          unit = if source.unit != null then source.unit else "${job}.service";
          inherit (cfg) host;
          level = "info";
          __path__ = path;
        }
        // optionalAttrs (source.app != null) { inherit (source) app; }
        // guard.labels "${where}.labels" source.labels;
      }) source.paths;
      pipeline_stages = pipeline.file format (masking.custom (extra ''{job=~".+"}'' source.redact));
    };
  fullSources = mapAttrsToList (
    name: source:
    let
      full = recursiveUpdate defaults.logSource source;
    in
    full
    // {
      inherit name;
      job = if full.job != null then full.job else name;
    }
  ) cfg.sources;
  sources = map file fullSources;
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

    positions = {
      # Where Promtail keeps its positions (as below), and where Alloy looks for
      # Promtail's once; carry.sh puts a copy there.
      filename =
        {
          promtail = "${places.shipper "promtail"}/positions.yaml";
          alloy = "${places.shipper "alloy"}/promtail-positions.yaml";
        }
        .${cfg.shipper};
      # What is read again after a crash: Loki drops what it has already.
      sync_period = "1s";
    };

    clients = [
      {
        url = "http://${address}:${toString soloscope.loki.port}/loki/api/v1/push";
        batchwait = "250ms";
        # What is in flight when the shipper is killed: rewind.sh reads it again.
        batchsize = 524288;
        backoff_config = {
          # Never give a batch up: the journal is the buffer while Loki is away.
          max_retries = 0;
          max_period = "5s";
        };
      }
    ];

    scrape_configs = [ journal ] ++ sources;
  };

  part.shipper = {
    engine = cfg.shipper;
    listenAddress = address;
    port = cfg.ports.${cfg.shipper};
  };

  arguments =
    file:
    {
      promtail = [ "-config.file=${file}" ];
      alloy = [
        "run"
        "--config.format=promtail"
        "--disable-reporting"
        "--server.http.listen-addr=${address}:${toString cfg.ports.alloy}"
        "--storage.path=${places.shipper "alloy"}"
        file
      ];
    }
    .${cfg.shipper};

  # The file of positions below the shipper's folder.
  positions = {
    promtail = "positions.yaml";
    alloy = "loki.source.journal.journal/positions.yml";
  };

  rewind = [
    (toString cfg.rewindLines)
    "http://${address}:${toString soloscope.loki.port}"
    (
      if sources == [ ] then
        ''{job=~".+"}''
      else
        "{job!~\"${builtins.concatStringsSep "|" (map (s: s.job) fullSources)}\"}"
    )
  ]
  ++ optionals (places.journal != null) [ "--directory=${places.journal}" ];

  # selector and retention, for Loki
  retentionStreams = concatMap (
    source:
    optionals (source.retention != null) [
      {
        selector = "{job=${builtins.toJSON source.job}}";
        inherit (source) retention;
      }
    ]
  ) fullSources;
}
