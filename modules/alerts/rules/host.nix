# The host: processor, memory, disks, clock and systemd's units.
{ soloscope }:
let
  inherit (import ../../pure.nix) mapAttrsToList;
  inherit (soloscope.prometheus.exporters.node) enable;
  dashboard = "soloscope-system";

  # A unit of an app gets the label `app`, as in the app's other alerts. `*` in a
  # declared name is any text, and a template is all of its instances.
  ofApps =
    expr:
    builtins.foldl' (
      inner: app:
      if app.units == [ ] then
        inner
      else
        ''label_replace(${inner}, "app", "${app.name}", "name", "${
          builtins.concatStringsSep "|" (map pattern app.units)
        }")''
    ) expr (mapAttrsToList (name: app: { inherit name; inherit (app) units; }) soloscope.apps);
  pattern =
    builtins.replaceStrings
      [
        "."
        "*"
        "@."
        "\\"
      ]
      [
        "[.]"
        ".*"
        "@.*[.]"
        ".*"
      ];
in
{
  # A build or a backup may use every processor for ten minutes.
  HighCPUUsage = rule: {
    inherit enable dashboard;
    threshold = 0.9;
    for = "15m";
    expr = "instance:node_cpu_busy:ratio_rate5m > ${rule.threshold}";
    summary = "The processors are busy";
    description = "They are busy for {{ $value | humanizePercentage }} of the time. The limit is ${rule.percent} for ${rule.for}.";
  };

  # A share, so that it fits every host. Memory that the kernel can free is not used.
  HighMemoryUsage = rule: {
    inherit enable dashboard;
    threshold = 0.9;
    for = "10m";
    expr = "instance:node_memory_used:ratio > ${rule.threshold}";
    summary = "Memory is nearly used up";
    description = "{{ $value | humanizePercentage }} of it is used. The limit is ${rule.percent} for ${rule.for}.";
  };

  OutOfMemoryKill = rule: {
    inherit enable dashboard;
    threshold = 0;
    expr = "increase(node_vmstat_oom_kill[10m]) > ${rule.threshold}";
    summary = "The kernel killed a process for want of memory";
    description = ''That happened {{ printf "%.0f" $value }} times in ten minutes. `journalctl -k -g oom` names the process.'';
  };

  DiskFull = rule: {
    inherit enable dashboard;
    severity = "critical";
    threshold = 0.95;
    for = "5m";
    expr = "instance_mountpoint:node_filesystem_used:ratio > ${rule.threshold}";
    summary = "The disk at {{ $labels.mountpoint }} is nearly full";
    description = "{{ $value | humanizePercentage }} of it is used. The limit is ${rule.percent} for ${rule.for}.";
    inhibits = [
      "DiskFullSoon"
      "LokiWritesFail"
    ];
  };

  # By the line of a day and by that of the last three hours, for longer than those: what
  # a deploy adds is a step, which the second has forgotten by then.
  DiskFullSoon = rule: {
    inherit enable dashboard;
    threshold = 4;
    for = "4h";
    interval = "1m";
    expr = ''
      predict_linear(instance_mountpoint:node_filesystem_used:ratio[1d], ${rule.threshold} * 86400) > 1
      and predict_linear(instance_mountpoint:node_filesystem_used:ratio[3h], ${rule.threshold} * 86400) > 1
      and instance_mountpoint:node_filesystem_used:ratio > 0.6
    '';
    summary = "The disk at {{ $labels.mountpoint }} will be full within ${rule.limit} days";
    description = "As it grew in the last day and in the last three hours, it will be full within ${rule.limit} days.";
  };

  UnitFailed = _: {
    inherit enable;
    for = "5m";
    expr = ofApps ''max by (name) (node_systemd_unit_state{state="failed"}) == 1'';
    summary = "The unit {{ $labels.name }} has failed";
    description = "systemd has given it up. `journalctl -u {{ $labels.name }}` has its last words.";
    dashboard = "soloscope-system";
  };

  # How often systemd restarted it by itself: a deploy does not count.
  UnitCrashLooping = rule: {
    inherit enable dashboard;
    threshold = 4;
    for = "1m";
    expr = ofApps "max by (name) (increase(node_systemd_service_restart_total[15m])) > ${rule.threshold}";
    summary = "The unit {{ $labels.name }} crashes again and again";
    description = ''systemd restarted it {{ printf "%.0f" $value }} times in a quarter of an hour. The limit is ${rule.limit}.'';
    inhibits = [ "UnitFailed" ];
  };

  TimeSkew = rule: {
    inherit enable dashboard;
    threshold = 0.1;
    for = "15m";
    expr = ''
      abs(node_timex_offset_seconds) > ${rule.threshold}
      or node_timex_maxerror_seconds >= 16 and node_timex_sync_status == 0
    '';
    summary = "The clock of the host is wrong, or nothing sets it";
    description = ''It may be {{ printf "%.1f" $value }} s off. The limit is ${rule.limit} s for ${rule.for}; days, deadlines and log times depend on it.'';
  };
}
