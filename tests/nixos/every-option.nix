# Options are what they say: each is given another value, and an empty one where its
# type allows, and the value is looked for in what is rendered. The options are found
# by walking the module, so a new one cannot be forgotten. No node boots.
#
# The settings (modules/render.nix) are asked first, which takes milliseconds; what
# does not change there must change the units or files of a host.
{
  self,
  pkgs,
  lib,
}:
let
  inherit (import ./lib/evaluate.nix { inherit pkgs lib; }) host;
  complete = import ../../modules/with-defaults.nix;

  # --- a declaration in which every option has an effect --------------------------

  pattern = {
    expression = "a(b)";
    gate = "a";
  };
  base = {
    enable = true;
    domain = "grafana.example.org";
    nginx = {
      tls = "certificate";
      certificate = "/run/certificate";
      certificateKeyFile = "/run/key";
    };
    alertmanager = {
      enable = true;
      heartbeat.urlFile = "/run/secrets/heartbeat";
      quietHours = {
        from = "22:00";
        to = "07:00";
      };
      receivers.x = {
        after = "30m";
        email = {
          to = "a@example.org";
          from = "b@example.org";
          smarthost = "smtp.example.org:587";
          username = "b";
          passwordFile = "/run/secrets/smtp";
        };
        notify.channel = "whatsapp";
        slack.urlFile = "/run/secrets/slack";
        pagerduty.keyFile = "/run/secrets/pagerduty";
        webhook.url = "http://127.0.0.1/x";
      };
    };
    notify = {
      whatsapp = {
        provider = "cloud-api";
        to = "+4915123456789";
        phoneNumberId = "1";
        tokenFile = "/run/secrets/whatsapp";
        webhook.enable = true;
        webhook.appSecretFile = "/run/secrets/whatsapp-app";
      };
      channels.x.urlFile = "/run/secrets/ntfy";
    };
    loki.shorter.x = {
      selector = "{a=\"b\"}";
      retention = "48h";
    };
    logs = {
      host = "web1";
      groups = [ "wheel" ];
      redact.patterns.x = pattern;
      redact.units.x.x = pattern;
      sources.x = {
        paths = [ "/var/log/x.log" ];
        job = "of-x";
        unit = "unit-of-x.service";
        app = "x";
        labels.tier = "batch";
        redact.x = pattern;
        retention = "48h";
      };
    };
    alerts.rules.x = {
      expr = "up == 0";
      for = "1m";
      labels.tier = "batch";
      annotations.tier = "batch";
      inhibits = [ "y" ];
      interval = "2m";
      dashboard = "soloscope-x";
    };
    digest.enable = true;
    canary = {
      enable = true;
      heartbeatUrlFile = "/run/secrets/heartbeat";
    };
    # Every <name> is x.
    apps.x = {
      digest.top.x = {
        title = "x";
        line = "{key}";
      };
      units = [ "x.service" ];
      containers = [ "x-1" ];
      redis = {
        url = "unix:///run/redis-x/redis.sock";
        group = "redis-x";
        username = "soloscope";
        passwordFile = "/run/secrets/x";
      };
      counters.x = { };
      breakdowns.x = { };
      uniques.x = { };
      timings.x = { };
      gauges.x = { };
      user.records.x.key = "x:{id}";
      validators.x = {
        events.x.event = "x";
        records.x.record = "x";
        moves.x = {
          event = "x";
          record = "x";
          field = "x";
        };
        gaps.x = {
          event = "x";
          field = "x";
          after = "x";
        };
        limits.x = {
          event = "x";
          max = 1;
          record = "x";
          field = "x";
          value = "x";
        };
      };
      dashboard.thresholds.x = {
        orange = 1;
        red = 2;
      };
      dashboard.ratios.x = {
        part = "gauges.x";
        of = [ "gauges.x" ];
      };
      jobs.x = {
        counter = "x";
        by = "04:00";
      };
      health.url = "http://127.0.0.1:8080/health";
      metrics.url = "http://127.0.0.1:8080/metrics";
      metrics.names.http_requests_total = "x_requests_total";
      metrics.labels.route = "handler";
      objectives.latency.seconds = 0.5;
      criticalEvents.x = { };
      postgres.socket = "/run/postgresql";
      postgres.passwordFile = "/run/secrets/x-postgres";
      checks.x = {
        kind = "http";
        url = "http://127.0.0.1:8080/ok";
        body = "ok";
        maxSeconds = 1.5;
      };
    };
  };

  # Options that have an effect under another name only.
  instances = {
    # A rule of one's own has it in `expr`.
    "alerts.rules.x.threshold" = "alerts.rules.ErrorSpike.threshold";
  };

  # What an option needs beside, to have an effect.
  beside = {
    "apps.x.checks.x.keyFile".apps.x.checks.x.kind = "api";
    "apps.x.postgres.url".apps.x.postgres.socket = null;
    "logs.ports.alloy".logs.shipper = "alloy";
  };

  # --- values ----------------------------------------------------------------------

  # Where the type does not say which other value will do.
  values = {
    "alertmanager.quietHours.from" = "05:06";
    "alertmanager.quietHours.to" = "05:06";
    "alertmanager.receivers.x.email.smarthost" = "other.example.org:41";
    "alertmanager.receivers.x.severities" = [ "info" ];
    "alerts.rules.ErrorSpike.threshold" = 41;
    "alerts.rules.x.severity" = "info";
    "alerts.rules.x.source" = "loki";
    "apps.x.checks.x.kind" = "api";
    "apps.x.checks.x.url" = "http://127.0.0.1:8081/other";
    "apps.x.checks.x.maxSeconds" = 2.5;
    "apps.x.dashboard.rows" = [ [ "gauges.x" ] ];
    "apps.x.dashboard.thresholds.x.orange" = 5;
    "apps.x.dashboard.thresholds.x.red" = 6;
    "apps.x.health.url" = "http://127.0.0.1:8081/other";
    "apps.x.jobs.x.by" = "05:06";
    "apps.x.metrics.areas" = [ "realtime" ];
    "apps.x.metrics.names" = {
      http_requests_total = "other_requests_total";
    };
    "apps.x.metrics.labels" = {
      route = "endpoint";
    };
    "apps.x.metrics.url" = "http://127.0.0.1:8081/other";
    "apps.x.criticalEvents.x.within" = "41m";
    "apps.x.objectives.availability" = 0.875;
    "apps.x.objectives.latency.seconds" = 0.75;
    "apps.x.objectives.latency.share" = 0.875;
    "apps.x.postgres.url" = "postgresql://soloscope@127.0.0.1/other";
    "apps.x.redis.url" = "unix:///run/other/redis.sock";
    "apps.x.user.idByPhone" = "phone:{phone}";
    "apps.x.user.records.x.newest" = "last";
    "apps.x.validators.x.events.x.min" = 41;
    "apps.x.validators.x.events.x.max" = 42;
    "apps.x.validators.x.events.x.maxPercent" = 43;
    "apps.x.validators.x.gaps.x.unit" = "days";
    "digest.at" = "05:06";
    "dashboards.extra" = [ (builtins.toFile "x.json" (builtins.toJSON { uid = "x"; })) ];
    "exporter.logLevel" = "debug";
    "logs.maxAge" = "41h";
    "logs.redact.patterns.x.gate" = "o";
    "logs.shipper" = "alloy";
    "logs.sources.x.app" = null;
    "logs.sources.x.format" = "redis";
    "loki.maxDiskGiB" = 41;
    "nginx.path" = "/other/";
    "prometheus.maxDiskGiB" = 41;
    "notify.channels.x.severities" = [ "critical" ];
    "notify.whatsapp.provider" = "twilio";
    "notify.whatsapp.severities" = [ "critical" ];
    "notify.whatsapp.to" = "+41446681800";
    "nginx.tls" = "off";
  };

  # What is shown of a value that is not shown as it is.
  parts = {
    "apps.x.redis.url" = "/run/other/redis.sock"; # with the user before it
    "apps.x.criticalEvents.x.within" = ""; # in a rule's file, of which only the path is seen
  };

  # Options without another value, and why.
  without = {
    "enable" = "it is what makes everything else";
  };

  # Options that are never empty where they have an effect, and why.
  neverEmpty = {
    "alerts.rules.ErrorSpike.threshold" = "the rule compares with it";
    "alerts.rules.x.expr" = "an assertion says so";
    "nginx.certificate" = "an assertion says so";
    "nginx.certificateKeyFile" = "an assertion says so";
  };

  is = prefix: option: lib.hasPrefix prefix option.type;
  # Their entries are options of their own.
  isTable = option: lib.hasInfix "(submodule)" option.type;

  other =
    option: value:
    values.${option.name} or (
      if option.type == "boolean" then
        !value
      else if is "package" option then
        lib.getAttrFromPath option.path packages
        // {
          outPath = "/other";
          outputSpecified = true;
        }
      else if lib.isInt value then
        value + 1
      else if lib.hasInfix "duration" option.type then
        "41h"
      else if lib.hasInfix "time zone" option.type then
        "Asia/Tokyo"
      else if lib.hasInfix "absolute path" option.type then
        "/run/other"
      else if is "list of" option then
        [ "other.service" ]
      else if is "attribute set of string" option then
        { other = "value"; }
      else if lib.hasInfix "str" option.type || is "prefix" option || lib.hasInfix "name" option.type then
        "other"
      else
        throw "tests/nixos/every-option.nix: say another value of ${option.name} (${option.type})"
    );

  empty =
    option:
    if neverEmpty ? ${option.name} then
      [ ]
    else if is "null or" option then
      [ null ]
    else if is "list of" option then
      [ [ ] ]
    else if is "attribute set of" option then
      [ { } ]
    else
      [ ];

  packages = (host self.nixosModules.default { services.soloscope = base; }).services.soloscope;

  # --- the options -----------------------------------------------------------------

  inherit
    (pkgs.nixos [
      self.nixosModules.default
      { system.stateVersion = lib.trivial.release; }
    ])
    options
    ;
  documented =
    lib.filter (option: !option.internal && option.visible && !(lib.hasInfix "_module" option.name))
      (lib.optionAttrSetToDocList { inherit (options.services) soloscope; });
  all = map (
    option:
    let
      entry = lib.replaceStrings [ "<name>" ] [ "x" ] (lib.removePrefix "services.soloscope." option.name);
      name = instances.${entry} or entry;
    in
    {
      inherit name;
      inherit (option) type;
      path = lib.splitString "." name;
    }
  ) documented;

  # --- what is rendered ------------------------------------------------------------

  set =
    path: value:
    lib.updateManyAttrsByPath [
      {
        inherit path;
        update = _: value;
      }
    ];

  # Of every option with its value, as a host has them.
  files =
    soloscope:
    import ../../modules/render.nix {
      inherit soloscope;
      root = "/root";
    };

  # null where nixpkgs has no value.
  given =
    value:
    let
      found = builtins.tryEval value;
    in
    if found.success then found.value else null;

  system =
    soloscope:
    let
      config = host self.nixosModules.default {
        services.soloscope = soloscope;
        security.acme.acceptTerms = true;
        security.acme.defaults.email = "admin@example.org";
      };
    in
    {
      units = lib.mapAttrs (_: unit: unit.text) config.systemd.units;
      etc = lib.mapAttrs (_: file: toString file.source) (
        lib.filterAttrs (name: _: lib.hasPrefix "soloscope" name) config.environment.etc
      );
      packages = map toString config.environment.systemPackages;
      ports = config.networking.firewall.allowedTCPPorts;
      nginx = lib.mapAttrs (_: site: {
        sslCertificate = given site.sslCertificate;
        sslCertificateKey = given site.sslCertificateKey;
        locations = lib.attrNames site.locations;
      }) config.services.nginx.virtualHosts;
      grafana = config.services.grafana.settings;
    };

  text = value: builtins.unsafeDiscardStringContext (builtins.toJSON value);

  unchanged = text (system base);

  # What is wrong with one value of one option.
  try =
    option: value:
    let
      around = lib.recursiveUpdate base (beside.${option.name} or { });
      before = complete around;
      change = set option.path;
      inSettings = text (files (change value before));
      changesSettings = inSettings != text (files before);
      # It is not as if nothing had been said.
      default = lib.attrByPath option.path value (complete { });
      asDefault = value != default && inSettings == text (files (change default before));
      # As on a host: a value beside the rest, or instead of what is there.
      onHost = text (system (change (lib.mkForce value) around));
      changesHost = onHost != (if beside ? ${option.name} then text (system around) else unchanged);
      rendered = if changesSettings then inSettings else onHost;
      part = parts.${option.name} or (if lib.isString value then value else builtins.toJSON value);
      shown =
        !(lib.isString value || lib.isInt value || lib.isFloat value) || lib.hasInfix part rendered;
    in
    if !changesSettings && !changesHost then
      [ "${option.name} = ${text value} changes nothing" ]
    else if changesSettings && asDefault then
      [ "${option.name} = ${text value} is as if it were not said" ]
    else
      lib.optional (!shown) "${option.name} = ${text value} is nowhere in what is rendered";

  problems = lib.concatMap (
    option:
    let
      value = lib.attrByPath option.path null (complete base);
    in
    lib.concatMap (try option) (
      lib.optional (!(without ? ${option.name}) && !(isTable option)) (other option value)
      ++ lib.filter (one: one != value) (empty option)
    )
  ) all;

  # --- the option system gives what with-defaults.nix gives ------------------------------

  # Every option with its other value at once.
  changed = lib.foldl' (
    declaration: option:
    if without ? ${option.name} || isTable option || is "package" option then
      declaration
    else
      set option.path (other option (lib.attrByPath option.path null (complete base))) declaration
  ) base all;

  comparable =
    soloscope:
    lib.filterAttrsRecursive (_: value: value != null) (
      lib.filterAttrsRecursive (name: _: name != "package") (
        removeAttrs soloscope [
          "listeners"
          "secrets"
        ]
        // {
          loki = removeAttrs soloscope.loki [ "dataDir" ];
        }
      )
    );
  ofHost = comparable (host self.nixosModules.default { services.soloscope = changed; }).services.soloscope;
  ofComplete = comparable (complete changed);

  # Everything that may be empty is, at once: nothing is laid under it again. An
  # empty string is a value like another.
  emptied =
    some:
    let
      soloscope =
        (host self.nixosModules.default {
          services.soloscope = lib.foldl' (
            declaration: option: set option.path (lib.mkForce (lib.head (empty option))) declaration
          ) base some;
        }).services.soloscope;
    in
    map (option: option.name) (
      lib.filter (option: lib.getAttrFromPath option.path soloscope != lib.head (empty option)) some
    );
  mayBeEmpty = lib.filter (option: empty option != [ ]) all;
  filled =
    emptied (lib.filter (option: is "attribute set" option && !(lib.elem "x" option.path)) mayBeEmpty)
    ++ emptied (lib.filter (option: !(isTable option)) mayBeEmpty);
in
pkgs.testers.runNixOSTest {
  name = "every-option";
  nodes = { };
  testScript = ''
    import json

    problems = ${builtins.toJSON problems}
    print("${toString (lib.length all)} options")
    assert ${toString (lib.length all)} > 100, "most options are missing"
    t.assertEqual(problems, [])
    host = json.loads(${builtins.toJSON (text ofHost)})
    completed = json.loads(${builtins.toJSON (text ofComplete)})
    t.assertEqual(host, completed, "with-defaults.nix")
    t.assertEqual(${builtins.toJSON filled}, [], "not empty when it is emptied")
  '';
}
