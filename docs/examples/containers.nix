# A NixOS module: an app in containers, as virtualisation.oci-containers runs them.
# Its log is that of the containers' units. checks.<system>.examples evaluates it.
{
  virtualisation.oci-containers.containers = {
    shop = {
      image = "registry.example.org/shop:1.4";
      ports = [ "127.0.0.1:8080:8080" ];
      # Its Redis is the host's.
      volumes = [ "/run/redis-shop:/run/redis-shop" ];
    };
    shop-worker.image = "registry.example.org/shop-worker:1.4";
  };
  services.redis.servers.shop.enable = true;

  services.soloscope = {
    enable = true;
    apps.shop = {
      # BACKEND-NAME.service; Podman is the default backend.
      units = [
        "podman-shop.service"
        "podman-shop-worker.service"
      ];
      # Containers without a unit: those of docker-compose.
      containers = [ "shop-mail-1" ];
      redis.url = "unix:///run/redis-shop/redis.sock";
      counters.orders.help = "Orders placed";
      health.url = "http://127.0.0.1:8080/health";
    };
    logs.redact.units."podman-shop.service".customer.expression = "customer=(\\w+)";
  };
}
