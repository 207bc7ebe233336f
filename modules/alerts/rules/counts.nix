# What the apps count in Redis, and the jobs that must have counted by a time of day.
{ soloscope }:
let
  inherit (builtins) any attrValues;
  apps = attrValues soloscope.apps;
  withRedis = any (app: app.redis.url != null) apps;
in
{
  # A job that never ran is none yet: on a fresh host nothing is late.
  JobLate = _: {
    enable = any (app: app.jobs != { }) apps;
    severity = "critical";
    for = "1m";
    expr = ''
      max by (app, name) (soloscope_job_late) == 1
      and on (app, name) soloscope_job_last_success_timestamp_seconds
    '';
    summary = "{{ $labels.app }}: the job {{ $labels.name }} is late";
    description = "It had not done its work five minutes after its time of day.";
  };

  # Yesterday against the same weekday of the last four weeks. Three standard deviations
  # of a count are three times the root of its mean; below ten that is no signal.
  CountBelowWeekday = rule: {
    enable = withRedis;
    threshold = 3;
    for = "1h";
    expr = ''
      sum by (app, name) (soloscope_day and on (app, day) soloscope_day_age == 1)
      < (app_name:soloscope_day:avg_weekday4 >= 10) - ${rule.threshold} * sqrt(app_name:soloscope_day:avg_weekday4)
    '';
    summary = "{{ $labels.app }}: {{ $labels.name }} was far below its weekday";
    description = "Yesterday it was {{ $value }}, which is ${rule.limit} standard deviations below the same weekday of the last four weeks.";
  };

  KeysWithoutExpiry = rule: {
    enable = withRedis;
    severity = "info";
    threshold = 0;
    for = "1h";
    expr = "max by (app) (soloscope_keys_without_expiry) > ${rule.threshold}";
    summary = "{{ $labels.app }} has counts that Redis keeps for ever";
    description = "{{ $value }} keys have had no expiry for ${rule.for}. `soloscope doctor` names them.";
  };

  KeysDropped = rule: {
    enable = any (app: app.breakdowns != { }) apps;
    severity = "info";
    threshold = 0;
    for = "1h";
    expr = "max by (app) (soloscope_keys_dropped) > ${rule.threshold}";
    summary = "A breakdown of {{ $labels.app }} has more keys than are shown";
    description = "{{ $value }} keys were left out for ${rule.for}: they are above the breakdown's limit, or too long.";
  };
}
