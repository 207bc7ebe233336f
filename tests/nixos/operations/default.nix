# docs/operations.md: its commands, as they stand there, on a host with soloscope and
# on one that has it switched off. Grafana has a check of its own.
{
  self,
  pkgs,
  lib,
}:
let
  host = {
    imports = [
      self.nixosModules.default
      ../lib/host.nix
    ];
  };
in
pkgs.testers.runNixOSTest {
  name = "operations";
  globalTimeout = 900;

  nodes.machine = host;
  nodes.off = {
    imports = [ host ];
    services.soloscope.enable = lib.mkForce false;
  };

  testScript = lib.concatStrings [
    (lib.readFile ../lib/ask.py)
    "PAGE = ${builtins.toJSON (lib.readFile ../../../docs/operations.md)}\n"
    (lib.readFile ../lib/operations.py)
    (lib.readFile ./test.py)
  ];
}
