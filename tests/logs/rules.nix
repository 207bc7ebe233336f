# The rules of Loki's ruler, for the tests.
{
  groups = builtins.concatMap (file: file.groups) (
    builtins.attrValues
      (import ../../modules/alerts/settings.nix {
        soloscope = import ../../modules/with-defaults.nix (import ../../demo/declaration.nix);
        paths = (import ../../modules/paths.nix).host;
      }).loki
  );
}
