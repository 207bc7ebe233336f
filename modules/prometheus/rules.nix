# Recording rules: results that several panels, several alerts or a slow query need
# again and again. Names are level:metric:operations. Builtins only.
#
# The rules about requests use the names that apps.<name>.metrics.names maps to.
let
  inherit (builtins) concatMap;
  inherit (import ./windows.nix) rates;

  requests = ''http_requests_total{app!=""}'';
  failed = ''http_requests_total{app!="",status=~"5.."}'';
  buckets = ''http_request_duration_seconds_bucket{app!=""}'';
  sumRate =
    by: selector: window:
    "sum by (${by}) (rate(${selector}[${window}]))";

  # Requests and failures a second, and the share of failures. Everything that has
  # requests has the series, also without a failure.
  requestsOver =
    level: by: window:
    let
      all = sumRate by requests window;
    in
    rates level "http_requests" all "http_request_errors"
      "${sumRate by failed window} or 0 * ${all}"
      window;

  percentile = level: by: percent: {
    record = "${level}:http_request_duration_seconds:p${toString percent}_5m";
    expr = "histogram_quantile(0.${toString percent}, ${sumRate "${by}, le" buckets "5m"})";
  };

  # "app, reason" -> "app_reason"
  level = builtins.replaceStrings [ ", " ] [ "_" ];
  hourly = by: counter: [
    {
      record = "${level by}:${counter}:increase1h";
      expr = ''sum by (${by}) (increase(${counter}_total{app!=""}[1h]))'';
    }
  ];
  within = percent: by: histogram: [
    {
      record = "${level by}:${histogram}:p${toString percent}_1h";
      expr = "histogram_quantile(0.${toString percent}, ${
        sumRate "${by}, le" "${histogram}_bucket{app!=\"\"}" "1h"
      })";
    }
  ];
in
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
      rules =
        requestsOver "app" "app" "5m"
        ++ requestsOver "app_route" "app, route" "5m"
        ++ [
          {
            record = "app_status:http_requests:rate5m";
            expr = sumRate "app, status" requests "5m";
          }
          {
            record = "app_le:http_request_duration_seconds_bucket:rate5m";
            expr = sumRate "app, le" buckets "5m";
          }
        ]
        ++ map (percentile "app" "app") [
          50
          95
          99
        ]
        ++ [ (percentile "app_route" "app, route" 95) ];
    }
    {
      # The windows of the burn-rate alerts.
      name = "soloscope-http-windows";
      interval = "1m";
      rules =
        concatMap (requestsOver "app" "app") [
          "30m"
          "1h"
          "6h"
        ]
        # Of the hours' rates: the series themselves would be read a hundred times as long.
        ++
          rates "app" "http_requests" "avg_over_time(app:http_requests:rate1h[3d])" "http_request_errors"
            "avg_over_time(app:http_request_errors:rate1h[3d])"
            "3d";
    }
    {
      # Of the areas of `apps.<name>.metrics.areas` beside http: what happened in an
      # hour, because little happens in a second.
      name = "soloscope-areas";
      interval = "1m";
      rules =
        hourly "app, provider, status" "api_calls"
        ++ hourly "app" "authentication_attempts"
        ++ hourly "app, reason" "authentication_failures"
        ++ hourly "app, result" "cache_requests"
        ++ hourly "app" "database_errors"
        ++ hourly "app" "database_slow_queries"
        ++ hourly "app, channel, result" "messages_sent"
        ++ hourly "app" "socket_connects"
        ++ hourly "app, result" "socket_deliveries"
        ++ hourly "app, reason" "socket_disconnects"
        ++ hourly "app, task, result" "task_runs"
        ++ within 95 "app, provider" "api_call_duration_seconds"
        ++ within 95 "app" "database_query_duration_seconds"
        ++ within 95 "app, operation" "database_query_duration_seconds"
        ++ within 95 "app, channel" "message_send_duration_seconds"
        ++ within 50 "app" "socket_latency_seconds"
        ++ within 95 "app" "socket_latency_seconds"
        ++ within 95 "app, task" "task_duration_seconds";
    }
    {
      name = "soloscope-host";
      rules = [
        {
          record = "instance:node_cpu_busy:ratio_rate5m";
          expr = ''1 - sum by (instance) (rate(node_cpu_seconds_total{mode=~"idle|iowait"}[5m])) / sum by (instance) (rate(node_cpu_seconds_total[5m]))'';
        }
        {
          record = "instance_mode:node_cpu:ratio_rate5m";
          expr = ''sum by (instance, mode) (rate(node_cpu_seconds_total{mode!="idle"}[5m])) / on (instance) group_left () sum by (instance) (rate(node_cpu_seconds_total[5m]))'';
        }
        {
          record = "instance:node_memory_used:ratio";
          expr = "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes";
        }
        {
          # What users may fill: the blocks that ext4 keeps for root count as used.
          # /nix/store is a second mount of the same disk.
          record = "instance_mountpoint:node_filesystem_used:ratio";
          expr = ''1 - max by (instance, mountpoint) (node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs|overlay|squashfs|fuse.*|nsfs",mountpoint!="/nix/store"} / node_filesystem_size_bytes)'';
        }
        {
          record = "instance_device:node_disk_busy:ratio_rate5m";
          expr = "sum by (instance, device) (rate(node_disk_io_time_seconds_total[5m]))";
        }
      ];
    }
    {
      name = "soloscope-redis";
      rules = [
        {
          record = "app:redis_keyspace_lookups:rate5m";
          expr = "sum by (app) (rate(redis_keyspace_hits_total[5m]) + rate(redis_keyspace_misses_total[5m]))";
        }
        {
          record = "app:redis_keyspace_hits:ratio_rate5m";
          expr = "sum by (app) (rate(redis_keyspace_hits_total[5m])) / (app:redis_keyspace_lookups:rate5m > 0)";
        }
      ];
    }
  ];
}
