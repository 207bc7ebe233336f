"""Soloscope: observability for one host and one developer.

config/        what the user declared
redis/         the connection to Redis
counts/        an app's counts: which keys, which days, which windows
exporter/      `soloscope serve`: scrapes and their responses
web/           our HTTP server
backends/      clients of Loki, Prometheus, Grafana and systemd
checks/        health checks and their reports
doctor/        what is wrong with a host, and how to fix it
backfill/      history for Prometheus from the days that Redis still has
error_groups/  today's errors in groups
loki_budget/   Loki's retention, adapted to the disk budget
commands/      the command line: arguments and printing; the rooms above do the work
"""

from __future__ import annotations

__all__ = ["version"]


def version() -> str:
    """Return the installed version, or `"unknown"` when run from a bare checkout."""
    from importlib import metadata

    try:
        return metadata.version("soloscope")
    except metadata.PackageNotFoundError:
        return "unknown"
