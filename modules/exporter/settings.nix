# soloscope.json: what `soloscope serve` and every other command read. Pure,
# builtins only. The keys are the options' own names; null is left out.
#
#   { soloscope, places } -> { configuration, credentials, probeCredentials }
#     credentials  credential name -> the file that a unit loads (host only)
{ soloscope, places }:
let
  inherit (import ../pure.nix)
    dropNulls
    filterAttrs
    mapAttrsToList
    optionalAttrs
    ;
  inherit (import ../urls.nix) withUser;
  defaults = import ../defaults.nix;
  inherit (defaults) listenAddress;
  room = name: import (../. + "/${name}/settings.nix") { inherit soloscope places; };
  grafana = room "grafana";

  tokenFile =
    if soloscope.exporter.tokenFile == null then
      "${places.secrets}/exporter-token"
    else
      soloscope.exporter.tokenFile;

  # A name that is joined from two needs a separator that neither may contain:
  # `check-shop-eu-stripe` would be the key of two checks.
  redisCredential = name: "redis-${name}";
  checkCredential = name: check: "check.${name}.${check}";
  apiChecks = filterAttrs (_: check: check.kind == "api");
  answers = check: check.kind == "http" || check.kind == "api";

  app = name: app: {
    inherit (app)
      title
      timeZone
      units
      counters
      breakdowns
      uniques
      timings
      gauges
      jobs
      health
      ;
    # `metrics.names` is Prometheus' business.
    metrics = if app.metrics.url == null then null else { inherit (app.metrics) url; };
    # What is looked for in an answer has no meaning where there is none.
    checks = builtins.mapAttrs (
      check: given:
      removeAttrs given (
        if answers given then
          [ "keyFile" ]
        else
          [
            "keyFile"
            "status"
            "body"
          ]
      )
      // optionalAttrs (given.keyFile != null) {
        keyFile = places.secret (checkCredential name check) given.keyFile;
      }
    ) app.checks;
    # `group` and `passwordFile` of an option are for the unit; the program
    # is told where its secret is.
    postgres = if app.postgres == null then null else { inherit (app.postgres) url socket; };
    redis =
      if app.redis.url == null then
        null
      else
        {
          url = withUser app.redis.username app.redis.url;
          inherit (app.redis) prefix;
          passwordFile =
            if app.redis.passwordFile == null then
              null
            else
              places.secret (redisCredential name) app.redis.passwordFile;
        };
  };

  apps = builtins.attrValues soloscope.apps;

  # { app = FILE; } -> { "redis-app" = FILE; }
  named =
    name: files:
    builtins.listToAttrs (
      mapAttrsToList (key: value: {
        name = name key;
        inherit value;
      }) files
    );
in
{
  configuration = dropNulls (
    {
      inherit (soloscope) timeZone;
      exporter = {
        inherit listenAddress;
        inherit (soloscope.exporter)
          port
          history
          maxConnections
          logLevel
          ;
        tokenFile = places.secret "exporter-token" tokenFile;
      };
      loki = (room "loki").part;
      shipper = (room "logs").part;
      prometheus = {
        inherit listenAddress;
        inherit (soloscope.prometheus) enable port;
      };
      grafana = {
        inherit listenAddress;
        inherit (soloscope.grafana) enable port;
        inherit (grafana) rootUrl;
      };
      alertmanager = {
        inherit listenAddress;
        inherit (soloscope.alertmanager) enable port;
      };
      apps = builtins.mapAttrs app soloscope.apps;
    }
    // optionalAttrs (builtins.any (a: a.postgres != null) apps) {
      postgresExporter = {
        inherit listenAddress;
        inherit (soloscope.prometheus.exporters.postgres) port;
      };
    }
    // optionalAttrs (builtins.any (a: apiChecks a.checks != { }) apps) {
      probe.resultFile = "${places.probe}/results.json";
    }
  );

  # The credentials of `serve`: its own token and the apps' Redis passwords.
  credentials = {
    exporter-token = tokenFile;
  }
  // named redisCredential (
    filterAttrs (_: file: file != null) (builtins.mapAttrs (_: a: a.redis.passwordFile) soloscope.apps)
  );

  # The credentials of `probe`: the keys of outside APIs.
  probeCredentials = builtins.foldl' (all: some: all // some) { } (
    mapAttrsToList (
      name: a:
      named (checkCredential name) (
        builtins.mapAttrs (_: check: check.keyFile) (
          filterAttrs (_: check: check.keyFile != null) (apiChecks a.checks)
        )
      )
    ) soloscope.apps
  );
}
