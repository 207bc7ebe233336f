# nginx's configuration for Grafana. Pure, builtins only.
#
#   { soloscope, paths } -> { locations, logFormat, source }
#     locations  for services.nginx.virtualHosts.<domain>.locations
#     logFormat  a directive for all hosts: the log format `soloscope`, JSON
#     source     the log file, for services.soloscope.logs.sources
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

in
{
  logFormat = nginxLogFormat "soloscope";
  source = {
    format = "nginx-json";
    paths = [ file ];
    job = "nginx";
  };

  # One location for all of Grafana: its live updates and Loki's live tail are
  # websockets, and each data source may have its own.
  locations.${path} = {
    proxyPass = upstream;
    proxyWebsockets = true;
    recommendedProxySettings = false; # they would send $host
    # Here and not on the server, which may have other locations.
    extraConfig = headers + ''
      access_log ${file} soloscope;
      proxy_read_timeout 1h; # a silent websocket would be closed after a minute
    '';
  };
}
