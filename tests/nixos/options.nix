# Every option of services.soloscope is documented: a description (nixpkgs' own
# generator fails without one), and more than it asks for: whole sentences, a
# default, or an example where none can be given. The product is the reference
# that people read, as options.json.
{ self, pkgs, lib }:
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
    options = { inherit (options.services) soloscope; };
    transformOptions = option: option // { declarations = map declaredIn option.declarations; };
    warningsAreErrors = true;
  };

  text = value: if lib.isAttrs value then value.text or "" else value;
  faults =
    name: option:
    let
      description = lib.trim (text option.description or "");
    in
    lib.optional (lib.stringLength description < 15) "has no description"
    ++ lib.optional (
      !(lib.hasSuffix "." description || lib.hasSuffix "```" description)
    ) "has a description that is no whole sentence"
    ++ lib.optional (!(option ? default) && !(option ? example)) "has neither default nor example"
    ++ lib.optional (lib.hasInfix "nix/store" (builtins.toJSON option)) "names a store path";

  problems = lib.concatLists (
    lib.mapAttrsToList (
      name: option: map (fault: "${name} ${fault}") (faults name option)
    ) reference.optionsNix
  );
in
if problems != [ ] then
  throw "\n${lib.concatStringsSep "\n" problems}"
else
  reference.optionsJSON
