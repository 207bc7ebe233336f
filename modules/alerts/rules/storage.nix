# Loki and the log shipper: whether logs arrive, and are kept as was declared.
{ soloscope }:
let
  inherit (import ../../durations.nix) milliseconds;
  budget = soloscope.loki.maxDiskGiB != null;
  engine = (import ../../logs/engines.nix).${soloscope.logs.shipper};
  retention = toString (milliseconds soloscope.loki.retention / 1000);
  dropped = engine.metrics.flood;
in
{
  # Loki accepts lines on a full disk, answers from memory, and says nothing.
  LokiWritesFail = rule: {
    severity = "critical";
    threshold = 0;
    for = "1m";
    expr = ''
      increase(loki_ingester_wal_disk_full_failures_total[15m])
        + increase(loki_ingester_chunks_flush_failures_total[15m]) > ${rule.threshold}
    '';
    summary = "Loki cannot write to its disk";
    description = "It took lines that will be lost at its next restart: writing has failed for ${rule.for}.";
  };

  LokiBlocked = _: {
    enable = budget;
    severity = "critical";
    for = "5m";
    expr = "soloscope_loki_ingestion_blocked == 1";
    summary = "Loki takes no lines: its disk budget is used up";
    description = "New lines wait in the journal until there is room.";
    inhibits = [
      "LokiBudgetNearlyUsed"
      "LogRetentionShortened"
    ];
  };

  # The budget keeps the folder under 85 %.
  LokiBudgetNearlyUsed = rule: {
    enable = budget;
    threshold = 0.9;
    for = "30m";
    expr = "sum without (part) (soloscope_loki_bytes) / soloscope_loki_budget_bytes > ${rule.threshold}";
    summary = "Loki has nearly used its disk budget";
    description = "It uses {{ $value | humanizePercentage }} of it. The limit is ${rule.percent} for ${rule.for}; at 100 % Loki takes no more lines.";
  };

  LogRetentionShortened = rule: {
    enable = budget;
    threshold = 0.9;
    for = "1h";
    expr = "soloscope_loki_retention_seconds / ${retention} < ${rule.threshold}";
    summary = "Logs are kept for a shorter time than declared";
    description = "The disk budget leaves {{ $value | humanizePercentage }} of the ${soloscope.loki.retention} that are declared. At least ${rule.percent} is expected; it was less for ${rule.for}.";
  };

  LokiRetentionStuck = rule: {
    threshold = 3;
    for = "15m";
    # Since Loki's start when it has not applied it yet.
    expr = ''
      (time() - (
        loki_compactor_apply_retention_last_successful_run_timestamp_seconds > 0
        or on (job) process_start_time_seconds{job="loki"}
      )) / 3600 > ${rule.threshold}
    '';
    summary = "Loki deletes no old logs";
    description = ''It last did {{ printf "%.1f" $value }} hours ago. The limit is ${rule.limit} hours: the disk may fill.'';
  };

  LokiLimitsRefused = _: {
    for = "5m";
    expr = "loki_runtime_config_last_reload_successful == 0";
    summary = "Loki refuses its file of limits";
    description = "It keeps the limits that it had, so the disk budget has no effect.";
  };

  # The counter of a unit begins with its first dropped line, which is no increase.
  LinesDropped = rule: {
    threshold = 0;
    expr = ''
      sum by (unit) (label_replace(
        increase(${dropped}[15m]) > ${rule.threshold}
        or ${dropped} > ${rule.threshold} unless ${dropped} offset 15m,
        "unit", "$1", "label_value", "(.+)"
      ))
    '';
    summary = "Lines of {{ $labels.unit }} were dropped";
    description = ''{{ printf "%.0f" $value }} lines in a quarter of an hour: the unit prints faster than services.soloscope.logs.flood allows.'';
  };

  # A host is never silent for half an hour: the disk budget alone logs every five minutes.
  ShipperSilent = rule: {
    enable = budget;
    severity = "critical";
    threshold = 1;
    for = "15m";
    expr = ''
      sum(increase(loki_distributor_lines_received_total[30m])) < ${rule.threshold}
      and on () up{job="loki"} == 1
      and on () up{job="${soloscope.logs.shipper}"} == 1
    '';
    summary = "No log lines reach Loki";
    description = "Not one line in half an hour, for ${rule.for}: the shipper reads nothing, or Loki refuses it.";
  };
}
