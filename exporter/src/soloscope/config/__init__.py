"""The configuration file, read into frozen dataclasses.

The file is JSON with the names and the shape of the NixOS options (camelCase).
Durations are written as Prometheus writes them ("30s", "1h30m").

options   which options there are, and what each accepts
values    how one value is read
reading   the file against the options; `load` and `parse`
"""

from soloscope.config.options import (
    Alertmanager,
    App,
    Breakdown,
    Budget,
    Check,
    Config,
    Counter,
    Exporter,
    Gauge,
    Grafana,
    Health,
    Job,
    Loki,
    Metrics,
    Objectives,
    Postgres,
    PostgresExporter,
    Probe,
    Prometheus,
    Redis,
    Shipper,
    Stream,
    Timing,
    Unique,
)
from soloscope.config.reading import load, parse
from soloscope.config.values import RedisUrl, duration, redis_url
from soloscope.errors import Problem

__all__ = [
    "Alertmanager",
    "App",
    "Breakdown",
    "Budget",
    "Check",
    "Config",
    "Counter",
    "Exporter",
    "Gauge",
    "Grafana",
    "Health",
    "Job",
    "Loki",
    "Metrics",
    "Objectives",
    "Postgres",
    "PostgresExporter",
    "Probe",
    "Problem",
    "Prometheus",
    "Redis",
    "RedisUrl",
    "Shipper",
    "Stream",
    "Timing",
    "Unique",
    "duration",
    "load",
    "parse",
    "redis_url",
]
