# Every alert rule with its defaults, as a host has them: for the tests and the table
# in docs/alerts.md.
{
  overrides ? "{}",
}:
(import ../../modules/with-defaults.nix (
  (import ../../modules/pure.nix).recursiveUpdate (import ../../demo/declaration.nix) (
    builtins.fromJSON overrides
  )
)).alerts.rules
