# Whether a host's programs read what modules/render.nix writes. Grafana's part is
# the check `render-grafana`, so that this one runs where no Grafana is.
args: import ./lib/render.nix args "render" { grafana.enable = false; }
