"""Soloscope: observability for one host and one developer.

config/        the configuration file, as frozen dataclasses
redis/         the connection to Redis
counts/        an app's counts: which keys, which days, which windows
exporter/      `soloscope serve`: a scrape, and the metrics that answer it
web/           the HTTP server
backends/      the clients of Loki, Prometheus, systemd and its journal
checks/        health checks: what is asked, and what the answers say
doctor/        what is wrong with a host, and the fix
users/         what is known about one user
timeline/      what happened to a user, a conversation or a request
validate/      whether a declared feature works
error_groups/  the log's errors, in groups
backfill/      history for Prometheus from the days that Redis still has
loki_budget/   how long Loki may keep lines
canary/        a line, a count and an alert that must arrive
digest/        the message of each morning
dashboards/    the dashboards, from what the configuration declares
notify/        alerts and reports to the phone
app/           for apps in Python: events, counts, health
commands/      the command line: arguments and printing; the rooms above do the work

At the top: `cli` finds the command, `errors` has every error that is raised on purpose,
`terminal` prints what comes from outside, `log` writes events, `secret` reads secrets,
`files` replaces a file at once, `masking` hides phone numbers in text for people.

A count becomes a metric on this way: counts.store reads a day, counts.windows adds the
days up to a counts.model.Snapshot, exporter.scraper has the newest one, and
exporter.exposition and exporter.families write it (exporter.events without Prometheus).
An alert becomes a message on this way: notify.service puts Alertmanager's request into
notify.outbox, and a notify.sender writes it with notify.messages and sends it by one of
notify.providers.
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
