# Evaluation only: a minimal host evaluates, each wrong declaration is told with
# the option, the value and the fix, and no secret can come from the store.
#
# Several mistakes share one evaluation, which takes seconds; what is expected of
# each is the whole message. Another message, or a missing one, fails. No node boots.
{
  self,
  pkgs,
  lib,
}:
let
  evaluate = import ./lib/evaluate.nix { inherit pkgs lib; };
  inherit (evaluate) toplevel;
  hostWith =
    soloscope: module:
    evaluate.host soloscope {
      imports = [ module ];
      services.soloscope.enable = true;
    };
  host = hostWith self.nixosModules.default;
  failed = module: evaluate.failed (host module);

  minimal = {
    services.redis.servers.shop.enable = true;
    services.soloscope.apps.shop = {
      redis.url = "unix:///run/redis-shop/redis.sock";
      counters.orders.help = "Orders placed";
    };
  };

  o = "services.soloscope";

  cases = {
    "apps" = {
      module.services.soloscope.apps = {
        "two words" = { };
        node = { };
        badRedis.redis.url = "redis.sock";
        leaking.redis.url = "redis://:hunter2@127.0.0.1:6379";
        twoUsers.redis = {
          url = "redis://a@127.0.0.1:6379/1";
          username = "b";
        };
        noGroup.redis.url = "unix:///srv/redis.sock";
        nowhere.counters.orders = { };
        twice = {
          redis.url = "redis://127.0.0.1:6379/2";
          counters.orders = { };
          uniques.orders = { };
        };
        names = {
          redis.url = "redis://127.0.0.1:6379/3";
          gauges."users-total" = { };
          metrics.names."http-requests" = "x";
        };
        metrics.metrics.url = "127.0.0.1:8080/metrics";
        job.jobs.digest = {
          counter = "digests";
          by = "04:00";
        };
        health.health = {
          url = "ftp://127.0.0.1/";
          interval = "10s";
          timeout = "1m";
        };
        database.postgres = { };
        checks.checks = {
          mail = {
            kind = "tcp";
            url = "127.0.0.1:25";
            status = 204;
          };
          page = {
            kind = "http";
            url = "http://127.0.0.1:8081/";
            keyFile = "/run/secrets/page";
          };
        };
        first = {
          units = [ "shared.service" ];
          redis.url = "redis://127.0.0.1:6379/4";
        };
        second = {
          units = [ "shared.service" ];
          redis.url = "redis://127.0.0.1:6379/4";
        };
      };
      expected =
        let
          http = "Set it to a URL such as `http://127.0.0.1:8080/path`.";
          redis = "Set it to `redis://HOST:PORT/DB`, `rediss://HOST:PORT/DB` or `unix:///PATH?db=DB`.";
        in
        [
          "${o}.apps declares `two words`. Use a name of letters, digits, dashes and underscores."
          "${o}.apps declares `node`, which is the name of one of soloscope's own jobs (`alertmanager`, `alloy`, `blackbox`, `grafana`, `loki`, `node`, `postgres`, `prometheus`, `promtail`, `redis`, `soloscope`, `soloscope-days`). Use another name; `title` says what people read."
          "${o}.apps.badRedis.redis.url is `redis.sock`. ${redis}"
          "${o}.apps.leaking.redis.url contains a password, which everybody can read in the Nix store. Take it out and set ${o}.apps.leaking.redis.passwordFile."
          "${o}.apps.twoUsers.redis.url names the user `a` and ${o}.apps.twoUsers.redis.username is `b`. Keep one of them."
          "${o}.apps.noGroup.redis.url is `unix:///srv/redis.sock`, which is no socket of services.redis.servers.*, so the group that may use it is unknown. Set ${o}.apps.noGroup.redis.group to the group of the socket (`stat -c %G` shows it)."
          "${o}.apps.nowhere declares counters, but ${o}.apps.nowhere.redis.url is null. ${redis}"
          "${o}.apps.twice declares `orders` as more than one of counters, breakdowns, uniques, timings. They share the keys of a day, so use different names."
          "${o}.apps.names.gauges declares `users-total`. Use a name of letters, digits and underscores, not starting with a digit."
          "${o}.apps.names.metrics.names declares `http-requests`. Use a name of letters, digits and underscores, as Prometheus names metrics."
          "${o}.apps.metrics.metrics.url is `127.0.0.1:8080/metrics`. ${http}"
          "${o}.apps.job.jobs.digest.counter is `digests`, which ${o}.apps.job.counters does not declare. Declare it, or use one of: none yet."
          "${o}.apps.health.health.url is `ftp://127.0.0.1/`. ${http}"
          "${o}.apps.health.health.timeout is 1m, longer than ${o}.apps.health.health.interval, 10s. Make it no longer."
          "${o}.apps.database.postgres needs either `socket` or `url`. Set one of them."
          "${o}.apps.checks.checks.mail.url is `127.0.0.1:25`. Set it to `tcp://HOST:PORT`."
          "${o}.apps.checks.checks.mail.status or ${o}.apps.checks.checks.mail.body is set, but a check of kind `tcp` reads no answer. Remove it, or set ${o}.apps.checks.checks.mail.kind to `http`."
          "${o}.apps.checks.checks.page.keyFile is set, but ${o}.apps.checks.checks.page.kind is `http`. Only a check of kind `api` may have a key."
          "${o}.apps: `first`, `second` all have `shared.service` in `units`, and a log line belongs to one app. Leave it in one of them."
          "${o}.apps: `first`, `second` all count in redis://127.0.0.1:6379/4 with the prefix `metrics:`. Give each a `redis.prefix` of its own."
        ];
    };

    "ports" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope = {
          grafana.port = 8080;
          loki.port = 9847;
          apps.shop.health.url = "http://localhost:8080/health";
          apps.shop.metrics.url = "http://127.0.0.1:9100/metrics";
        };
      };
      expected = [
        "${o}.exporter.port and ${o}.loki.port are both 9847: one port serves one program. Set one of them to a free port."
        "${o}.apps.shop.health.url is http://localhost:8080/health, but ${o}.grafana.port is 8080 too: one port serves one program. Set ${o}.grafana.port to a free port, or correct the URL."
        "${o}.apps.shop.metrics.url is http://127.0.0.1:9100/metrics, but ${o}.prometheus.exporters.node.port is 9100 too: one port serves one program. Set ${o}.prometheus.exporters.node.port to a free port, or correct the URL."
      ];
    };

    "jobs" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope.apps.shop.metrics.url = "http://127.0.0.1:8080/metrics";
        services.prometheus.scrapeConfigs =
          map
            (name: {
              job_name = name;
              static_configs = [ { targets = [ "127.0.0.1:1" ]; } ];
            })
            [
              "node"
              "shop"
              "grafana"
              "mine"
            ];
      };
      expected =
        let
          twice =
            name: fix:
            "services.prometheus.scrapeConfigs has the job `${name}` twice, once from you and once from soloscope, so every value would be there twice. ${fix}";
        in
        [
          (twice "node" "Remove yours from services.prometheus.scrapeConfigs, or set ${o}.prometheus.exporters.node.enable = false.")
          (twice "grafana" "Remove yours from services.prometheus.scrapeConfigs: soloscope already reads grafana.")
          (twice "shop" "Rename ${o}.apps.shop, or remove your job from services.prometheus.scrapeConfigs.")
        ];
    };

    "what Loki and the log shipper do not take" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope = {
          loki.retention = "12h";
          loki.budgetFloor = "13h";
          loki.shorter.debug.retention = "1h";
          logs.maxAge = "30d";
          logs.groups = [ "ngnix" ];
          logs.sources = {
            nothing.paths = [ ];
            relative.paths = [ "app.log" ];
            home = {
              paths = [
                "/var/log/app.log"
                "/home/shop/app.log"
              ];
              retention = "2h";
            };
          };
        };
        services.loki.configuration = {
          auth_enabled = true;
          server.http_listen_port = 3105;
          server.grpc_listen_address = "10.0.0.1";
          limits_config.retention_period = "90d";
          schema_config.configs = lib.mkForce [
            {
              from = "2023-01-01";
              store = "boltdb-shipper";
              object_store = "filesystem";
              schema = "v12";
              index = {
                prefix = "index_";
                period = "24h";
              };
            }
          ];
        };
      };
      expected =
        let
          day = option: value: "${option} is ${value}, but Loki keeps nothing for less. Set it to at least 24h.";
          theirs = "services.loki.configuration";
        in
        [
          (day "${o}.loki.retention" "12h")
          (day "${o}.loki.budgetFloor" "13h")
          "${o}.loki.budgetFloor is 13h, longer than ${o}.loki.retention, 12h. Make it no longer."
          (day "${o}.loki.shorter.debug.retention" "1h")
          (day "${o}.logs.sources.home.retention" "2h")
          "${o}.logs.maxAge is 30d, but Loki takes no line that is older than 168h. Set it to at most 168h."
          "${o}.logs.groups has `ngnix`, which is no group of users.groups, and systemd does not start a unit with such a group. Set it to the group of the files (`stat -c %G` shows it)."
          "${o}.logs.sources.nothing.paths is empty, so nothing is read. Name the files, or remove the source."
          "${o}.logs.sources.relative.paths has `app.log`. Set it to an absolute path such as `/var/log/app/*.log`."
          "${o}.logs.sources.home.paths has `/home/shop/app.log`, but the log shipper sees nothing below /home, /root, /run/user, /tmp, /var/tmp. Have the program write its log below /var/log (`LogsDirectory` of its unit makes a folder there), or print it to the journal."
          "${theirs}.server.http_listen_port is 3105, but soloscope expects Loki at ${o}.loki.port = 3100: set ${o}.loki.port = 3105 instead, or remove the other."
          "${theirs}.server.grpc_listen_address is \"10.0.0.1\", but soloscope needs \"127.0.0.1\" to reach Loki's gRPC: remove it."
          "${theirs}.auth_enabled is true, but soloscope needs false to reach Loki: remove it."
          "${theirs}.limits_config.retention_period is 90d, but ${o}.loki.retention is 12h, and the disk budget goes by that: set ${o}.loki.retention = \"90d\" instead."
          "${theirs}.schema_config's newest entry has store boltdb-shipper and schema v12, but soloscope keeps events and ids as structured metadata, which needs store tsdb and schema v13. Append an entry of these, and enable soloscope from its `from` date on."
        ];
    };

    # An entry of one's own before it, and the same retention in other words.
    "a Loki that was there before" = {
      module = lib.recursiveUpdate minimal {
        services.loki.dataDir = "/data/loki";
        services.loki.configuration = {
          limits_config.retention_period = "720h";
          limits_config.max_query_series = 100;
          schema_config.configs =
            map
              (
                { from, store, schema }:
                {
                  inherit from store schema;
                  object_store = "filesystem";
                  index = {
                    prefix = "index_";
                    period = "24h";
                  };
                }
              )
              [
                {
                  from = "2024-06-01";
                  store = "tsdb";
                  schema = "v13";
                }
                {
                  from = "2022-01-01";
                  store = "boltdb-shipper";
                  schema = "v12";
                }
              ];
        };
      };
      expected = [ ];
    };

    "a node job of one's own" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope.prometheus.exporters.node.enable = false;
        services.prometheus.scrapeConfigs = [
          {
            job_name = "node";
            static_configs = [ { targets = [ "127.0.0.1:9100" ]; } ];
          }
        ];
      };
      expected = [ ];
    };

    "sources that meet in one name" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope.apps.shop.units = [ "shop.service" ];
        services.soloscope.logs.sources = {
          access = {
            paths = [ "/var/log/a.log" ];
            job = "web";
            retention = "48h";
          };
          errors = {
            paths = [ "/var/log/b.log" ];
            job = "web";
          };
          shop = {
            paths = [ "/var/log/shop.log" ];
            retention = "48h";
          };
          "shop-old".paths = [ "/var/log/old.log" ];
          "shop_old".paths = [ "/var/log/older.log" ];
        };
      };
      expected = [
        "${o}.logs.sources: `access`, `errors` all have the job `web`, and the lines of a job are kept for one time. Give them the same `retention`, or each a `job` of its own."
        "${o}.logs.sources.shop has a retention and the job `shop`, which is also the job of an app's unit, whose lines would go as early. Give it a `job` of its own."
        "${o}.logs.sources: `shop-old`, `shop_old` are one name to Alloy, which knows letters, digits and underscores only. Rename one of them."
      ];
    };

    "nginx without terms" = {
      module = lib.recursiveUpdate minimal { services.soloscope.domain = "grafana.example.org"; };
      # The second is nixpkgs' own.
      expected = [
        "${o}.nginx.tls is `acme`, which needs security.acme.acceptTerms = true and security.acme.defaults.email. Set both, or set ${o}.nginx.tls to `certificate` or `off`."
      ];
      contains = true;
    };

    "nginx without its certificate" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope.domain = "grafana.example.org";
        services.soloscope.nginx.tls = "certificate";
      };
      expected = [
        "${o}.nginx.tls is `certificate`. Set ${o}.nginx.certificate and ${o}.nginx.certificateKeyFile to its files."
      ];
      contains = true;
    };

    "nginx with nothing to serve" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope.domain = "grafana.example.org";
        services.soloscope.grafana.enable = false;
        services.soloscope.nginx.tls = "off";
      };
      expected = [
        "${o}.domain is `grafana.example.org`, but ${o}.grafana.enable is false, so there is nothing to serve. Set ${o}.nginx.enable = false, or enable Grafana."
      ];
    };

    "nginx without a domain" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope.nginx.enable = true;
        services.soloscope.nginx.tls = "off";
      };
      expected = [
        "${o}.nginx.enable is true, but ${o}.domain is null. Set it to the name under which Grafana is reached."
      ];
    };
  };

  # --- warnings -------------------------------------------------------------------

  warned =
    let
      undefined =
        option: unit:
        "${o}.${option} has `${unit}`, which no module of this host defines. Correct the name, unless something beside NixOS makes this unit.";
      messages =
        (host {
          systemd.services = {
            shop.script = "true";
            "worker@".script = "true";
          };
          systemd.timers.shop.timerConfig.OnCalendar = "daily";
          systemd.user.services.notes.script = "true";
          virtualisation.oci-containers.containers.db.image = "db";
          services.soloscope.logs.shipper = "alloy";
          services.soloscope.logs.redact.units = {
            "mail.service".word.expression = "a(b)";
            "docker-compose-web-1.service".word.expression = "a(b)";
          };
          services.soloscope.apps.shop = {
            units = [
              "shop.service"
              "shop.timer"
              "worker@.service"
              "worker@1.service"
              "worker@*.service"
              "notes.service"
              "podman-db.service"
              "shpo.service"
              "other@1.service"
            ];
            containers = [ "shop-web-1" ];
          };
        }).warnings;
      expected = [
        (undefined "apps.shop.units" "shpo.service")
        (undefined "apps.shop.units" "other@1.service")
        (undefined "logs.redact.units" "mail.service")
      ];
    in
    map (message: "warnings: not said: ${message}") (lib.subtractLists messages expected)
    ++ map (message: "warnings: not expected: ${message}") (lib.subtractLists expected messages);

  wrong = lib.concatLists (
    lib.mapAttrsToList (
      name: case:
      let
        messages = failed case.module;
        missing = lib.subtractLists messages case.expected;
        others = if case.contains or false then [ ] else lib.subtractLists case.expected messages;
      in
      map (message: "${name}: not said: ${message}") missing
      ++ map (message: "${name}: not expected: ${message}") others
    ) cases
  );

  # --- values that no option takes ----------------------------------------------

  accepts =
    option: value:
    (builtins.tryEval (
      builtins.deepSeq (lib.getAttrFromPath option
        (host (
          lib.recursiveUpdate minimal (
            lib.setAttrByPath (
              [
                "services"
                "soloscope"
              ]
              ++ option
            ) value
          )
        )).services.soloscope
      ) true
    )).success;

  inStore = pkgs.writeText "secret" "hunter2";
  values = [
    # A secret that is in the store is none.
    {
      option = [
        "grafana"
        "adminPasswordFile"
      ];
      good = "/run/secrets/grafana";
      bad = [
        inStore
        ./default.nix
        "secret"
      ];
    }
    {
      option = [
        "loki"
        "retention"
      ];
      good = "1h30m";
      bad = [
        ""
        "30 days"
        "1m1h"
        30
      ];
    }
    {
      option = [
        "nginx"
        "path"
      ];
      good = "/grafana/";
      bad = [
        "grafana"
        "/grafana"
      ];
    }
  ];
  taken = lib.concatMap (
    case:
    let
      name = lib.concatStringsSep "." case.option;
    in
    lib.optional (!accepts case.option case.good) "${o}.${name} does not take ${toString case.good}"
    ++ map (value: "${o}.${name} takes ${toString value}") (lib.filter (accepts case.option) case.bad)
  ) values;

  # --- hosts that work ----------------------------------------------------------

  hosts = {
    inherit minimal;
    domain = lib.recursiveUpdate minimal {
      services.soloscope.domain = "grafana.example.org";
      security.acme.acceptTerms = true;
      security.acme.defaults.email = "admin@example.org";
    };
    light = lib.recursiveUpdate minimal { services.soloscope.prometheus.enable = false; };
    logs = {
      services.soloscope.apps.shop.units = [ "shop.service" ];
    };
    alertmanager = lib.recursiveUpdate minimal { services.soloscope.alertmanager.enable = true; };
    # Two checks whose names, joined with a dash, would be one.
    keys.services.soloscope.apps = {
      shop.checks.eu-stripe = {
        kind = "api";
        url = "https://eu.example.org/";
        keyFile = "/run/secrets/eu-stripe";
      };
      shop-eu.checks.stripe = {
        kind = "api";
        url = "https://stripe.example.org/";
        keyFile = "/run/secrets/stripe";
      };
    };
    # Everything that has a default replaced by something else.
    everything = lib.recursiveUpdate minimal {
      services.soloscope = {
        timeZone = "Europe/Berlin";
        loki.port = 3101;
        loki.retention = "90d";
        prometheus.port = 9091;
        grafana.port = 3001;
        grafana.adminPasswordFile = "/run/secrets/grafana";
        grafana.secretKeyFile = "/run/secrets/grafana-key";
        exporter.tokenFile = "/run/secrets/token";
        logs.ports.promtail = 9081;
      };
      # The user's own word about any upstream setting stands.
      services.grafana.settings.users.allow_sign_up = true;
      services.loki.configuration.limits_config.max_query_series = 100;
      services.prometheus.retentionTime = "1d";
    };
  };
  evaluated = lib.mapAttrs (_: module: toplevel (host module)) hosts // {
    # Only the package of the shipper in use is looked at: here the second input
    # does not exist.
    alloy = toplevel (
      hostWith withoutPromtail.nixosModules.default (
        lib.recursiveUpdate minimal { services.soloscope.logs.shipper = "alloy"; }
      )
    );
  };
  withoutPromtail = (import ../../flake.nix).outputs {
    inherit self;
    inherit (self.inputs) nixpkgs;
    nixpkgs-promtail = throw "the input nixpkgs-promtail is used, and nobody chose Promtail";
  };

  everything = host hosts.everything;
  overridden =
    lib.optional (
      !everything.services.grafana.settings.users.allow_sign_up
    ) "services.grafana.settings is not the user's"
    ++ lib.optional (
      everything.services.loki.configuration.limits_config.max_query_series != 100
    ) "services.loki.configuration is not the user's"
    ++ lib.optional (
      everything.services.prometheus.retentionTime != "1d"
    ) "services.prometheus is not the user's"
    ++ lib.optional (
      everything.systemd.services ? soloscope-secrets
    ) "a secret is made that nobody needs";

  keys = (host hosts.keys).systemd.services.soloscope-probe.serviceConfig.LoadCredential;
  keysMeet =
    lib.optional
      (
        keys != [
          "check.shop-eu.stripe:/run/secrets/stripe"
          "check.shop.eu-stripe:/run/secrets/eu-stripe"
        ]
      )
      "soloscope-probe loads ${toString keys}: each check's key must be a credential of its own";

  problems = wrong ++ taken ++ overridden ++ keysMeet;
in
pkgs.testers.runNixOSTest {
  name = "assertions";
  nodes = { };
  testScript = ''
    hosts = ${builtins.toJSON evaluated}
    messages = ${builtins.toJSON (lib.mapAttrs (_: case: lib.length case.expected) cases)}
    problems = ${builtins.toJSON problems}
    print(f"{len(hosts)} hosts evaluate; {sum(messages.values())} messages are as expected")
    t.assertEqual(problems, [])
  '';
}
