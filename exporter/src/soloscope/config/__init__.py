"""The configuration file, read into frozen dataclasses.

The file is JSON with the names and the shape of the NixOS options (camelCase).
Durations are written as Prometheus writes them ("30s", "1h30m").

shape     what the file says
reading   how one value is read
file      which options there are; `load` and `parse`
"""

from soloscope.config.file import load, parse
from soloscope.config.reading import duration, redis_url
from soloscope.config.shape import (
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
    Postgres,
    PostgresExporter,
    Probe,
    Prometheus,
    Redis,
    RedisUrl,
    Shipper,
    Stream,
    Timing,
    Unique,
)
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
