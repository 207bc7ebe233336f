# Option types and small helpers that several rooms share. Takes nixpkgs' lib.
{ lib }:
let
  inherit (lib) mkOption types;

  # strMatching whose error says in words what is accepted.
  matching = description: regex: types.strMatching regex // { inherit description; };

  # The value in force of an option of nixpkgs must be the one that the other
  # parts of soloscope are given. The host's own value wins over ours, and
  # without this nothing would say that they no longer meet.
  #
  #   program   whose setting it is, as people read it
  #   option    nixpkgs' option, and the `value` in force
  #   ours      our option, and the value `expected` from it; null when there is
  #             no option of ours
  #   accepts   further values that will do
  inForce =
    {
      program,
      option,
      value,
      ours ? null,
      expected,
      accepts ? [ ],
    }:
    let
      show = builtins.toJSON;
    in
    {
      assertion = value == expected || lib.elem value accepts;
      message =
        "${option} is ${show value}, but soloscope "
        + (
          if ours == null then
            "needs ${show expected} to reach ${program}: remove it."
          else
            "expects ${program} at ${ours} = ${show expected}: set ${ours} = ${show value} instead, or remove the other."
        );
    };
  # `inForce` for the address on which a program listens: ours, or all of them.
  listensHere =
    program: option: value:
    inForce {
      inherit program option value;
      expected = (import ./defaults.nix).listenAddress;
      accepts = [
        "localhost"
        "0.0.0.0"
        "::"
        "[::]"
        "" # every address
      ];
    };
in
{
  inherit matching inForce listensHere;

  # Whether an exporter of nixpkgs is where its scrape job looks.
  exporterInForce =
    config: name:
    let
      upstream = config.services.prometheus.exporters.${name};
      option = "services.prometheus.exporters.${name}";
    in
    [
      (inForce {
        program = "the ${name} exporter";
        option = "${option}.port";
        value = upstream.port;
        ours = "services.soloscope.prometheus.exporters.${name}.port";
        expected = config.services.soloscope.prometheus.exporters.${name}.port;
      })
      (listensHere "the ${name} exporter" "${option}.listenAddress" upstream.listenAddress)
    ];

  # Nothing moves the program's pages below a path. An external URL with a path
  # does, unless a flag says otherwise.
  servedAtRoot = program: option: value: extraFlags: {
    assertion =
      value == null
      || builtins.match "[^/]*(//)?[^/]*/?" value != null
      || lib.elem "--web.route-prefix=/" extraFlags;
    message = "${option} is ${builtins.toJSON value}, which also moves ${program} below that path on ${(import ./defaults.nix).listenAddress}, where soloscope does not look. Add \"--web.route-prefix=/\" to ${lib.removeSuffix ".webExternalUrl" option}.extraFlags and let the proxy in front take the path away.";
  };

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
