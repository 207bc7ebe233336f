# `soloscope notify` as a unit: an alert and a message from the terminal reach a stand-in
# of WhatsApp's API with a token from a file, and a restart keeps what waits.
{
  self,
  pkgs,
  lib,
}:
pkgs.testers.runNixOSTest {
  name = "notify";
  globalTimeout = 900;

  nodes.machine =
    { pkgs, ... }:
    let
      token = "/var/lib/test-secrets/whatsapp";
      python = pkgs.python3.withPackages (packages: [ packages.requests ]);
    in
    {
      imports = [
        self.nixosModules.default
        ../lib/host.nix
        (import ../lib/secret.nix {
          file = token;
          before = [
            "soloscope-notify.service"
            "provider.service"
          ];
        })
      ];

      # Stands for Meta: it refuses what the real one refuses.
      systemd.services.provider = {
        wantedBy = [ "multi-user.target" ];
        requires = [ "test-secrets.service" ];
        environment.PYTHONPATH = "${../../notify}";
        serviceConfig = {
          ExecStart = "${lib.getExe python} ${./provider.py}";
          LoadCredential = "token:${token}";
          DynamicUser = true;
          StateDirectory = "provider";
        };
      };

      services.soloscope = {
        alertmanager = {
          enable = true;
          groupWait = "1s";
          groupInterval = "2s";
        };
        alerts.rules.NoCounts = {
          expr = ''soloscope_up{app="shop"} == 0'';
          severity = "critical";
          summary = "{{ $labels.app }}'s counts cannot be read";
        };
        notify.whatsapp = {
          provider = "cloud-api";
          to = "+4915123456789";
          phoneNumberId = "106540352242922";
          apiUrl = "http://127.0.0.1:8099/v25.0";
          tokenFile = token;
        };
      };
    };

  testScript = lib.readFile ../lib/ask.py + lib.readFile ./test.py;
}
