# A bare declaration (what a user writes under `services.soloscope`) with every
# default filled in: what the option system does on a host, for machines that
# have no nixpkgs. Builtins only.
#
# The result has the shape of `config.services.soloscope`, as far as the rooms'
# settings.nix read it; the NixOS check `render` holds the two against each other.
declaration:
let
  defaults = import ./defaults.nix;
  inherit (import ./pure.nix) recursiveUpdate;

  each = base: builtins.mapAttrs (_: given: recursiveUpdate base given);
  # null, or a set with its own defaults
  optional = base: given: if given == null then null else recursiveUpdate base given;

  app =
    name: given:
    recursiveUpdate {
      title = name;
      inherit (defaults.app)
        timeZone
        units
        containers
        redis
        metrics
        objectives
        ;
    } given
    // {
      counters = each defaults.app.counter (given.counters or { });
      breakdowns = each defaults.app.breakdown (given.breakdowns or { });
      uniques = each defaults.app.unique (given.uniques or { });
      timings = each defaults.app.timing (given.timings or { });
      gauges = each defaults.app.gauge (given.gauges or { });
      jobs = each defaults.app.job (given.jobs or { });
      checks = builtins.mapAttrs (
        _: check: recursiveUpdate (defaults.app.check // defaults.app.checkTimes.${check.kind}) check
      ) (given.checks or { });
      health = optional defaults.app.health (given.health or null);
      postgres = optional defaults.app.postgres (given.postgres or null);
    };

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
    "app"
    "listenAddress"
    "logPattern"
    "logSource"
  ];
in
recursiveUpdate (recursiveUpdate rooms {
  enable = true;
  nginx.enable = served;
}) declaration
// {
  apps = builtins.mapAttrs app (declaration.apps or { });
  logs = recursiveUpdate rooms.logs (declaration.logs or { }) // logs;
}
