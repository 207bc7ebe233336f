# The same with Grafana: grafana.ini and what is provisioned, too.
args: import ./lib/render.nix args "render-grafana" { grafana.enable = true; }
