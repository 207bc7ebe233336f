# A NixOS module: a shop that counts orders, buyers, refusals and payments, whose
# overview is arranged. checks.<system>.examples evaluates it, and a test asks every
# query of its dashboards.
{
  services.redis.servers.shop.enable = true;

  services.soloscope = {
    enable = true;
    apps.shop = {
      title = "The shop";
      timeZone = "Europe/Berlin"; # the shop's days begin at Berlin's midnight
      units = [ "shop.service" ];
      redis.url = "unix:///run/redis-shop/redis.sock";

      counters = {
        orders.help = "Orders";
        visits.help = "Visits";
        revenue = {
          help = "Revenue";
          unit = "currencyEUR";
        };
        invoices_sent.help = "Invoices sent";
        invoices_failed.help = "Invoices failed";
        returns = {
          help = "Returns";
          group = "Stock";
        };
      };
      uniques.buyers.help = "Buyers";
      breakdowns.refusals.help = "Payments refused";
      timings.payment.help = "Payment service";
      gauges = {
        carts_open.help = "Open carts";
        items_low = {
          help = "Items nearly sold out";
          group = "Stock";
        };
      };
      jobs.invoices = {
        help = "Invoices of the night";
        counter = "invoices_sent";
        failures = "invoices_failed";
        by = "04:00";
      };
      dashboard = {
        ratios.conversion = {
          help = "Visits that buy";
          part = "counters.orders";
          of = [ "counters.visits" ];
        };
        thresholds = {
          "timings.payment" = {
            orange = 2;
            red = 5;
          };
          "gauges.items_low" = {
            orange = 5;
            red = 20;
          };
        };
      };
      health.url = "http://127.0.0.1:8080/health";
      checks.mail = {
        help = "mail";
        kind = "tcp";
        url = "tcp://127.0.0.1:25";
      };
    };
  };
}
