# What nginx is told about Grafana. Pure, builtins only.
#
#   { soloscope, places } -> { locations }
#     locations  what services.nginx.virtualHosts.<domain>.locations takes
{ soloscope, ... }:
let
  defaults = import ../defaults.nix;
  path = soloscope.nginx.path;
  upstream = "http://${defaults.listenAddress}:${toString soloscope.grafana.port}";

  # Grafana compares the browser's Origin with Host. $host has no port, so on
  # any port but the usual one Grafana would answer "origin not allowed".
  headers = ''
    proxy_set_header Host $http_host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
  '';

  location = {
    proxyPass = upstream;
    recommendedProxySettings = false; # they would send $host
    extraConfig = headers;
  };
in
{
  locations = {
    ${path} = location;
    # Live updates. A silent one is closed by nginx after a minute otherwise.
    "${path}api/live/" = location // {
      proxyWebsockets = true;
      extraConfig = headers + ''
        proxy_read_timeout 1h;
      '';
    };
  };
}
