# `soloscope notify` as the unit soloscope-notify: takes Alertmanager's notifications
# and messages of the apps, keeps them in an outbox on disk, and sends them by WhatsApp
# and other channels. It exists when one of these is declared. Only this unit has the
# provider's token.
{
  config,
  lib,
  ...
}:
let
  inherit (lib)
    mapAttrsToList
    mkIf
    mkOption
    types
    ;
  inherit (import ../types.nix { inherit lib; }) matching portOption secretFile;
  defaults = import ../defaults.nix;
  soloscope = config.services.soloscope;
  cfg = soloscope.notify;
  settings = import ./settings.nix {
    inherit soloscope;
    paths = (import ../paths.nix).host;
  };
  name = "soloscope-notify";
  proxied = cfg.whatsapp != null && cfg.whatsapp.webhook.enable && cfg.whatsapp.webhook.url == null;

  severities =
    default:
    mkOption {
      type = types.listOf (
        types.enum [
          "critical"
          "warning"
          "info"
        ]
      );
      inherit default;
      example = [ "critical" ];
      description = "The severities of the messages that it takes.";
    };

  text =
    default: example: description:
    mkOption {
      type = types.nullOr types.str;
      inherit default example description;
    };

  file =
    example: description:
    mkOption {
      type = secretFile;
      default = null;
      inherit example description;
    };

  template = which: ''
    The approved template of ${which}: its name, or with Twilio its content SID (`HX…`).
    {file}`docs/whatsapp.md` has the text to submit. Null is the name used there (Cloud API), or
    no template (Twilio).
  '';

  whatsapp = {
    options = {
      provider = mkOption {
        type = types.enum [
          "cloud-api"
          "twilio"
        ];
        example = "cloud-api";
        description = "Who carries the messages: Meta's WhatsApp Cloud API, or Twilio.";
      };
      to = mkOption {
        type = matching "phone number such as `+4915123456789`" "\\+[1-9][0-9]{6,14}";
        example = "+4915123456789";
        description = "Your own number, which receives the messages.";
      };
      tokenFile = mkOption {
        type = types.externalPath;
        example = "/run/secrets/whatsapp-token";
        description = ''
          A file with the permanent access token of the Cloud API, or Twilio's auth token.
        '';
      };
      phoneNumberId =
        text defaults.whatsapp.phoneNumberId "106540352242922"
          "The sender's phone number ID (Cloud API only). It is not the number.";
      accountSid =
        text defaults.whatsapp.accountSid "ACXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
          "The account's SID (Twilio only).";
      from = text defaults.whatsapp.from "+14155238886" "The sender's number (Twilio only).";
      apiUrl =
        text defaults.whatsapp.apiUrl defaults.whatsappApi.cloud-api
          "The API's address with its version. Null is that of the provider.";
      severities = severities defaults.whatsapp.severities;
      templates = {
        alert = text defaults.whatsapp.templates.alert "soloscope_alert" (template "alerts");
        digest = text defaults.whatsapp.templates.digest "soloscope_digest" (template "the digest");
        language = mkOption {
          type = types.str;
          default = defaults.whatsapp.templates.language;
          example = "en_US";
          description = "The language code under which the templates were approved (Cloud API only).";
        };
      };
      webhook = {
        enable = lib.mkEnableOption "" // {
          default = defaults.whatsapp.webhook.enable;
          description = ''
            Whether the provider can reach this host. Then your replies open the 24-hour
            window in which messages need no template, and a message that fails after
            it was accepted goes to the next channel. With
            {option}`services.soloscope.domain`, nginx passes the calls on.
          '';
        };
        url =
          text defaults.whatsapp.webhook.url "https://hooks.example.org/whatsapp" ''
            The public URL of the calls, when something other than soloscope's nginx passes them
            to `/whatsapp` of `soloscope notify`. Null is `/soloscope/whatsapp` under
            {option}`services.soloscope.domain`.
          '';
        verifyTokenFile = file "/run/secrets/whatsapp-verify-token" ''
          A file with the verify token that you enter in Meta's dashboard. When it is null,
          one is made at the first boot:
          {file}`/var/lib/soloscope-secrets/whatsapp-verify-token`.
        '';
        appSecretFile = file "/run/secrets/whatsapp-app-secret" ''
          A file with the secret of Meta's app, which signs the calls (Cloud API only).
        '';
      };
    };
  };

  channel = {
    options = {
      urlFile = mkOption {
        type = types.externalPath;
        example = "/run/secrets/ntfy-url";
        description = ''
          A file with the channel's URL as Apprise writes it, such as
          `ntfys://ntfy.sh/my-topic` or `tgram://BOT-TOKEN/CHAT-ID`.
        '';
      };
      severities = severities defaults.channel.severities;
    };
  };
in
{
  options.services.soloscope.notify = {
    enable = lib.mkEnableOption "`soloscope notify`, which sends alerts and reports to your phone" // {
      default = cfg.whatsapp != null || cfg.channels != { };
      defaultText = lib.literalMD "whether `whatsapp` or a channel is declared";
    };
    port = portOption "`soloscope notify`" defaults.notify.port;
    tokenFile = mkOption {
      type = secretFile;
      default = defaults.notify.tokenFile;
      example = "/run/secrets/soloscope-notify-token";
      description = ''
        A file with the token that Alertmanager and the apps send. When it is null, one is
        made at the first boot: {file}`/var/lib/soloscope-secrets/notify-token`.
      '';
    };
    whatsapp = mkOption {
      type = types.nullOr (types.submodule whatsapp);
      default = defaults.notify.whatsapp;
      example = lib.literalExpression ''
        {
          provider = "cloud-api";
          to = "+4915123456789";
          phoneNumberId = "106540352242922";
          tokenFile = "/run/secrets/whatsapp-token";
        }
      '';
      description = "WhatsApp as a channel. {file}`docs/whatsapp.md` goes through it.";
    };
    channels = mkOption {
      type = types.attrsOf (types.submodule channel);
      default = defaults.notify.channels;
      example = lib.literalExpression ''{ phone.urlFile = "/run/secrets/ntfy-url"; }'';
      description = ''
        Further channels, sent through Apprise: ntfy, Telegram, Signal, e-mail and a hundred
        more. A message goes to every channel that takes its severity. When a
        channel fails for good, the next one gets its message.
      '';
    };
  };

  config = mkIf (soloscope.enable && cfg.enable) {
    services.soloscope = {
      listeners."services.soloscope.notify.port" = cfg.port;
      secrets.generate = settings.generate;
    };

    assertions = [
      {
        assertion = proxied -> soloscope.nginx.enable;
        message = "services.soloscope.notify.whatsapp.webhook.enable is true, but nothing passes the provider's calls on. Set services.soloscope.domain, or services.soloscope.notify.whatsapp.webhook.url to the URL of your own proxy.";
      }
    ];

    services.nginx = mkIf (proxied && soloscope.nginx.enable && soloscope.domain != null) {
      virtualHosts.${soloscope.domain}.locations."= ${settings.publicPath}" = {
        proxyPass = "http://${defaults.listenAddress}:${toString cfg.port}/whatsapp";
      };
    };

    systemd.services.${name} = {
      description = "soloscope: alerts and reports to the developer's phone";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [
        "network-online.target"
        "soloscope-secrets.service"
      ];
      requires = mkIf (soloscope.secrets.generate != { }) [ "soloscope-secrets.service" ];
      restartTriggers = [ config.environment.etc."soloscope/soloscope.json".source ];
      startLimitIntervalSec = 0;
      environment = import ../exporter/environment.nix;
      serviceConfig = import ../hardening.nix // {
        Type = "notify";
        ExecStart = "${lib.getExe soloscope.package} notify";
        Restart = "on-failure";
        RestartSec = 2;
        StateDirectory = name;
        StateDirectoryMode = "0700";
        LoadCredential = mapAttrsToList (credential: path: "${credential}:${path}") settings.credentials;
        RestrictAddressFamilies = [
          "AF_UNIX" # the resolver's socket
          "AF_INET"
          "AF_INET6"
        ];
        MemoryMax = "256M";
        TasksMax = 128;
      };
    };
  };
}
