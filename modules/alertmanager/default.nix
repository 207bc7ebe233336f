# Alertmanager, where somebody is to be notified: services.prometheus.alertmanager, connected to
# Prometheus, Loki's ruler and Grafana. `receivers` says who is notified. A host's own
# services.prometheus.alertmanager.configuration replaces all of it.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    attrNames
    concatMap
    concatStringsSep
    filterAttrs
    mapAttrsToList
    mkDefault
    mkIf
    mkMerge
    mkOption
    optional
    optionals
    types
    ;
  inherit (import ../types.nix { inherit lib; })
    duration
    flagList
    inForce
    listensHere
    matching
    portOption
    secretFile
    servedAtRoot
    ;
  inherit (import ../durations.nix) milliseconds;
  defaults = (import ../defaults.nix).alertmanager;
  address = (import ../defaults.nix).listenAddress;
  soloscope = config.services.soloscope;
  cfg = soloscope.alertmanager;
  upstream = config.services.prometheus.alertmanager;
  settings = import ./settings.nix {
    inherit soloscope;
    paths = (import ../paths.nix).host;
  };
  option = "services.soloscope.alertmanager";

  # nixpkgs' unit passes the file through envsubst, which takes `$` for a variable.
  escaped =
    value:
    if lib.isString value then
      lib.replaceStrings [ "$" ] [ "$$" ] value
    else if lib.isList value then
      map escaped value
    else if lib.isAttrs value then
      lib.mapAttrs (_: escaped) value
    else
      value;
  configuration = escaped settings.configuration;

  # --- assertions ------------------------------------------------------------------

  channels = [
    "notify"
    "email"
    "slack"
    "pagerduty"
    "webhook"
  ];
  ofReceiver =
    name: given:
    let
      here = "${option}.receivers.${name}";
      inherit (given) webhook;
    in
    [
      {
        assertion =
          builtins.match "[A-Za-z0-9_-]+" name != null
          && !(lib.elem name [
            "nobody"
            "heartbeat"
            "canary"
          ]);
        message = "${option}.receivers has `${name}`, but a name is of letters, digits, `_` and `-`, and none of `nobody`, `heartbeat` and `canary`, which soloscope has already. Use another.";
      }
      {
        assertion = lib.any (channel: given.${channel} != null) channels;
        message = "${here} has no channel, so nothing is sent. Set ${concatStringsSep ", " (map (channel: "`${channel}`") channels)} or several of them, or remove it.";
      }
      {
        assertion = given.severities != [ ];
        message = "${here}.severities is empty, so no alert goes there. Name some, or remove the receiver.";
      }
    ]
    ++ optionals (webhook != null) [
      {
        assertion = (webhook.url == null) != (webhook.urlFile == null);
        message = "${here}.webhook needs one of `url` and `urlFile`.";
      }
      {
        assertion = webhook.url == null || !(urls.hasPassword webhook.url);
        message = "${here}.webhook.url contains a password, which everybody can read in the Nix store. Take it out, write the URL into a file and set ${here}.webhook.urlFile.";
      }
    ]
    ++ optionals (given.notify != null) [
      {
        assertion = soloscope.notify.enable;
        message = "${here}.notify is set, but services.soloscope.notify.enable is false. Declare services.soloscope.notify.whatsapp or a channel, or remove it.";
      }
      {
        assertion =
          given.notify.channel == null
          || soloscope.notify.channels ? ${given.notify.channel}
          || (given.notify.channel == "whatsapp" && soloscope.notify.whatsapp != null);
        message = "${here}.notify.channel is `${toString given.notify.channel}`, but services.soloscope.notify has the channels ${concatStringsSep ", " (map (name: "`${name}`") (optional (soloscope.notify.whatsapp != null) "whatsapp" ++ attrNames soloscope.notify.channels))}. Name one of them.";
      }
    ]
    ++ optionals (given.email != null) [
      {
        assertion = (given.email.username == null) == (given.email.passwordFile == null);
        message = "${here}.email needs `username` and `passwordFile` both, or neither.";
      }
    ];
  urls = import ../urls.nix;

  tooLong = filterAttrs (
    _: interval: milliseconds interval > milliseconds settings.flags."data.retention"
  ) cfg.repeat;

  isOurs = upstream.configText == null && upstream.configuration == configuration;
  unused = optional (cfg.receivers != { }) "receivers" ++ optional (cfg.heartbeat.urlFile != null) "heartbeat";

  # Severities of which nobody hears.
  unheard = lib.subtractLists (concatMap (given: given.severities) (lib.attrValues cfg.receivers)) [
    "critical"
    "warning"
  ];
in
{
  options.services.soloscope.alertmanager = {
    enable =
      lib.mkEnableOption "Alertmanager, which groups alerts, leaves out those that follow from another, and notifies {option}`${option}.receivers`"
      // {
        default = cfg.receivers != { } || cfg.heartbeat.urlFile != null;
        defaultText = lib.literalMD "whether a receiver or the heartbeat is declared";
      };
    package = lib.mkPackageOption pkgs "prometheus-alertmanager" { };
    port = portOption "Alertmanager" defaults.port;

    receivers = mkOption {
      type = types.attrsOf (types.submodule (import ./receiver.nix { inherit lib; }));
      default = { };
      description = ''
        Who is notified. Each receiver has one or more channels and hears of the alerts of
        its `severities`. A group of alerts (one rule, one app) is one message when it
        fires and one when it is over.
      '';
      example = lib.literalExpression ''
        {
          me.email = {
            to = "me@example.org";
            from = "alerts@example.org";
            smarthost = "smtp.example.org:587";
            username = "alerts@example.org";
            passwordFile = "/run/secrets/smtp-password";
          };
          pager = {
            severities = [ "critical" ];
            after = "30m";
            pagerduty.keyFile = "/run/secrets/pagerduty-key";
          };
        }
      '';
    };

    heartbeat = {
      urlFile = mkOption {
        type = secretFile;
        default = defaults.heartbeat.urlFile;
        example = "/run/secrets/heartbeat-url";
        description = ''
          A file with a URL that is called as long as alerts work: the ping URL of
          healthchecks.io, of Uptime Kuma, or of another service outside this host, which
          notifies you when the calls stop. Without it nobody hears that the host is dead.
        '';
      };
      interval = mkOption {
        type = duration;
        default = defaults.heartbeat.interval;
        description = ''
          How often it is called. Give the service a grace of six minutes: a dead Prometheus
          is noticed after five.
        '';
      };
    };

    quietHours = mkOption {
      type = types.nullOr (
        types.submodule {
          options =
            lib.mapAttrs
              (
                _: what:
                mkOption {
                  type = matching "time of day such as `22:00`" "([01][0-9]|2[0-3]):[0-5][0-9]";
                  inherit (what) example description;
                }
              )
              {
                from = {
                  example = "22:00";
                  description = "When they begin.";
                };
                to = {
                  example = "07:00";
                  description = "When they end, on the next day if that is earlier than `from`.";
                };
              };
        }
      );
      default = defaults.quietHours;
      example = {
        from = "22:00";
        to = "07:00";
      };
      description = ''
        When only critical alerts are sent, in {option}`services.soloscope.timeZone`. What is
        still open when they end is sent then. Null has none.
      '';
    };

    groupWait = mkOption {
      type = duration;
      default = defaults.groupWait;
      description = "How long the first alert of a group waits for others, and for the alert from which it follows.";
    };
    groupInterval = mkOption {
      type = duration;
      default = defaults.groupInterval;
      description = "How long after a message about a group the next one may be sent: that it is over, or that there are more.";
    };
    repeat =
      lib.mapAttrs
        (
          severity: default:
          mkOption {
            type = duration;
            inherit default;
            description = "How often what is still open is sent again, of severity ${severity}.";
          }
        )
        {
          inherit (defaults.repeat) critical warning info;
        };
  };

  config = mkMerge [
    (mkIf (soloscope.enable && soloscope.notify.enable) {
      services.soloscope.alertmanager.receivers.notify.notify = mkDefault { };
    })

    (mkIf (soloscope.enable && !cfg.enable) {
      assertions = map (name: {
        assertion = false;
        message = "${option}.${name} is set, but ${option}.enable is false, so nobody is notified. Take that out.";
      }) unused;
    })

    (mkIf (soloscope.enable && cfg.enable) {
      services.soloscope.listeners."${option}.port" = cfg.port;

      assertions = [
        (inForce {
          program = "Alertmanager";
          option = "services.prometheus.alertmanager.port";
          value = upstream.port;
          ours = "${option}.port";
          expected = cfg.port;
        })
        (listensHere "Alertmanager" "services.prometheus.alertmanager.listenAddress" upstream.listenAddress)
        (servedAtRoot "Alertmanager" "services.prometheus.alertmanager.webExternalUrl"
          upstream.webExternalUrl
          upstream.extraFlags
        )
        {
          assertion = isOurs || unused == [ ];
          message = "services.prometheus.alertmanager has a configuration of yours, which replaces soloscope's, so ${concatStringsSep " and " (map (name: "${option}.${name}") unused)} would do nothing. Keep one of them.";
        }
        {
          assertion = cfg.quietHours == null || cfg.quietHours.from != cfg.quietHours.to;
          message = "${option}.quietHours are from ${cfg.quietHours.from} to ${cfg.quietHours.to}, which is no time. Correct one, or set severities = [ \"critical\" ] for each receiver.";
        }
      ]
      ++ lib.concatLists (mapAttrsToList ofReceiver cfg.receivers)
      ++ mapAttrsToList (severity: interval: {
        assertion = false;
        message = "${option}.repeat.${severity} is ${interval}, but Alertmanager forgets after ${settings.flags."data.retention"} what it has sent. Set less.";
      }) tooLong;

      warnings = optionals isOurs (
        if cfg.receivers == { } then
          [
            "${option}.receivers is empty: alerts are shown, but nobody is notified. Declare one, for example receivers.me.email."
          ]
        else
          map (
            severity:
            "${option}.receivers: none of ${concatStringsSep ", " (attrNames cfg.receivers)} has `${severity}` in its severities, so nobody is notified of ${severity} alerts. Add it to one."
          ) unheard
      );

      services.prometheus.alertmanager = {
        enable = true;
        package = mkDefault cfg.package;
        listenAddress = mkDefault address;
        port = mkDefault cfg.port;
        # Set as a whole: nixpkgs' type does not merge nested values.
        configuration = mkDefault configuration;
        # nixpkgs sets the address itself.
        extraFlags = flagList (removeAttrs settings.flags [ "web.listen-address" ]);
      };
      systemd.services.alertmanager = {
        # which makes the token of `soloscope notify`
        after = [ "soloscope-secrets.service" ];
        requires = mkIf (soloscope.secrets.generate != { }) [ "soloscope-secrets.service" ];
        serviceConfig.LoadCredential = mapAttrsToList (name: file: "${name}:${file}") settings.credentials;
      };
    })
  ];
}
