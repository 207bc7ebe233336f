# soloscope.json: what `soloscope serve` and every other command read. Pure,
# builtins only. The keys are the options' own names; null is left out.
#
#   { soloscope, places } -> { configuration, credentials }
#     credentials  credential name -> the file the unit loads (host only)
{ soloscope, places }:
let
  inherit (import ../pure.nix) dropNulls filterAttrs optionalAttrs;
  defaults = import ../defaults.nix;
  listenAddress = defaults.listenAddress;
  grafana = import ../grafana/settings.nix { inherit soloscope places; };

  tokenFile =
    if soloscope.exporter.tokenFile == null then
      "${places.secrets}/exporter-token"
    else
      soloscope.exporter.tokenFile;

  redisCredential = name: "redis-${name}";
  apiChecks = filterAttrs (_: check: check.kind == "api");

  app =
    name: app:
    {
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
        metrics
        ;
      # `group` and `passwordFile` of an option are for the unit; the program
      # is told where its secret is.
      checks = builtins.mapAttrs (
        check: given:
        removeAttrs given [ "keyFile" ]
        // optionalAttrs ((given.keyFile or null) != null) {
          keyFile = places.secret "check-${name}-${check}" given.keyFile;
        }
      ) app.checks;
      postgres =
        if app.postgres == null then
          null
        else
          { inherit (app.postgres) url socket; };
      redis =
        if app.redis.url == null then
          null
        else
          {
            inherit (app.redis) url prefix username;
            passwordFile =
              if app.redis.passwordFile == null then
                null
              else
                places.secret (redisCredential name) app.redis.passwordFile;
          };
    };

  apps = dropNulls (builtins.mapAttrs app soloscope.apps);
  noUrl = set: !(set ? url);
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
      loki = {
        inherit listenAddress;
        inherit (soloscope.loki) port;
      };
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
      apps = builtins.mapAttrs (
        _: a: filterAttrs (key: value: !(key == "metrics" && noUrl value)) a
      ) apps;
    }
    // optionalAttrs (builtins.any (a: a.postgres != null) (builtins.attrValues soloscope.apps)) {
      postgresExporter = {
        inherit listenAddress;
        inherit (soloscope.prometheus.exporters.postgres) port;
      };
    }
    //
      optionalAttrs
        (builtins.any (a: apiChecks a.checks != { }) (builtins.attrValues soloscope.apps))
        {
          probe = {
            inherit (soloscope.probe) resultFile;
          };
        }
  );

  # The credentials of `serve`: its own token and the apps' Redis passwords.
  credentials = {
    exporter-token = tokenFile;
  }
  // builtins.listToAttrs (
    builtins.concatMap (
      name:
      let
        file = soloscope.apps.${name}.redis.passwordFile;
      in
      if file == null then
        [ ]
      else
        [
          {
            name = redisCredential name;
            value = file;
          }
        ]
    ) (builtins.attrNames soloscope.apps)
  );
}
