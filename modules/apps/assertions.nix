# Assertions about an app's declaration that need the host's configuration (groups,
# units, jobs, its Redis), and about secrets that would get into the store. The rest is checked
# by `soloscope check-config` when the host is built.
{
  config,
  lib,
  ...
}:
let
  inherit (lib)
    concatLists
    concatStringsSep
    filterAttrs
    mapAttrsToList
    optional
    optionals
    ;
  urls = import ../urls.nix;
  units = import ../logs/units.nix;
  serverOf = import ./server.nix { inherit config lib; };
  cfg = config.services.soloscope;
  quoted = names: concatStringsSep ", " (map (name: "`${name}`") names);

  # Names of Prometheus' jobs that are not an app's.
  ourJobs = lib.sort lib.lessThan (
    [
      "alertmanager"
      "blackbox"
      "grafana"
      "loki"
      "node"
      "postgres"
      "prometheus"
      "redis"
      "soloscope"
      "soloscope-days"
    ]
    ++ lib.attrNames (import ../logs/engines.nix)
  );

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
        # The group digit of the mode: 6 or 7 allows reading and writing.
        assertion = !socket || lib.mod (server.unixSocketPerm / 10) 10 >= 6;
        message = "${option}.redis.url is the socket of a server of services.redis.servers.* with unixSocketPerm = ${toString server.unixSocketPerm}, which keeps the group `${server.group}` out, and soloscope with it. Set it to 660.";
      }
    ];

  # Units that two apps declare. By name: { "shop.service" = [ "shop" "other" ]; }
  shared =
    option:
    filterAttrs (_: apps: lib.length apps > 1) (
      lib.zipAttrs (
        concatLists (
          mapAttrsToList (name: app: map (entry: { ${entry} = name; }) (lib.unique app.${option})) cfg.apps
        )
      )
    );
  claimedTwice =
    option:
    mapAttrsToList (entry: apps: {
      assertion = false;
      message = "services.soloscope.apps: ${quoted apps} all have `${entry}` in `${option}`, and a log line belongs to one app. Leave it in one of them.";
    }) (shared option);
  # And by a pattern of one app that matches a unit of another.
  entries = concatLists (
    mapAttrsToList (name: app: map (unit: { inherit name unit; }) app.units) cfg.apps
  );
  matchedTwice = lib.concatMap (
    pattern:
    map
      (other: {
        assertion = false;
        message = "services.soloscope.apps.${pattern.name}.units has `${pattern.unit}`, which is also `${other.unit}` of services.soloscope.apps.${other.name}, and a log line belongs to one app. Name the instances.";
      })
      (
        lib.filter (
          other:
          other.name != pattern.name
          && other.unit != pattern.unit
          && builtins.match (units.regex pattern.unit) other.unit != null
        ) entries
      )
  ) (lib.filter (entry: units.isPattern entry.unit) entries);
in
{
  config = lib.mkIf cfg.enable {
    assertions =
      concatLists (mapAttrsToList ofApp cfg.apps)
      ++ claimedTwice "units"
      ++ claimedTwice "containers"
      ++ matchedTwice;

    warnings =
      optional (
        cfg.apps == { }
      ) "services.soloscope.apps is empty: the host is watched, but no app is. Declare at least one."
      ++ mapAttrsToList (
        name: _:
        "services.soloscope.apps.${name}.metrics.url is set, but services.soloscope.prometheus.enable is false, so nobody reads it."
      ) (filterAttrs (_: app: app.metrics.url != null && !cfg.prometheus.enable) cfg.apps);
  };
}
