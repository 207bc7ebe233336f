# The listening ports. Each folder registers its ports under the option that sets
# them; a port that is used twice, also by a URL that an app declares, fails an
# assertion that names the options to change.
{
  config,
  lib,
  ...
}:
let
  inherit (lib)
    attrNames
    concatStringsSep
    filterAttrs
    groupBy
    mapAttrsToList
    mkIf
    mkOption
    types
    ;
  cfg = config.services.soloscope;
  urls = import ../urls.nix;

  byPort = groupBy (option: toString cfg.listeners.${option}) (attrNames cfg.listeners);

  # { "apps.shop.health.url" = "http://…"; } of all URLs that an app
  # declares
  declared = lib.concatMapAttrs (
    name: app:
    {
      "apps.${name}.redis.url" = app.redis.url;
      "apps.${name}.metrics.url" = app.metrics.url;
      "apps.${name}.health.url" = if app.health == null then null else app.health.url;
      "apps.${name}.postgres.url" = if app.postgres == null then null else app.postgres.url;
    }
    // lib.mapAttrs' (check: given: {
      name = "apps.${name}.checks.${check}.url";
      value = given.url;
    }) app.checks
  ) cfg.apps;

  # The local port that a declared URL refers to, or null.
  localPort =
    text:
    let
      url = if text == null then null else urls.parse text;
    in
    if url == null || url.scheme == "unix" || !urls.isLocal url then null else urls.defaultPort url;

  clash = option: url: {
    assertion = !(byPort ? ${toString (localPort url)});
    message =
      let
        port = toString (localPort url);
        ours = concatStringsSep " and " byPort.${port};
      in
      "services.soloscope.${option} is ${url}, but ${ours} is ${port} too: one port serves one program. Set ${lib.head byPort.${port}} to a free port, or correct the URL.";
  };
in
{
  options.services.soloscope.listeners = mkOption {
    type = types.attrsOf types.port;
    default = { };
    internal = true;
    description = "The ports in use on 127.0.0.1, each under the option that sets it.";
  };

  config = mkIf cfg.enable {
    # Other services of the host, for whose port nixpkgs has no option.
    services.soloscope.listeners = mkIf (
      config.services.alloy.enable
      && !lib.any (lib.hasInfix "server.http.listen-addr") config.services.alloy.extraFlags
    ) { "services.alloy" = 12345; };

    assertions =
      lib.optional (cfg.nginx.enable && config.services.caddy.enable) {
        assertion = false;
        message = "services.caddy.enable and services.soloscope.nginx.enable both want the ports 80 and 443. Set services.soloscope.nginx.enable = false and let Caddy pass ${toString cfg.domain} on to 127.0.0.1:${toString cfg.grafana.port}.";
      }
      ++
      mapAttrsToList (port: options: {
        assertion = lib.length options == 1;
        message = "${concatStringsSep " and " options} are both ${port}: one port serves one program. Set one of them to a free port.";
      }) byPort
      ++ mapAttrsToList clash (filterAttrs (_: url: localPort url != null) declared);
  };
}
