# Grafana as people meet it: accounts, data sources, dashboards, and from another
# machine through nginx with TLS. `sub` is a second host with the other shapes:
# without Prometheus, without TLS, under a path.
{
  self,
  pkgs,
  lib,
}:
let
  certificate = "/var/lib/test-certificate/grafana";
  base = {
    imports = [
      self.nixosModules.default
      ../lib/host.nix
    ];
    services.soloscope.grafana.enable = true;
  };
in
pkgs.testers.runNixOSTest {
  name = "grafana";
  globalTimeout = 900;

  nodes.machine =
    { pkgs, ... }:
    {
      imports = [ base ];
      services.soloscope = {
        domain = "grafana.test";
        nginx = {
          tls = "certificate";
          certificate = "${certificate}.pem";
          certificateKeyFile = "${certificate}.key";
        };
      };

      systemd.services.test-certificate = {
        requiredBy = [ "nginx.service" ];
        before = [ "nginx.service" ];
        path = [ pkgs.openssl ];
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
          User = "nginx";
          StateDirectory = "test-certificate";
        };
        script = ''
          openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=grafana.test \
            -addext subjectAltName=DNS:grafana.test \
            -keyout ${certificate}.key -out ${certificate}.pem
        '';
      };
    };

  nodes.sub = {
    imports = [ base ];
    services.soloscope = {
      domain = "sub.test";
      prometheus.enable = false;
      nginx = {
        tls = "off";
        path = "/grafana/";
      };
    };
  };

  nodes.client =
    { nodes, pkgs, ... }:
    {
      networking.hosts = {
        ${nodes.machine.networking.primaryIPAddress} = [ "grafana.test" ];
        ${nodes.sub.networking.primaryIPAddress} = [ "sub.test" ];
      };
      environment.systemPackages = [
        pkgs.curl
        pkgs.python3
      ];
      environment.etc."websocket.py".source = ./websocket.py;
    };

  testScript = lib.concatStrings [
    (lib.readFile ../lib/ask.py)
    "PAGE = ${builtins.toJSON (lib.readFile ../../../docs/operations.md)}\n"
    (lib.readFile ../lib/operations.py)
    (lib.readFile ./test.py)
  ];
}
