# The declaration of an app: its units, its counts in Redis, its endpoints.
# Everything else (scrape jobs, log labels, the exporter's configuration, rules)
# is derived from it in the other folders. options.nix has the options; here the host's
# own Redis servers supply defaults; assertions.nix has the checks that need the host.
{
  config,
  lib,
  ...
}:
let
  inherit (lib) mkDefault mkIf types;

  # The server of services.redis.servers.* that a URL names, and its settings.
  fromHost =
    { config, ... }:
    let
      inherit (config) redis;
      server = serverOf redis.url;
    in
    {
      config.redis = mkIf (server != null) {
        group = mkDefault (if lib.hasPrefix "unix:" redis.url then server.group else null);
        # An ACL user has a password of its own.
        passwordFile = mkDefault (if redis.username == null then server.requirePassFile else null);
      };
    };
  serverOf = import ./server.nix { inherit config lib; };
in
{
  imports = [ ./assertions.nix ];

  options.services.soloscope.apps = lib.mkOption {
    type = types.attrsOf (
      types.submodule [
        (import ./options.nix { inherit lib; })
        fromHost
      ]
    );
    default = { };
    description = ''
      The apps of this host, each with what it writes and where it answers. Every
      part is optional. The name becomes the label `app` of logs and metrics.
    '';
    example = lib.literalExpression ''
      {
        shop = {
          title = "Shop";
          units = [ "shop.service" ];
          redis.url = "unix:///run/redis-shop/redis.sock";
          counters.orders.help = "Orders placed";
          uniques.buyers.help = "People who ordered";
          health.url = "http://127.0.0.1:8080/health";
        };
      }
    '';
  };
}
