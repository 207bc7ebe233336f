"""The postgres exporter's metrics, read for /health/database. Names as its 0.19
shows them (seen with PostgreSQL 15): pg_up, pg_settings_max_connections,
pg_stat_activity_count{state}, pg_stat_activity_max_tx_duration{state},
pg_stat_statements_{calls,seconds}_total (only with that collector), and
pg_exporter_last_scrape_duration_seconds.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable

from soloscope.backends.http import LARGE
from soloscope.backends.metrics_text import samples
from soloscope.checks.kinds import expect, get
from soloscope.checks.model import CheckFailed, Outcome

__all__ = ["figures", "p95", "postgres"]

# A query that takes longer than this is slow, in seconds.
SLOW = 1.0
# The number of response times for the 95th percentile: an hour at 30 s.
REMEMBERED = 120

_WANTED = (
    "pg_up",
    "pg_settings_max_connections",
    "pg_stat_activity_count",
    "pg_stat_activity_max_tx_duration",
    "pg_stat_statements_calls_total",
    "pg_stat_statements_seconds_total",
    "pg_exporter_last_scrape_duration_seconds",
)


def figures(text: str) -> dict[str, float | None]:
    """The values of the health paths, from the exporter's metrics.

    Raises ValueError when there are none.

    up           whether the exporter reaches the database; None when unknown
    size         maximum connections of the server (pg_settings_max_connections)
    active       connections that run a query now
    idle         connections that wait, in a transaction or not
    efficiency   active out of active and idle, in percent; None without connections
    slow         queries that are slow on average when pg_stat_statements is shown,
                 otherwise transactions that have been running for longer than SLOW
    seconds      duration of the exporter's own queries
    """
    active = idle = slow_now = 0.0
    up: float | None = None
    size: float | None = None
    seconds: float | None = None
    calls: dict[tuple[tuple[str, str], ...], float] = {}
    spent: dict[tuple[tuple[str, str], ...], float] = {}
    for name, labels, value, *_ in samples(text, *_WANTED):
        state = labels.get("state", "")
        if math.isnan(value):
            continue
        if name == "pg_up":
            up = min(value, 1.0 if up is None else up)
        elif name == "pg_settings_max_connections":
            size = (size or 0.0) + value
        elif name == "pg_stat_activity_count":
            if state == "active":
                active += value
            elif state.startswith("idle"):
                idle += value
        elif name == "pg_stat_activity_max_tx_duration":
            slow_now += state == "active" and value > SLOW
        elif name == "pg_stat_statements_calls_total":
            calls[tuple(sorted(labels.items()))] = value
        elif name == "pg_stat_statements_seconds_total":
            spent[tuple(sorted(labels.items()))] = value
        elif name == "pg_exporter_last_scrape_duration_seconds":
            seconds = value
    slow = float(sum(spent.get(key, 0.0) > SLOW * n for key, n in calls.items() if n))
    total = active + idle
    return {
        "up": up,
        "size": size,
        "active": active,
        "idle": idle,
        "efficiency": 100.0 * active / total if total else None,
        "slow": slow if calls else slow_now,
        "seconds": seconds,
    }


def p95(values: Iterable[float]) -> float | None:
    """The value that 95 % do not exceed (nearest rank); None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[math.ceil(0.95 * len(ordered)) - 1]


def postgres(base: str) -> Callable[[float], Outcome]:
    """The postgres exporter at `base` reaches its database (`pg_up`).

    The check remembers its response times for the 95th percentile, because the
    exporter has no histogram.
    """
    recent: deque[float] = deque(maxlen=REMEMBERED)
    lock = threading.Lock()

    def run(timeout: float) -> Outcome:
        answer = get(f"{base}/metrics", timeout, limit=LARGE)
        expect(answer)
        try:
            read = figures(answer.body.decode())
        except ValueError:
            raise CheckFailed("answered 200, but not with metrics") from None
        if read["up"] is None:
            raise CheckFailed(f"{base}/metrics has no `pg_up`: no postgres exporter")
        if read["up"] != 1:
            raise CheckFailed("the postgres exporter cannot reach the database")
        seconds = read["seconds"]
        with lock:
            if seconds is not None:
                recent.append(seconds)
            read["p95"] = p95(recent)
        return Outcome("accepts connections", seconds, figures=read)

    return run
