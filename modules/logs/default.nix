# The log shipper: reads the journal and writes to Loki, as the unit
# soloscope-<engine>. It is a unit of our own, because nixpkgs no longer has a
# module for Promtail, and so that every engine is run in the same way.
# State (how far it has read) is in /var/lib/soloscope-<engine>.
#
# An engine is one entry of `engines`; the pipeline is settings.nix for all.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  inherit (lib)
    attrNames
    getExe'
    mkIf
    mkOption
    types
    ;
  inherit (import ../types.nix { inherit lib; }) duration portOption;
  inherit (import ../durations.nix) milliseconds;
  defaults = (import ../defaults.nix).logs;
  places = (import ../places.nix).host;
  soloscope = config.services.soloscope;
  cfg = soloscope.logs;
  inherit (import ../defaults.nix) logSource;
  inherit (import ./formats.nix) formats;
  settings = import ./settings.nix { inherit soloscope places; };

  # package      the default package
  # start        command line, given a configuration file
  # verify       command that fails when the file is not accepted
  # environment  of the unit
  engines = {
    promtail = {
      package = pkgs.promtail;
      packageText = "promtail, from the flake's second nixpkgs";
      verify = file: "promtail -check-syntax -config.file=${file}";
      environment = { };
    };
    # Promtail's successor reads Promtail's file.
    alloy = {
      package = pkgs.grafana-alloy;
      verify = file: "alloy convert --source-format=promtail --output=$TMPDIR/out.alloy ${file}";
      # It takes 344 MB when idle, and as much more as it is given.
      environment.GOMEMLIMIT = "384MiB";
    };
  };
  engine = engines.${cfg.shipper};
  file = (pkgs.formats.json { }).generate "promtail.yaml" settings.configuration;

  verified =
    pkgs.runCommand "soloscope-${cfg.shipper}-config" { nativeBuildInputs = [ cfg.package ]; }
      ''
        ${engine.verify file}
        ln -s ${file} $out
      '';

  # Started before the shipper: begin where Loki is, not where the shipper was.
  rewind = pkgs.writeShellApplication {
    name = "soloscope-rewind";
    runtimeInputs = [
      pkgs.coreutils
      pkgs.gnused
      pkgs.gawk
      pkgs.curl
      config.systemd.package
    ];
    text = builtins.readFile ./rewind.sh;
  };
  # When the other engine ran before: begin where it stopped.
  carry = pkgs.writeShellApplication {
    name = "soloscope-carry";
    runtimeInputs = [
      pkgs.coreutils
      pkgs.findutils
      pkgs.gnugrep
      pkgs.gnused
    ];
    text = builtins.readFile ./carry.sh;
  };
  positions = engine: "${places.shipper engine}/${settings.positions.${engine}}";
  others = lib.remove cfg.shipper (attrNames engines);

  pattern = types.submodule {
    options = {
      expression = mkOption {
        type = types.str;
        example = "customer=(\\w+)";
        description = "A regular expression (RE2). What its groups capture is replaced.";
      };
      gate = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "customer=";
        description = ''
          A cheaper regular expression that a line must match before the `expression` is tried.
        '';
      };
      replace = mkOption {
        type = types.str;
        default = "***";
        example = "{{ .Value | trunc 2 }}***";
        description = "What stands there instead, as a template of Promtail's `replace` stage.";
      };
    };
  };
  patterns =
    description:
    mkOption {
      type = types.attrsOf pattern;
      default = { };
      example = {
        customer.expression = "customer=(\\w+)";
      };
      inherit description;
    };

  source = types.submodule {
    options = {
      format = mkOption {
        type = types.enum (attrNames formats);
        default = logSource.format;
        example = "nginx-access";
        description = ''
          What a line looks like: where its time is, which level it has, where an entry of
          several lines begins. `text` is any file: JSON, logfmt or plain lines, dated when
          they are read.
        '';
      };
      paths = mkOption {
        type = types.listOf types.str;
        example = [ "/var/log/nginx/access.log" ];
        description = "The files, as patterns such as {file}`/var/log/app/*.log`.";
      };
      job = mkOption {
        type = types.nullOr types.str;
        default = logSource.job;
        defaultText = lib.literalMD "the attribute's name";
        description = "The label `job`, and `service_name`.";
      };
      unit = mkOption {
        type = types.nullOr types.str;
        default = logSource.unit;
        defaultText = lib.literalMD "the `job` with `.service`";
        description = "The label `unit`.";
      };
      app = mkOption {
        type = types.nullOr (types.enum (attrNames soloscope.apps));
        default = logSource.app;
        description = "The app whose log it is.";
      };
      labels = mkOption {
        type = types.attrsOf types.str;
        default = logSource.labels;
        example.tier = "batch";
        description = ''
          Further labels with fixed values. Names that would hold a person, a request or a
          secret are refused.
        '';
      };
      redact = patterns "What is masked in this source only, before what is masked everywhere.";
      retention = mkOption {
        type = types.nullOr duration;
        default = logSource.retention;
        example = "48h";
        description = "How long its lines are kept, at least 24 hours. Null is as long as all.";
      };
    };
  };
in
{
  options.services.soloscope.logs = {
    shipper = mkOption {
      type = types.enum (attrNames engines);
      default = defaults.shipper;
      description = "The program that carries log lines from the journal to Loki.";
    };

    package = mkOption {
      type = types.package;
      default = engine.package;
      defaultText = lib.literalMD "the package of the `shipper`; for Promtail, which nixpkgs no longer has, that of the flake's second input";
      description = "The package of the `shipper`.";
    };

    ports = lib.mapAttrs (name: portOption "`${name}`, when it is the shipper,") (
      lib.intersectAttrs engines defaults.ports
    );

    maxAge = mkOption {
      type = duration;
      default = defaults.maxAge;
      description = ''
        How far back the journal is read at the first start, and after a time switched off.
        Loki takes lines of up to a week.
      '';
    };

    host = mkOption {
      type = types.str;
      default = config.networking.hostName;
      defaultText = lib.literalExpression "config.networking.hostName";
      description = "The label `host` of lines from files. Those of the journal have its own.";
    };

    joinMilliseconds = mkOption {
      type = types.ints.between 10 10000;
      default = defaults.joinMilliseconds;
      description = ''
        How long a plain line waits for the rest of a stack trace. JSON lines do not wait.
      '';
    };

    rewindLines = mkOption {
      type = types.ints.between 1 1000000;
      default = defaults.rewindLines;
      description = ''
        How many lines of the journal are read again at a start when Loki cannot say which was
        the last. It must be more than the shipper can hold.
      '';
    };

    flood = {
      rate = mkOption {
        type = types.ints.positive;
        default = defaults.flood.rate;
        description = ''
          Lines per second that a unit may print for long. What goes beyond the `burst` is
          dropped, counted and told.
        '';
      };
      burst = mkOption {
        type = types.ints.positive;
        default = defaults.flood.burst;
        description = ''
          Lines that a unit may be ahead of its `rate`. They also bound what is read at once
          when Loki was away.
        '';
      };
    };

    redact = {
      enable = mkOption {
        type = types.bool;
        default = defaults.redact.enable;
        example = false;
        description = ''
          Whether phone numbers, addresses, tokens, keys, passwords and card numbers are masked
          before a line leaves the shipper. The journal itself keeps them.
        '';
      };
      patterns = patterns "What is masked in all lines, beside what is masked anyway.";
      units = mkOption {
        type = types.attrsOf (types.attrsOf pattern);
        default = defaults.redact.units;
        example = {
          "shop.service".order.expression = "order=(\\w+)";
        };
        description = "What is masked in the lines of single units, by the unit's full name.";
      };
    };

    sources = mkOption {
      type = types.attrsOf source;
      default = defaults.sources;
      example = {
        nginx = {
          format = "nginx-access";
          paths = [ "/var/log/nginx/access.log" ];
        };
      };
      description = "Text logs that are files. What goes to the journal needs no source.";
    };

    groups = mkOption {
      type = types.listOf types.str;
      default = defaults.groups;
      example = [ "nginx" ];
      description = "Further groups of the shipper, for reading the files of its `sources`.";
    };
  };

  config = mkIf soloscope.enable {
    services.soloscope.listeners."services.soloscope.logs.ports.${cfg.shipper}" =
      cfg.ports.${cfg.shipper};

    warnings = lib.optional (cfg.shipper == "promtail") ''
      services.soloscope.logs.shipper is "promtail", which has not been maintained since March 2026. It works; its successor with the same pipeline is "alloy", which needs some 300 MB more memory.
    '';

    # Sources that would meet in one name: Loki keeps the lines of a job for one
    # time, and Alloy names its parts with letters, digits and underscores only.
    assertions =
      let
        sources = lib.mapAttrsToList (
          name: source:
          source
          // {
            inherit name;
            job = if source.job != null then source.job else name;
          }
        ) cfg.sources;
        meet =
          key: differ:
          lib.filter (group: lib.length (lib.unique (map differ group)) > 1) (
            lib.attrValues (lib.groupBy key sources)
          );
        names = lib.concatMapStringsSep ", " (source: "`${source.name}`");
        unitJobs = map (lib.removeSuffix ".service") (
          lib.concatMap (app: app.units) (lib.attrValues soloscope.apps)
        );
      in
      map (group: {
        assertion = false;
        message = "services.soloscope.logs.sources: ${names group} all have the job `${(lib.head group).job}`, and the lines of a job are kept for one time. Give them the same `retention`, or each a `job` of its own.";
      }) (meet (source: source.job) (source: source.retention))
      ++ map (source: {
        assertion = source.retention == null || !(lib.elem source.job unitJobs);
        message = "services.soloscope.logs.sources.${source.name} has a retention and the job `${source.job}`, which is also the job of an app's unit, whose lines would go as early. Give it a `job` of its own.";
      }) sources
      ++ map (group: {
        assertion = false;
        message = "services.soloscope.logs.sources: ${names group} are one name to Alloy, which knows letters, digits and underscores only. Rename one of them.";
      }) (
        meet (
          source:
          lib.stringAsChars (c: if builtins.match "[A-Za-z0-9]" c == null then "_" else c) source.name
        ) (source: source.name)
      )
      ++ [
        {
          assertion = milliseconds cfg.maxAge <= milliseconds "167h";
          message = "services.soloscope.logs.maxAge is ${cfg.maxAge}, but Loki takes no line that is older than a week. Set it to 167h or less.";
        }
      ];

    services.journald = {
      # What is not on disk is lost at a reboot before it was shipped.
      storage = lib.mkDefault "persistent";
      # journald drops what goes beyond, and says so in the journal. Ten thousand
      # lines in a second are a busy second, not a flood.
      rateLimitBurst = lib.mkDefault 20000;
      # The journal is the buffer while Loki is away, and Loki the memory: two
      # weeks are enough here. A line longer than 48 kB stays whole.
      extraConfig = lib.mkBefore ''
        MaxRetentionSec=2week
        SystemMaxUse=2G
        LineMax=256K
      '';
    };

    # A mark in the graphs for each system that this host is switched to. It is
    # not kept active, so every switch starts it again.
    systemd.services.soloscope-annotate = {
      description = "soloscope: mark a new system";
      wantedBy = [ "multi-user.target" ];
      after = [ "soloscope-${cfg.shipper}.service" ];
      path = [ soloscope.package ];
      script = ''
        system=$(readlink /run/current-system) || exit 0
        if [ "$system" != "$(cat "$STATE_DIRECTORY/system" 2>/dev/null)" ]; then
          name=''${system##*/}
          soloscope annotate --kind deploy "switched to ''${name#*-}"
          printf '%s\n' "$system" > "$STATE_DIRECTORY/system"
        fi
      '';
      serviceConfig = import ../hardening.nix // {
        Type = "oneshot";
        StateDirectory = "soloscope-annotate";
        RestrictAddressFamilies = [ "AF_UNIX" ];
        IPAddressDeny = "any";
      };
    };

    systemd.services."soloscope-${cfg.shipper}" = {
      description = "soloscope: carry the journal to Loki";
      wantedBy = [ "multi-user.target" ];
      wants = [ "loki.service" ];
      # Stopped before Loki, so that its last lines are still taken.
      after = [ "loki.service" ];
      startLimitIntervalSec = 0;
      inherit (engine) environment;
      serviceConfig = import ../hardening.nix // {
        ExecStartPre =
          # As root: the folders belong to different users.
          map (
            other: "+${lib.getExe carry} ${cfg.shipper} ${positions cfg.shipper} ${positions other}"
          ) others
          ++ [
            (utils.escapeSystemdExecArgs (
              [
                (lib.getExe rewind)
                (positions cfg.shipper)
              ]
              ++ settings.rewind
            ))
          ];
        ExecStart = utils.escapeSystemdExecArgs (
          [ (getExe' cfg.package cfg.shipper) ] ++ settings.arguments "${verified}"
        );
        Restart = "always";
        RestartSec = 2;
        # Without this group it starts well and ships nothing.
        SupplementaryGroups = [ "systemd-journal" ] ++ cfg.groups;
        StateDirectory = baseNameOf (places.shipper cfg.shipper);
        # It waits for Loki for ever; the journal has what it did not ship.
        TimeoutStopSec = 5;
        MemoryMax = "512M";
        RestrictAddressFamilies = [
          "AF_UNIX"
          "AF_INET"
          "AF_INET6"
        ];
        IPAddressAllow = "localhost";
        IPAddressDeny = "any";
      };
    };
  };
}
