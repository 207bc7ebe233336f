# The one table of ports, retention, intervals and default names. Builtins only.
#
# The options of every folder take their defaults from here, and with-defaults.nix
# fills a plain declaration from here, so a host and the demo use the
# same values. Nothing else in the repository repeats one of them.
# A key here is the path of its option under `services.soloscope`. The options of
# an app have their defaults beside them (apps/options.nix).
{
  listenAddress = "127.0.0.1";
  timeZone = "UTC";
  domain = null;

  loki = {
    port = 3100;
    grpcPort = 9096; # not Loki's own 9095, which Tempo uses too
    retention = "30d";
    # The size limit of Loki's folder; retention never gets shorter than the floor.
    maxDiskGiB = 10;
    budgetFloor = "24h";
    # Streams with a shorter retention, by selector.
    shorter.debug = {
      selector = ''{level=~"debug|trace"}'';
      retention = "7d";
    };
  };

  logs = {
    shipper = "promtail";
    # The shipper's own HTTP server. Each engine keeps its usual port.
    ports = builtins.mapAttrs (_: engine: engine.port) (import ./logs/engines.nix);
    # How far back the journal is read, at the first start and after
    # downtime. Loki takes what is at most a week old.
    maxAge = "167h";
    # The label `host` of lines from files; the journal's lines have their own.
    host = "localhost";
    # How long the first line of a stack trace waits for the next one.
    joinMilliseconds = 500;
    # Journal lines that are read again at a start (rewind.sh): more than
    # the shipper can have unsent.
    rewindLines = 20000;
    # Lines per second and unit. The burst covers the backlog that is read
    # at once after an outage of Loki; lines beyond it are a flood.
    flood = {
      rate = 500;
      burst = 500000;
    };
    redact = {
      enable = true;
      patterns = { };
      units = { };
    };
    sources = { };
    groups = [ ];
    attachedContainers = [ ]; # on a host: those of virtualisation.oci-containers
  };

  # Defaults of a pattern under logs.redact.
  logPattern = {
    gate = null;
    replace = "***";
  };

  # Defaults of a source under logs.sources.
  logSource = {
    format = "text";
    paths = [ ];
    job = null; # the source's attribute name
    unit = null; # the job with .service
    app = null;
    labels = { };
    redact = { };
    retention = null; # loki.retention
  };

  prometheus = {
    enable = true;
    port = 9090;
    retention = "30d";
    # One app and its host are about 1 GiB in 30 days.
    maxDiskGiB = 5;
    scrapeInterval = "15s";
    evaluationInterval = "15s";
    exporters = {
      node = {
        enable = true;
        port = 9100;
      };
      redis = {
        enable = true;
        port = 9121;
      };
      postgres = {
        port = 9187;
        statements = false; # needs an extension in the database
      };
      blackbox = {
        enable = true;
        port = 9115;
      };
    };
  };

  # Enabled where a receiver or the heartbeat is declared.
  alertmanager = {
    port = 9093;
    receivers = { };
    heartbeat = {
      urlFile = null; # no heartbeat
      interval = "1m";
    };
    quietHours = null;
    groupWait = "30s";
    groupInterval = "5m";
    repeat = {
      critical = "4h";
      warning = "12h";
      info = "24h";
    };
  };

  notify = {
    port = 9848;
    tokenFile = null; # generated at first boot
    whatsapp = null;
    channels = { };
  };

  # Defaults of notify.whatsapp, when it is set.
  whatsapp = {
    phoneNumberId = null;
    accountSid = null;
    from = null;
    apiUrl = null; # by provider, below
    severities = [
      "critical"
      "warning"
      "info"
    ];
    templates = {
      alert = null; # for the Cloud API, the names below
      digest = null;
      language = "en";
    };
    webhook = {
      enable = false;
      url = null; # from domain
      verifyTokenFile = null; # generated at first boot
      appSecretFile = null;
    };
  };
  # By provider. Meta supports a version of the Graph API for two years.
  whatsappApi = {
    cloud-api = "https://graph.facebook.com/v25.0";
    twilio = "https://api.twilio.com/2010-04-01";
  };
  whatsappTemplates = {
    alert = "soloscope_alert";
    digest = "soloscope_digest";
  };

  # Defaults of a channel under notify.channels.
  channel.severities = [
    "critical"
    "warning"
    "info"
  ];

  digest = {
    enable = false;
    at = "08:00";
  };

  canary = {
    enable = false;
    interval = "5m";
    timeout = "1m";
    heartbeatUrlFile = null;
  };

  alerts.runbooks = "https://github.com/OWNER/soloscope/blob/main/docs/runbooks";

  # Defaults of a rule under alerts.rules. Its summary defaults to its name.
  alertRule = {
    enable = true;
    source = "prometheus";
    expr = null;
    threshold = null;
    for = null; # at once
    severity = "warning";
    interval = null; # prometheus.evaluationInterval, or Loki's minute
    description = "";
    dashboard = "soloscope-overview";
    labels = { };
    annotations = { };
    inhibits = [ ];
  };

  dashboards.extra = [ ];

  grafana = {
    enable = true;
    port = 3000;
    adminUser = "admin";
    adminPasswordFile = null; # generated at first boot
    secretKeyFile = null; # generated at first boot
    rootUrl = null; # from domain, nginx.path and port
  };

  exporter = {
    port = 9847;
    history = 30; # days; 0 = today only
    maxConnections = 64;
    logLevel = "info";
    tokenFile = null; # generated at first boot
  };

  nginx = {
    tls = "acme";
    certificate = null;
    certificateKeyFile = null;
    path = "/";
    # Setting a domain enables it.
    openFirewall = true;
  };
}
