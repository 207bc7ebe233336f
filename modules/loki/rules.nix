# Rules that Loki's ruler evaluates: alerts on what only the logs tell. Pure,
# builtins only. They are sent when Alertmanager is enabled.
#
#   { } -> { groups }
_: {
  groups = [
    {
      name = "soloscope-logs";
      rules = [
        {
          # Five times as many errors as on an average five minutes of the last
          # day, and at least ten: one failing request is no spike.
          alert = "ErrorSpike";
          expr = ''
            sum by (app) (count_over_time({app=~".+", level=~"error|fatal"}[5m]))
              > 5 * sum by (app) (count_over_time({app=~".+", level=~"error|fatal"}[24h])) / 288
            and sum by (app) (count_over_time({app=~".+", level=~"error|fatal"}[5m])) >= 10
          '';
          labels.severity = "warning";
          annotations = {
            summary = "{{ $labels.app }} logs many errors";
            description = "{{ $value }} lines of level error or fatal in five minutes, five times the day's average.";
          };
        }
        {
          alert = "CriticalError";
          expr = ''sum by (app) (count_over_time({app=~".+", level="fatal"}[5m])) > 0'';
          labels.severity = "critical";
          annotations = {
            summary = "{{ $labels.app }} logged a fatal error";
            description = "{{ $value }} lines of level fatal in five minutes.";
          };
        }
      ];
    }
  ];
}
