# A plain declaration (what a user writes under `services.soloscope`) with every
# default filled in, as the module system does on a host; for machines without
# nixpkgs. Builtins only.
#
# The result has the shape of `config.services.soloscope`, as far as the rooms'
# settings.nix read it; the NixOS check `render` compares the two.
declaration:
let
  defaults = import ./defaults.nix;
  inherit (import ./pure.nix) optionalAttrs recursiveUpdate;

  # --- an app's options, apps/options.nix ----------------------------------------

  # The subset of nixpkgs' lib that defaults depend on: the types that
  # contain options, `each` for every entry of a set.
  plain = { };
  lib = {
    mkOption = option: option // { isOption = true; };
    literalExpression = text: text;
    types = {
      attrsOf = each: { inherit each; };
      submodule = module: { inherit module; };
      nullOr = type: type;
      enum = _: plain;
      listOf = _: plain;
      strMatching = _: plain;
      str = plain;
      int = plain;
      float = plain;
      number = plain;
      bool = plain;
      addCheck = type: _: type;
      externalPath = plain;
    };
  };

  # The value of a submodule. Unknown attributes stay, and are refused later.
  submodule =
    module: name: given:
    let
      config =
        given
        // values (if builtins.isFunction module then module { inherit name config; } else module).options given;
    in
    config;
  values = options: given: builtins.mapAttrs (name: option: value option name given) options;
  value =
    option: name: given:
    if !(option ? isOption) then
      given.${name} or { } // values option (given.${name} or { })
    else if !(given ? ${name}) then
      option.default or (throw "soloscope: the option `${name}` must be set")
    else if option.type ? each.module then
      builtins.mapAttrs (submodule option.type.each.module) given.${name}
    else if option.type ? module && given.${name} != null then
      submodule option.type.module name given.${name}
    else
      given.${name};

  app = submodule (import ./apps/options.nix { inherit lib; });
  receiver = submodule (import ./alertmanager/receiver.nix { inherit lib; });

  # --- the rooms -------------------------------------------------------------------

  each = base: builtins.mapAttrs (_: given: recursiveUpdate base given);
  logs =
    let
      given = declaration.logs or { };
      patterns = each defaults.logPattern;
      redact = given.redact or { };
    in
    {
      sources = builtins.mapAttrs (
        _: source:
        defaults.logSource
        // source
        // {
          redact = patterns (source.redact or { });
        }
      ) (given.sources or { });
      redact = defaults.logs.redact // redact // {
        patterns = patterns (redact.patterns or { });
        units = builtins.mapAttrs (_: patterns) (redact.units or { });
      };
    };

  served = (declaration.domain or defaults.domain) != null;
  rooms = removeAttrs defaults [
    "alertRule"
    "channel"
    "listenAddress"
    "logPattern"
    "logSource"
    "whatsapp"
    "whatsappApi"
    "whatsappTemplates"
  ];

  notify =
    let
      given = rooms.notify // declaration.notify or { };
    in
    {
      enable = given.whatsapp != null || given.channels != { };
    }
    // given
    // {
      whatsapp = if given.whatsapp == null then null else recursiveUpdate defaults.whatsapp given.whatsapp;
      channels = builtins.mapAttrs (_: channel: defaults.channel // channel) given.channels;
    };

  alertmanager =
    let
      given = recursiveUpdate rooms.alertmanager (declaration.alertmanager or { });
      receivers = builtins.mapAttrs receiver (
        recursiveUpdate (optionalAttrs notify.enable { notify.notify = { }; }) given.receivers
      );
    in
    {
      enable = receivers != { } || given.heartbeat.urlFile != null;
    }
    // given
    // {
      inherit receivers;
    };

  alertRules = recursiveUpdate (import ./alerts/rules { soloscope = completed; }) (
    declaration.alerts.rules or { }
  );

  completed =
    recursiveUpdate (recursiveUpdate rooms {
      enable = true;
      nginx.enable = served;
    }) declaration
    // {
      apps = builtins.mapAttrs app (declaration.apps or { });
      inherit alertmanager;
      inherit notify;
      logs = recursiveUpdate rooms.logs (declaration.logs or { }) // logs;
      alerts = recursiveUpdate rooms.alerts (declaration.alerts or { }) // {
        rules = builtins.mapAttrs (
          name: recursiveUpdate (defaults.alertRule // { summary = name; })
        ) alertRules;
      };
    };
in
completed
