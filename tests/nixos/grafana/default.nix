# Grafana as people meet it: accounts, data sources, dashboards, and from another
# machine through nginx with TLS. `sub` is a second host with the other shapes:
# without TLS, under a path of a site that exists, and with a Grafana of its own
# that was there before, in a folder and with a data source of its own.
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
      nginx = {
        tls = "off";
        path = "/grafana/";
      };
    };
    services.nginx.virtualHosts."sub.test" = {
      extraConfig = "access_log /var/log/nginx/site.log;";
      locations."/".return = "200 'the site'";
    };
    services.grafana = {
      dataDir = "/srv/grafana";
      provision.datasources.settings.datasources = [
        {
          name = "Mine";
          uid = "mine";
          type = "prometheus";
          url = "http://127.0.0.1:9090";
          isDefault = true;
        }
      ];
    };
    # An empty database is one.
    systemd.tmpfiles.rules = [
      "d /srv/grafana/data 0700 grafana grafana"
      "f /srv/grafana/data/grafana.db 0600 grafana grafana"
    ];
  };

  nodes.without = {
    imports = [ base ];
    services.soloscope.prometheus.enable = false;
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

  testScript = lib.readFile ../lib/ask.py + lib.readFile ./test.py;
}
