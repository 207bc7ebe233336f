# Grafana: services.grafana with provisioned data sources and dashboards,
# the overview as the home page, accounts by invitation only, nothing sent to
# or fetched from outside the host. The admin password and the key that encrypts
# secrets in Grafana's database come from credentials. Any Grafana setting can be
# changed under services.grafana.settings.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  inherit (lib)
    concatMap
    filterAttrs
    mapAttrsToList
    mkDefault
    mkIf
    mkOption
    types
    ;
  inherit (import ../types.nix { inherit lib; })
    inForce
    listensHere
    mkDefaults
    portOption
    secretFile
    ;
  paths = (import ../paths.nix).host;
  defaults = (import ../defaults.nix).grafana;
  soloscope = config.services.soloscope;
  cfg = soloscope.grafana;
  settings = import ./settings.nix { inherit soloscope paths; };
  upstream = config.services.grafana;

  # A host whose Grafana already has a key or a password keeps it: then none is
  # generated or loaded.
  isOurs = name: upstream.settings.security.${name} == settings.settings.security.${name};
  inUse = {
    grafana-admin-password = isOurs "admin_password";
    grafana-secret-key = isOurs "secret_key";
  };
  makesKey = cfg.secretKeyFile == null && inUse.grafana-secret-key;

  # Grafana refuses two default data sources, so a host's own takes precedence.
  # From the definitions, because the merged list depends on the answer.
  ours = settings.datasources.datasources;
  sources =
    let
      # The values that a definition sets at `path`, without mkIf, mkForce and the like.
      below =
        path: definition:
        concatMap (
          value:
          if value ? _type then
            below path value.content
          else if path == [ ] then
            [ value ]
          else
            below (lib.tail path) (value.${lib.head path} or (lib.mkIf false null))
        ) (lib.modules.dischargeProperties definition);
    in
    lib.concatLists (
      concatMap (below [
        "settings"
        "datasources"
      ]) options.services.grafana.provision.datasources.definitions
    );
  isTheirs = source: !(lib.elem (source.uid or null) (map (source: source.uid) ours));
  theirDefault = lib.any (source: isTheirs source && source.isDefault or false) sources;
  datasources = map (
    source:
    source // lib.optionalAttrs (source ? isDefault) { isDefault = source.isDefault && !theirDefault; }
  ) ours;

  setting = option: "services.grafana.settings.${option}";
  notBesideAPath = kind: list: {
    assertion =
      upstream.provision.${kind}.path == null || upstream.provision.${kind}.settings == null;
    message = "services.grafana.provision.${kind}.path is set, and nixpkgs takes either that or services.grafana.provision.${kind}.settings, where soloscope's are. Write yours in `settings.${list}` and remove `path`; or set services.grafana.provision.${kind}.settings = lib.mkForce null and add soloscope's to your files (${
      if kind == "datasources" then
        "with the uids ${lib.concatMapStringsSep ", " (source: source.uid) ours}"
      else
        "a provider for ${paths.dashboards}"
    }).";
  };

  # What the declaration gives, made by the package: the build reads nothing back.
  dashboards = pkgs.runCommand "soloscope-dashboards" { nativeBuildInputs = [ soloscope.package ]; } ''
    soloscope --config ${config.environment.etc."soloscope/soloscope.json".source} dashboards -o $out \
      ${lib.concatMapStringsSep " " (file: "--extra ${file}") soloscope.dashboards.extra}
  '';
in
{
  options.services.soloscope.dashboards.extra = mkOption {
    type = types.listOf types.path;
    default = (import ../defaults.nix).dashboards.extra;
    example = lib.literalExpression "[ ./dashboards/mine.json ]";
    description = ''
      Dashboards of your own, as files of Grafana's classic JSON, each with a `uid` of its
      own. `soloscope dashboards export UID` makes such a file of one that was edited in
      the browser.
    '';
  };

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
        Grafana reads it at its first start only; later, and in a Grafana that was there
        before, `grafana cli admin reset-admin-password` changes the password.
      '';
    };
    secretKeyFile = mkOption {
      type = secretFile;
      default = defaults.secretKeyFile;
      example = "/run/secrets/grafana-secret-key";
      description = ''
        A file with the key that encrypts secrets in Grafana's database. When it is null,
        one is made at the first boot: {file}`/var/lib/soloscope-secrets/grafana-secret-key`.
        A host whose Grafana was there before keeps its key: the one in
        `services.grafana.settings.security.secret_key`, or without a setting the one that
        Grafana had before NixOS 26.05.
      '';
    };
  };

  config = mkIf (soloscope.enable && cfg.enable) {
    services.soloscope = {
      listeners."services.soloscope.grafana.port" = cfg.port;
      secrets.generate = {
        grafana-admin-password = mkIf (
          cfg.adminPasswordFile == null && inUse.grafana-admin-password
        ) "password";
        grafana-secret-key = mkIf makesKey "key";
      };
    };

    assertions = [
      {
        assertion = cfg.secretKeyFile == null || inUse.grafana-secret-key;
        message = "services.soloscope.grafana.secretKeyFile and services.grafana.settings.security.secret_key are both set. Remove one of them.";
      }
      {
        assertion = cfg.adminPasswordFile == null || inUse.grafana-admin-password;
        message = "services.soloscope.grafana.adminPasswordFile and services.grafana.settings.security.admin_password are both set. Remove one of them.";
      }
      (notBesideAPath "datasources" "datasources")
      (notBesideAPath "dashboards" "providers")
      (inForce {
        program = "Grafana";
        option = setting "server.http_port";
        value = upstream.settings.server.http_port;
        ours = "services.soloscope.grafana.port";
        expected = cfg.port;
      })
      (listensHere "Grafana" (setting "server.http_addr") upstream.settings.server.http_addr)
      (inForce {
        program = "Grafana";
        option = setting "server.root_url";
        value = upstream.settings.server.root_url;
        ours = "services.soloscope.grafana.rootUrl";
        expected = settings.rootUrl;
      })
      (inForce {
        program = "Grafana";
        option = "services.grafana.provision.enable";
        value = upstream.provision.enable;
        expected = true;
      })
    ]
    # Each of these blocks soloscope's own checks and scrapes.
    ++ mapAttrsToList (
      option: expected:
      inForce {
        program = "Grafana";
        option = setting option;
        value = lib.attrByPath (lib.splitString "." option) expected upstream.settings;
        inherit expected;
      }
    ) {
      "server.protocol" = "http";
      "server.enforce_domain" = false;
      "metrics.enabled" = true;
    }
    ++ lib.optionals (upstream.provision.datasources.settings != null) (
      map (source: {
        assertion =
          lib.count (
            other: other.name == source.name || other.uid or null == source.uid
          ) upstream.provision.datasources.settings.datasources == 1;
        message = "services.grafana.provision.datasources.settings.datasources has the name `${source.name}` or the uid `${source.uid}` twice, once from you and once from soloscope, and Grafana keeps one. Remove yours, or give it another name and uid.";
      }) ours
    );

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
          inherit datasources;
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
      serviceConfig.LoadCredential = mapAttrsToList (name: path: "${name}:${path}") (
        filterAttrs (name: _: inUse.${name}) settings.credentials
      );
    };

    # Without this a Grafana that was installed before could no longer read the secrets
    # in its database: nixpkgs left Grafana's own default key in force until 26.05.
    systemd.services.soloscope-grafana-key = mkIf makesKey {
      description = "soloscope: keep the key of the Grafana that was here before";
      requiredBy = [ "soloscope-secrets.service" ];
      before = [ "soloscope-secrets.service" ];
      unitConfig.ConditionPathExists = [
        upstream.settings.database.path
        "!${paths.secrets}/grafana-secret-key"
      ];
      script = ''
        echo SW2YcwTIb9zpOOhoPsMm > grafana-secret-key
        chmod 0400 grafana-secret-key
        echo "kept the key that Grafana's database was made with, which is publicly known; accounts and passwords stay as they were"
      '';
      serviceConfig = import ../secrets/service.nix;
    };
  };
}
