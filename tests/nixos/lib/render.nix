# What the running units read against what modules/render.nix writes for the same
# declaration, key by key: the demo and the tests elsewhere prove the rendered
# files, this proves that hosts get the same. render.py states each difference
# with its reason.
{
  self,
  pkgs,
  lib,
}:
name: overrides:
let
  modules = ../../../modules;
  declaration = lib.recursiveUpdate (import ../../../demo/declaration.nix) overrides;
  root = "/render";
  rendered = import (modules + "/render.nix") { inherit declaration root; };
  completed = import (modules + "/with-defaults.nix") declaration;

  # [ [ "/render/state/loki" "/var/lib/loki" ] … ], from the one list of paths
  paths = import (modules + "/paths.nix");
  folders =
    let
      here = paths.under root;
      strings = lib.filterAttrs (
        name: folder: lib.isString folder && lib.isString paths.host.${name}
      ) here;
    in
    lib.mapAttrsToList (name: folder: [
      folder
      paths.host.${name}
    ]) (removeAttrs strings [ "config" ])
    ++ [
      [
        (here.shipper "promtail")
        (paths.host.shipper "promtail")
      ]
      [
        (here.lokiOverrides here.loki)
        (paths.host.lokiOverrides paths.host.loki)
      ]
    ];
in
pkgs.testers.runNixOSTest {
  inherit name;
  globalTimeout = 600;

  nodes.machine =
    { config, pkgs, ... }:
    {
      imports = [ self.nixosModules.default ];
      virtualisation.memorySize = 3072;
      services.soloscope = declaration;
      services.redis.servers."".enable = true;
      # Loki's overrides are compared as the first start leaves them.
      systemd.timers.soloscope-loki-budget.enable = false;

      environment.etc."expected.json".text = builtins.toJSON {
        inherit rendered completed folders;
        # What services.grafana writes down of its own accord.
        grafana =
          lib.optionalAttrs declaration.grafana.enable
            (pkgs.nixos { services.grafana.enable = true; }).config.services.grafana.settings;
        # The option values without what only a host has.
        options = lib.filterAttrsRecursive (name: _: name != "package") (
          removeAttrs config.services.soloscope [
            "listeners"
            "secrets"
          ]
        );
      };
      environment.systemPackages = [ (pkgs.python3.withPackages (python: [ python.pyyaml ])) ];
    };

  testScript = lib.readFile ./render.py;
}
