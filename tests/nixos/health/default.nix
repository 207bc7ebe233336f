# The health of an app on a host: its own endpoint, its database through the
# postgres exporter, and an outside API that wants a key, asked by
# soloscope-probe.
{
  self,
  pkgs,
  lib,
}:
pkgs.testers.runNixOSTest {
  name = "health";
  globalTimeout = 900;

  nodes.machine =
    { pkgs, ... }:
    let
      key = "/var/lib/test-secrets/api-key";
    in
    {
      imports = [
        self.nixosModules.default
        ../lib/host.nix
        (import ../lib/secret.nix {
          file = key;
          before = [
            "soloscope-probe.service"
            "outside.service"
          ];
        })
      ];

      services.postgresql.enable = true;

      # Stands for the app and for the outside API.
      systemd.services.outside = {
        wantedBy = [ "multi-user.target" ];
        requires = [ "test-secrets.service" ];
        serviceConfig = {
          ExecStart = "${pkgs.python3}/bin/python3 ${./outside.py}";
          LoadCredential = "key:${key}";
          DynamicUser = true;
        };
      };

      services.soloscope.apps.shop = {
        health.url = "http://127.0.0.1:8080/health";
        health.interval = "2s";
        health.timeout = "1s";
        postgres.socket = "/run/postgresql";
        checks.mail = {
          kind = "tcp";
          url = "tcp://127.0.0.1:8080";
          interval = "2s";
          timeout = "1s";
        };
        checks.openai = {
          kind = "api";
          url = "http://127.0.0.1:8080/v1/models";
          keyFile = key;
          interval = "5s";
          timeout = "1s";
        };
      };
    };

  testScript = lib.readFile ../lib/ask.py + lib.readFile ./test.py;
}
