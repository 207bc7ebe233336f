"""The servers of the stack, and whatever else is asked over HTTP.

http          one GET, with a deadline and a limit; JSON and its shape
prometheus    PrometheusApi
loki          LokiApi
metrics_text  metrics in Prometheus' text format
systemd       systemctl, journalctl, timedatectl

All of them raise BackendUnavailable with the address and what was answered.
"""
