# Grafana shows it all: services.grafana with data sources and dashboards as
# files, the overview as the home page, accounts by invitation only, nothing sent
# or fetched outside the host. The admin password and the key that encrypts
# secrets in Grafana's database come from credentials. Any setting of Grafana is
# changed under services.grafana.settings.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    mapAttrsToList
    mkDefault
    mkIf
    mkOption
    types
    ;
  inherit (import ../types.nix { inherit lib; }) mkDefaults portOption secretFile;
  defaults = (import ../defaults.nix).grafana;
  soloscope = config.services.soloscope;
  cfg = soloscope.grafana;
  settings = import ./settings.nix {
    inherit soloscope;
    places = (import ../places.nix).host;
  };

  # Those of the list that exist in this host's form: with Prometheus, or from Loki alone.
  form = if soloscope.prometheus.enable then "with-prometheus" else "without-prometheus";
  folder = if soloscope.prometheus.enable then ../../dashboards else ../../dashboards/light;
  shown = lib.filterAttrs (_: forms: forms.${form}) (lib.importTOML ../../dashboards/dashboards.toml);
  dashboards = lib.fileset.toSource {
    root = folder;
    fileset = lib.fileset.unions (map (uid: folder + "/${uid}.json") (lib.attrNames shown));
  };
in
{
  options.services.soloscope.grafana = {
    enable = lib.mkEnableOption "Grafana" // {
      default = defaults.enable;
    };
    package = lib.mkPackageOption pkgs "grafana" { };
    port = portOption "Grafana" defaults.port;
    rootUrl = mkOption {
      type = types.nullOr types.str;
      default = defaults.rootUrl;
      example = "https://status.example.org/grafana/";
      description = ''
        The URL at which people reach Grafana. When it is null, it follows from
        {option}`services.soloscope.domain` and {option}`services.soloscope.nginx.path`,
        or is `http://127.0.0.1:PORT/` without a domain.
      '';
    };
    adminUser = mkOption {
      type = types.str;
      default = defaults.adminUser;
      description = "The name of the first account. Like its password it counts at the first start only.";
    };
    adminPasswordFile = mkOption {
      type = secretFile;
      default = defaults.adminPasswordFile;
      example = "/run/secrets/grafana-admin-password";
      description = ''
        A file with the password of the first account. When it is null, one is made at
        the first boot: {file}`/var/lib/soloscope-secrets/grafana-admin-password`.
        Grafana reads it at its first start only; later
        `grafana cli admin reset-admin-password` changes the password.
      '';
    };
    secretKeyFile = mkOption {
      type = secretFile;
      default = defaults.secretKeyFile;
      example = "/run/secrets/grafana-secret-key";
      description = ''
        A file with the key that encrypts secrets in Grafana's database. When it is null,
        one is made at the first boot: {file}`/var/lib/soloscope-secrets/grafana-secret-key`.
        A host whose Grafana already has a database must give the key it was made with
        (without a setting that was `SW2YcwTIb9zpOOhoPsMm`), or its stored secrets are lost.
      '';
    };
  };

  config = mkIf (soloscope.enable && cfg.enable) {
    services.soloscope = {
      listeners."services.soloscope.grafana.port" = cfg.port;
      secrets.generate = {
        grafana-admin-password = mkIf (cfg.adminPasswordFile == null) "password";
        grafana-secret-key = mkIf (cfg.secretKeyFile == null) "key";
      };
    };

    environment.etc."soloscope/dashboards".source = dashboards;

    services.grafana = {
      enable = true;
      package = mkDefault cfg.package;
      settings = mkDefaults settings.settings;
      provision = {
        enable = mkDefault true;
        datasources.settings = {
          apiVersion = mkDefault settings.datasources.apiVersion;
          prune = mkDefault settings.datasources.prune;
          inherit (settings.datasources) datasources;
        };
        dashboards.settings = {
          apiVersion = mkDefault settings.dashboards.apiVersion;
          inherit (settings.dashboards) providers;
        };
      };
    };

    systemd.services.grafana = {
      after = [ "soloscope-secrets.service" ];
      requires = mkIf (soloscope.secrets.generate != { }) [ "soloscope-secrets.service" ];
      serviceConfig.LoadCredential = mapAttrsToList (name: path: "${name}:${path}") settings.credentials;
    };
  };
}
