# A bare declaration (what a user writes under `services.soloscope`) with every
# default filled in: what the option system does on a host, for machines that
# have no nixpkgs. Builtins only.
#
# The result has the shape of `config.services.soloscope`, as far as the rooms'
# settings.nix read it; a NixOS check holds the two against each other.
declaration:
let
  defaults = import ./defaults.nix;
  inherit (import ./pure.nix) recursiveUpdate;

  each = base: builtins.mapAttrs (_: given: recursiveUpdate base given);

  app =
    name: given:
    let
      kinds = {
        counters = each defaults.app.counter (given.counters or { });
        breakdowns = each defaults.app.breakdown (given.breakdowns or { });
        uniques = each defaults.app.unique (given.uniques or { });
        timings = each defaults.app.timing (given.timings or { });
        gauges = each defaults.app.gauge (given.gauges or { });
        jobs = each defaults.app.job (given.jobs or { });
        checks = each defaults.app.check (given.checks or { });
      };
      optional =
        key: base: if (given.${key} or null) == null then { ${key} = null; } else { ${key} = base; };
    in
    recursiveUpdate (
      {
        inherit (defaults.app) timeZone units;
        title = name;
      }
      // {
        redis = {
          url = null;
          username = null;
          passwordFile = null;
          group = null;
        }
        // defaults.app.redis;
        metrics.url = null;
        postgres = null;
        objectives = { };
      }
      // optional "health" defaults.app.health
    ) (given // kinds);

  rooms = removeAttrs defaults [
    "app"
    "listenAddress"
  ];
  base = recursiveUpdate rooms {
    enable = true;
    domain = null;
    grafana.rootUrl = null;
    exporter.tokenFile = null;
  };
in
recursiveUpdate base declaration
// {
  apps = builtins.mapAttrs app (declaration.apps or { });
}
