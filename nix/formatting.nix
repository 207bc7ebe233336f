# Checks that `nix fmt` would change nothing: nixfmt, deadnix and statix on every
# Nix file, ruff on every Python file.
{ self, pkgs }:
let
  inherit (import ./tools.nix { inherit pkgs; }) lint;
in
pkgs.runCommand "formatting" { nativeBuildInputs = [ lint ]; } ''
  cp --recursive --no-preserve=mode ${self} source
  cd source
  export RUFF_CACHE_DIR=$TMPDIR/ruff
  soloscope-lint .
  touch $out
''
