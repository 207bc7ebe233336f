# Recording rules: results that several panels or a slow query need again and
# again. Names are level:metric:operations. Builtins only.
{
  groups = [
    {
      name = "soloscope-days";
      interval = "5m"; # days change slowly
      rules = [
        {
          # The same weekday of the last four weeks; today is age 0, so
          # yesterday's weekday before is age 8.
          record = "app_name:soloscope_day:avg_weekday4";
          expr = "avg by (app, name) (soloscope_day and on (app, day) (soloscope_day_age == 8 or soloscope_day_age == 15 or soloscope_day_age == 22 or soloscope_day_age == 29))";
        }
      ];
    }
    {
      name = "soloscope-http";
      rules = [
        {
          record = "app:http_requests:rate5m";
          expr = "sum by (app) (rate(http_requests_total{app!=\"\"}[5m]))";
        }
        {
          # sum over sum; every app has the series, also without errors
          record = "app:http_request_errors:ratio_rate5m";
          expr = "(sum by (app) (rate(http_requests_total{app!=\"\",status=~\"5..\"}[5m])) or 0 * sum by (app) (rate(http_requests_total{app!=\"\"}[5m]))) / (sum by (app) (rate(http_requests_total{app!=\"\"}[5m])) > 0)";
        }
        {
          record = "app_le:http_request_duration_seconds_bucket:rate5m";
          expr = "sum by (app, le) (rate(http_request_duration_seconds_bucket{app!=\"\"}[5m]))";
        }
      ];
    }
  ];
}
