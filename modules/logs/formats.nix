# The formats of log files: the timestamp of a line, its level, and where a
# multi-line entry begins. Pure, builtins only.
#
#   FORMAT = {
#     firstLine  regular expression of the first line of an entry; without it,
#                stack traces are joined
#     time       regular expression of the line's own time: group x_own with
#                `layouts` (Go's; the one that fits is taken), or the groups
#                x_sec and x_ms without
#     seconds    the time has whole seconds only
#     status     regular expression with the group x_status, of HTTP
#   }
#
# `nginxLogFormat` is the nginx setting that makes its access log `nginx-json`.
{
  # One JSON object per request. $msec has milliseconds and $request_id is
  # unique: no two lines are the same.
  nginxLogFormat =
    name:
    "log_format ${name} escape=json '"
    + builtins.concatStringsSep "," [
      ''{"event":"http_request"''
      ''"msec":$msec''
      ''"request_id":"$request_id"''
      ''"remote_addr":"$remote_addr"''
      ''"host":"$host"''
      ''"method":"$request_method"''
      ''"path":"$request_uri"''
      ''"protocol":"$server_protocol"''
      ''"status":$status''
      ''"bytes":$body_bytes_sent''
      ''"duration_s":$request_time''
      ''"upstream_s":"$upstream_response_time"''
      ''"referer":"$http_referer"''
      ''"user_agent":"$http_user_agent"}''
    ]
    + "';";

  formats = {
    # Any file: JSON, logfmt or plain text, with the time of reading as timestamp.
    text = { };

    nginx-json = {
      time = ''"msec":(?P<x_sec>\d{10})\.(?P<x_ms>\d{3})'';
      status = ''"status":(?P<x_status>\d{3})'';
    };

    # The format `combined` of nginx and Apache.
    nginx-access = {
      time = ''^\S+ \S+ .*? ?\[(?P<x_own>\d{2}/\w{3}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4})\]'';
      layouts = [ "02/Jan/2006:15:04:05 -0700" ];
      seconds = true;
      status = ''^[^"]*"(?:[^"\\]|\\.)*" (?P<x_status>\d{3}) '';
    };

    nginx-error = {
      time = ''^(?P<x_own>\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}) \['';
      layouts = [ "2006/01/02 15:04:05" ];
      seconds = true;
    };

    # log_line_prefix = '%m [%p] ', PostgreSQL's default.
    postgresql = {
      firstLine = ''^\d{4}-\d{2}-\d{2} '';
      time = ''^(?P<x_own>\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(?:\.\d{3})? (?:UTC|GMT|[+-]\d{2}))\b'';
      layouts = [
        "2006-01-02 15:04:05.999 MST"
        "2006-01-02 15:04:05.999 -07"
      ];
    };

    redis = {
      time = ''^\d+:[XCSM] (?P<x_own>\d{1,2} \w{3} \d{4} \d{2}:\d{2}:\d{2}\.\d{3}) '';
      layouts = [ "2 Jan 2006 15:04:05.000" ];
    };
  };
}
