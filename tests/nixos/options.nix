# Every option of services.soloscope is documented: nixpkgs' generator of option
# references accepts them all, its warnings being errors, and more than that: whole
# sentences, and a default, or an example where none can be given. docs/options.md is
# the reference that follows from them. No node boots.
{
  self,
  pkgs,
  lib,
}:
let
  inherit
    (pkgs.nixos [
      self.nixosModules.default
      { system.stateVersion = lib.trivial.release; }
    ])
    options
    ;

  # Where an option is declared, without this machine's paths.
  declaredIn =
    path:
    let
      inside = lib.removePrefix "${self}/" (toString path);
      file = if lib.hasSuffix ".nix" inside then inside else "${inside}/default.nix";
    in
    {
      name = file;
      url = file;
    };

  reference = pkgs.nixosOptionsDoc {
    # It also compresses what it makes; nobody downloads it from here.
    pkgs = pkgs // {
      brotli = pkgs.writeShellScriptBin "brotli" "cat";
    };
    options = { inherit (options.services) soloscope; };
    transformOptions = option: option // { declarations = map declaredIn option.declarations; };
    warningsAreErrors = true;
  };

  text = value: if lib.isAttrs value then value.text or "" else value;
  faults =
    option:
    let
      description = lib.trim (text option.description or "");
    in
    lib.optional (lib.stringLength description < 15) "has no description"
    ++ lib.optional (
      !(lib.hasSuffix "." description || lib.hasSuffix "```" description)
    ) "has a description that is no whole sentence"
    ++ lib.optional (!(option ? default) && !(option ? example)) "has neither default nor example"
    ++ lib.optional (lib.hasInfix "nix/store" (builtins.toJSON option)) "names a store path";

  page = import ../../nix/options.nix { inherit lib; } reference.optionsNix;

  problems = lib.concatLists (
    lib.mapAttrsToList (
      name: option: map (fault: "${name} ${fault}") (faults option)
    ) reference.optionsNix
  );
in
pkgs.testers.runNixOSTest {
  name = "options";
  nodes = { };
  passthru = { inherit page; };
  testScript = ''
    # The generated reference: ${reference.optionsJSON}
    number = ${toString (lib.length (lib.attrNames reference.optionsNix))}
    problems = ${builtins.toJSON problems}
    print(f"{number} options")
    assert number > 80, "most options are missing"
    t.assertEqual(problems, [])

    page = ${builtins.toJSON page}
    # `./justw options` says where to write it.
    if "SOLOSCOPE_OPTIONS" in os.environ:
        with open(os.environ["SOLOSCOPE_OPTIONS"], "w", encoding="utf-8") as file:
            file.write(page)
    else:
        written = ${builtins.toJSON (lib.readFile ../../docs/options.md)}
        assert page == written, "docs/options.md is old: ./justw options"
  '';
}
