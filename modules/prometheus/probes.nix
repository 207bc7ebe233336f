# What the blackbox exporter asks: the apps' health URLs and their checks of kind `http`
# and `tcp`, and Grafana under the host's public name. It measures each phase of an answer,
# and when a certificate ends. Pure, builtins only.
#
#   { soloscope, paths } -> { enable, configuration, static_configs }
#     enable          whether there is anything to ask
#     configuration   the exporter's file: a module for each target
#     static_configs  the targets of its scrape job
{ soloscope, paths }:
let
  inherit (import ../pure.nix)
    filterAttrs
    mapAttrsToList
    optionalAttrs
    optionals
    ;
  inherit (import ../durations.nix) milliseconds;
  inherit (import ../grafana/settings.nix { inherit soloscope paths; }) rootUrl subPath;
  urls = import ../urls.nix;

  # Half of the five minutes for which Prometheus shows a value.
  longestInterval = milliseconds "150s";
  min = a: b: if a < b then a else b;
  inMs = number: "${toString number}ms";

  # Of an app's checks, as `soloscope serve` runs them: a declared one of the name
  # `health` replaces the app's.
  ofApp =
    app: declared:
    let
      health = optionalAttrs (declared.health != null) {
        health = {
          kind = "http";
          status = 200;
          body = null;
          maxSeconds = null;
        }
        // declared.health;
      };
      asked = filterAttrs (_: check: check.kind == "http" || check.kind == "tcp") declared.checks;
    in
    mapAttrsToList (name: check: {
      module = "${app}.${name}";
      labels = { inherit app name; };
      inherit check;
    }) (health // asked);

  page = {
    module = "domain";
    labels.name = "domain";
    check = {
      kind = "http";
      url =
        let
          root = urls.need rootUrl;
        in
        "${root.scheme}://${urls.address (root // { path = subPath; })}/api/health";
      status = 200;
      body = null;
      maxSeconds = null;
      interval = "1m";
      timeout = "10s";
    };
  };

  probes =
    builtins.concatLists (mapAttrsToList ofApp soloscope.apps)
    ++ optionals (soloscope.domain != null && soloscope.grafana.enable) [ page ];

  # In milliseconds: an answer that takes longer is a failure.
  limit =
    check:
    let
      timeout = milliseconds check.timeout;
    in
    if check.maxSeconds == null then timeout else min timeout (builtins.floor (1000 * check.maxSeconds));

  # The exporter resolves a name to an IPv6 address first, and tries no other address:
  # `localhost` and hosts without IPv6 would fail.
  ip.preferred_ip_protocol = "ip4";

  # RE2's special characters, https://github.com/google/re2/wiki/Syntax
  special = [
    "\\"
    "."
    "+"
    "*"
    "?"
    "("
    ")"
    "|"
    "["
    "]"
    "{"
    "}"
    "^"
    "$"
  ];
  literally = builtins.replaceStrings special (map (character: "\\${character}") special);

  module =
    { check, ... }:
    {
      prober = check.kind;
      timeout = inMs (limit check);
      ${check.kind} =
        ip
        // optionalAttrs (check.kind == "http") (
          {
            valid_status_codes = [ check.status ];
            follow_redirects = false; # to a login page, for example
          }
          // optionalAttrs (check.body != null) {
            fail_if_body_not_matches_regexp = [ (literally check.body) ];
          }
        );
    };

  # Prometheus takes interval and time-out of a target from labels of these names:
  # https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config
  target =
    probe:
    let
      interval = min longestInterval (milliseconds probe.check.interval);
      url = urls.need probe.check.url;
    in
    {
      targets = [ (if probe.check.kind == "tcp" then urls.address url else probe.check.url) ];
      labels = probe.labels // {
        __param_module = probe.module;
        __scrape_interval__ = inMs interval;
        # The exporter answers half a second before this.
        __scrape_timeout__ = inMs (min interval (limit probe.check + 1000));
      };
    };
in
{
  enable = soloscope.prometheus.exporters.blackbox.enable && probes != [ ];
  configuration.modules = builtins.listToAttrs (
    map (probe: {
      name = probe.module;
      value = module probe;
    }) probes
  );
  static_configs = map target probes;
}
