# The apps' part of the configuration of soloscope's programs. Pure, builtins only.
#
#   { soloscope, paths } -> { part, passwords, keys }
#     part       of soloscope.json: each app as it is declared, without the options
#                that only the modules use
#     passwords  of the apps' Redis servers: credential -> the file that a unit loads
#     keys       of outside APIs: the same
{ soloscope, paths }:
let
  inherit (import ../pure.nix) filterAttrs mapAttrsToList;
  inherit (import ../urls.nix) withUser;
  cfg = soloscope.apps;

  # A credential name built from two names needs a separator that neither may contain:
  # `check-shop-eu-stripe` would be ambiguous.
  redisCredential = app: "redis-${app}";
  checkCredential = app: check: "check.${app}.${check}";
  secret = credential: file: if file == null then null else paths.secret credential file;

  app =
    name: app:
    removeAttrs app [ "criticalEvents" ] # of the alert rules only
    // {
      redis =
        if app.redis.url == null then
          null
        else
          removeAttrs app.redis [
            "group"
            "username"
          ]
          // {
            url = withUser app.redis.username app.redis.url;
            passwordFile = secret (redisCredential name) app.redis.passwordFile;
          };
      metrics = if app.metrics.url == null then null else app.metrics;
      checks = builtins.mapAttrs (
        check: given: given // { keyFile = secret (checkCredential name check) given.keyFile; }
      ) app.checks;
      postgres = if app.postgres == null then null else removeAttrs app.postgres [ "passwordFile" ];
    };

  # [ { name = credential; value = file; } … ], without entries that have no file
  files = entries: builtins.listToAttrs (builtins.filter (entry: entry.value != null) entries);
in
{
  part.apps = builtins.mapAttrs app cfg;

  passwords = files (
    mapAttrsToList (name: app: {
      name = redisCredential name;
      value = app.redis.passwordFile;
    }) cfg
  );

  keys = files (
    builtins.concatLists (
      mapAttrsToList (
        name: app:
        mapAttrsToList (check: given: {
          name = checkCredential name check;
          value = given.keyFile;
        }) (filterAttrs (_: check: check.kind == "api") app.checks)
      ) cfg
    )
  );
}
