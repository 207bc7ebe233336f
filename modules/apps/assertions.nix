# What an app's declaration may not say on this host: what only the host knows (groups,
# units, jobs, its Redis and PostgreSQL), and secrets that would come into the store. All
# else is judged by `soloscope check-config` when the host is built.
{
  config,
  lib,
  ...
}:
let
  inherit (lib)
    attrNames
    concatLists
    concatStringsSep
    filterAttrs
    mapAttrsToList
    optional
    optionals
    ;
  urls = import ../urls.nix;
  serverOf = import ./server.nix { inherit config lib; };
  cfg = config.services.soloscope;
  quoted = names: concatStringsSep ", " (map (name: "`${name}`") names);

  # Names of Prometheus' jobs that are not an app's.
  ourJobs = [
    "alertmanager"
    "alloy"
    "blackbox"
    "grafana"
    "loki"
    "node"
    "postgres"
    "prometheus"
    "promtail"
    "redis"
    "soloscope"
    "soloscope-days"
  ];

  withoutPassword = option: url: instead: {
    assertion = url == null || !(urls.hasPassword url);
    message = "${option} contains a password, which everybody can read in the Nix store. Take it out and set ${instead}.";
  };

  ofApp =
    name: app:
    let
      option = "services.soloscope.apps.${name}";
      keyed = "a check of kind `api` with `keyFile`";
      url = if app.redis.url == null then null else urls.parse app.redis.url;
      socket = url != null && url.scheme == "unix";
    in
    [
      {
        assertion = !(lib.elem name ourJobs);
        message = "services.soloscope.apps declares `${name}`, which is the name of one of soloscope's own jobs (${quoted ourJobs}). Use another name; `title` says what people read.";
      }
      (withoutPassword "${option}.redis.url" app.redis.url "${option}.redis.passwordFile")
      (withoutPassword "${option}.metrics.url" app.metrics.url
        "a scrape job of your own in services.prometheus.scrapeConfigs"
      )
      {
        assertion = url == null || url.user == "" || app.redis.username == null;
        message = "${option}.redis.url names the user `${url.user}` and ${option}.redis.username is `${toString app.redis.username}`. Keep one of them.";
      }
      {
        assertion = !socket || app.redis.group != null;
        message = "${option}.redis.url is `${toString app.redis.url}`, which is no socket of services.redis.servers.*, so the group that may use it is unknown. Set ${option}.redis.group to the group of the socket (`stat -c %G` shows it).";
      }
    ]
    ++ optionals (app.health != null) [
      (withoutPassword "${option}.health.url" app.health.url keyed)
    ]
    ++ optionals (app.postgres != null) [
      (withoutPassword "${option}.postgres.url" app.postgres.url "${option}.postgres.passwordFile")
    ]
    ++ mapAttrsToList (
      check: given: withoutPassword "${option}.checks.${check}.url" given.url keyed
    ) app.checks
    ++ ofServer option app socket (serverOf app.redis.url);

  # The Redis of this host that the app uses.
  ofServer =
    option: app: socket: server:
    optionals (server != null) [
      {
        assertion = server.requirePass == null || app.redis.passwordFile != null;
        message = "${option}.redis.url names a server of services.redis.servers.* with requirePass, whose password everybody can read in the Nix store, but ${option}.redis.passwordFile is null. Set requirePassFile there instead; it is used here as well.";
      }
      {
        # The group's digit: 6 or 7 lets it read and write.
        assertion = !socket || lib.mod (server.unixSocketPerm / 10) 10 >= 6;
        message = "${option}.redis.url is the socket of a server of services.redis.servers.* with unixSocketPerm = ${toString server.unixSocketPerm}, which keeps the group `${server.group}` out, and soloscope with it. Set it to 660.";
      }
    ];

  withPostgres = filterAttrs (_: app: app.postgres != null) cfg.apps;

  # Apps that have the same unit: { "shop.service" = [ "shop" "other" ]; }
  sharedUnits = filterAttrs (_: apps: lib.length apps > 1) (
    lib.zipAttrs (
      concatLists (
        mapAttrsToList (name: app: map (unit: { ${unit} = name; }) (lib.unique app.units)) cfg.apps
      )
    )
  );

  # Services that no module defines. Of a template, the template counts.
  isDefined =
    unit:
    let
      name = lib.removeSuffix ".service" unit;
      template = builtins.match "([^@]+@).+" name;
      services = config.systemd.services;
    in
    !(lib.hasSuffix ".service" unit)
    || services ? ${name}
    || (template != null && services ? ${lib.head template});
  undefined = lib.filter (unit: !(isDefined unit)) (
    lib.unique (lib.concatMap (app: app.units) (lib.attrValues cfg.apps))
  );

  unread =
    option: apps:
    mapAttrsToList (
      name: _:
      "services.soloscope.apps.${name}.${option} is set, but services.soloscope.prometheus.enable is false, so nobody reads it."
    ) (if cfg.prometheus.enable then { } else apps);
in
{
  config = lib.mkIf cfg.enable {
    assertions =
      concatLists (mapAttrsToList ofApp cfg.apps)
      ++ mapAttrsToList (unit: apps: {
        assertion = false;
        message = "services.soloscope.apps: ${quoted apps} all have `${unit}` in `units`, and a log line belongs to one app. Leave it in one of them.";
      }) sharedUnits
      ++ optional (withPostgres != { } && cfg.prometheus.enable) {
        assertion = !config.services.prometheus.exporters.postgres.runAsLocalSuperUser;
        message = "services.prometheus.exporters.postgres.runAsLocalSuperUser is true, but services.soloscope.apps.${lib.head (attrNames withPostgres)}.postgres reads the database with a role of the exporter's own, which needs fewer rights. Remove it.";
      };

    warnings =
      optional (
        cfg.apps == { }
      ) "services.soloscope.apps is empty: the host is watched, but no app is. Declare at least one."
      ++ optional (undefined != [ ])
        "services.soloscope.apps: no module of this host defines ${quoted undefined}. A name that is misspelt has no log; a unit that comes from a package or is made at run time is no mistake."
      ++ unread "metrics.url" (filterAttrs (_: app: app.metrics.url != null) cfg.apps)
      ++ unread "postgres" withPostgres;
  };
}
