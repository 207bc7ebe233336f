"""Soloscope: observability for one host and one developer.

config/        what the user declared
redis/         the connection to Redis
counts/        an app's counts: which keys, which days, which windows
exporter/      `soloscope serve`: a scrape and what answers it
web/           our HTTP server
backends/      Loki, Prometheus, Grafana and systemd, asked
checks/        health checks: what is asked, and what is said about it
doctor/        what is wrong with a host, and what would mend it
backfill/      history for Prometheus from the days that Redis still has
loki_budget/   how long Loki may keep lines
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
