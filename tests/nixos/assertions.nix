# Evaluation only: a minimal host evaluates, each wrong declaration is reported with
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
          first.units = [
            "shared.service"
            "worker@.service"
          ];
          first.containers = [ "mail" ];
          second.units = [
            "shared.service"
            "worker@1.service"
          ];
          second.containers = [ "mail" ];
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
          "${o}.apps: `first`, `second` all have `mail` in `containers`, and a log line belongs to one app. Leave it in one of them."
          "${o}.apps.first.units has `worker@.service`, which is also `worker@1.service` of ${o}.apps.second, and a log line belongs to one app. Name the instances."
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
          (twice "node" "Rename yours in services.prometheus.scrapeConfigs where it reads other hosts. Where it reads this one, remove it, or set ${o}.prometheus.exporters.node.enable = false.")
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
        "${o}.nginx.tls is `acme`, which needs security.acme.acceptTerms = true and security.acme.defaults.email. Set both, or set ${o}.nginx.tls to `certificate`, `host` or `off`."
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

    "Prometheus' own settings" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope.alertmanager.enable = true;
        services.soloscope.apps.shop.postgres.socket = "/run/postgresql";
        services.prometheus = {
          port = 9095;
          listenAddress = "10.0.0.1";
          webExternalUrl = "https://example.org/prometheus/";
          webConfigFile = "/etc/prometheus-web.yml";
          globalConfig.scrape_interval = "1m";
          enableAgentMode = true;
          configText = "";
          exporters.node.port = 9195;
          exporters.redis.listenAddress = "10.0.0.1";
          exporters.postgres.port = 9196;
          alertmanager = {
            port = 9094;
            listenAddress = "10.0.0.1";
            webExternalUrl = "https://example.org/alertmanager";
          };
        };
      };
      expected =
        let
          at =
            option: value: program: ours: expected:
            "services.prometheus.${option} is ${value}, but soloscope expects ${program} at ${o}.${ours} = ${expected}: set ${o}.${ours} = ${value} instead, or remove the other.";
          without =
            option: value: needed: program:
            "services.prometheus.${option} is ${value}, but soloscope needs ${needed} to reach ${program}: remove it.";
          below =
            option: value: program:
            "services.prometheus.${option}webExternalUrl is \"${value}\", which also moves ${program} below that path on 127.0.0.1, where soloscope does not look. Add \"--web.route-prefix=/\" to services.prometheus${lib.removeSuffix "." ".${option}"}.extraFlags and let the proxy in front take the path away.";
          elsewhere = option: without option ''"10.0.0.1"'' ''"127.0.0.1"'';
        in
        [
          (at "port" "9095" "Prometheus" "prometheus.port" "9090")
          (elsewhere "listenAddress" "Prometheus")
          (below "" "https://example.org/prometheus/" "Prometheus")
          (without "webConfigFile" ''"/etc/prometheus-web.yml"'' "null" "Prometheus")
          (at "globalConfig.scrape_interval" ''"1m"'' "Prometheus" "prometheus.scrapeInterval" ''"15s"'')
          (without "enableAgentMode" "true" "false" "Prometheus")
          (without "configText" ''""'' "null" "Prometheus")
          (at "exporters.node.port" "9195" "the node exporter" "prometheus.exporters.node.port" "9100")
          (elsewhere "exporters.redis.listenAddress" "the redis exporter")
          (at "exporters.postgres.port" "9196" "the postgres exporter" "prometheus.exporters.postgres.port"
            "9187"
          )
          (at "alertmanager.port" "9094" "Alertmanager" "alertmanager.port" "9093")
          (elsewhere "alertmanager.listenAddress" "Alertmanager")
          (below "alertmanager." "https://example.org/alertmanager" "Alertmanager")
        ];
      # nixpkgs does not take all of these together either.
      contains = true;
    };

    "Grafana's own settings" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope.grafana = {
          secretKeyFile = "/run/secrets/a";
          adminPasswordFile = "/run/secrets/b";
        };
        services.grafana = {
          settings = {
            server = {
              http_port = 3001;
              http_addr = "10.0.0.1";
              protocol = "socket";
              enforce_domain = true;
              root_url = "https://example.org/";
            };
            metrics.enabled = false;
            security.secret_key = "$__file{/run/secrets/c}";
            security.admin_password = "$__file{/run/secrets/d}";
          };
          provision.datasources.settings.datasources = [
            {
              name = "Loki";
              type = "loki";
              url = "http://127.0.0.1:3100";
            }
          ];
          provision.dashboards.path = "/etc/dashboards.yaml";
        };
      };
      expected =
        let
          setting =
            option: value: rest:
            "services.grafana.settings.${option} is ${value}, but soloscope ${rest}";
          needs = expected: "needs ${expected} to reach Grafana: remove it.";
          both =
            ours: theirs:
            "${o}.grafana.${ours} and services.grafana.settings.security.${theirs} are both set. Remove one of them.";
        in
        [
          (both "secretKeyFile" "secret_key")
          (both "adminPasswordFile" "admin_password")
          "services.grafana.provision.dashboards.path is set, and nixpkgs takes either that or services.grafana.provision.dashboards.settings, where soloscope's are. Write yours in `settings.providers` and remove `path`; or set services.grafana.provision.dashboards.settings = lib.mkForce null and add soloscope's to your files (a provider for /etc/soloscope/dashboards)."
          (setting "server.http_port" "3001"
            "expects Grafana at ${o}.grafana.port = 3000: set ${o}.grafana.port = 3001 instead, or remove the other."
          )
          (setting "server.http_addr" ''"10.0.0.1"'' (needs ''"127.0.0.1"''))
          (setting "server.protocol" ''"socket"'' (needs ''"http"''))
          (setting "server.enforce_domain" "true" (needs "false"))
          (setting "server.root_url" ''"https://example.org/"''
            "expects Grafana at ${o}.grafana.rootUrl = \"http://127.0.0.1:3000/\": set ${o}.grafana.rootUrl = \"https://example.org/\" instead, or remove the other."
          )
          (setting "metrics.enabled" "false" (needs "true"))
          "services.grafana.provision.datasources.settings.datasources has the name `Loki` or the uid `loki` twice, once from you and once from soloscope, and Grafana keeps one. Remove yours, or give it another name and uid."
          "Cannot set both dashboards settings and dashboards path" # nixpkgs' own
        ];
    };

    "data sources as a file" = {
      module = lib.recursiveUpdate minimal {
        services.grafana.provision.datasources.path = "/etc/datasources.yaml";
      };
      expected = [
        "services.grafana.provision.datasources.path is set, and nixpkgs takes either that or services.grafana.provision.datasources.settings, where soloscope's are. Write yours in `settings.datasources` and remove `path`; or set services.grafana.provision.datasources.settings = lib.mkForce null and add soloscope's to your files (with the uids prometheus, loki)."
        "Cannot set both datasources settings and datasources path" # nixpkgs' own
      ];
    };

    "a site that has a certificate" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope.domain = "example.org";
        services.nginx.virtualHosts."example.org" = {
          useACMEHost = "wildcard.example.org";
          addSSL = true;
        };
        security.acme = {
          acceptTerms = true;
          defaults.email = "admin@example.org";
          certs."wildcard.example.org" = {
          domain = "*.example.org";
          dnsProvider = "inwx";
          group = "nginx";
        };
        };
      };
      expected = [
        "services.nginx.virtualHosts.\"example.org\" says itself where its certificate comes from, and ${o}.nginx.tls is `acme`. Set ${o}.nginx.tls = \"host\"."
      ];
      # nixpkgs has words of its own about each.
      contains = true;
    };

    "the blackbox exporter's own file" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope.apps.shop.health.url = "http://127.0.0.1:8080/health";
        services.prometheus.exporters.blackbox = {
          port = 9116;
          configFile = "/etc/blackbox.yml";
          enableConfigCheck = false;
        };
      };
      expected = [
        "services.prometheus.exporters.blackbox.port is 9116, but soloscope expects the blackbox exporter at ${o}.prometheus.exporters.blackbox.port = 9115: set ${o}.prometheus.exporters.blackbox.port = 9116 instead, or remove the other."
        "services.prometheus.exporters.blackbox.configFile is yours, but soloscope's checks need the modules of its own file. Remove it, or set ${o}.prometheus.exporters.blackbox.enable = false."
      ];
    };

    "receivers" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope.notify.channels.phone.urlFile = "/run/secrets/phone";
        services.soloscope.alertmanager = {
          quietHours = {
            from = "22:00";
            to = "22:00";
          };
          repeat.critical = "7d";
          receivers = {
            empty = { };
            elsewhere.notify.channel = "fone";
            nobody.webhook.url = "http://127.0.0.1/";
            "a b".webhook.url = "http://127.0.0.1/";
            deaf = {
              severities = [ ];
              webhook.url = "http://127.0.0.1/";
            };
            both.webhook = {
              url = "http://127.0.0.1/";
              urlFile = "/run/secrets/url";
            };
            leaking.webhook.url = "http://me:hunter2@127.0.0.1/";
            mail.email = {
              to = "a@example.org";
              from = "b@example.org";
              smarthost = "smtp.example.org:587";
              username = "b";
            };
          };
        };
      };
      expected =
        let
          r = "${o}.alertmanager.receivers";
          name =
            name:
            "${r} has `${name}`, but a name is of letters, digits, `_` and `-`, and none of `nobody`, `heartbeat` and `canary`, which soloscope has already. Use another.";
        in
        [
          "${o}.alertmanager.quietHours are from 22:00 to 22:00, which is no time. Correct one, or set severities = [ \"critical\" ] for each receiver."
          "${o}.alertmanager.repeat.critical is 7d, but Alertmanager forgets after 120h what it has sent. Set less."
          (name "nobody")
          (name "a b")
          "${r}.elsewhere.notify.channel is `fone`, but ${o}.notify has the channels `phone`. Name one of them."
          "${r}.empty has no channel, so nothing is sent. Set `notify`, `email`, `slack`, `pagerduty`, `webhook` or several of them, or remove it."
          "${r}.deaf.severities is empty, so no alert goes there. Name some, or remove the receiver."
          "${r}.both.webhook needs one of `url` and `urlFile`."
          "${r}.leaking.webhook.url contains a password, which everybody can read in the Nix store. Take it out, write the URL into a file and set ${r}.leaking.webhook.urlFile."
          "${r}.mail.email needs `username` and `passwordFile` both, or neither."
        ];
    };

    "receivers of nothing" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope.alertmanager = {
          enable = false;
          receivers.me.webhook.url = "http://127.0.0.1/";
          heartbeat.urlFile = "/run/secrets/heartbeat";
        };
      };
      expected =
        map
          (
            name:
            "${o}.alertmanager.${name} is set, but ${o}.alertmanager.enable is false, so nobody is notified. Take that out."
          )
          [
            "receivers"
            "heartbeat"
          ];
    };

    "receivers beside a configuration" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope.alertmanager.receivers.me.webhook.url = "http://127.0.0.1/";
        services.prometheus.alertmanager.configuration = {
          route.receiver = "mine";
          receivers = [ { name = "mine"; } ];
        };
      };
      expected = [
        "services.prometheus.alertmanager has a configuration of yours, which replaces soloscope's, so ${o}.alertmanager.receivers would do nothing. Keep one of them."
      ];
    };

    "alert rules" = {
      module = lib.recursiveUpdate minimal {
        services.soloscope = {
          prometheus.enable = false;
          alerts.rules = {
            ErorSpike.enable = false;
            Slow.expr = "vector(1)";
          };
        };
      };
      expected = [
        "${o}.alerts.rules.ErorSpike has no `expr`, and no rule of soloscope's has that name (docs/runbooks/README.md lists them). Correct the name, or set `expr`."
        "${o}.alerts.rules.Slow is a rule for Prometheus, but ${o}.prometheus.enable is false, so nothing evaluates it. Set ${o}.alerts.rules.Slow.source = \"loki\" and write `expr` in LogQL, or remove the rule."
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
      silent =
        alertmanager:
        lib.filter (lib.hasInfix "alertmanager")
          (host (
            lib.recursiveUpdate minimal {
              services.soloscope.alertmanager = {
                enable = true;
              }
              // alertmanager;
            }
          )).warnings;
      receivers = "${o}.alertmanager.receivers";
    in
    map (message: "warnings: not said: ${message}") (lib.subtractLists messages expected)
    ++ map (message: "warnings: not expected: ${message}") (lib.subtractLists expected messages)
    ++ lib.optional (
      silent { } != [
        "${receivers} is empty: alerts are shown, but nobody is notified. Declare one, for example receivers.me.email."
      ]
    ) "no warning that nobody is notified"
    ++
      lib.optional
        (
          silent {
            receivers.a = {
              severities = [ "critical" ];
              webhook.url = "http://127.0.0.1/";
            };
          } != [
            "${receivers}: none of a has `warning` in its severities, so nobody is notified of warning alerts. Add it to one."
          ]
        )
        "no warning about the severity that nobody gets"
    ++ lib.optional (
      silent { receivers.a.webhook.url = "http://127.0.0.1/"; } != [ ]
    ) "a warning about a receiver of everything";

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
    exporter.history = 400;
    grafana.rootUrl = "status.example.org";
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
      template.units = [ "worker" ];
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
            paths = (import ../../modules/paths.nix).host;
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
    "grafana.rootUrl"
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
        ""
        "30 days"
        "1m1h"
        ""
        30
      ];
    }
    {
      option = [ "domain" ];
      good = "grafana.example.org";
      bad = [
        "https://grafana.example.org/"
        "grafana.example.org:8443"
        "example.org/grafana"
      ];
    }
    {
      option = [
        "prometheus"
        "retention"
      ];
      good = "1y";
      bad = [ "" ];
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
    # The e-mail of one certificate is enough for it.
    acme = lib.recursiveUpdate minimal {
      services.soloscope.domain = "grafana.example.org";
      security.acme.acceptTerms = true;
      security.acme.certs."grafana.example.org".email = "admin@example.org";
    };
    # Below a path of a site that exists, with the certificate of that site.
    site = lib.recursiveUpdate minimal {
      services.soloscope.domain = "example.org";
      services.soloscope.nginx.path = "/grafana/";
      services.soloscope.nginx.tls = "host";
      services.nginx.virtualHosts."example.org" = {
        useACMEHost = "wildcard.example.org";
        addSSL = true;
        root = "/srv/site";
        extraConfig = "access_log /var/log/nginx/site.log;";
      };
      security.acme = {
        acceptTerms = true;
        defaults.email = "admin@example.org";
        certs."wildcard.example.org" = {
          domain = "*.example.org";
          dnsProvider = "inwx";
          group = "nginx";
        };
      };
    };
    # Another program in front.
    caddy = lib.recursiveUpdate minimal {
      services.soloscope.domain = "example.org";
      services.soloscope.nginx.enable = false;
      services.caddy = {
        enable = true;
        virtualHosts."example.org".extraConfig = "reverse_proxy 127.0.0.1:3000";
      };
    };
    # A Grafana, a Prometheus and their secrets that were there before.
    before = lib.recursiveUpdate minimal {
      services.grafana = {
        enable = true;
        dataDir = "/persist/grafana";
        settings.security.secret_key = "$__file{/run/secrets/grafana-key}";
        settings.security.admin_password = "$__file{/run/secrets/grafana-password}";
        provision.datasources.settings.datasources = lib.mkBefore [
          {
            name = "Mine";
            type = "prometheus";
            url = "http://10.0.0.1:9090";
            isDefault = true;
          }
        ];
      };
      services.prometheus = {
        enable = true;
        webExternalUrl = "https://prometheus.example.org";
      };
    };
    forced = lib.recursiveUpdate minimal {
      services.prometheus.scrapeConfigs = lib.mkForce [
        {
          job_name = "prometheus";
          static_configs = [ { targets = [ "127.0.0.1:9090" ]; } ];
        }
      ];
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
  before = host hosts.before;
  defaultSources =
    config:
    map (source: source.name) (
      lib.filter (
        source: source.isDefault or false
      ) config.services.grafana.provision.datasources.settings.datasources
    );
  site = (host hosts.site).services.nginx.virtualHosts."example.org";
  ownSettings =
    lib.optional (defaultSources before != [ "Mine" ]) "two data sources are the default"
    ++ lib.optional (
      defaultSources (host minimal) != [ "Prometheus" ]
    ) "Prometheus is not the default data source"
    ++ lib.optional (
      lib.attrNames before.services.soloscope.secrets.generate != [ "exporter-token" ]
    ) "a secret is made for a Grafana that has its own"
    ++ lib.optional (
      before.systemd.services.grafana.serviceConfig.LoadCredential != [ ]
    ) "a credential is loaded for a Grafana that has its own"
    ++ lib.optional (
      site.extraConfig != "access_log /var/log/nginx/site.log;"
    ) "the whole site's access log is ours"
    ++ lib.optional (
      !(lib.hasInfix "access_log" site.locations."/grafana/".extraConfig)
    ) "Grafana's requests are not logged"
    ++ lib.optional (site.enableACME || site.forceSSL) "the site's certificate is not its own"
    ++ lib.optional (
      lib.filter (lib.hasInfix "scrapeConfigs") (host hosts.forced).warnings != [
        "services.prometheus.scrapeConfigs is without soloscope's jobs soloscope, loki, promtail, node, grafana, redis, so what shows them stays empty. Most likely a lib.mkForce there drops them: write your jobs without it, since lists are added to each other."
      ]
    ) "no warning about the scrape jobs that are not there";
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

  # What the host says about a Redis is used.
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
    ) "the password file of the app's Redis is not used";

  # nixpkgs' unit puts the environment in for `$NAME`, and one `$` for two.
  hook = lib.last (
    (host (
      lib.recursiveUpdate minimal {
        services.soloscope.alertmanager = {
          enable = true;
          receivers.a.webhook.url = "http://127.0.0.1/?a=$HOME";
        };
      }
    )).services.prometheus.alertmanager.configuration.receivers
  );
  dollars =
    lib.optional (map (one: one.url) hook.webhook_configs != [ "http://127.0.0.1/?a=$$HOME" ])
      "a receiver's URL is ${builtins.toJSON hook}";

  problems = dollars ++ wrong ++ taken ++ overridden ++ ownSettings ++ keysMeet ++ facts;
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
