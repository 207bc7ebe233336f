# Evaluation only: a minimal host evaluates, each wrong declaration is told with
# the option, the value and the fix, by an assertion or by `soloscope check-config`,
# and no secret can come from the store.
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
      module = {
        services.redis.servers = {
          inStore = {
            enable = true;
            requirePass = "hunter2";
          };
          closed = {
            enable = true;
            unixSocketPerm = 600;
          };
        };
        services.prometheus.exporters.postgres.runAsLocalSuperUser = true;
        services.soloscope.apps = {
          node = { };
          leaking.redis.url = "redis://:hunter2@127.0.0.1:6379";
          broken.redis.url = "redis://:hun/ter2@127.0.0.1:6379";
          page.health.url = "http://me:hunter2@127.0.0.1/";
          shop.checks.smtp = {
            kind = "tcp";
            url = "tcp://me:hunter2@127.0.0.1:25";
          };
          data.postgres.url = "postgresql://me:hunter2@127.0.0.1/data";
          twoUsers.redis = {
            url = "redis://a@127.0.0.1:6379/1";
            username = "b";
          };
          noGroup.redis.url = "unix:///srv/redis.sock";
          inStore.redis.url = "unix:///run/redis-inStore/redis.sock";
          closed.redis.url = "unix:///run/redis-closed/redis.sock";
          first.units = [ "shared.service" ];
          second.units = [ "shared.service" ];
        };
      };
      expected =
        let
          password =
            option: instead:
            "${o}.apps.${option} contains a password, which everybody can read in the Nix store. Take it out and set ${instead}.";
          keyed = "a check of kind `api` with `keyFile`";
        in
        [
          "${o}.apps declares `node`, which is the name of one of soloscope's own jobs (`alertmanager`, `alloy`, `blackbox`, `grafana`, `loki`, `node`, `postgres`, `prometheus`, `promtail`, `redis`, `soloscope`, `soloscope-days`). Use another name; `title` says what people read."
          (password "leaking.redis.url" "${o}.apps.leaking.redis.passwordFile")
          (password "broken.redis.url" "${o}.apps.broken.redis.passwordFile")
          (password "page.health.url" keyed)
          (password "shop.checks.smtp.url" keyed)
          (password "data.postgres.url" "${o}.apps.data.postgres.passwordFile")
          "${o}.apps.twoUsers.redis.url names the user `a` and ${o}.apps.twoUsers.redis.username is `b`. Keep one of them."
          "${o}.apps.noGroup.redis.url is `unix:///srv/redis.sock`, which is no socket of services.redis.servers.*, so the group that may use it is unknown. Set ${o}.apps.noGroup.redis.group to the group of the socket (`stat -c %G` shows it)."
          "${o}.apps.inStore.redis.url names a server of services.redis.servers.* with requirePass, whose password everybody can read in the Nix store, but ${o}.apps.inStore.redis.passwordFile is null. Set requirePassFile there instead; it is used here as well."
          "${o}.apps.closed.redis.url is the socket of a server of services.redis.servers.* with unixSocketPerm = 600, which keeps the group `redis-closed` out, and soloscope with it. Set it to 660."
          "${o}.apps: `first`, `second` all have `shared.service` in `units`, and a log line belongs to one app. Leave it in one of them."
          "services.prometheus.exporters.postgres.runAsLocalSuperUser is true, but ${o}.apps.data.postgres reads the database with a role of the exporter's own, which needs fewer rights. Remove it."
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

    "programs of the host's own" = {
      module = lib.recursiveUpdate minimal {
        services.alloy.enable = true;
        services.caddy.enable = true;
        services.soloscope = {
          domain = "grafana.example.org";
          nginx.tls = "off";
          logs.shipper = "alloy";
        };
      };
      expected = [
        "services.alloy and ${o}.logs.ports.alloy are both 12345: one port serves one program. Set one of them to a free port."
        "services.caddy.enable and ${o}.nginx.enable both want the ports 80 and 443. Set ${o}.nginx.enable = false and let Caddy pass grafana.example.org on to 127.0.0.1:3000."
      ];
    };

    "an age that Loki refuses" = {
      module = lib.recursiveUpdate minimal { services.soloscope.logs.maxAge = "30d"; };
      expected = [
        "${o}.logs.maxAge is 30d, but Loki takes no line that is older than a week. Set it to 167h or less."
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

  # --- what the program refuses when the host is built ------------------------------

  judged.services.soloscope = {
    loki.retention = "1h";
    exporter.history = 400;
    apps = {
      "two words" = { };
      badRedis.redis.url = "redis.sock";
      nowhere.counters.orders = { };
      twice = {
        redis.url = "redis://127.0.0.1:6379/2";
        counters.orders = { };
        uniques.orders = { };
      };
      names = {
        redis.url = "redis://127.0.0.1:6379/3";
        gauges."users-total" = { };
        metrics.url = "http://127.0.0.1:8081/";
        metrics.names."http-requests" = "x";
      };
      metrics.metrics.url = "127.0.0.1:8080/metrics";
      otherMetrics.metrics.url = "ftp://127.0.0.1:8080/metrics";
      job.jobs.digest = {
        counter = "digests";
        by = "4:00";
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
      template.units = [ "worker@.service" ];
      zone.timeZone = "Europe/Berln";
      first.redis.url = "redis://127.0.0.1:6379/4";
      second.redis.url = "redis://127.0.0.1:6379/4";
    };
  };
  judgedHost = host judged;
  # The file that the host would have, as the program sees it.
  refused =
    let
      written = pkgs.writeText "soloscope.json" (
        builtins.toJSON
          (import ../../modules/configuration/settings.nix {
            soloscope = judgedHost.services.soloscope;
            places = (import ../../modules/places.nix).host;
          }).configuration
      );
    in
    pkgs.runCommand "refused" { nativeBuildInputs = [ judgedHost.services.soloscope.package ]; } ''
      soloscope --config ${written} check-config 2> $out && exit 1
      cat $out
      sed -n 's/^  \([^:]*\): .*/\1/p' $out > options
      diff ${pkgs.writeText "options" (lib.concatLines refusedOptions)} options
    '';
  refusedOptions = [
    "apps"
    "apps.badRedis.redis.url"
    "apps.checks.checks.mail.status"
    "apps.checks.checks.mail.url"
    "apps.checks.checks.page.keyFile"
    "apps.database.postgres"
    "apps.health.health.timeout"
    "apps.health.health.url"
    "apps.job.jobs.digest.by"
    "apps.job.jobs.digest.counter"
    "apps.metrics.metrics.url"
    "apps.names.gauges"
    "apps.names.metrics.names"
    "apps.nowhere.redis.url"
    "apps.otherMetrics.metrics.url"
    "apps.second.redis.prefix"
    "apps.template.units[0]"
    "apps.twice.uniques.orders"
    "apps.zone.timeZone"
    "exporter.history"
    "loki.budget.retention"
  ];

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
        "30 days"
        "1m1h"
        ""
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
    withoutPrometheus = lib.recursiveUpdate minimal {
      services.soloscope.prometheus.enable = false;
      services.soloscope.apps.shop.postgres.socket = "/run/postgresql";
    };
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
      services.loki.configuration.limits_config.retention_period = "1d";
      services.prometheus.retentionTime = "1d";
    };
  };
  evaluated = lib.mapAttrs (_: module: toplevel (host module)) hosts // {
    # The program has to be asked what is wrong with it.
    judged = toplevel judgedHost;
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
      everything.services.loki.configuration.limits_config.retention_period != "1d"
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

  # What the host says about a Redis is used, and what no module defines is said.
  shop = (host hosts.minimal).services.soloscope.apps.shop;
  server =
    (host {
      services.redis.servers.shop = {
        enable = true;
        port = 6380;
        requirePassFile = "/run/secrets/shop";
      };
      services.soloscope.apps = {
        socket.redis.url = "unix:///run/redis-shop/redis.sock";
        port.redis.url = "redis://127.0.0.1:6380";
        user.redis.url = "redis://127.0.0.1:6380/1";
        user.redis.username = "soloscope";
      };
    }).services.soloscope.apps;
  facts =
    lib.optional (shop.redis.group != "redis-shop" || shop.redis.passwordFile != null)
      "the group of the app's Redis is not used"
    ++ lib.optional (
      map (app: app.redis.passwordFile) (lib.attrValues server) != [
        "/run/secrets/shop"
        "/run/secrets/shop"
        null
      ]
    ) "the password file of the app's Redis is not used"
    ++ lib.optional (
      !(lib.elem "${o}.apps: no module of this host defines `shop.service`. A name that is misspelt has no log; a unit that comes from a package or is made at run time is no mistake." (host hosts.logs).warnings)
    ) "a unit that no module defines is not said"
    ++ lib.optional (
      lib.filter (lib.hasInfix "postgres is set") (host hosts.withoutPrometheus).warnings == [ ]
    ) "a database that nobody reads is not said";

  problems = wrong ++ taken ++ overridden ++ keysMeet ++ facts;
in
pkgs.testers.runNixOSTest {
  name = "assertions";
  nodes = { };
  testScript = ''
    hosts = ${builtins.toJSON evaluated}
    messages = ${builtins.toJSON (lib.mapAttrs (_: case: lib.length case.expected) cases)}
    problems = ${builtins.toJSON problems}
    # What check-config said: ${refused}
    print(f"{len(hosts)} hosts evaluate; {sum(messages.values())} messages are as expected")
    t.assertEqual(problems, [])
  '';
}
