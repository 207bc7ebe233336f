# The host of the tests: one app with every kind of count, its Redis on a unix
# socket, and everything else as soloscope's defaults have it. Only the intervals
# are shorter, through the same options that users have; and Grafana has a check of
# its own, so that the others run where no Grafana is.
{
  config,
  lib,
  pkgs,
  ...
}:
{
  virtualisation.memorySize = 3072;
  virtualisation.diskSize = 4096;

  services.redis.servers.app.enable = true;

  services.soloscope = {
    enable = true;
    prometheus.scrapeInterval = "2s";
    prometheus.evaluationInterval = "2s";
    grafana.enable = lib.mkDefault false;
    apps.shop = {
      title = "Shop";
      units = [ "shop.service" ];
      redis.url = "unix://${config.services.redis.servers.app.unixSocket}";
      counters.orders.help = "Orders placed";
      breakdowns.refusals.help = "Payments refused, by reason";
      uniques.buyers.help = "People who ordered";
      uniques.sellers = {
        help = "People who sold";
        exact = true;
      };
      timings.payment.help = "Calls to the payment service";
      gauges.users_total.help = "Registered users";
      jobs.invoices = {
        counter = "orders";
        by = "00:00";
      };
    };
  };

  environment.systemPackages = [
    config.services.redis.package
    pkgs.curl
    pkgs.iproute2
    pkgs.jq
  ];
}
