"""The sample app's own metrics: what /metrics answers, now and in its history."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from threading import Lock
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from .plan import AUDITED, CHANNELS, LOGIN_REASONS, LOST, OAUTH, PROVIDERS, TASKS
from .traffic import QUERIES, ROUTES, signals

#: What the app answers itself, beside its traffic.
OWN_ROUTES = (("POST", "/api/webhook"), ("POST", "/api/do"))

_ROUTES = (*ROUTES, *OWN_ROUTES)
_RESULTS = ("done", "failed")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)

#: Metric -> its kind, help, labels, the label values that start at zero (a failure
#: that had no series before would not show as a rise), and the buckets.
METRICS: dict[str, tuple[Any, ...]] = {
    "http_requests_total": (
        *(Counter, "Requests answered", ("method", "route", "status")),
        [(*r, status) for r in _ROUTES for status in ("200", "500", "503")],
    ),
    "http_request_duration_seconds": (
        *(Histogram, "Time until a request was answered", ("method", "route")),
        *(_ROUTES, _SECONDS),
    ),
    "database_query_duration_seconds": (
        *(Histogram, "Time of a query", ("operation",)),
        *([(kind,) for kind in QUERIES], _FAST),
    ),
    "database_errors_total": (Counter, "Queries that failed", ()),
    "database_slow_queries_total": (Counter, "Queries of more than 50 ms", ()),
    "database_connection_pool_size": (Gauge, "Connections of the pool", ()),
    "database_active_connections": (Gauge, "Connections in use", ()),
    "database_idle_connections": (Gauge, "Connections that wait", ()),
    "cache_requests_total": (
        *(Counter, "Look-ups in the cache", ("result",)),
        [("hit",), ("miss",)],
    ),
    "task_runs_total": (
        *(Counter, "Background tasks that ended", ("task", "result")),
        list(product(TASKS, _RESULTS)),
    ),
    "task_duration_seconds": (
        *(Histogram, "Time of a background task", ("task",)),
        *([(task,) for task in TASKS], _SLOW),
    ),
    "task_last_success_timestamp_seconds": (Gauge, "When it last worked", ("task",)),
    "task_queue_length": (Gauge, "Tasks that wait", ("queue",)),
    "task_workers": (Gauge, "Workers", ("state",)),
    "messages_sent_total": (
        *(Counter, "Messages sent", ("channel", "result")),
        list(product(CHANNELS, ("delivered", "failed"))),
    ),
    "message_send_duration_seconds": (
        *(Histogram, "Time until a message was taken", ("channel",)),
        *([(channel,) for channel in CHANNELS], _SLOW),
    ),
    "message_cost_dollars_total": (
        *(Counter, "Cost of messages", ("channel",)),
        [(channel,) for channel in CHANNELS],
    ),
    "oauth_flows_total": (
        *(Counter, "Logins through a provider", ("provider", "result")),
        list(product(OAUTH, _RESULTS)),
    ),
    "oauth_token_refreshes_total": (
        *(Counter, "Tokens refreshed", ("provider", "result")),
        list(product(OAUTH, _RESULTS)),
    ),
    "api_calls_total": (
        *(Counter, "Calls to outside APIs", ("provider", "status")),
        list(product(PROVIDERS, ("200", "500"))),
    ),
    "api_call_duration_seconds": (
        *(Histogram, "Time of a call to an outside API", ("provider",)),
        *([(provider,) for provider in PROVIDERS], _SLOW),
    ),
    "socket_connections": (Gauge, "Connections open", ()),
    "socket_connects_total": (Counter, "Connections made", ()),
    "socket_disconnects_total": (
        *(Counter, "Connections ended", ("reason",)),
        [("closed",), *((reason,) for reason in LOST)],
    ),
    "socket_deliveries_total": (
        *(Counter, "Messages pushed to clients", ("result",)),
        [("delivered",), ("failed",)],
    ),
    "socket_latency_seconds": (Histogram, "Time of a round trip", (), (), _FAST),
    "authentication_attempts_total": (Counter, "Logins tried", ()),
    "authentication_failures_total": (
        *(Counter, "Logins refused", ("reason",)),
        [(reason,) for reason in LOGIN_REASONS],
    ),
    "mfa_verification_total": (
        *(Counter, "Second factors asked for", ("result",)),
        [(result,) for result in _RESULTS],
    ),
    "password_reset_total": (Counter, "Passwords reset", ()),
    "access_denied_total": (Counter, "Requests that were not allowed", ()),
    "security_event_total": (
        *(Counter, "Security events", ("kind",)),
        [("rate_limited",)],
    ),
    "audit_log_total": (
        *(Counter, "Actions recorded in the audit log", ("action",)),
        [(action,) for action in AUDITED],
    ),
}


class Meters:
    """The app's metrics, which count its traffic from `since` (POSIX seconds) on."""

    def __init__(self, seed: int, since: float) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._seed = seed
        self._played = since
        self._lock = Lock()
        self._metrics: dict[str, Any] = {}
        for name, (kind, text, labels, *more) in METRICS.items():
            zero, buckets = (*more, (), ())[:2]
            options = {"buckets": buckets} if buckets else {}
            metric = kind(name, text, labels, registry=self.registry, **options)
            for values in zero if labels else ():
                metric.labels(*values)
            self._metrics[name] = metric

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request that the app answered itself."""
        requests, times = "http_requests_total", "http_request_duration_seconds"
        self._metrics[requests].labels(method, route, str(status)).inc()
        self._metrics[times].labels(method, route).observe(seconds)

    def play(self, now: float) -> None:
        """Count the traffic until `now`."""
        with self._lock:
            for signal in signals(self._seed, self._played, now):
                metric = self._metrics[signal.metric]
                if signal.labels:
                    metric = metric.labels(*signal.labels)
                match METRICS[signal.metric][0]:
                    case kind if kind is Counter:
                        metric.inc(signal.value)
                    case kind if kind is Histogram:
                        metric.observe(signal.value)
                    case _:
                        metric.set(signal.value)
            self._played = max(self._played, now)

    def text(self, now: float) -> bytes:
        """What /metrics answers at `now`."""
        self.play(now)
        return generate_latest(self.registry)

    def history(
        self, until: float, step: float
    ) -> Iterator[tuple[float, str, str, float]]:
        """(time, name, labels, value) of samples, as scrapes would have read them.

        The first is `step` seconds after the beginning; the last not after `until`.
        """
        at = self._played + step
        while at <= until:
            self.play(at)
            for family in self.registry.collect():
                for name, labels, value, *_ in family.samples:
                    inside = ",".join(f'{key}="{text}"' for key, text in labels.items())
                    yield at, name, inside, value
            at += step
