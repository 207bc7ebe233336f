# The checks of the flake. Each file beside this one, and each folder with a
# default.nix, is a check of its own name:
#
#   { self, pkgs, lib, … } -> pkgs.testers.runNixOSTest { … }
#
# Those that only evaluate or build are tests without nodes, so one runner runs
# all of them.
{ self, pkgs }:
let
  inherit (pkgs) lib;
  entries = removeAttrs (builtins.readDir ./.) [
    "default.nix"
    "lib"
  ];
  isCheck =
    name: type:
    (type == "regular" && lib.hasSuffix ".nix" name)
    || (type == "directory" && builtins.pathExists (./. + "/${name}/default.nix"));
in
lib.mapAttrs' (name: _: {
  name = lib.removeSuffix ".nix" name;
  value = import (./. + "/${name}") { inherit self pkgs lib; };
}) (lib.filterAttrs isCheck entries)
