# The labels of the journal's lines, as Promtail's relabelling rules. Pure, builtins
# only.
#
#   { apps, named, attached } -> rules
#     apps      name -> { units, containers }
#     named     further units that the declaration names
#     attached  names of Docker's containers whose unit prints their lines as well
{
  apps,
  named,
  attached,
}:
let
  inherit (import ../pure.nix) concatMap mapAttrsToList optionals;
  inherit (import ./units.nix) isPattern oneOf;

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
  containerNamed =
    unit: pattern:
    name [
      "__journal__systemd_unit"
      "__journal__systemd_user_unit"
      "__journal_container_name"
    ] "${unit};${pattern}";
  docker = containerNamed "docker\\.service;.*";
  podman = containerNamed "(?:libpod-.+\\.scope;.*|.*;libpod-.+\\.scope)";
  # silly_turing, a name that Docker and Podman make up, and runner-1-4e2f90ab, a
  # name with an id, are without number.
  random = "(?:[a-z]+_[a-z]+[0-9]?|.*[0-9a-f]{8,}.*)";

  perApp = f: concatMap (x: x) (mapAttrsToList f apps);

  # What the declaration names keeps its whole name, whatever it looks like. The
  # instances of a template are as many as there are connections, perhaps.
  kept = builtins.filter (unit: !(isPattern unit)) (
    perApp (
      _:
      { units, containers, ... }:
      units
      ++ concatMap (name: [
        "docker-${name}.service"
        "podman-${name}.service"
      ]) containers
    )
    ++ named
  );

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
    # A container's line is its unit's, by the name that virtualisation.oci-containers
    # gives it. To journald it is docker.service's, or that of a scope with the
    # container's id. (Podman in a unit of oci-containers prints as that unit.)
    (docker "(.+)" "docker-$1.service")
    (podman "(.+)" "podman-$1.service")
    (copy "unit" "__unit")
    (docker random "docker.service")
    (podman random "transient.scope")
    # One name for what systemd and container engines number at run time, so that the
    # streams stay few. Names that people gave stay.
    (rename "session-.+\\.scope" "session.scope")
    (rename "user@.+\\.service" "user@.service")
    (rename "run-(?:u[0-9]+|r[0-9a-f]{32}|p[0-9]+-i[0-9]+)\\.(scope|service)" "transient.$1")
    (rename "(?:docker|libpod|libpod-conmon|crio|crio-conmon|cri-containerd)-[0-9a-f]{64}\\.scope" "transient.scope")
    (rename "(?:app|vte-spawn|flatpak|snap)[.-].*[-.](?:[0-9]+|[0-9a-f-]{36})\\.(scope|service)" "transient.$1")
    (rename "app-.+@.+\\.service" "transient.service")
    # One instance for each connection or crash: sshd@7-203.0.113.1:22-198.51.100.5:51234,
    # systemd-coredump@3-77-0; not backup@2026-11-27
    (rename "([^@]+)@[0-9]+-[0-9a-f.:\\[\\]]+:[0-9]+-.+\\.service" "$1@.service")
    (rename "([^@]+)@(?:(?:[0-9]{1,3}|[0-9]{5,})-[0-9]+|[0-9]{4}-[0-9]{3,})(?:_[0-9]+)?-[0-9]+\\.service" "$1@.service")
    (rename "([^@]+)@(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\\.service" "$1@.service")
  ]
  ++ optionals (kept != [ ]) [ (name [ "__unit" ] "(${oneOf kept})" "$1") ];

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

  # What the line itself says is found later (pipeline/levels.nix). Docker and Podman
  # give all that a container prints on stderr the priority err: that says nothing.
  level = [
    (set "level" "info")
    {
      source_labels = [
        "__journal_container_name"
        "__journal_priority_keyword"
      ];
      regex = ";(.+)";
      target_label = "level";
      replacement = "$1";
    }
  ];

  app = perApp (
    app:
    { units, containers, ... }:
    optionals (units != [ ]) [ (label app "unit" units) ]
    ++ optionals (containers != [ ]) [ (label app "__journal_container_name" containers) ]
  );
  label = app: source: names: {
    source_labels = [ source ];
    regex = oneOf names;
    target_label = "app";
    replacement = app;
  };

  # `docker run` in a unit prints what the container prints, and Docker's driver
  # for the journal writes it too. The unit's line says which unit it is.
  twice = optionals (attached != [ ]) [
    {
      source_labels = [
        "__journal__systemd_unit"
        "__journal_container_name"
      ];
      regex = "docker\\.service;${oneOf attached}";
      action = "drop";
    }
  ];
in
twice ++ unit ++ job ++ host ++ level ++ app
