# The options of a receiver, `alertmanager.receivers.<name>`: who is notified of what, and
# by which channels. As apps/options.nix, default.nix makes a submodule of this, and
# with-defaults.nix fills a bare declaration with it where there is no nixpkgs.
{ lib }:
let
  inherit (lib) mkOption types;
  inherit (import ../types.nix { inherit lib; }) duration matching secretFile;

  file =
    what:
    mkOption {
      type = types.externalPath;
      example = "/run/secrets/${what.example}";
      description = "A file with ${what.what}. systemd reads it, so root alone needs access.";
    };
  fileOrNull =
    what:
    mkOption {
      type = secretFile;
      default = null;
      example = "/run/secrets/${what.example}";
      description = "A file with ${what.what}.";
    };
  channel =
    description: options:
    mkOption {
      type = types.nullOr (types.submodule { inherit options; });
      default = null;
      inherit description;
    };
in
{
  options = {
    severities = mkOption {
      type = types.listOf (
        types.enum [
          "critical"
          "warning"
          "info"
        ]
      );
      default = [
        "critical"
        "warning"
      ];
      example = [ "critical" ];
      description = "Of which alerts it is notified, by the severity of their rules.";
    };
    after = mkOption {
      type = types.nullOr duration;
      default = null;
      example = "30m";
      description = ''
        How long an alert must be open before it is sent here: the second person, or the
        louder channel, for what nobody has mended by then. Null sends it at once.
      '';
    };
    notify =
      channel "Hands it to `soloscope notify`, for WhatsApp and the other channels of {option}`services.soloscope.notify`. Where that is enabled, a receiver called `notify` is there by itself."
        {
          channel = mkOption {
            type = types.nullOr types.str;
            default = null;
            example = "whatsapp";
            description = "The one channel to send by: `whatsapp`, or a name of {option}`services.soloscope.notify.channels`. Null is each channel that takes the severity.";
          };
        };
    email = channel "Sends an e-mail." {
      to = mkOption {
        type = types.str;
        example = "me@example.org";
        description = "The address to which it is sent.";
      };
      from = mkOption {
        type = types.str;
        example = "alerts@example.org";
        description = "The sender's address.";
      };
      smarthost = mkOption {
        type = matching "mail server such as `smtp.example.org:587`" "[^/:@ ]+:[0-9]+";
        example = "smtp.example.org:587";
        description = "The mail server that takes it, with its port.";
      };
      username = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "alerts@example.org";
        description = "The user name at the mail server. Null when it wants none.";
      };
      passwordFile = fileOrNull {
        example = "smtp-password";
        what = "the password of `username`";
      };
      requireTls = mkOption {
        type = types.bool;
        default = true;
        description = "Whether the mail is sent over TLS only. False is for a mail server on this host.";
      };
    };
    slack = channel "Writes into a channel of Slack, or of what takes Slack's webhooks (Mattermost, Rocket.Chat, Discord with `/slack`)." {
      urlFile = file {
        example = "slack-webhook";
        what = "the URL of the incoming webhook, which is a secret";
      };
      channel = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "#alerts";
        description = "The channel. Null leaves it to the webhook, which in Slack has one.";
      };
    };
    pagerduty = channel "Opens an incident in PagerDuty, and resolves it." {
      keyFile = file {
        example = "pagerduty-key";
        what = "the integration key of an *Events API v2* integration";
      };
      url = mkOption {
        type = types.str;
        default = "https://events.pagerduty.com/v2/enqueue";
        example = "https://events.eu.pagerduty.com/v2/enqueue";
        description = "The events API, which in Europe has another address.";
      };
    };
    webhook = channel "Posts the alerts as JSON, in [Alertmanager's format](https://prometheus.io/docs/alerting/latest/configuration/#webhook_config)." {
      url = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "http://127.0.0.1:8080/alerts";
        description = "Where it is posted. Set this, or `urlFile` if the URL is a secret.";
      };
      urlFile = fileOrNull {
        example = "webhook-url";
        what = "the URL";
      };
      tokenFile = fileOrNull {
        example = "webhook-token";
        what = "a token, which is sent as `Authorization: Bearer`";
      };
    };
  };
}
