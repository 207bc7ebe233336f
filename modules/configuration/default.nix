# The command `soloscope` and its configuration file. The build runs
# `soloscope check-config` on the file, which validates every value.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  soloscope = config.services.soloscope;
  settings = import ./settings.nix {
    inherit soloscope;
    paths = (import ../paths.nix).host;
  };
  written = (pkgs.formats.json { }).generate "soloscope.json" settings.configuration;
  file = pkgs.runCommand "soloscope.json" { nativeBuildInputs = [ soloscope.package ]; } ''
    soloscope --config ${written} check-config
    ln -s ${written} $out
  '';
in
{
  imports = [
    (lib.mkRenamedOptionModule
      [
        "services"
        "soloscope"
        "exporter"
        "package"
      ]
      [
        "services"
        "soloscope"
        "package"
      ]
    )
  ];

  options.services.soloscope.package = lib.mkOption {
    type = lib.types.package;
    default = pkgs.callPackage ../../exporter/package.nix {
      withApprise = soloscope.notify.channels != { };
    };
    defaultText = lib.literalExpression "pkgs.callPackage ./exporter/package.nix { }";
    description = "The package with the command `soloscope`.";
  };

  config = lib.mkIf soloscope.enable {
    environment.systemPackages = [ soloscope.package ];
    environment.etc."soloscope/soloscope.json".source = file;
  };
}
