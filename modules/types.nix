# Option types and small helpers that several components share. Takes nixpkgs' lib.
{ lib }:
let
  inherit (lib) mkOption types;
  inherit (import ./durations.nix) milliseconds;

  # strMatching whose error describes in words what is accepted.
  matching = description: regex: types.strMatching regex // { inherit description; };

  # The final value of a nixpkgs option must be the one that the other
  # components of soloscope use. The host's own value overrides ours, and
  # without this assertion the mismatch would go unnoticed.
  #
  #   program   the program's name, for the message
  #   option    nixpkgs' option, and its final `value`
  #   ours      our option, and the value `expected` from it; null when there is
  #             no option of ours
  #   accepts   further accepted values
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

  # Whether an exporter of nixpkgs listens where its scrape job expects it.
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

  # The program is not served below a path. An external URL with a path moves
  # it there, unless a flag prevents that.
  servedAtRoot = program: option: value: extraFlags: {
    assertion =
      value == null
      || builtins.match "[^/]*(//)?[^/]*/?" value != null
      || lib.elem "--web.route-prefix=/" extraFlags;
    message = "${option} is ${builtins.toJSON value}, which also moves ${program} below that path on ${(import ./defaults.nix).listenAddress}, where soloscope does not look. Add \"--web.route-prefix=/\" to ${lib.removeSuffix ".webExternalUrl" option}.extraFlags and let the proxy in front take the path away.";
  };

  # A duration that must not be shorter, and why.
  atLeast = least: why: option: value: {
    assertion = milliseconds value >= milliseconds least;
    message = "${option} is ${value}, but ${why}. Set it to at least ${least}.";
  };

  # Prometheus durations: each unit once, largest first.
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

  # Upstream options, each leaf as a default that the user's own value overrides.
  # A list is one leaf.
  mkDefaults = lib.mapAttrsRecursive (_: lib.mkDefault);
}
