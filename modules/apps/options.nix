# The options of an app, `apps.<name>`: each with its default, which
# is defined only here. Which values are valid is also defined once, in the Python package
# (exporter/src/soloscope/config/options.py), which checks every value at build time.
#
# default.nix makes a submodule of this, and with-defaults.nix fills a bare declaration
# with it where there is no nixpkgs. So it takes from nixpkgs only what with-defaults.nix
# has as well: mkOption, literalExpression and types.
{ lib }:
let
  inherit (lib) literalExpression mkOption types;
  inherit (import ../types.nix { inherit lib; }) matching secretFile;

  help =
    what:
    mkOption {
      type = types.str;
      default = "";
      example = what;
      description = "What it counts, in a few words, as people read it in graphs.";
    };

  # Where the panel of a name stands on the app's dashboards.
  placed = {
    group = mkOption {
      type = types.str;
      default = "";
      example = "Subscriptions";
      description = ''
        The heading under which the dashboards show it. Names of one group stand together,
        and the names without a group come first.
      '';
    };
    order = mkOption {
      type = types.int;
      default = 100;
      example = 10;
      description = ''
        Where it stands among its group: smaller numbers come first, equal ones in
        alphabetic order. A group stands where its smallest number puts it.
      '';
    };
  };

  unit = mkOption {
    type = types.str;
    default = "";
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

  # A table of names that have panels on the dashboards.
  counted =
    description: example: options:
    table description example (options // placed);

  interval =
    default:
    mkOption {
      type = types.str;
      inherit default;
      description = "How often it is asked, a duration such as `30s` or `5m`.";
    };

  timeout =
    default:
    mkOption {
      type = types.str;
      inherit default;
      description = "When an answer comes too late. No longer than `interval`.";
    };

  redis = {
    url = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "unix:///run/redis-shop/redis.sock";
      description = ''
        The Redis that holds the app's counts: `redis://HOST:PORT/DB`, `rediss://…`
        for TLS, or `unix:///PATH?db=DB`. Null when the app counts nothing there.
        A password does not belong here: use `passwordFile`.
      '';
    };
    username = mkOption {
      type = types.nullOr (matching "Redis user name" "[A-Za-z0-9._~-]+");
      default = null;
      example = "soloscope";
      description = ''
        The ACL user to log in as. It needs
        `+get +hgetall +pfcount +scard +sunion +ttl +ping` on `%R~PREFIX*`.
        Null logs in as the default user.
      '';
    };
    passwordFile = mkOption {
      type = secretFile;
      default = null;
      defaultText = "the `requirePassFile` of the services.redis.servers.* that `url` names, or null";
      example = "/run/secrets/shop-redis";
      description = "A file with the password for this Redis. systemd reads it, so root alone needs access.";
    };
    prefix = mkOption {
      type = types.str;
      default = "metrics:";
      description = "What the app's keys begin with, before the day: `metrics:2026-11-18:orders`.";
    };
    group = mkOption {
      type = types.nullOr types.str;
      default = null;
      defaultText = "the group of the services.redis.servers.* whose socket `url` names, or null";
      example = "redis-shop";
      description = "The group that may use the socket in `url`. soloscope's units become members of it.";
    };
  };

  health = {
    url = mkOption {
      type = types.str;
      example = "http://127.0.0.1:8080/api/health";
      description = "Where the app says how it is: 200 is well, anything else is not.";
    };
    interval = interval "30s";
    timeout = timeout "10s";
  };

  # The interval and the time-out of each kind of check.
  times = {
    http = {
      interval = "30s";
      timeout = "10s";
    };
    tcp = {
      interval = "30s";
      timeout = "5s";
    };
    redis = {
      interval = "10s";
      timeout = "3s";
    };
    # Outside APIs count each request and may charge for it.
    api = {
      interval = "5m";
      timeout = "10s";
    };
  };
  byKind = key: {
    defaultText = builtins.concatStringsSep ", " (
      map (kind: "${times.${kind}.${key}} for `${kind}`") (builtins.attrNames times)
    );
  };

  check = kind: {
    help = help "Mail server";
    kind = mkOption {
      type = types.enum (builtins.attrNames times);
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
      type = types.int;
      default = 200;
      description = "The HTTP status that means well.";
    };
    body = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "\"ok\":true";
      description = "Text that the answer must contain. Null accepts any answer.";
    };
    maxSeconds = mkOption {
      type = types.nullOr types.number;
      default = null;
      example = 1.0;
      description = "An answer that takes longer counts as a failure. Null leaves only the time-out.";
    };
    keyFile = mkOption {
      type = secretFile;
      default = null;
      example = "/run/secrets/openai";
      description = "A file with the key that is sent as `Authorization: Bearer`. Only for kind `api`.";
    };
  };

  threshold = {
    orange = mkOption {
      type = types.number;
      example = 3;
      description = "From here on it is orange, in the unit of the panel (seconds for a timing, 0 to 1 for a ratio).";
    };
    red = mkOption {
      type = types.number;
      example = 10;
      description = "From here on it is red.";
    };
    calls = mkOption {
      type = types.int;
      default = 20;
      description = "How many calls of today a timing needs before its average gets a colour.";
    };
  };

  postgres = {
    socket = mkOption {
      type = types.nullOr types.externalPath;
      default = null;
      example = "/run/postgresql";
      description = "The folder of the database's unix socket. Set this or `url`.";
    };
    url = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "postgresql://soloscope@127.0.0.1:5432/shop";
      description = "Where the database is when it has no local socket. Set this or `socket`. A password belongs in `passwordFile`.";
    };
    passwordFile = mkOption {
      type = secretFile;
      default = null;
      example = "/run/secrets/shop-postgres";
      description = "A file with the database user's password.";
    };
  };

  criticalEvent = {
    atLeast = mkOption {
      type = types.int;
      default = 1;
      description = "How many of them are too many.";
    };
    within = mkOption {
      type = types.str;
      default = "15m";
      description = "In which time they are counted, a duration such as `15m` or `6h`.";
    };
  };

  latency = {
    seconds = mkOption {
      type = types.number;
      example = 0.5;
      description = "The time within which a request counts as fast: the bound of a bucket of the app's histogram.";
    };
    share = mkOption {
      type = types.float;
      default = 0.95;
      description = "The share of requests that are to be fast.";
    };
  };

  userRecord = {
    title = mkOption {
      type = types.str;
      default = "";
      example = "Profile and subscription";
      description = "The heading. Empty is the record's name.";
    };
    order = mkOption {
      type = types.int;
      default = 100;
      example = 10;
      description = "Smaller numbers come first, equal ones in alphabetic order.";
    };
    key = mkOption {
      type = types.str;
      example = "user:{id}";
      description = ''
        The key, with `{id}` in place of the user's id. A hash, a string (plain or JSON), a
        list, a sorted set or a set.
      '';
    };
    fields = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [
        "name"
        "plan"
        "settings.language"
      ];
      description = "The fields to show, in this order; those of an object in JSON behind a dot. Empty shows all.";
    };
    times = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "trial_ends_at" ];
      description = ''
        The fields that hold a time (ISO 8601, or seconds or milliseconds since 1970). They are
        shown in soloscope's time zone, with the distance from now.
      '';
    };
    newest = mkOption {
      type = types.enum [
        "first"
        "last"
      ];
      default = "first";
      description = "Where a list has its newest entry: `first` after LPUSH, `last` after RPUSH. A sorted set has the highest score first.";
    };
    limit = mkOption {
      type = types.int;
      default = 3;
      example = 10;
      description = "How many entries of a list or a set are shown, the newest first.";
    };
  };

  event =
    example: what:
    mkOption {
      type = types.str;
      inherit example;
      description = "The `event` of the log lines ${what}.";
    };
  record = mkOption {
    type = types.str;
    example = "profile";
    description = "The name of one of the app's `user.records`.";
  };
  field =
    example: description:
    mkOption {
      type = types.str;
      inherit example description;
    };
  # A number or a word that may be missing.
  maybe =
    type: example: description:
    mkOption {
      type = types.nullOr type;
      default = null;
      inherit example description;
    };
  validator = {
    jobs = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "digest" ];
      description = "The app's jobs that must have run on each day.";
    };
    manual = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "Chat with a test user: the greeting mentions a deficiency" ];
      description = "What only a person can look at, for `soloscope checklist`.";
    };
    events =
      table "How often something may happen, and how often it must."
        ''{ failed = { event = "digest_failed"; of = "digest_created"; maxPercent = 10; }; }''
        {
          event = event "digest_failed" "that are counted";
          min = maybe types.int 1 "So many there must be at least.";
          max = maybe types.int 0 "So many there may be at most.";
          of = maybe types.str "digest_created" "The event of the lines that went well, for `maxPercent`.";
          maxPercent = maybe types.number 10 "The largest share of `event` in itself and `of`, in percent.";
        };
    records =
      table "What each user's record must have."
        ''{ dated = { record = "digests"; times = [ "created_at" ]; }; }''
        {
          inherit record;
          fields = mkOption {
            type = types.listOf types.str;
            default = [ ];
            example = [ "plan" ];
            description = "Fields that each entry must have.";
          };
          times = mkOption {
            type = types.listOf types.str;
            default = [ ];
            example = [ "created_at" ];
            description = "Fields that each entry must have, with a time that is not in the future.";
          };
        };
    moves =
      table "A time in a user's record that must follow an event."
        ''{ practised = { event = "deficiency_practiced"; record = "deficiencies"; field = "last_practiced_at"; entry = "deficiency"; }; }''
        {
          event = event "deficiency_practiced" "after which the time must be as late as the line";
          inherit record;
          field = field "last_practiced_at" "The record's field with the time.";
          entry = maybe types.str "deficiency" "The line's field that names the entry of the record. Null takes the newest entry.";
        };
    gaps =
      table "A number in an event that must be the time since the user's event before."
        ''{ computed = { event = "time_gap"; field = "gap_hours"; after = "conversation_ended"; }; }''
        {
          event = event "time_gap" "with the number";
          field = field "gap_hours" "The line's field with the number.";
          after = event "conversation_ended" "from which the time is counted";
          unit = mkOption {
            type = types.enum [
              "seconds"
              "minutes"
              "hours"
              "days"
            ];
            default = "hours";
            description = "The unit of the number.";
          };
        };
    limits =
      table "A limit per day, in the app's time zone, that holds for some users and not for others."
        ''{ trial = { event = "conversation_ended"; count = "message_count"; max = 30; record = "profile"; field = "plan"; value = "trial"; refusal = "throttled"; }; }''
        {
          event = event "conversation_ended" "that count";
          count = maybe types.str "message_count" "The line's field with how much a line counts. Null counts lines.";
          max = mkOption {
            type = types.int;
            example = 30;
            description = "The most that a user with the limit may have in a day.";
          };
          inherit record;
          field = field "plan" "The record's field that says who has the limit.";
          value = field "trial" "The value of that field for who has the limit.";
          refusal = maybe types.str "throttled" "The event of a refused user: only at the limit, and never of users without it.";
        };
  };
in
{ name, ... }:
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
      type = types.str;
      default = "UTC"; # not the host's: most apps write UTC days
      example = "Europe/Berlin";
      description = "Whose midnight starts a new day in the app's Redis keys.";
    };
    units = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "shop.service" ];
      description = ''
        The full names of the systemd units whose journal is this app's log. They get the log
        label `app`. A template, `worker@.service`, is all of its instances, and `*` is any text.
      '';
    };
    containers = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "shop-worker-1" ];
      description = ''
        The names of Docker's or Podman's containers whose output is this app's log, where they
        have no unit of their own (docker-compose). Those of
        {option}`virtualisation.oci-containers` have one, which belongs in `units`.
      '';
    };
    inherit redis;
    counters =
      counted "Counts of a day: the app does `INCR PREFIX<day>:<name>`."
        ''{ orders.help = "Orders placed"; }''
        {
          help = help "Orders placed";
          inherit unit;
        };
    breakdowns =
      counted "Counts of a day by key: the app does `HINCRBY PREFIX<day>:<name> KEY 1`."
        ''{ refusals.help = "Payments refused, by reason"; }''
        {
          help = help "Payments refused, by reason";
          limit = mkOption {
            type = types.int;
            default = 200;
            description = "How many keys of a day are shown. The rest is counted in `soloscope_keys_dropped`.";
          };
        };
    uniques =
      counted "Different things in a day: the app does `PFADD PREFIX<day>:<name> ID` (or `SADD`)."
        ''{ buyers.help = "People who ordered"; }''
        {
          help = help "People who ordered";
          exact = mkOption {
            type = types.bool;
            default = false;
            description = ''
              Whether the app uses `SADD` (exact, to 10,000 a day) instead of `PFADD`
              (an estimate with a standard error of 0.81 %).
            '';
          };
        };
    timings =
      counted
        "Calls and milliseconds of a day: the app does `HINCRBY PREFIX<day>:<name> count 1` and `… ms 245`."
        ''{ payment.help = "Calls to the payment service"; }''
        { help = help "Calls to the payment service"; };
    gauges =
      counted "Values of now: the app does `HSET PREFIXnow <name> 12`."
        ''{ users.help = "Registered users"; }''
        {
          help = help "Registered users";
          inherit unit;
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
            type = types.str;
            example = "04:00";
            description = "When it must be done.";
          };
          min = mkOption {
            type = types.int;
            default = 1;
            description = "How much the counter must show by then.";
          };
          failures = mkOption {
            type = types.nullOr types.str;
            default = null;
            example = "invoices_failed";
            description = "The counter of this app that the work raises for each failure. Null when it counts none.";
          };
          help = help "Invoices of the night";
        };
    health = mkOption {
      type = types.nullOr (types.submodule { options = health; });
      default = null;
      description = "The app's health endpoint. Null when it has none.";
    };
    metrics = {
      url = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "http://127.0.0.1:8080/metrics";
        description = "The app's own metrics in Prometheus' text format. Null when it has none.";
      };
      names = mkOption {
        type = types.attrsOf types.str;
        default = { };
        example = {
          http_requests_total = "shop_requests_total";
        };
        description = ''
          What the app calls the metrics that dashboards and rules know as
          `http_requests_total{method,route,status}` and
          `http_request_duration_seconds`. The parts of a histogram follow.
        '';
      };
      areas = mkOption {
        type = types.listOf (
          types.enum [
            "cache"
            "database"
            "http"
            "integrations"
            "messaging"
            "realtime"
            "security"
            "tasks"
          ]
        );
        default = [ "http" ];
        example = [
          "http"
          "database"
          "realtime"
        ];
        description = ''
          What the app's metrics are about. Dashboards and their panels are made for these
          areas only; docs/app-metrics.md lists the metrics of each.
        '';
      };
      labels = mkOption {
        type = types.attrsOf types.str;
        default = { };
        example = {
          route = "handler";
          status = "code";
        };
        description = ''
          What the app calls the labels `method`, `route` and `status` of its metrics about
          requests.
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
    dashboard = {
      rows = mkOption {
        type = types.listOf (types.listOf types.str);
        default = [ ];
        example = [
          [
            "gauges.users_total"
            "ratios.premium"
          ]
        ];
        description = ''
          The first rows of the overview's numbers, each with at most eight panels: a
          kind and a name, as in `counters.orders`. What is not named here follows in rows
          of its own, by `group` and `order`.
        '';
      };
      hide = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "counters.orders_tested" ];
        description = "What gets no panel: a kind and a name.";
      };
      events = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [
          "order_.+"
          "payment_failed"
        ];
        description = ''
          Which events the activity stream shows, beside warnings and errors: regular
          expressions for the field `event`. Empty shows every line.
        '';
      };
      thresholds = mkOption {
        type = types.attrsOf (types.submodule { options = threshold; });
        default = { };
        example = literalExpression ''
          {
            "timings.payment" = { orange = 3; red = 10; };
            "ratios.success" = { orange = 0.95; red = 0.8; };
          }
        '';
        description = ''
          From which value on a number is orange or red, by kind and name. Where red is
          below orange, small numbers are the bad ones. A number without one has no colour.
        '';
      };
      ratios =
        counted "Shares of one number in others, in percent."
          ''{ premium = { part = "gauges.users_premium"; of = [ "gauges.users_total" ]; }; }''
          {
            help = help "Premium subscribers";
            part = mkOption {
              type = types.str;
              example = "counters.invoices_sent";
              description = "The counter, unique or gauge whose share is shown.";
            };
            of = mkOption {
              type = types.listOf types.str;
              example = [
                "counters.invoices_sent"
                "counters.invoices_failed"
              ];
              description = ''
                What it is a share of: these names added up. Counters and uniques count today
                and the six days before, gauges are those of now.
              '';
            };
          };
    };
    user = {
      idByPhone = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "phone:{phone}";
        description = ''
          The Redis key that holds a user's id by phone number: `{phone}` is the number as
          `+4912345678`, `{digits}` the same without `+`. With it
          `soloscope debug-user --phone` finds exactly one user; without it, everyone in the
          log with the same last four digits.
        '';
      };
      records =
        table "What Redis holds about a user, as `soloscope debug-user` shows it."
          ''{ profile = { key = "user:{id}"; times = [ "trial_ends_at" ]; }; }''
          userRecord;
    };
    digest = {
      lines = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [
          "👥 Users: {gauges.users_total} total ({uniques.buyers} active {day})"
          "📦 Orders: {counters.orders} {day}, {counters.orders.before} a week before"
          "⚠️ Invoices: {jobs.invoices.failures|failure|failures}"
        ];
        description = ''
          The app's lines in the message of `soloscope digest`. A placeholder is a kind and a
          name: `{counters.orders}`, `{uniques.buyers}`, `{timings.payment}`,
          `{gauges.users_total}`, and `{ratios.premium}` for a share of `dashboard.ratios`.
          Numbers of a day are those of the last full day; `{counters.orders.before}` is the
          same a week before, `{counters.orders.7d}` or `.30d` the sum of the days up to it.
          `{jobs.invoices}` is what the last run of a job counted, and
          `{jobs.invoices.failures}` its failures. `{day}` and `{date}` say which day it is.
          `{counters.orders|order|orders}` puts the noun behind the number. Without lines the
          message has the first `limit` of what the app declares.
        '';
      };
      limit = mkOption {
        type = types.int;
        default = 10;
        description = "How many of the app's jobs, counts and gauges the message has when `lines` is empty.";
      };
      top =
        table
          "The breakdowns' largest keys in the message. A breakdown that is not named here has its first three."
          ''{ refusals = { count = 5; title = "Why payments were refused:"; }; }''
          {
            count = mkOption {
              type = types.int;
              default = 3;
              description = "How many keys are listed; 0 leaves the breakdown out.";
            };
            title = mkOption {
              type = types.nullOr types.str;
              default = null;
              example = "Why payments were refused:";
              description = "The line above them. Null makes one from `help`.";
            };
            line = mkOption {
              type = types.nullOr types.str;
              default = null;
              example = "{key} ({count|payment|payments})";
              description = "The text for one key, with `{key}` and `{count}`. Null is `{key} ({count})`.";
            };
          };
    };
    criticalEvents = mkOption {
      type = types.attrsOf (types.submodule { options = criticalEvent; });
      default = { };
      example = literalExpression ''
        {
          payment_failed = { };
          digest_failed = { atLeast = 3; within = "6h"; };
        }
      '';
      description = "Events in the app's log that somebody must know of at once.";
    };
    objectives = {
      availability = mkOption {
        type = types.float;
        default = 0.99; # with few requests 99.9 % would be one failure in a week
        example = 0.999;
        description = "The share of requests that the app promises to answer well over 30 days.";
      };
      latency = mkOption {
        type = types.nullOr (types.submodule { options = latency; });
        default = null;
        example = {
          seconds = 0.5;
          share = 0.95;
        };
        description = "How fast the app promises to answer. Null promises nothing.";
      };
    };
    validators =
      table "Features that `soloscope validate NAME` examines, each with its checks."
        ''{ digests = { jobs = [ "digest" ]; records.dated = { record = "digests"; times = [ "created_at" ]; }; }; }''
        validator;
  };
}
