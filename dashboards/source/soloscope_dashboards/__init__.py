"""Writes soloscope's Grafana dashboards, in both shapes of the stack.

`python -m soloscope_dashboards` (with `dashboards/source` on `PYTHONPATH`)
writes the JSON files next to this folder; `--check` says which are out of date.
Only the standard library is used.
"""
