# Alertmanager's configuration. Pure, builtins only.
#
#   { soloscope, paths } -> { configuration, credentials, flags, part }
#     configuration  Alertmanager's file. On a host `$` must be doubled (default.nix).
#     credentials    credential name -> the file that the unit loads (host only)
#     part           of soloscope.json
{ soloscope, paths }:
let
  inherit (import ../pure.nix)
    concatMap
    dropNulls
    filterAttrs
    mapAttrsToList
    optionalAttrs
    optionals
    ;
  inherit (import ../durations.nix) milliseconds;
  notify = import ../notify/settings.nix { inherit soloscope paths; };
  address = (import ../defaults.nix).listenAddress;
  cfg = soloscope.alertmanager;

  is = label: value: "${label}=${builtins.toJSON value}";
  oneOf = label: values: "${label}=~${builtins.toJSON (builtins.concatStringsSep "|" values)}";
  isNot = label: value: "${label}!=${builtins.toJSON value}";

  # --- receivers -------------------------------------------------------------------

  # A secret's name needs a separator that the names in it may not contain.
  credential = name: key: "receiver.${name}.${key}";
  # { file = the path that Alertmanager reads; }, or nothing
  secret =
    field: name: key: file:
    optionalAttrs (file != null) {
      ${field} = paths.credential "alertmanager" (credential name key) file;
    };

  # What a person reads. A group has the alerts of one rule and one app.
  title = ''{{ if eq .Status "firing" }}{{ .CommonLabels.severity | toUpper }}{{ else }}RESOLVED{{ end }}: {{ (index .Alerts 0).Annotations.summary }}{{ if gt (len .Alerts) 1 }} ({{ len .Alerts }} alerts){{ end }}'';
  text = ''
    {{ range .Alerts }}{{ .Annotations.summary }}
    {{ with .Annotations.description }}{{ . }}
    {{ end }}Since {{ .StartsAt | tz "${soloscope.timeZone}" | date "2 Jan 15:04 MST" }}{{ if eq .Status "resolved" }}, until {{ .EndsAt | tz "${soloscope.timeZone}" | date "2 Jan 15:04 MST" }}{{ end }}
    {{ with .Annotations.dashboard }}Dashboard: {{ . }}
    {{ end }}{{ with .Annotations.runbook_url }}Runbook: {{ . }}
    {{ end }}
    {{ end }}'';

  receiver =
    name: given:
    { inherit name; }
    // optionalAttrs (given.email != null) {
      email_configs = [
        (
          {
            inherit (given.email) to from smarthost;
            require_tls = given.email.requireTls;
            send_resolved = true;
            headers.Subject = title;
            html = ""; # Alertmanager's own is of buttons that lead to 127.0.0.1
            inherit text;
          }
          // optionalAttrs (given.email.username != null) { auth_username = given.email.username; }
          // secret "auth_password_file" name "password" given.email.passwordFile
        )
      ];
    }
    // optionalAttrs (given.slack != null) {
      slack_configs = [
        (
          dropNulls {
            inherit (given.slack) channel;
            send_resolved = true;
            inherit title text;
            title_link = "{{ (index .Alerts 0).Annotations.dashboard }}";
            fallback = title;
          }
          // secret "api_url_file" name "slack" given.slack.urlFile
        )
      ];
    }
    // optionalAttrs (given.pagerduty != null) {
      pagerduty_configs = [
        (
          {
            inherit (given.pagerduty) url;
            send_resolved = true;
            severity = "{{ .CommonLabels.severity }}";
            description = title;
            client = "soloscope";
            client_url = "{{ (index .Alerts 0).Annotations.dashboard }}";
          }
          // secret "routing_key_file" name "pagerduty" given.pagerduty.keyFile
        )
      ];
    }
    // optionalAttrs (given.webhook != null || given.notify != null) {
      webhook_configs =
        optionals (given.webhook != null) [
          (
            { send_resolved = true; }
            // optionalAttrs (given.webhook.url != null) { inherit (given.webhook) url; }
            // secret "url_file" name "url" given.webhook.urlFile
            // optionalAttrs (given.webhook.tokenFile != null) {
              http_config.authorization = secret "credentials_file" name "token" given.webhook.tokenFile;
            }
          )
        ]
        ++ optionals (given.notify != null) [
          {
            send_resolved = true;
            max_alerts = 200; # it takes bodies of at most 4 MiB
            url =
              notify.alertmanagerUrl
              + (if given.notify.channel == null then "" else "?channel=${given.notify.channel}");
            http_config.authorization.credentials_file =
              paths.credential "alertmanager" "notify-token"
                notify.tokenFile;
          }
        ];
    };

  heartbeat = {
    name = "heartbeat";
    webhook_configs = [
      (
        { send_resolved = false; }
        // secret "url_file" "heartbeat" "url" cfg.heartbeat.urlFile
      )
    ];
  };

  # --- routes ----------------------------------------------------------------------

  # Always firing: an alert whose absence is noticed elsewhere, when the host is gone.
  watchdog = {
    matchers = [ (is "alertname" "Watchdog") ];
    receiver = if cfg.heartbeat.urlFile == null then nobody.name else heartbeat.name;
    group_wait = "0s";
    group_interval = cfg.heartbeat.interval;
    # Less than the interval, at the end of which it is looked at.
    repeat_interval = "${toString (milliseconds cfg.heartbeat.interval * 5 / 6)}ms";
  };

  # The canary's alert reaches the outbox of `soloscope notify`, which does not send it.
  canary = {
    matchers = [ (is "alertname" "SoloscopeCanary") ];
    receiver = if soloscope.notify.enable then canaryReceiver.name else nobody.name;
    group_by = [ "..." ];
    group_wait = "0s";
  };
  toOutbox = soloscope.canary.enable && soloscope.notify.enable;
  canaryReceiver = {
    name = "canary";
    webhook_configs = [
      {
        send_resolved = false;
        url = notify.alertmanagerUrl;
        http_config.authorization.credentials_file =
          paths.credential "alertmanager" "notify-token"
            notify.tokenFile;
      }
    ];
  };

  # It only holds others back.
  aftermath = {
    matchers = [ (is "alertname" "Aftermath") ];
    receiver = nobody.name;
  };

  isQuiet = severity: severity != "critical" && cfg.quietHours != null;

  # Each receiver has a route of its own for each severity, and an alert goes on to the next.
  route =
    name: given: severity:
    {
      receiver = name;
      matchers = [ (is "severity" severity) ];
      continue = true;
      repeat_interval = cfg.repeat.${severity};
    }
    // optionalAttrs (given.after != null) {
      # A group for each alert: what is resolved before `after` is never sent.
      group_by = [ "..." ];
      group_wait = given.after;
    }
    // optionalAttrs (isQuiet severity) { mute_time_intervals = [ "quiet" ]; };

  routes = builtins.concatLists (
    mapAttrsToList (name: given: map (route name given) given.severities) cfg.receivers
  );

  # --- quiet hours -----------------------------------------------------------------

  # An interval of Alertmanager's ends at midnight at the latest.
  ranges =
    { from, to }:
    if from < to then
      [
        {
          start_time = from;
          end_time = to;
        }
      ]
    else
      [
        {
          start_time = from;
          end_time = "24:00";
        }
      ]
      ++ optionals (to != "00:00") [
        {
          start_time = "00:00";
          end_time = to;
        }
      ];

  # --- inhibition ------------------------------------------------------------------

  # While the first alert is open, and some minutes more, those that follow from it are
  # not sent: of the same app, or of every app when it is about the host. Alertmanager
  # takes a missing label for an empty one, so `equal` alone would not do.
  inhibitions =
    name: rule:
    concatMap
      (
        source:
        map
          (
            { app, equal }:
            {
              source_matchers = source ++ [ app ];
              target_matchers = [ (oneOf "alertname" rule.inhibits) ];
              inherit equal;
            }
          )
          [
            {
              app = isNot "app" "";
              equal = [ "app" ];
            }
            {
              app = is "app" "";
              equal = [ ];
            }
          ]
      )
      [
        [ (is "alertname" name) ]
        [
          (is "alertname" "Aftermath")
          (is "cause" name)
        ]
      ];

  nobody.name = "nobody";
in
{
  part.alertmanager = {
    listenAddress = address;
    inherit (cfg) enable port;
  };

  configuration = {
    route = {
      # What no route below takes is kept and shown, and nobody is notified.
      receiver = nobody.name;
      group_by = [
        "alertname"
        "app"
      ];
      group_wait = cfg.groupWait;
      group_interval = cfg.groupInterval;
      repeat_interval = cfg.repeat.info;
      routes = [
        watchdog
        aftermath
      ]
      ++ optionals soloscope.canary.enable [ canary ]
      ++ routes;
    };
    receivers = [
      nobody
    ]
    ++ optionals (cfg.heartbeat.urlFile != null) [ heartbeat ]
    ++ optionals toOutbox [ canaryReceiver ]
    ++ mapAttrsToList receiver cfg.receivers;
    inhibit_rules = builtins.concatLists (
      mapAttrsToList inhibitions (
        filterAttrs (_: rule: rule.enable && rule.inhibits != [ ]) soloscope.alerts.rules
      )
    );
  }
  // optionalAttrs (cfg.quietHours != null) {
    time_intervals = [
      {
        name = "quiet";
        time_intervals = [
          {
            times = ranges cfg.quietHours;
            location = soloscope.timeZone;
          }
        ];
      }
    ];
  };

  credentials =
    optionalAttrs
      (toOutbox || builtins.any (given: given.notify != null) (builtins.attrValues cfg.receivers))
      {
        notify-token = notify.tokenFile;
      }
    // builtins.listToAttrs (
    builtins.filter (entry: entry.value != null) (
      concatMap
        (
          { name, files }:
          mapAttrsToList (key: value: {
            name = credential name key;
            inherit value;
          }) files
        )
        (
          [
            {
              name = "heartbeat";
              files.url = cfg.heartbeat.urlFile;
            }
          ]
          ++ mapAttrsToList (name: given: {
            inherit name;
            files =
              optionalAttrs (given.email != null) { password = given.email.passwordFile; }
              // optionalAttrs (given.slack != null) { slack = given.slack.urlFile; }
              // optionalAttrs (given.pagerduty != null) { pagerduty = given.pagerduty.keyFile; }
              // optionalAttrs (given.webhook != null) {
                url = given.webhook.urlFile;
                token = given.webhook.tokenFile;
              };
          }) cfg.receivers
        )
    )
  );

  flags = {
    "web.listen-address" = "${address}:${toString cfg.port}";
    "cluster.listen-address" = ""; # a single instance
    # longer than any repeat interval, or old alerts are sent again
    "data.retention" = "120h";
  };
}
