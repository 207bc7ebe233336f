# Option types and small helpers that several rooms share. Takes nixpkgs' lib.
{ lib }:
let
  inherit (lib) mkOption types;

  # strMatching whose error says in words what is accepted.
  matching = description: regex: types.strMatching regex // { inherit description; };
in
{
  inherit matching;

  # Prometheus' durations: each unit once, largest first.
  duration =
    let
      type = matching "duration such as `30s`, `5m`, `1h30m` or `30d`" "([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?";
    in
    types.addCheck type (text: text != "") // { inherit (type) description; };

  # A secret's file: a path that is read when the unit starts and never
  # copied to the store.
  secretFile = types.nullOr types.externalPath;

  portOption =
    program: default:
    mkOption {
      type = types.port;
      inherit default;
      description = "The port on which ${program} listens, on 127.0.0.1 only.";
    };

  # { "a.b" = "c"; } -> [ "--a.b=c" ]
  flagList = lib.mapAttrsToList (
    name: value: "--${name}=${if lib.isBool value then lib.boolToString value else toString value}"
  );

  # Upstream options, each leaf as a default that the user's own value replaces.
  # A list is one leaf.
  mkDefaults = lib.mapAttrsRecursive (_: lib.mkDefault);
}
