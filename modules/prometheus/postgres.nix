# The postgres exporter, when an app declares `postgres`: services.prometheus.
# exporters.postgres with its own role, a member of pg_monitor. If the
# database runs on this host, the role is created here.
{
  config,
  lib,
  ...
}:
let
  inherit (lib)
    attrNames
    filterAttrs
    head
    mkDefault
    mkIf
    mkMerge
    unique
    ;
  inherit (import ../types.nix { inherit lib; }) exporterInForce portOption;
  urls = import ../urls.nix;
  defaults = (import ../defaults.nix).prometheus.exporters.postgres;
  address = (import ../defaults.nix).listenAddress;
  soloscope = config.services.soloscope;
  cfg = soloscope.prometheus.exporters.postgres;
  settings = import ./settings.nix {
    inherit soloscope;
    paths = (import ../paths.nix).host;
  };

  withPostgres = filterAttrs (_: app: app.postgres != null) soloscope.apps;
  servers = unique (
    map (name: {
      inherit (soloscope.apps.${name}.postgres) socket url passwordFile;
    }) (attrNames withPostgres)
  );
  server = head servers;
  upstream = config.services.prometheus.exporters.postgres;
  # The exporter's user is the role's name. A host may have made it the database's
  # own superuser, which needs no role of ours.
  role = if upstream.runAsLocalSuperUser then "postgres" else "postgres-exporter";
  needsRole =
    server.socket != null && config.services.postgresql.enable && !upstream.runAsLocalSuperUser;
  password = "postgres-password";
  url = urls.need server.url;
in
{
  options.services.soloscope.prometheus.exporters.postgres = {
    port = portOption "the postgres exporter" defaults.port;
    statements = lib.mkOption {
      type = lib.types.bool;
      default = defaults.statements;
      description = ''
        Whether calls and seconds are shown for each query. The database needs the
        extension `pg_stat_statements` for it: `shared_preload_libraries` loads it,
        `CREATE EXTENSION pg_stat_statements` in the database `postgres` makes it.
      '';
    };
  };

  # Also without Prometheus: `soloscope serve` reads it for the app's health.
  config = mkIf (soloscope.enable && withPostgres != { }) (mkMerge [
    {
      assertions = exporterInForce config "postgres" ++ [
        {
          assertion = lib.length servers == 1;
          message = "services.soloscope.apps: ${lib.concatStringsSep ", " (attrNames withPostgres)} declare different `postgres` servers, and one postgres exporter reads one server. Declare it the same in each, or in one app only.";
        }
        {
          assertion = server.url == null || server.passwordFile == null || url.user != "";
          message = "services.soloscope.apps.${head (attrNames withPostgres)}.postgres.passwordFile is set, but `postgres.url` names no user. Write it as `postgresql://USER@HOST:PORT/DATABASE`.";
        }
      ];

      services.soloscope.listeners."services.soloscope.prometheus.exporters.postgres.port" = cfg.port;

      services.prometheus.exporters.postgres = {
        enable = true;
        port = mkDefault cfg.port;
        listenAddress = mkDefault address;
        extraFlags = settings.exporters.postgres.flags;
        dataSourceName = mkIf (server.passwordFile == null) (
          mkDefault (
            if server.socket != null then
              "user=${role} database=postgres host=${server.socket} sslmode=disable"
            else
              toString server.url
          )
        );
      };
    }

    # With a password: the URL's parts, and the password file.
    (mkIf (server.passwordFile != null) {
      systemd.services.prometheus-postgres-exporter = {
        environment = {
          DATA_SOURCE_NAME = lib.mkForce null; # it would override the parts
          DATA_SOURCE_URI =
            if server.socket != null then
              "/postgres?host=${server.socket}&sslmode=disable"
            else
              urls.address url;
          DATA_SOURCE_USER = if server.socket != null then role else url.user;
          DATA_SOURCE_PASS_FILE = "%d/${password}";
        };
        serviceConfig.LoadCredential = [ "${password}:${server.passwordFile}" ];
      };
    })

    (mkIf needsRole {
      services.postgresql.ensureUsers = [ { name = role; } ];
      systemd.services.soloscope-postgres-role = {
        description = "soloscope: let the postgres exporter read PostgreSQL's statistics";
        wantedBy = [ "multi-user.target" ];
        before = [ "prometheus-postgres-exporter.service" ];
        # nixpkgs creates roles in postgresql-setup, which postgresql.target waits for.
        requires = [ "postgresql.target" ];
        after = [ "postgresql.target" ];
        serviceConfig = import ../hardening.nix // {
          Type = "oneshot";
          RemainAfterExit = true;
          DynamicUser = false;
          User = "postgres";
          PrivateUsers = false;
          RestrictAddressFamilies = [ "AF_UNIX" ];
          ExecStart = "${lib.getExe' config.services.postgresql.finalPackage "psql"} --no-psqlrc --host ${server.socket} --dbname postgres --command 'GRANT pg_monitor TO \"${role}\"'";
        };
      };
      systemd.services.prometheus-postgres-exporter = {
        wants = [ "soloscope-postgres-role.service" ];
        after = [ "soloscope-postgres-role.service" ];
      };
    })
  ]);
}
