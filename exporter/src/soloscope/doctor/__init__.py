"""Compares the declaration with the actual state.

examination  runs all parts in turn
finding      one finding, with its fix
app_redis    one app's Redis: whether it answers, or its error
rights       what the exporter's Redis user may do
scan, keys   the keys of an app's prefix, against what the app declares
values       their values, against what `serve` can export
lines        the app's log lines, against the required fields of an event
servers      Loki, the log shipper, Prometheus and `serve`, by their APIs and metrics
machine      systemd's units and the clock
"""
