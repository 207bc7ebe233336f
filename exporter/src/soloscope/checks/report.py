"""The health document; each path shows a part of it. Pure.

/api/health, /api/status       the whole document
/health/overall                its `status`, `timestamp` and `services`
/health/database               its `database`, without `performance`
/health/database/performance   its `database.performance`

Each answers 200 when its part is healthy, and 503 when it is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from soloscope.checks.model import Kind, Result

__all__ = ["PATHS", "WAIT", "answer", "database", "document", "families"]

PATHS = (
    "/api/health",
    "/api/status",
    "/health/overall",
    "/health/database",
    "/health/database/performance",
)

# How long a request may wait for checks without any result, in seconds: only
# right after the start. Checks without a result by then have failed.
WAIT = 1.0

# The kinds of checks of each service. The first three are always shown.
_SERVICES: Mapping[str, tuple[Kind, ...]] = {
    "database": ("postgres",),
    "redis": ("redis",),
    "external_apis": ("api",),
    "apps": ("health", "http", "tcp"),
    "exporter": ("scrape",),
    "loki": ("loki",),
    "prometheus": ("prometheus",),
    "grafana": ("grafana",),
    "alertmanager": ("alertmanager",),
}

_NO_DATABASE = (
    "no database is declared: set `services.soloscope.apps.<name>.postgres.socket` "
    "(or `.url`), and its figures stand here"
)


def _word(ok: bool) -> str:
    return "healthy" if ok else "unhealthy"


def _stamp(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _rounded(value: float | None) -> float | int | None:
    if value is None:
        return None
    return int(value) if value.is_integer() else round(value, 1)


def services(results: Sequence[Result]) -> dict[str, str]:
    """The state of each service: healthy, unhealthy, or not_declared."""
    states: dict[str, str] = {}
    for service, kinds in _SERVICES.items():
        mine = [r.ok for r in results if r.kind in kinds]
        if mine:
            states[service] = _word(all(mine))
        elif service in {"database", "redis", "external_apis"}:
            states[service] = "not_declared"
    return states


def database(results: Sequence[Result]) -> dict[str, Any] | None:
    """The database's part; None when no app declares one."""
    found = [r for r in results if r.kind == "postgres"]
    if not found:
        return None
    result = found[0]
    figures = result.figures
    status = _word(result.ok)
    part: dict[str, Any] = {
        "status": status,
        "connection_pool": {
            key: _rounded(figures.get(key)) for key in ("size", "active", "idle")
        },
        "response_time_ms": _milliseconds(result.seconds if result.ok else None),
        "performance": {
            "status": status,
            "metrics": {
                "response_time_p95_ms": _milliseconds(figures.get("p95")),
                "slow_query_count": _rounded(figures.get("slow")),
                "connection_efficiency": _rounded(figures.get("efficiency")),
            },
        },
    }
    if not result.ok:
        part["detail"] = part["performance"]["detail"] = result.detail
    return part


def document(results: Sequence[Result], now: datetime) -> dict[str, Any]:
    """The whole document. `now` is aware."""
    return {
        "status": _word(all(r.ok for r in results)),
        "timestamp": _stamp(now),
        "services": services(results),
        "database": database(results),
        "checks": [
            {
                "app": r.app,
                "name": r.name,
                "kind": r.kind,
                "status": _word(r.ok),
                "detail": r.detail,
                "age_seconds": None if r.age is None else round(r.age, 1),
                "duration_ms": _milliseconds(r.seconds),
                "interval_seconds": _rounded(r.interval),
            }
            for r in results
        ],
    }


def answer(
    path: str, results: Sequence[Result], now: datetime
) -> tuple[int, dict[str, Any]]:
    """Status code and body for one of PATHS."""
    if path.startswith("/health/database"):
        part = database(results)
        if part is None:
            return 404, {"status": "not_declared", "detail": _NO_DATABASE}
        performance = part.pop("performance")
        body = performance if path.endswith("/performance") else part
    else:
        body = document(results, now)
        if path == "/health/overall":
            body = {key: body[key] for key in ("status", "timestamp", "services")}
    return (200 if body["status"] == "healthy" else 503), body


def families(results: Sequence[Result]) -> Iterator[Metric]:
    """The same results for Prometheus.

    soloscope_check_up{app="languagebuddy",name="redis"} 1.0
    soloscope_check_duration_seconds{app="languagebuddy",name="redis"} 0.000412

    A check that belongs to no app has an empty `app`, which Prometheus drops.
    """
    up = GaugeMetricFamily(
        "soloscope_check_up",
        "Whether the last answer of a health check is good and not too old",
        labels=["app", "name"],
    )
    took = GaugeMetricFamily(
        "soloscope_check_duration_seconds",
        "How long the last answer of a health check took",
        labels=["app", "name"],
    )
    for result in results:
        up.add_metric([result.app, result.name], result.ok)
        if result.seconds is not None:
            took.add_metric([result.app, result.name], round(result.seconds, 6))
    yield from (up, took)
