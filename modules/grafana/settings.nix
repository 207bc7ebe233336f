# Grafana's configuration. Pure, builtins only.
#
#   { soloscope, paths } -> { settings, datasources, dashboards, part, rootUrl, subPath, credentials }
#     settings     grafana.ini, by section
#     datasources  a provisioning file
#     dashboards   a provisioning file
#     part         of soloscope.json
#     rootUrl      the URL at which people open Grafana
#     subPath      the prefix of Grafana's paths, such as `/grafana`, or ""
#     credentials  credential name -> the file that the unit loads (host only)
{ soloscope, paths }:
let
  inherit (import ../pure.nix) optionals optionalAttrs;
  urls = import ../urls.nix;
  defaults = import ../defaults.nix;
  cfg = soloscope.grafana;
  address = defaults.listenAddress;
  local = port: "http://${address}:${toString port}";

  behindTls = soloscope.domain != null && soloscope.nginx.tls != "off";
  scheme = if behindTls then "https" else "http";
  path = soloscope.nginx.path;
  rootUrl =
    if cfg.rootUrl != null then
      cfg.rootUrl
    else if soloscope.domain != null then
      "${scheme}://${soloscope.domain}${path}"
    else
      "${local cfg.port}/";

  # A root URL without a path may also lack the trailing slash.
  subPath = builtins.elemAt (builtins.match "(.*[^/])?/*" (urls.need rootUrl).path) 0;

  # A link in the details of a log line, whether it is the app's JSON or the text of a
  # panel (`conversation=c_1`). It asks for the exact id in the structured metadata.
  about = name: {
    inherit name;
    matcherRegex = ''"?\b${name}(?:_id)?"?[=:]\s*"?([\w.:@-]+)'';
    datasourceUid = "loki";
    url = ''{app=~".+"} | ${if name == "user" then "user" else "${name}_id"}="$''${__value.raw}"'';
    urlDisplayLabel = "All lines of this ${name}";
  };

  secretFile = name: "$__file{${paths.grafanaSecret name}}";
  given = file: name: if file == null then "${paths.secrets}/${name}" else file;
in
{
  part.grafana = {
    listenAddress = address;
    inherit (cfg) enable port;
    inherit rootUrl;
  };
  inherit rootUrl;
  subPath = if subPath == null then "" else subPath;

  credentials = {
    grafana-admin-password = given cfg.adminPasswordFile "grafana-admin-password";
    grafana-secret-key = given cfg.secretKeyFile "grafana-secret-key";
  };

  settings = {
    server = {
      http_addr = address;
      http_port = cfg.port;
      domain = if soloscope.domain == null then address else soloscope.domain;
      root_url = rootUrl;
      serve_from_sub_path = subPath != null;
    };
    security = {
      admin_user = cfg.adminUser;
      admin_password = secretFile "grafana-admin-password";
      secret_key = secretFile "grafana-secret-key";
      disable_gravatar = true;
      cookie_secure = behindTls; # true would lock plain-HTTP users out
    };
    users = {
      allow_sign_up = false;
      allow_org_create = false;
    };
    "auth.anonymous".enabled = false;
    # Nothing is sent or fetched outside the host.
    analytics = {
      reporting_enabled = false;
      check_for_updates = false;
      check_for_plugin_updates = false;
      feedback_links_enabled = false;
    };
    news.news_feed_enabled = false;
    plugins.preinstall_disabled = true;
    snapshots.external_enabled = false;
    public_dashboards.enabled = false;
    dashboards.default_home_dashboard_path = "${paths.dashboards}/soloscope-overview.json";
    database.wal = true; # readers do not wait for a writer
    metrics.enabled = true;
    log = {
      mode = "console";
      level = "warn";
    };
  };

  datasources = {
    apiVersion = 1;
    prune = true; # a data source removed from this file is removed from Grafana
    datasources =
      optionals soloscope.prometheus.enable [
        {
          name = "Prometheus";
          uid = "prometheus";
          type = "prometheus";
          access = "proxy";
          url = local soloscope.prometheus.port;
          isDefault = true;
          editable = false;
          jsonData = {
            httpMethod = "POST";
            timeInterval = soloscope.prometheus.scrapeInterval;
            manageAlerts = true; # its rules are seen on Grafana's page, not changed
          }
          // optionalAttrs soloscope.alertmanager.enable { alertmanagerUid = "alertmanager"; };
        }
      ]
      ++ [
        {
          name = "Loki";
          uid = "loki";
          type = "loki";
          access = "proxy";
          url = local soloscope.loki.port;
          isDefault = !soloscope.prometheus.enable;
          editable = false;
          jsonData = {
            maxLines = 1000;
            manageAlerts = true;
            # From a line to all lines of its conversation or its user.
            derivedFields = map about [
              "conversation"
              "user"
            ];
          }
          // optionalAttrs soloscope.alertmanager.enable { alertmanagerUid = "alertmanager"; };
        }
      ]
      ++ optionals soloscope.alertmanager.enable [
        {
          name = "Alertmanager";
          uid = "alertmanager";
          type = "alertmanager";
          access = "proxy";
          url = local soloscope.alertmanager.port;
          editable = false;
          jsonData.implementation = "prometheus";
        }
      ];
  };

  dashboards = {
    apiVersion = 1;
    providers = [
      {
        name = "soloscope";
        type = "file";
        allowUiUpdates = false;
        disableDeletion = false;
        updateIntervalSeconds = 30;
        options = {
          path = paths.dashboards;
          foldersFromFilesStructure = false;
        };
      }
    ];
  };
}
