# The digest and the canary: what is to come and does not.
{ soloscope }:
let
  inherit (import ../../durations.nix) milliseconds;
in
{
  # A host that was off in the morning sends it when it is on again: so nothing is missing
  # before soloscope has run for as long.
  DigestMissing = rule: {
    enable = soloscope.digest.enable;
    threshold = 93600; # a day and two hours
    for = "10m";
    expr = ''
      max(time() - soloscope_digest_last_success_timestamp_seconds) > ${rule.threshold}
      and on () max(up{job="soloscope"} offset ${rule.threshold}s)
    '';
    summary = "The morning's report did not come";
    description = "`soloscope notify` was given none in {{ ${rule.threshold} | humanizeDuration }}. `journalctl -u soloscope-digest` says why.";
    # It would have come by the same way.
    labels.component = "notify";
  };

  # A run that fails once may have met a restart.
  CanaryFailing = rule: {
    enable = soloscope.canary.enable;
    severity = "critical";
    threshold = 3 * milliseconds soloscope.canary.interval / 1000;
    for = "10m";
    expr = ''
      min by (leg, component) (label_replace(soloscope_canary_success, "component", "notify", "leg", "alert")) == 0
      or label_replace(max(time() - soloscope_canary_last_run_timestamp_seconds) > ${rule.threshold}, "leg", "run", "", "")
    '';
    summary = "The canary failed: {{ $labels.leg }}";
    description = "For ${rule.for} what it sends has not arrived, or (`run`) it has not run. `journalctl -u soloscope-canary` says why.";
  };
}
