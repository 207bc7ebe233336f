# What a user says about an app: its units, its counts in Redis, its endpoints.
# Everything else (scrape jobs, log labels, the exporter's configuration, rules)
# follows from it in the other rooms. This room only declares and checks.
{
  config,
  lib,
  ...
}:
let
  inherit (lib)
    any
    attrNames
    attrValues
    concatMap
    concatStringsSep
    filterAttrs
    head
    literalExpression
    mapAttrsToList
    mkIf
    mkOption
    types
    ;
  inherit (import ../types.nix { inherit lib; })
    duration
    matching
    secretFile
    timeOfDay
    timeZone
    ;
  inherit (import ../durations.nix) milliseconds;
  urls = import ../urls.nix;
  defaults = (import ../defaults.nix).app;
  cfg = config.services.soloscope;

  # --- options -----------------------------------------------------------------

  help =
    what:
    mkOption {
      type = types.str;
      default = "";
      example = what;
      description = "What it counts, in a few words, as people read it in graphs.";
    };

  unit =
    default:
    mkOption {
      type = types.str;
      inherit default;
      example = "currencyEUR";
      description = "The unit in which Grafana shows the value, as Grafana names units. Empty is a plain number.";
    };

  # attrsOf (submodule …) with one description
  table =
    description: example: options:
    mkOption {
      type = types.attrsOf (types.submodule { inherit options; });
      default = { };
      inherit description;
      example = literalExpression example;
    };

  interval =
    default:
    mkOption {
      type = duration;
      inherit default;
      description = "How often it is asked.";
    };

  timeout =
    default:
    mkOption {
      type = duration;
      inherit default;
      description = "When an answer comes too late. No longer than `interval`.";
    };

  redis = {
    url = mkOption {
      type = types.nullOr types.str;
      default = defaults.redis.url;
      example = "unix:///run/redis-shop/redis.sock";
      description = ''
        The Redis that holds the app's counts: `redis://HOST:PORT/DB`, `rediss://…`
        for TLS, or `unix:///PATH?db=DB`. Null when the app counts nothing there.
        A password does not belong here: use `passwordFile`.
      '';
    };
    username = mkOption {
      type = types.nullOr (matching "Redis user name" "[A-Za-z0-9._~-]+");
      default = defaults.redis.username;
      example = "soloscope";
      description = ''
        The ACL user to log in as. It needs
        `+mget +get +hgetall +pfcount +scard +sunion +ttl +ping` on `%R~PREFIX*`.
        Null logs in as the default user.
      '';
    };
    passwordFile = mkOption {
      type = secretFile;
      default = defaults.redis.passwordFile;
      example = "/run/secrets/shop-redis";
      description = "A file with the password for this Redis. systemd reads it, so root alone needs access.";
    };
    prefix = mkOption {
      type = matching "prefix without white space" "[^[:space:]]*";
      default = defaults.redis.prefix;
      description = "What the app's keys begin with, before the day: `metrics:2026-11-18:orders`.";
    };
  };

  health = {
    url = mkOption {
      type = types.str;
      example = "http://127.0.0.1:8080/api/health";
      description = "Where the app says how it is: 200 is well, anything else is not.";
    };
    interval = interval defaults.health.interval;
    timeout = timeout defaults.health.timeout;
  };

  times = defaults.checkTimes;
  byKind = key: {
    defaultText = concatStringsSep ", " (
      map (kind: "${times.${kind}.${key}} for `${kind}`") (attrNames times)
    );
  };

  check = kind: {
    kind = mkOption {
      type = types.enum (attrNames times);
      example = "http";
      description = ''
        How it is asked: `http` expects a status, `tcp` a connection, `redis` a PONG.
        `api` is `http` with a key, asked by a process of its own that holds the key.
      '';
    };
    url = mkOption {
      type = types.str;
      example = "https://api.openai.com/v1/models";
      description = "What is asked: `http(s)://…`, `tcp://HOST:PORT`, or a Redis URL, as `kind` says.";
    };
    interval = interval times.${kind}.interval // byKind "interval";
    timeout = timeout times.${kind}.timeout // byKind "timeout";
    status = mkOption {
      type = types.ints.between 100 599;
      default = defaults.check.status;
      description = "The HTTP status that means well.";
    };
    body = mkOption {
      type = types.nullOr types.str;
      default = defaults.check.body;
      example = "\"ok\":true";
      description = "Text that the answer must contain. Null accepts any answer.";
    };
    maxSeconds = mkOption {
      type = types.nullOr types.numbers.positive;
      default = defaults.check.maxSeconds;
      example = 1.0;
      description = "An answer that takes longer counts as a failure. Null leaves only the time-out.";
    };
    keyFile = mkOption {
      type = secretFile;
      default = defaults.check.keyFile;
      example = "/run/secrets/openai";
      description = "A file with the key that is sent as `Authorization: Bearer`. Only for kind `api`.";
    };
  };

  postgres = {
    socket = mkOption {
      type = types.nullOr types.externalPath;
      default = defaults.postgres.socket;
      example = "/run/postgresql";
      description = "The folder of the database's unix socket. Set this or `url`.";
    };
    url = mkOption {
      type = types.nullOr types.str;
      default = defaults.postgres.url;
      example = "postgresql://soloscope@127.0.0.1:5432/shop";
      description = "Where the database is when it has no local socket. Set this or `socket`. A password belongs in `passwordFile`.";
    };
    passwordFile = mkOption {
      type = secretFile;
      default = defaults.postgres.passwordFile;
      example = "/run/secrets/shop-postgres";
      description = "A file with the database user's password.";
    };
  };

  # The group that may use a socket of services.redis.servers.*
  serverOf =
    url:
    let
      parsed = if url == null then null else urls.parse url;
      matches = server: server.enable && server.unixSocket == parsed.path;
      servers = lib.filter matches (attrValues config.services.redis.servers);
    in
    if parsed == null || parsed.scheme != "unix" || servers == [ ] then null else head servers;

  app =
    { name, config, ... }:
    {
      options = {
        title = mkOption {
          type = types.str;
          default = name;
          defaultText = "the app's attribute name";
          example = "LanguageBuddy";
          description = "What people call the app.";
        };
        timeZone = mkOption {
          type = timeZone;
          default = defaults.timeZone;
          example = "Europe/Berlin";
          description = "Whose midnight starts a new day in the app's Redis keys.";
        };
        units = mkOption {
          type = types.listOf (matching "full unit name such as `shop.service`" ".+\\.[a-z]+");
          default = defaults.units;
          example = [ "shop.service" ];
          description = "The systemd units whose journal is this app's log. They get the log label `app`.";
        };
        redis = redis // {
          group = mkOption {
            type = types.nullOr types.str;
            default =
              let
                server = serverOf config.redis.url;
              in
              if server == null then defaults.redis.group else server.group;
            defaultText = literalExpression "the group of the services.redis.servers.* whose socket `url` names, or null";
            example = "redis-shop";
            description = "The group that may use the socket in `url`. soloscope's units become members of it.";
          };
        };
        counters =
          table "Counts of a day: the app does `INCR PREFIX<day>:<name>`."
            ''{ orders.help = "Orders placed"; }''
            {
              help = help "Orders placed";
              unit = unit defaults.counter.unit;
            };
        breakdowns =
          table "Counts of a day by key: the app does `HINCRBY PREFIX<day>:<name> KEY 1`."
            ''{ refusals.help = "Payments refused, by reason"; }''
            {
              help = help "Payments refused, by reason";
              limit = mkOption {
                type = types.ints.between 1 10000;
                default = defaults.breakdown.limit;
                description = "How many keys of a day are shown. The rest is counted in `soloscope_keys_dropped`.";
              };
            };
        uniques =
          table "Different things in a day: the app does `PFADD PREFIX<day>:<name> ID` (or `SADD`)."
            ''{ buyers.help = "People who ordered"; }''
            {
              help = help "People who ordered";
              exact = mkOption {
                type = types.bool;
                default = defaults.unique.exact;
                description = ''
                  Whether the app uses `SADD` (exact, to 10,000 a day) instead of `PFADD`
                  (an estimate with a standard error of 0.81 %).
                '';
              };
            };
        timings =
          table
            "Calls and milliseconds of a day: the app does `HINCRBY PREFIX<day>:<name> count 1` and `… ms 245`."
            ''{ payment.help = "Calls to the payment service"; }''
            { help = help "Calls to the payment service"; };
        gauges =
          table "Values of now: the app does `HSET PREFIXnow <name> 12`."
            ''{ users.help = "Registered users"; }''
            {
              help = help "Registered users";
              unit = unit defaults.gauge.unit;
            };
        jobs =
          table
            "Work that must be done by a time of day, in the app's time zone. A job is late five minutes after it."
            ''{ invoices = { counter = "invoices_sent"; by = "04:00"; }; }''
            {
              counter = mkOption {
                type = types.str;
                example = "invoices_sent";
                description = "The counter of this app that the work raises.";
              };
              by = mkOption {
                type = timeOfDay;
                example = "04:00";
                description = "When it must be done.";
              };
              min = mkOption {
                type = types.ints.positive;
                default = defaults.job.min;
                description = "How much the counter must show by then.";
              };
            };
        health = mkOption {
          type = types.nullOr (types.submodule { options = health; });
          default = null;
          description = "The app's health endpoint. Null when it has none.";
        };
        metrics = {
          url = mkOption {
            type = types.nullOr types.str;
            default = defaults.metrics.url;
            example = "http://127.0.0.1:8080/metrics";
            description = "The app's own metrics in Prometheus' text format. Null when it has none.";
          };
          names = mkOption {
            type = types.attrsOf (matching "metric name" "[a-zA-Z_:][a-zA-Z0-9_:]*");
            default = defaults.metrics.names;
            example = {
              http_requests_total = "shop_requests_total";
            };
            description = ''
              What the app calls the metrics that dashboards and rules know as
              `http_requests_total{method,route,status}` and
              `http_request_duration_seconds`. The parts of a histogram follow.
            '';
          };
        };
        checks = mkOption {
          type = types.attrsOf (types.submodule ({ config, ... }: { options = check config.kind; }));
          default = { };
          description = "Further things that must answer for the app to work.";
          example = literalExpression ''{ mail = { kind = "tcp"; url = "tcp://127.0.0.1:25"; }; }'';
        };
        postgres = mkOption {
          type = types.nullOr (types.submodule { options = postgres; });
          default = null;
          description = "The app's PostgreSQL database, for its metrics and health. Null when it has none.";
        };
        objectives.availability = mkOption {
          type = types.addCheck types.float (value: value > 0.0 && value < 1.0) // {
            description = "share between 0 and 1, such as 0.99";
          };
          default = defaults.objectives.availability;
          description = "The share of requests that the app promises to answer well over 30 days.";
        };
      };
    };

  # --- checks ------------------------------------------------------------------

  quoted = names: concatStringsSep ", " (map (name: "`${name}`") names);

  # Names of Prometheus' jobs that are not an app's.
  ourJobs = [
    "alertmanager"
    "alloy"
    "blackbox"
    "grafana"
    "loki"
    "node"
    "postgres"
    "prometheus"
    "promtail"
    "redis"
    "soloscope"
    "soloscope-days"
  ];

  # Kinds whose names are keys of a day, so each name can have one kind only.
  dayKinds = [
    "counters"
    "breakdowns"
    "uniques"
    "timings"
  ];

  # Each takes "services.soloscope.apps.<name>" and the app.
  fits = option: given: {
    assertion = milliseconds given.timeout <= milliseconds given.interval;
    message = "${option}.timeout is ${given.timeout}, longer than ${option}.interval, ${given.interval}. Make it no longer.";
  };

  url = option: value: valid: accepted: {
    assertion = value == null || valid value;
    message = "${option} is `${toString value}`. Set it to ${accepted}.";
  };

  withoutPassword =
    option: value: instead:
    let
      parsed = if value == null then null else urls.parse value;
    in
    {
      assertion = parsed == null || !parsed.hasPassword;
      message = "${option} contains a password, which everybody can read in the Nix store. Take it out and set ${instead}.";
    };

  httpUrl = "a URL such as `http://127.0.0.1:8080/path`";
  redisUrl = "`redis://HOST:PORT/DB`, `rediss://HOST:PORT/DB` or `unix:///PATH?db=DB`";

  names =
    option: pattern: accepted: set:
    map (name: {
      assertion = builtins.match pattern name != null;
      message = "${option} declares `${name}`. Use a name of ${accepted}.";
    }) (attrNames set);

  metricNames =
    option:
    names option "[a-zA-Z_][a-zA-Z0-9_]*" "letters, digits and underscores, not starting with a digit";

  checkAssertions =
    app: name: given:
    let
      option = "${app}.checks.${name}";
      accepted =
        {
          http = httpUrl;
          api = httpUrl;
          tcp = "`tcp://HOST:PORT`";
          redis = redisUrl;
        }
        .${given.kind};
      valid =
        {
          http = urls.isHttp;
          api = urls.isHttp;
          tcp = urls.isTcp;
          redis = urls.isRedis;
        }
        .${given.kind};
      answers = given.kind == "http" || given.kind == "api";
    in
    [
      (url "${option}.url" given.url valid accepted)
      (withoutPassword "${option}.url" given.url "a check of kind `api` with `keyFile`")
      (fits option given)
      {
        assertion = given.keyFile != null -> given.kind == "api";
        message = "${option}.keyFile is set, but ${option}.kind is `${given.kind}`. Only a check of kind `api` may have a key.";
      }
      {
        assertion = !answers -> given.status == defaults.check.status && given.body == defaults.check.body;
        message = "${option}.status or ${option}.body is set, but a check of kind `${given.kind}` reads no answer. Remove it, or set ${option}.kind to `http`.";
      }
    ];

  appAssertions =
    name: app:
    let
      option = "services.soloscope.apps.${name}";
      taken =
        kind:
        filterAttrs (
          metric: _: any (other: other != kind && app.${other} ? ${metric}) dayKinds
        ) app.${kind};
      twice = lib.unique (concatMap (kind: attrNames (taken kind)) dayKinds);
      needRedis = lib.filter (kind: app.${kind} != { }) (dayKinds ++ [ "gauges" ]);
      redisParts = if app.redis.url == null then null else urls.parse app.redis.url;
    in
    [
      {
        assertion = builtins.match "[a-zA-Z0-9][a-zA-Z0-9_-]*" name != null;
        message = "services.soloscope.apps declares `${name}`. Use a name of letters, digits, dashes and underscores.";
      }
      {
        assertion = !(lib.elem name ourJobs);
        message = "services.soloscope.apps declares `${name}`, which is the name of one of soloscope's own jobs (${quoted ourJobs}). Use another name; `title` says what people read.";
      }
      (url "${option}.redis.url" app.redis.url urls.isRedis redisUrl)
      (withoutPassword "${option}.redis.url" app.redis.url "${option}.redis.passwordFile")
      {
        assertion = redisParts == null || redisParts.user == "" || app.redis.username == null;
        message = "${option}.redis.url names the user `${redisParts.user}` and ${option}.redis.username is `${toString app.redis.username}`. Keep one of them.";
      }
      {
        assertion = redisParts == null || redisParts.scheme != "unix" || app.redis.group != null;
        message = "${option}.redis.url is `${toString app.redis.url}`, which is no socket of services.redis.servers.*, so the group that may use it is unknown. Set ${option}.redis.group to the group of the socket (`stat -c %G` shows it).";
      }
      {
        assertion = needRedis == [ ] || app.redis.url != null;
        message = "${option} declares ${concatStringsSep " and " needRedis}, but ${option}.redis.url is null. Set it to ${redisUrl}.";
      }
      {
        assertion = twice == [ ];
        message = "${option} declares ${quoted twice} as more than one of ${concatStringsSep ", " dayKinds}. They share the keys of a day, so use different names.";
      }
      (url "${option}.metrics.url" app.metrics.url urls.isHttp httpUrl)
      (withoutPassword "${option}.metrics.url" app.metrics.url
        "a scrape job of your own in services.prometheus.scrapeConfigs"
      )
      {
        assertion = app.postgres == null || (app.postgres.socket == null) != (app.postgres.url == null);
        message = "${option}.postgres needs either `socket` or `url`. Set one of them.";
      }
    ]
    ++
      names "${option}.metrics.names" "[a-zA-Z_:][a-zA-Z0-9_:]*"
        "letters, digits and underscores, as Prometheus names metrics"
        app.metrics.names
    ++ concatMap (kind: metricNames "${option}.${kind}" app.${kind}) (
      dayKinds
      ++ [
        "gauges"
        "jobs"
      ]
    )
    ++
      names "${option}.checks" "[a-zA-Z0-9][a-zA-Z0-9_-]*" "letters, digits, dashes and underscores"
        app.checks
    ++ mapAttrsToList (job: given: {
      assertion = app.counters ? ${given.counter};
      message = "${option}.jobs.${job}.counter is `${given.counter}`, which ${option}.counters does not declare. Declare it, or use one of: ${
        if app.counters == { } then "none yet" else quoted (attrNames app.counters)
      }.";
    }) app.jobs
    ++ lib.optionals (app.health != null) [
      (url "${option}.health.url" app.health.url urls.isHttp httpUrl)
      (withoutPassword "${option}.health.url" app.health.url "a check of kind `api` with `keyFile`")
      (fits "${option}.health" app.health)
    ]
    ++ lib.optionals (app.postgres != null) [
      (withoutPassword "${option}.postgres.url" app.postgres.url "${option}.postgres.passwordFile")
    ]
    ++ lib.concatLists (mapAttrsToList (checkAssertions option) app.checks);

  # { "shop.service" = [ "shop" "other" ]; }
  owners =
    key:
    lib.groupBy (entry: entry.key) (
      lib.concatLists (
        mapAttrsToList (
          name: app:
          map (value: {
            inherit name;
            key = value;
          }) (key app)
        ) cfg.apps
      )
    );
  shared = key: filterAttrs (_: entries: lib.length entries > 1) (owners key);
  apps = entries: quoted (map (entry: entry.name) entries);

  store =
    app: lib.optional (app.redis.url != null) "${app.redis.url} with the prefix `${app.redis.prefix}`";

  betweenApps =
    mapAttrsToList (unit: entries: {
      assertion = false;
      message = "services.soloscope.apps: ${apps entries} all have `${unit}` in `units`, and a log line belongs to one app. Leave it in one of them.";
    }) (shared (app: lib.unique app.units))
    ++ mapAttrsToList (where: entries: {
      assertion = false;
      message = "services.soloscope.apps: ${apps entries} all count in ${where}. Give each a `redis.prefix` of its own.";
    }) (shared store);
in
{
  options.services.soloscope.apps = mkOption {
    type = types.attrsOf (types.submodule app);
    default = { };
    description = ''
      The apps of this host, each with what it writes and where it answers. Every
      part is optional. The name becomes the label `app` of logs and metrics.
    '';
    example = literalExpression ''
      {
        shop = {
          title = "Shop";
          units = [ "shop.service" ];
          redis.url = "unix:///run/redis-shop/redis.sock";
          counters.orders.help = "Orders placed";
          uniques.buyers.help = "People who ordered";
          health.url = "http://127.0.0.1:8080/health";
        };
      }
    '';
  };

  config = mkIf cfg.enable {
    assertions = lib.concatLists (mapAttrsToList appAssertions cfg.apps) ++ betweenApps;

    warnings =
      lib.optional (
        cfg.apps == { }
      ) "services.soloscope.apps is empty: the host is watched, but no app is. Declare at least one."
      ++ mapAttrsToList (
        name: _:
        "services.soloscope.apps.${name}.metrics.url is set, but services.soloscope.prometheus.enable is false, so nobody reads it."
      ) (filterAttrs (_: app: app.metrics.url != null && !cfg.prometheus.enable) cfg.apps);
  };
}
