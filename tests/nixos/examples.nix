# Every file of docs/examples is a host that evaluates, without a warning but the
# one about Promtail; and README.md shows what stands there. No node boots.
{
  self,
  pkgs,
  lib,
}:
let
  inherit (import ./lib/evaluate.nix { inherit pkgs lib; }) host toplevel;
  folder = ../../docs/examples;
  files = lib.filter (lib.hasSuffix ".nix") (lib.attrNames (builtins.readDir folder));

  examples = lib.genAttrs files (
    name:
    let
      config = host self.nixosModules.default {
        imports = [ (folder + "/${name}") ];
        # The apps themselves, of which the examples say nothing.
        systemd.services = lib.genAttrs [
          "languagebuddy-backend"
          "languagebuddy-worker"
          "myapp"
          "shop"
          "worker"
        ] (_: { script = "true"; });
      };
    in
    {
      system = toplevel config;
      warnings = lib.filter (text: !lib.hasInfix "logs.shipper is \"promtail\"" text) config.warnings;
    }
  );
in
pkgs.testers.runNixOSTest {
  name = "examples";
  nodes = { };
  testScript = ''
    examples = ${builtins.toJSON examples}
    for name, example in examples.items():
        print(f"{name}: {example['system']}")
        t.assertEqual(example["warnings"], [], name)
    assert "minimal.nix" in examples

    def words(text: str) -> str:
        lines = [line.split(" #")[0] for line in text.splitlines()]
        return "".join("".join(line for line in lines if not line.startswith("#")).split())

    readme = ${builtins.toJSON (lib.readFile ../../README.md)}
    minimal = words(${builtins.toJSON (lib.readFile (folder + "/minimal.nix"))})
    shown = [words(block.split("```")[0]) for block in readme.split("```nix\n")[1:]]
    assert minimal.startswith("{") and minimal.endswith("}"), minimal
    t.assertIn(
        minimal[1:-1],
        [block.replace("imports=[inputs.soloscope.nixosModules.default];", "") for block in shown],
        "README.md does not show docs/examples/minimal.nix",
    )
  '';
}
