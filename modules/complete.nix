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

  served = (declaration.domain or defaults.domain) != null;
  rooms = removeAttrs defaults [
    "alertRule"
    "app"
    "listenAddress"
    "logSource"
  ];

  alertRules = recursiveUpdate (import ./alerts/rules.nix { soloscope = completed; }) (
    declaration.alerts.rules or { }
  );

  completed =
    recursiveUpdate (recursiveUpdate rooms {
      enable = true;
      nginx.enable = served;
    }) declaration
    // {
      apps = builtins.mapAttrs app (declaration.apps or { });
      alerts.rules = builtins.mapAttrs (
        name: recursiveUpdate (defaults.alertRule // { summary = name; })
      ) alertRules;
    };
in
completed
