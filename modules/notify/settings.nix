# The configuration of `soloscope notify`. Pure, builtins only.
#
#   { soloscope, paths } -> { part, credentials, generate, tokenFile, alertmanagerUrl }
#     part             of soloscope.json, when it is enabled
#     credentials      credential name -> the file that the unit loads (host only)
#     generate         the secrets that are made at the first boot
#     tokenFile        the file with the token that Alertmanager sends
#     alertmanagerUrl  where Alertmanager posts to
#     publicPath       the path of the provider's calls under the domain
{ soloscope, paths }:
let
  inherit (import ../pure.nix) filterAttrs mapAttrsToList optionalAttrs;
  defaults = import ../defaults.nix;
  cfg = soloscope.notify;
  inherit (cfg) whatsapp;
  calls = whatsapp != null && whatsapp.webhook.enable;
  generated = name: file: if file == null then "${paths.secrets}/${name}" else file;
  tokenFile = generated "notify-token" cfg.tokenFile;
  publicPath = "/soloscope/whatsapp";

  # Credential name -> file, null where none is set.
  files = {
    notify-token = tokenFile;
  }
  // optionalAttrs (whatsapp != null) { whatsapp-token = whatsapp.tokenFile; }
  // optionalAttrs calls {
    # Twilio signs its calls with the token of the account.
    whatsapp-verify-token =
      if whatsapp.provider == "cloud-api" then
        generated "whatsapp-verify-token" whatsapp.webhook.verifyTokenFile
      else
        null;
    whatsapp-app-secret = whatsapp.webhook.appSecretFile;
  }
  // builtins.listToAttrs (
    mapAttrsToList (name: channel: {
      name = "channel.${name}";
      value = channel.urlFile;
    }) cfg.channels
  );
  set = filterAttrs (_: file: file != null) files;
  secret = name: if set ? ${name} then paths.secret name set.${name} else null;
in
{
  inherit tokenFile publicPath;
  alertmanagerUrl = "http://${defaults.listenAddress}:${toString cfg.port}/alertmanager";
  credentials = set;
  generate =
    optionalAttrs (cfg.tokenFile == null) { notify-token = "key"; }
    // optionalAttrs (
      calls && whatsapp.provider == "cloud-api" && whatsapp.webhook.verifyTokenFile == null
    ) { whatsapp-verify-token = "key"; };

  part.notify =
    if !cfg.enable then
      null
    else
      {
        inherit (defaults) listenAddress;
        inherit (cfg) port;
        stateDirectory = paths.notify;
        inherit (soloscope.alertmanager) repeat;
        tokenFile = secret "notify-token";
        whatsapp =
          if whatsapp == null then
            null
          else
            {
              inherit (whatsapp)
                provider
                to
                phoneNumberId
                accountSid
                from
                severities
                ;
              apiUrl =
                if whatsapp.apiUrl == null then
                  defaults.whatsappApi.${whatsapp.provider} or null
                else
                  whatsapp.apiUrl;
              tokenFile = secret "whatsapp-token";
              templates = {
                inherit (whatsapp.templates) language;
              }
              // builtins.mapAttrs (
                name: usual:
                if whatsapp.templates.${name} == null && whatsapp.provider == "cloud-api" then
                  usual
                else
                  whatsapp.templates.${name}
              ) defaults.whatsappTemplates;
              webhook =
                if !calls then
                  null
                else
                  {
                    url =
                      if whatsapp.webhook.url == null && soloscope.domain != null then
                        "https://${soloscope.domain}${publicPath}"
                      else
                        whatsapp.webhook.url;
                    verifyTokenFile = secret "whatsapp-verify-token";
                    appSecretFile = secret "whatsapp-app-secret";
                  };
            };
        channels = builtins.mapAttrs (name: channel: {
          inherit (channel) severities;
          urlFile = secret "channel.${name}";
        }) cfg.channels;
      };
}
