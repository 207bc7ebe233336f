# The Python package `soloscope`, for pkgs.callPackage. The version and the
# dependencies come from pyproject.toml; the names below are those of nixpkgs.
{
  lib,
  python3Packages,
  # for notify.channels
  withApprise ? false,
}:
let
  inherit ((lib.importTOML ./pyproject.toml).project) name version description;
in
python3Packages.buildPythonApplication {
  pname = name;
  inherit version;
  pyproject = true;

  src = lib.fileset.toSource {
    root = ./.;
    fileset = lib.fileset.unions [
      ./pyproject.toml
      ./src
      ./tests
    ];
  };

  build-system = [ python3Packages.hatchling ];

  dependencies = [
    python3Packages.hiredis
    python3Packages.prometheus-client
    python3Packages.python-json-logger
    python3Packages.redis
    python3Packages.requests
    python3Packages.rich
    python3Packages.waitress
  ]
  ++ lib.optional withApprise python3Packages.apprise;

  # The tests that need a Redis server or the network run from the repository.
  pythonImportsCheck = [ "soloscope" ];

  meta = {
    inherit description;
    license = lib.licenses.mit;
    mainProgram = "soloscope";
    platforms = lib.platforms.linux ++ lib.platforms.darwin;
  };
}
