# nginx, only when services.soloscope.domain is set: serves Grafana under that
# name with TLS. It is the only program of soloscope that listens on other
# addresses than 127.0.0.1. Its requests are logged as JSON (the log format
# `soloscope`, which other virtual hosts may use, too) and shipped to Loki.
{
  config,
  lib,
  ...
}:
let
  inherit (lib)
    mkDefault
    mkIf
    mkMerge
    mkOption
    types
    ;
  inherit (import ../types.nix { inherit lib; }) matching secretFile;
  defaults = (import ../defaults.nix).nginx;
  soloscope = config.services.soloscope;
  cfg = soloscope.nginx;
  settings = import ./settings.nix {
    inherit soloscope;
    paths = (import ../paths.nix).host;
  };
  tls = cfg.tls != "off";
  vhost = config.services.nginx.virtualHosts.${soloscope.domain};
  acme = config.security.acme;
  email = (acme.certs.${soloscope.domain} or acme.defaults).email;
  # A site's own certificate options, which would conflict with ours.
  hasItsOwn =
    vhost.useACMEHost != null
    || vhost.addSSL
    || vhost.onlySSL
    || (cfg.tls == "acme" && (builtins.tryEval vhost.sslCertificate).success);
in
{
  options.services.soloscope.nginx = {
    enable = mkOption {
      type = types.bool;
      default = soloscope.domain != null;
      defaultText = lib.literalExpression "config.services.soloscope.domain != null";
      description = ''
        Whether nginx serves Grafana at {option}`services.soloscope.domain`. Turn it off
        when another program does that, such as Caddy or a proxy on another host. It passes
        the requests below `path` to {option}`services.soloscope.grafana.port` on 127.0.0.1
        with their path and their header `Host`, and lets websockets through.
      '';
    };
    tls = mkOption {
      type = types.enum [
        "acme"
        "certificate"
        "host"
        "off"
      ];
      default = defaults.tls;
      description = ''
        Where the certificate comes from: `acme` gets one from Let's Encrypt (set
        {option}`security.acme.acceptTerms` and {option}`security.acme.defaults.email`),
        `certificate` uses the two files named here, `host` leaves it to what the host
        says under `services.nginx.virtualHosts.<domain>` (a site that exists, or
        `useACMEHost`), `off` serves plain HTTP, for a host behind something else that ends
        TLS.
      '';
    };
    certificate = mkOption {
      type = types.nullOr types.path;
      default = defaults.certificate;
      example = "/var/lib/certificates/grafana.pem";
      description = "The certificate with its chain, for `tls = \"certificate\"`.";
    };
    certificateKeyFile = mkOption {
      type = secretFile;
      default = defaults.certificateKeyFile;
      example = "/var/lib/certificates/grafana.key";
      description = "The certificate's private key, which the user of nginx must be able to read.";
    };
    path = mkOption {
      type = matching "path that begins and ends with a slash, such as `/` or `/grafana/`" "/([A-Za-z0-9._~-]+/)*";
      default = defaults.path;
      example = "/grafana/";
      description = "The path under the domain at which Grafana is.";
    };
    openFirewall = mkOption {
      type = types.bool;
      default = defaults.openFirewall;
      description = "Whether the firewall lets HTTP (and HTTPS) in when nginx serves Grafana.";
    };
  };

  config = mkIf (soloscope.enable && cfg.enable) (mkMerge [
    {
      assertions = [
        {
          assertion = soloscope.domain != null;
          message = "services.soloscope.nginx.enable is true, but services.soloscope.domain is null. Set it to the name under which Grafana is reached.";
        }
        {
          assertion = soloscope.grafana.enable;
          message = "services.soloscope.domain is `${toString soloscope.domain}`, but services.soloscope.grafana.enable is false, so there is nothing to serve. Set services.soloscope.nginx.enable = false, or enable Grafana.";
        }
        {
          assertion = cfg.tls == "certificate" -> cfg.certificate != null && cfg.certificateKeyFile != null;
          message = "services.soloscope.nginx.tls is `certificate`. Set services.soloscope.nginx.certificate and services.soloscope.nginx.certificateKeyFile to its files.";
        }
        {
          assertion = cfg.tls == "acme" && soloscope.domain != null -> acme.acceptTerms && email != null;
          message = "services.soloscope.nginx.tls is `acme`, which needs security.acme.acceptTerms = true and security.acme.defaults.email. Set both, or set services.soloscope.nginx.tls to `certificate`, `host` or `off`.";
        }
        {
          assertion =
            soloscope.domain != null && (cfg.tls == "acme" || cfg.tls == "certificate") -> !hasItsOwn;
          message = "services.nginx.virtualHosts.\"${toString soloscope.domain}\" says itself where its certificate comes from, and services.soloscope.nginx.tls is `${cfg.tls}`. Set services.soloscope.nginx.tls = \"host\".";
        }
      ];
    }
    (mkIf (soloscope.domain != null) {
      services.nginx = {
        enable = true;
        recommendedTlsSettings = mkDefault true;
        recommendedGzipSettings = mkDefault true;
        commonHttpConfig = settings.logFormat;
        virtualHosts.${soloscope.domain} = {
          inherit (settings) locations;
          forceSSL = mkIf (cfg.tls != "host") (mkDefault tls);
          enableACME = mkIf (cfg.tls != "host") (mkDefault (cfg.tls == "acme"));
          sslCertificate = mkIf (cfg.tls == "certificate") cfg.certificate;
          sslCertificateKey = mkIf (cfg.tls == "certificate") cfg.certificateKeyFile;
        };
      };
      services.soloscope.logs = {
        sources.nginx-soloscope = settings.source;
        groups = [ config.services.nginx.group ];
      };
      networking.firewall.allowedTCPPorts = mkIf cfg.openFirewall ([ 80 ] ++ lib.optional tls 443);
    })
  ]);
}
