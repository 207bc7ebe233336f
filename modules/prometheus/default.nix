# Prometheus stores the metrics: services.prometheus with the scrape jobs of
# settings.nix, the node exporter for the host, and one Redis exporter for the
# Redis servers of all apps. Lists (scrape jobs, rule files) are added to the host's
# own; any other setting can be changed under services.prometheus.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    concatStringsSep
    escapeShellArg
    mapAttrsToList
    mkDefault
    mkEnableOption
    mkIf
    mkMerge
    mkOption
    ;
  inherit (import ../types.nix { inherit lib; })
    duration
    exporterInForce
    flagList
    inForce
    listensHere
    mkDefaults
    portOption
    servedAtRoot
    ;
  defaults = (import ../defaults.nix).prometheus;
  address = (import ../defaults.nix).listenAddress;
  soloscope = config.services.soloscope;
  cfg = soloscope.prometheus;
  upstream = config.services.prometheus;
  settings = import ./settings.nix {
    inherit soloscope;
    paths = (import ../paths.nix).host;
  };

  # --- the Redis exporter's passwords --------------------------------------------
  # It reads one file: { "redis://HOST:PORT": "password" }. The file is made when
  # the unit starts, in its runtime folder, from credentials.
  redis = settings.exporters.redis;
  targets = lib.attrNames redis.passwords;
  credential = index: "redis-${toString index}";
  runtime = "prometheus-redis-exporter";
  passwordFile = "/run/${runtime}/passwords.json";
  makePasswordFile = pkgs.writeShellScript "redis-exporter-passwords" ''
    set -eu
    cd "$CREDENTIALS_DIRECTORY"
    ${lib.getExe pkgs.jq} --null-input \
      ${
        concatStringsSep " \\\n      " (
          lib.imap0 (
            i: target: "--rawfile p${toString i} ${credential i} --arg t${toString i} ${escapeShellArg target}"
          ) targets
        )
      } \
      '${
        concatStringsSep " + " (
          lib.imap0 (i: _: "{ ($t${toString i}): ($p${toString i} | rtrimstr(\"\\n\")) }") targets
        )
      }' > ${passwordFile}
  '';

  groups = import ../apps/groups.nix soloscope.apps;

  # --- jobs of the same name ----------------------------------------------------
  ourJobs = map (job: job.job_name) settings.scrapeConfigs;
  jobs = map (job: job.job_name) upstream.scrapeConfigs;
  missing = lib.subtractLists jobs ourJobs;
  howToFree =
    name:
    if cfg.exporters ? ${name}.enable then
      "Rename yours in services.prometheus.scrapeConfigs where it reads other hosts. Where it reads this one, remove it, or set services.soloscope.prometheus.exporters.${name}.enable = false."
    else if soloscope.apps ? ${name} then
      "Rename services.soloscope.apps.${name}, or remove your job from services.prometheus.scrapeConfigs."
    else
      "Remove yours from services.prometheus.scrapeConfigs: soloscope already reads ${name}.";
in
{
  imports = [
    ./blackbox.nix
    ./postgres.nix
  ];

  options.services.soloscope.prometheus = {
    enable =
      mkEnableOption "Prometheus. Without it soloscope shows counts from Redis and Loki alone, with no rates, no alerts and nothing of the host"
      // {
        default = defaults.enable;
      };
    package = lib.mkPackageOption pkgs "prometheus" { };
    port = portOption "Prometheus" defaults.port;
    retention = mkOption {
      type = duration;
      default = defaults.retention;
      example = "1y";
      description = "How long metrics are kept, as far as `maxDiskGiB` allows.";
    };
    maxDiskGiB = mkOption {
      type = lib.types.nullOr lib.types.numbers.positive;
      default = defaults.maxDiskGiB;
      description = "How much of the disk Prometheus may fill. Before it is full, the oldest metrics go. Null sets no bound.";
    };
    scrapeInterval = mkOption {
      type = duration;
      default = defaults.scrapeInterval;
      description = "How often every job is asked.";
    };
    evaluationInterval = mkOption {
      type = duration;
      default = defaults.evaluationInterval;
      description = "How often rules are computed.";
    };
    exporters = {
      node = {
        enable =
          mkEnableOption "the exporter of the host's own state (CPU, memory, disks, failed units). nixpkgs chooses its package"
          // {
            default = defaults.exporters.node.enable;
          };
        port = portOption "the node exporter" defaults.exporters.node.port;
      };
      redis = {
        enable =
          mkEnableOption "the exporter of the state of the apps' Redis servers. nixpkgs chooses its package"
          // {
            default = defaults.exporters.redis.enable;
          };
        port = portOption "the Redis exporter" defaults.exporters.redis.port;
      };
    };
  };

  config = mkIf (soloscope.enable && cfg.enable) (mkMerge [
    {
      services.soloscope.listeners."services.soloscope.prometheus.port" = cfg.port;

      assertions =
        map (name: {
          assertion = lib.count (job: job == name) jobs <= 1;
          message = "services.prometheus.scrapeConfigs has the job `${name}` twice, once from you and once from soloscope, so every value would be there twice. ${howToFree name}";
        }) ourJobs
        ++ [
          (inForce {
            program = "Prometheus";
            option = "services.prometheus.port";
            value = upstream.port;
            ours = "services.soloscope.prometheus.port";
            expected = cfg.port;
          })
          (listensHere "Prometheus" "services.prometheus.listenAddress" upstream.listenAddress)
          (servedAtRoot "Prometheus" "services.prometheus.webExternalUrl" upstream.webExternalUrl
            upstream.extraFlags
          )
          # Graphs use rates over four of these intervals.
          (inForce {
            program = "Prometheus";
            option = "services.prometheus.globalConfig.scrape_interval";
            value = upstream.globalConfig.scrape_interval;
            ours = "services.soloscope.prometheus.scrapeInterval";
            expected = cfg.scrapeInterval;
          })
        ]
        # Each of these replaces or hides settings of soloscope.
        ++ mapAttrsToList (
          name: expected:
          inForce {
            program = "Prometheus";
            option = "services.prometheus.${name}";
            value = upstream.${name};
            inherit expected;
          }
        ) {
          configText = null;
          enableAgentMode = false;
          webConfigFile = null;
        };

      warnings = lib.optional (
        missing != [ ]
      ) "services.prometheus.scrapeConfigs is without soloscope's jobs ${concatStringsSep ", " missing}, so what shows them stays empty. Most likely a lib.mkForce there drops them: write your jobs without it, since lists are added to each other.";

      services.prometheus = {
        enable = true;
        package = mkDefault cfg.package;
        port = mkDefault cfg.port;
        listenAddress = mkDefault address;
        retentionTime = mkDefault cfg.retention;
        # nixpkgs has options for the others.
        extraFlags = flagList (
          removeAttrs settings.flags [
            "storage.tsdb.retention.time"
            "web.listen-address"
          ]
        );
        globalConfig = mkDefaults settings.globalConfig;
        inherit (settings) scrapeConfigs alertmanagers;
        ruleFiles = [ ((pkgs.formats.json { }).generate "soloscope-rules.yml" settings.rules) ];
      };
    }

    (mkIf cfg.exporters.node.enable {
      assertions = exporterInForce config "node";
      services.soloscope.listeners."services.soloscope.prometheus.exporters.node.port" =
        cfg.exporters.node.port;

      services.prometheus.exporters.node = {
        enable = true;
        port = mkDefault cfg.exporters.node.port;
        listenAddress = mkDefault address;
        enabledCollectors = settings.exporters.node.collectors;
        extraFlags = settings.exporters.node.flags;
      };
      # nixpkgs hides /home from it; then the size of a separate /home is wrong.
      systemd.services.prometheus-node-exporter.serviceConfig.ProtectHome = lib.mkOverride 90 "read-only";
    })

    (mkIf redis.enable {
      assertions = exporterInForce config "redis";
      services.soloscope.listeners."services.soloscope.prometheus.exporters.redis.port" =
        cfg.exporters.redis.port;

      services.prometheus.exporters.redis = {
        enable = true;
        port = mkDefault cfg.exporters.redis.port;
        listenAddress = mkDefault address;
        extraFlags =
          flagList redis.flags ++ lib.optional (targets != [ ]) "--redis.password-file=${passwordFile}";
      };
      systemd.services.prometheus-redis-exporter = {
        serviceConfig = {
          SupplementaryGroups = groups;
          ProtectProc = "invisible";
          PrivateUsers = true;
          SystemCallFilter = [
            "@system-service"
            "~@privileged"
          ];
          LoadCredential = lib.imap0 (i: target: "${credential i}:${redis.passwords.${target}}") targets;
          ExecStartPre = mkIf (targets != [ ]) "${makePasswordFile}";
          RuntimeDirectory = mkIf (targets != [ ]) runtime;
          RuntimeDirectoryMode = "0700";
        };
      };
    })
  ]);
}
