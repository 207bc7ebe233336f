"""Writes soloscope's Grafana dashboards, for stacks with and without Prometheus.

`python -m soloscope_dashboards` (with `dashboards/source` on `PYTHONPATH`)
writes the JSON files next to this folder; `--check` says which are out of date.
Only the standard library is used.
"""
