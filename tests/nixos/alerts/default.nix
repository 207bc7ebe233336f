# An alert from its rule to a person: Prometheus fires it, Alertmanager sends it to a
# receiver with a token from a file, and the commands show and silence it.
{
  self,
  pkgs,
  lib,
}:
pkgs.testers.runNixOSTest {
  name = "alerts";
  globalTimeout = 900;

  nodes.machine =
    { pkgs, ... }:
    let
      token = "/var/lib/test-secrets/token";
    in
    {
      imports = [
        self.nixosModules.default
        ../lib/host.nix
        (import ../lib/secret.nix {
          file = token;
          before = [
            "alertmanager.service"
            "receiver.service"
          ];
        })
      ];

      # Stands for the person: it refuses what has not the token.
      systemd.services.receiver = {
        wantedBy = [ "multi-user.target" ];
        requires = [ "test-secrets.service" ];
        serviceConfig = {
          ExecStart = "${pkgs.python3}/bin/python3 ${./receiver.py}";
          LoadCredential = "token:${token}";
          DynamicUser = true;
          StateDirectory = "receiver";
        };
      };

      services.soloscope = {
        timeZone = "Asia/Tokyo";
        alertmanager = {
          groupWait = "1s";
          groupInterval = "2s";
          receivers.me.webhook = {
            url = "http://127.0.0.1:8099/alerts";
            tokenFile = token;
          };
          quietHours = {
            from = "03:00";
            to = "03:01";
          };
        };
        alerts.rules.NoCounts = {
          expr = ''soloscope_up{app="shop"} == 0'';
          severity = "critical";
          summary = "{{ $labels.app }}'s counts cannot be read";
        };
      };
    };

  testScript = lib.readFile ../lib/ask.py + lib.readFile ./test.py;
}
