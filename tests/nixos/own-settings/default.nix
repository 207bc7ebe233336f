# Hosts that have settings of their own for the programs that soloscope uses: both
# sides work afterwards. What cannot work together is refused, which `assertions`
# shows; Grafana's and nginx' part is in `grafana`.
{
  self,
  pkgs,
  lib,
}:
let
  base = {
    imports = [
      self.nixosModules.default
      ../lib/host.nix
    ];
    services.postgresql.enable = true;
    services.soloscope.apps.shop.postgres.socket = "/run/postgresql";
  };
in
pkgs.testers.runNixOSTest {
  name = "own-settings";
  globalTimeout = 600;

  nodes.machine = {
    imports = [ base ];

    services.prometheus = {
      stateDir = "metrics";
      listenAddress = "0.0.0.0";
      retentionTime = "90d";
      # What was sent before Alertmanager was there is sent again.
      extraFlags = [ "--rules.alert.resend-delay=1s" ];
      scrapeConfigs = [
        {
          job_name = "other-hosts";
          static_configs = [ { targets = [ "127.0.0.1:9100" ]; } ];
        }
      ];
      rules = [
        (builtins.toJSON {
          groups = [
            {
              name = "mine";
              rules = [
                {
                  record = "mine:up:count";
                  expr = "count(up)";
                }
                {
                  alert = "OfTheHost";
                  expr = "vector(1)";
                }
              ];
            }
          ];
        })
      ];
      alertmanager.configuration = {
        route.receiver = "mine";
        receivers = [ { name = "mine"; } ];
      };
      exporters.postgres.runAsLocalSuperUser = true;
    };

    services.loki.configuration = {
      limits_config.retention_period = "7d"; # as loki.retention below
      ruler.evaluation_interval = "1s";
      ruler.resend_delay = "1s";
      schema_config.configs = [
        {
          from = "2023-05-01";
          store = "tsdb";
          object_store = "filesystem";
          schema = "v13";
          index = {
            prefix = "mine_";
            period = "24h";
          };
        }
      ];
    };

    services.soloscope = {
      loki.retention = "7d";
      alertmanager.enable = true;
      alerts.rules = {
        CriticalError.enable = false;
        ErrorSpike.threshold = 10;
        Added = {
          expr = ''soloscope_up{app="shop"} == 1'';
          severity = "info";
          labels.team = "me";
          summary = "{{ $labels.app }} is up";
        };
        AddedForLoki = {
          source = "loki";
          expr = ''sum by (job) (count_over_time({job="redis-app"}[1h])) > 0'';
          severity = "info";
        };
      };
    };
  };

  # Without Prometheus the database is looked at all the same.
  nodes.without = {
    imports = [ base ];
    services.soloscope.prometheus.enable = false;
  };

  testScript = lib.readFile ../lib/ask.py + lib.readFile ./test.py;
}
