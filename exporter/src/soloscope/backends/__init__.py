"""Clients of the stack's servers and of other HTTP servers.

http          one request, with a deadline and a limit; JSON and its shape
prometheus    PrometheusApi
loki          LokiApi
alertmanager  AlertmanagerApi
metrics_text  metrics in Prometheus' text format
systemd       systemctl, journalctl, timedatectl

All of them raise BackendUnavailable with the address and the answer.
"""
