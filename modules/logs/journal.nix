# The labels of the journal's lines, as Promtail's relabelling rules. Pure, builtins
# only.
#
#   { apps } -> rules
#     apps  name -> { units }
{ apps }:
let
  inherit (import ../pure.nix) concatMap mapAttrsToList optionals;

  # A regular expression that matches exactly these unit names.
  literal = builtins.replaceStrings [ "." "+" "\\" ] [ "\\." "\\+" "\\\\" ];
  oneOf = names: "(?:${builtins.concatStringsSep "|" (map literal names)})";

  set = target: replacement: {
    target_label = target;
    inherit replacement;
  };
  copy = source: target: {
    source_labels = [ source ];
    target_label = target;
  };
  # unit := REPLACEMENT where the sources are REGEX
  name = sources: regex: replacement: {
    source_labels = sources;
    target_label = "unit";
    inherit regex replacement;
  };
  rename = name [ "unit" ];

  # The units of all apps keep their whole name, whatever it looks like.
  appUnits = concatMap (app: app.units) (builtins.attrValues apps);

  unit = [
    (set "unit" "other")
    ((copy "__journal__transport" "unit") // { regex = "(kernel|audit)"; })
    ((copy "__journal__systemd_unit" "unit") // { regex = "(.+)"; })
    # A unit of a user's own systemd: its name says more than user@1000.service.
    (name [ "__journal__systemd_unit" "__journal__systemd_user_unit" ] "user@.+;(.+\\.service)" "$1")
    # What systemd says about a unit belongs to that unit, as in journalctl -u.
    (name [
      "__journal__systemd_unit"
      "__journal_unit"
    ] "init\\.scope;(.+\\.(?:service|timer|socket|path|mount|scope|target))" "$1")
    # `soloscope annotate` is called from anywhere; its marks are found in one place.
    (name [ "__journal_syslog_identifier" ] "soloscope-annotate" "soloscope-annotate.service")
    (copy "unit" "__unit")
    # One name for what is numbered, so that the streams stay few.
    (rename "session-.+\\.scope" "session.scope")
    (rename "user@.+\\.service" "user@.service")
    (rename "(?:run|app|init|docker|libpod|crio|vte|machine|flatpak)-.+\\.(scope|service)" "$1")
    (rename "(?:scope|service)" "transient.$0")
    # sshd@7-203.0.113.1:22-198.51.100.5:51234.service, systemd-coredump@3-77-0.service
    (rename "([^@]+)@[^@]*[0-9][^@]*[-:][^@]*\\.(service|socket)" "$1@.$2")
    (rename "([^@]+)@[0-9a-f-]{8,}\\.(service|socket)" "$1@.$2")
  ]
  ++ optionals (appUnits != [ ]) [ (name [ "__unit" ] "(${oneOf appUnits})" "$1") ];

  job = [
    {
      source_labels = [ "unit" ];
      regex = "(.+?)(?:\\.service)?";
      target_label = "job";
      replacement = "$1";
    }
    (copy "job" "service_name")
  ];

  host = [ (copy "__journal__hostname" "host") ];

  # What the line itself says is found later (pipeline/levels.nix).
  level = [
    (set "level" "info")
    ((copy "__journal_priority_keyword" "level") // { regex = "(.+)"; })
  ];

  app = concatMap (x: x) (
    mapAttrsToList (
      app:
      { units, ... }:
      optionals (units != [ ]) [
        {
          source_labels = [ "unit" ];
          regex = oneOf units;
          target_label = "app";
          replacement = app;
        }
      ]
    ) apps
  );
in
unit ++ job ++ host ++ level ++ app
