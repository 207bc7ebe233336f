# What Alertmanager is told. Pure, builtins only.
#
#   { soloscope, places } -> { configuration, flags }
{ soloscope, ... }:
let
  address = (import ../defaults.nix).listenAddress;
in
{
  # Alerts are kept and shown, and told to nobody: receivers are the host's.
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
    "cluster.listen-address" = ""; # there is only this one
    # longer than any repeat interval, or old alerts are told again
    "data.retention" = "120h";
  };
}
