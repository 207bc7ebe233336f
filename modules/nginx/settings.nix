# What nginx is told about Grafana. Pure, builtins only.
#
#   { soloscope, places } -> { locations, logFormat, accessLog, source }
#     locations  what services.nginx.virtualHosts.<domain>.locations takes
#     logFormat  a directive for all hosts: the log format `soloscope`, JSON
#     accessLog  a directive for one host that writes in it
#     source     the file, as services.soloscope.logs.sources takes it
{ soloscope, ... }:
let
  inherit (import ../logs/formats.nix) nginxLogFormat;
  defaults = import ../defaults.nix;
  file = "/var/log/nginx/soloscope.log"; # rotated with all of nginx' logs
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
  logFormat = nginxLogFormat "soloscope";
  accessLog = "access_log ${file} soloscope;";
  source = {
    format = "nginx-json";
    paths = [ file ];
    job = "nginx";
  };

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
