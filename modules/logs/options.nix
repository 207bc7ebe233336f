# The options of the log shipper: what is read, joined, masked and cut.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) attrNames mkOption types;
  inherit (import ../types.nix { inherit lib; }) duration portOption;
  inherit (import ../defaults.nix) logPattern logSource;
  defaults = (import ../defaults.nix).logs;
  inherit (import ./formats.nix) formats;
  engines = import ./engines.nix;
  soloscope = config.services.soloscope;

  pattern = types.submodule {
    options = {
      expression = mkOption {
        type = types.str;
        example = "customer=(\\w+)";
        description = "A regular expression (RE2). What its groups capture is replaced.";
      };
      gate = mkOption {
        type = types.nullOr types.str;
        default = logPattern.gate;
        example = "customer=";
        description = ''
          A cheaper regular expression that a line must match before the `expression` is tried.
        '';
      };
      replace = mkOption {
        type = types.str;
        default = logPattern.replace;
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
      default = pkgs.${engines.${soloscope.logs.shipper}.package};
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
          dropped, counted and logged.
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
        description = ''
          What is masked in the lines of single units, by the unit's full name. A template
          (`worker@.service`) is all of its instances.
        '';
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

    attachedContainers = mkOption {
      type = types.listOf types.str;
      default =
        let
          inherit (config.virtualisation) oci-containers;
        in
        lib.optionals (oci-containers.backend == "docker") (
          attrNames (
            lib.filterAttrs (_: container: container.log-driver == "journald") oci-containers.containers
          )
        );
      defaultText = lib.literalMD "those of `virtualisation.oci-containers`, with Docker";
      internal = true;
      description = ''
        Containers whose unit prints what Docker writes to the journal as well.
      '';
    };
  };
}
