# The whole path on one host: an app's unit prints JSON and counts in Redis
# behind a password, over a unix socket; Loki and Prometheus have both.
{
  self,
  pkgs,
  lib,
}:
name: shipper:
pkgs.testers.runNixOSTest {
  inherit name;
  globalTimeout = 900;

  nodes.machine =
    { config, ... }:
    let
      redis = config.services.redis.servers.app;
      password = "/var/lib/test-secrets/redis";
    in
    {
      imports = [
        self.nixosModules.default
        ./host.nix
        (import ./secret.nix {
          file = password;
          before = [
            "redis-app.service"
            "soloscope-exporter.service"
            "prometheus-redis-exporter.service"
          ];
        })
      ];

      services.soloscope.logs = { inherit shipper; };
      services.loki.dataDir = "/srv/loki"; # as on a second disk
      services.redis.servers.app.requirePassFile = password;
      services.soloscope.apps.shop.redis.passwordFile = password;

      systemd.services.shop = {
        description = "The app of this test";
        wantedBy = [ "multi-user.target" ];
        after = [ "redis-app.service" ];
        requires = [ "redis-app.service" ];
        path = [ config.services.redis.package ];
        serviceConfig = {
          DynamicUser = true;
          SupplementaryGroups = [ redis.group ];
          LoadCredential = "redis:${password}";
          Restart = "on-failure";
        };
        script = lib.readFile ./shop.sh;
        environment.SOCKET = redis.unixSocket;
      };
    };

  testScript = lib.concatStrings [
    (lib.readFile ./ask.py)
    "SHIPPER = ${builtins.toJSON shipper}\n"
    (lib.readFile ./stack.py)
  ];
}
