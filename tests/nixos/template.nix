# `nix flake init -t` gives a host that evaluates: the template's own flake.nix, with
# this nixpkgs and this soloscope as its inputs. No node boots.
{
  self,
  pkgs,
  lib,
}:
let
  inherit (import ./lib/evaluate.nix { inherit pkgs lib; }) failed toplevel;
  inherit (self.templates.default) path;
  # As the flake of nixpkgs has it.
  nixpkgs.lib = lib // {
    nixosSystem =
      arguments: import (pkgs.path + "/nixos/lib/eval-config.nix") ({ system = null; } // arguments);
  };
  flake = import (path + "/flake.nix");
  hosts =
    (flake.outputs {
      inherit nixpkgs;
      self = throw "not asked for";
      soloscope = self;
    }).nixosConfigurations;

  # What a host's hardware-configuration.nix would say.
  hardware = {
    fileSystems."/" = {
      device = "/dev/vda1";
      fsType = "ext4";
    };
    boot.loader.grub.device = "/dev/vda";
    documentation.enable = false; # it would take most of the time
  };
  inherit (hosts.myhost.extendModules { modules = [ hardware ]; }) config;

  # Building it is the test: the script may run where the store is not.
  overview = pkgs.runCommand "overview" { } ''
    cp ${config.environment.etc."soloscope/dashboards".source}/soloscope-overview.json $out
  '';

  text = file: builtins.toJSON (lib.readFile file);
in
pkgs.testers.runNixOSTest {
  name = "template";
  nodes = { };
  testScript = ''
    system = ${builtins.toJSON (toplevel config)}
    print(f"myhost: {system}")
    t.assertEqual(${builtins.toJSON (failed config)}, [])
    t.assertEqual(${builtins.toJSON (lib.attrNames config.services.soloscope.apps)}, ["myapp"])
    t.assertEqual(${builtins.toJSON (lib.attrNames flake.inputs)}, ["nixpkgs", "soloscope"])

    print("the overview is ${overview}")

    def words(text: str) -> str:
        lines = [line.split(" #")[0] for line in text.splitlines()]
        return "".join("".join(line for line in lines if not line.startswith("#")).split())

    minimal = words(${text ../../docs/examples/minimal.nix})
    t.assertIn(minimal[1:-1], words(${text (path + "/configuration.nix")}))
    readme = [words(block.split("```")[0]) for block in ${text ../../README.md}.split("```nix\n")[1:]]
    inputs = words(${text (path + "/flake.nix")})
    assert any(block in inputs for block in readme), "README.md shows other inputs"
  '';
}
