# Alertmanager's configuration. Pure, builtins only.
#
#   { soloscope, paths } -> { configuration, flags, part }
#     part  of soloscope.json
{ soloscope, ... }:
let
  address = (import ../defaults.nix).listenAddress;
in
{
  part.alertmanager = {
    listenAddress = address;
    inherit (soloscope.alertmanager) enable port;
  };

  # Alerts are kept and shown, but nobody is notified: the host sets receivers.
  configuration = {
    route = {
      receiver = "nobody";
      group_by = [
        "alertname"
        "app"
      ];
      group_wait = "30s";
      group_interval = "5m";
      repeat_interval = "12h";
    };
    receivers = [ { name = "nobody"; } ];
  };

  flags = {
    "web.listen-address" = "${address}:${toString soloscope.alertmanager.port}";
    "cluster.listen-address" = ""; # a single instance
    # longer than any repeat interval, or old alerts are sent again
    "data.retention" = "120h";
  };
}
