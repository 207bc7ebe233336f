# Log sources that could not be read, or whose names collide.
{
  config,
  lib,
  ...
}:
let
  inherit (import ../types.nix { inherit lib; }) atLeast;
  inherit (import ../durations.nix) milliseconds;
  inherit (import ./units.nix) regex;
  soloscope = config.services.soloscope;
  cfg = soloscope.logs;
  engine = (import ./engines.nix).${cfg.shipper};
  o = "services.soloscope.logs";

  sources = lib.mapAttrsToList (
    name: source:
    source
    // {
      inherit name;
      option = "${o}.sources.${name}";
      job = if source.job != null then source.job else name;
    }
  ) cfg.sources;

  # Groups of sources that share one key and differ otherwise.
  meet =
    key: differ:
    lib.filter (group: lib.length (lib.unique (map differ group)) > 1) (
      lib.attrValues (lib.groupBy key sources)
    );
  names = lib.concatMapStringsSep ", " (source: "`${source.name}`");
  appUnits = lib.concatMap (app: app.units) (lib.attrValues soloscope.apps);
  unitJobs = map (lib.removeSuffix ".service") appUnits;

  # The shipper's unit does not see these (ProtectHome, PrivateTmp).
  hidden = [
    "/home"
    "/root"
    "/run/user"
    "/tmp"
    "/var/tmp"
  ];
  paths =
    source:
    [
      {
        assertion = source.paths != [ ];
        message = "${source.option}.paths is empty, so nothing is read. Name the files, or remove the source.";
      }
    ]
    ++ lib.concatMap (path: [
      {
        assertion = lib.hasPrefix "/" path;
        message = "${source.option}.paths has `${path}`. Set it to an absolute path such as `/var/log/app/*.log`.";
      }
      {
        assertion = !(lib.any (folder: path == folder || lib.hasPrefix "${folder}/" path) hidden);
        message = "${source.option}.paths has `${path}`, but the log shipper sees nothing below ${lib.concatStringsSep ", " hidden}. Have the program write its log below /var/log (`LogsDirectory` of its unit makes a folder there), or print it to the journal.";
      }
    ]) source.paths;

  groups = lib.mapAttrsToList (_: group: group.name) config.users.groups;

  # Units that must be defined: { option = [ unit ]; }
  declared =
    lib.mapAttrs' (name: app: {
      name = "services.soloscope.apps.${name}.units";
      value = app.units;
    }) soloscope.apps
    // {
      # A container of Docker or Podman may have no unit of its own.
      "${o}.redact.units" = lib.filter (unit: builtins.match "(docker|podman)-.*" unit == null) (
        lib.attrNames cfg.redact.units
      );
    };
  defined = lib.attrNames config.systemd.units ++ lib.attrNames config.systemd.user.units;
  isDefined =
    unit:
    let
      instance = builtins.match "([^@]+@)[^@]+(\\.[a-z]+)" unit;
    in
    lib.elem unit defined
    || (instance != null && lib.elem (lib.concatStrings instance) defined)
    || lib.any (other: builtins.match (regex unit) other != null) defined;
  undefined = lib.mapAttrs (
    _:
    lib.filter (
      unit: builtins.match ".*\\.(service|socket|timer|path|target)" unit != null && !(isDefined unit)
    )
  ) declared;

  window = config.services.loki.configuration.limits_config.reject_old_samples_max_age or "168h";
in
{
  config = lib.mkIf soloscope.enable {
    assertions =
      # Loki has one retention per job, and Alloy's component names have
      # letters, digits and underscores only.
      map (group: {
        assertion = false;
        message = "${o}.sources: ${names group} all have the job `${(lib.head group).job}`, and the lines of a job are kept for one time. Give them the same `retention`, or each a `job` of its own.";
      }) (meet (source: source.job) (source: source.retention))
      ++ map (source: {
        assertion = source.retention == null || !(lib.elem source.job unitJobs);
        message = "${source.option} has a retention and the job `${source.job}`, which is also the job of an app's unit, whose lines would go as early. Give it a `job` of its own.";
      }) sources
      ++ map (group: {
        assertion = false;
        message = "${o}.sources: ${names group} are one name to Alloy, which knows letters, digits and underscores only. Rename one of them.";
      }) (
        meet (
          source:
          lib.stringAsChars (c: if builtins.match "[A-Za-z0-9]" c == null then "_" else c) source.name
        ) (source: source.name)
      )
      ++ lib.concatMap paths sources
      ++ map (
        source: atLeast "24h" "Loki keeps nothing for less" "${source.option}.retention" source.retention
      ) (lib.filter (source: source.retention != null) sources)
      ++ map (group: {
        assertion = lib.elem group groups;
        message = "${o}.groups has `${group}`, which is no group of users.groups, and systemd does not start a unit with such a group. Set it to the group of the files (`stat -c %G` shows it).";
      }) cfg.groups
      ++ [
        {
          assertion = milliseconds cfg.maxAge <= milliseconds window;
          message = "${o}.maxAge is ${cfg.maxAge}, but Loki takes no line that is older than ${window}. Set it to at most ${window}.";
        }
      ];

    warnings =
      lib.optional (engine.warning != "") ''
        services.soloscope.logs.shipper is "${cfg.shipper}", which ${engine.warning}
      ''
      ++ lib.concatLists (
        lib.mapAttrsToList (
          option:
          map (
            unit:
            "${option} has `${unit}`, which no module of this host defines. Correct the name, unless something beside NixOS makes this unit."
          )
        ) undefined
      );
  };
}
