# The one table of ports, retention, intervals and default names. Builtins only.
#
# The options of every room take their defaults from here, and complete.nix
# fills a bare declaration from here, so a host and the demo start from the
# same numbers. Nothing else in the repository repeats one of these values.
# A key here is the path of its option under `services.soloscope`.
{
  listenAddress = "127.0.0.1";
  timeZone = "UTC";
  domain = null;

  loki = {
    port = 3100;
    grpcPort = 9096; # not Loki's own 9095, which Tempo uses too
    retention = "30d";
  };

  logs = {
    shipper = "promtail";
    # The shipper's own page and metrics. The engines keep their usual ports.
    ports = {
      promtail = 9080;
      alloy = 12345;
    };
    # How far back the journal is read when the shipper starts for the first
    # time. Loki takes a week.
    maxAge = "12h";
  };

  prometheus = {
    enable = true;
    port = 9090;
    retention = "30d";
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
      postgres.port = 9187;
      blackbox.port = 9115;
    };
  };

  alertmanager = {
    enable = false;
    port = 9093;
  };

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

  notify.port = 9848;

  nginx = {
    tls = "acme";
    certificate = null;
    certificateKeyFile = null;
    path = "/";
    # Setting a domain says that it shall be reached.
    openFirewall = true;
  };

  # What an app's declaration leaves out. Its title is its attribute name.
  app = {
    timeZone = "UTC"; # not the host's: apps that write UTC days are the rule
    units = [ ];
    redis = {
      url = null;
      username = null;
      passwordFile = null;
      group = null; # on a host: of the services.redis.servers.* with that socket
      prefix = "metrics:";
    };
    counter = {
      help = "";
      unit = "";
    };
    breakdown = {
      help = "";
      limit = 200;
    };
    unique = {
      help = "";
      exact = false;
    };
    timing.help = "";
    gauge = {
      help = "";
      unit = "";
    };
    job.min = 1;
    health = {
      interval = "30s";
      timeout = "10s";
    };
    metrics = {
      url = null;
      names = { };
    };
    check = {
      interval = "30s";
      timeout = "10s";
      status = 200;
      body = null;
      maxSeconds = null;
      keyFile = null;
    };
    postgres = {
      socket = null;
      url = null;
      passwordFile = null;
    };
    # Below one request a minute 99.9 % is one failure in a week.
    objectives.availability = 0.99;
  };
}
