# Nothing is left to `nix fmt`: nixfmt, deadnix and statix on every Nix file, ruff
# on every Python file.
{ self, pkgs, ... }:
pkgs.runCommand "formatting" { nativeBuildInputs = [ (import ../../nix/tools.nix { inherit pkgs; }).lint ]; } ''
  cp --recursive --no-preserve=mode ${self} source
  cd source
  export RUFF_CACHE_DIR=$TMPDIR/ruff
  soloscope-lint .
  touch $out
''
