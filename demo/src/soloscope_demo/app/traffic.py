"""The sample app's requests, messages and logins: pure, the same for the same seed.

A minute's traffic is a list of signals, each an addition to one metric. What fails
is in the plan as well (`plan.background`), so every failure has its log line, and
tests compare panels with the sums of the signals.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from .plan import CHANNELS, OAUTH, PROVIDERS, TASKS, Occurrence, background

#: (method, route) -> how often it is asked, and its median in seconds.
ROUTES = {
    ("GET", "/api/profile"): (5, 0.03),
    ("GET", "/api/conversations"): (4, 0.05),
    ("GET", "/api/lessons"): (3, 0.04),
    ("POST", "/api/messages"): (6, 0.12),
    ("POST", "/api/login"): (1, 0.09),
}
#: Status of a request that does not fail, and how often.
STATUSES = {
    "GET": {"200": 180, "304": 18, "404": 2},
    "POST": {"200": 197, "400": 3},
}
#: Operation -> how often, and its median in seconds.
QUERIES = {"select": (8, 0.004), "insert": (2, 0.008), "update": (1, 0.01)}
#: Seconds that a message takes, and its price.
MESSAGES = {"whatsapp": (0.35, 0.005), "sms": (0.8, 0.08)}
#: How long a connection lasts (minutes).
CONNECTED = 30

#: Event -> the counter of such failures, and its label beside `result`.
FAILED = {
    "message_failed": ("messages_sent_total", "channel"),
    "token_refresh_failed": ("oauth_token_refreshes_total", "provider"),
    "task_failed": ("task_runs_total", "task"),
}


class Signal(NamedTuple):
    """An addition of `value` to a metric `at` a time (POSIX seconds).

    A histogram observes the value, a gauge is set to it.
    """

    at: float
    metric: str
    labels: tuple[str, ...]
    value: float = 1


def rhythm(at: float) -> float:
    """How busy it is, 0.4 to 1: evenings (UTC) are busiest."""
    hour = at / 3600 % 24
    return 0.7 - 0.3 * math.cos((hour - 7) / 24 * 2 * math.pi)


def signals(seed: int, since: float, until: float) -> Iterator[Signal]:
    """What happened after `since` and not after `until`, in order of time."""
    for minute in range(int(since // 60), int(until // 60) + 1):
        for signal in _minute(seed, minute):
            if since < signal.at <= until:
                yield signal


@lru_cache(4096)
def _minute(seed: int, minute: int) -> tuple[Signal, ...]:
    """One minute, counted from the epoch."""
    start = minute * 60.0
    chance = random.Random(f"{seed}/{minute}")  # noqa: S311 - believable, not secret
    found = [
        *_requests(chance, start),
        *_messages(chance, start),
        *_connections(seed, minute, chance),
        *_tasks(chance, minute),
        *_calls(chance, start),
    ]
    for occurrence in _failures(seed, minute):
        found += failure(occurrence)
    return tuple(sorted(found))


def _failures(seed: int, minute: int) -> Iterator[Occurrence]:
    day = dt.datetime.fromtimestamp(minute * 60, dt.UTC).date()
    for occurrence in background(seed, day):
        if occurrence.at.timestamp() // 60 == minute:
            yield occurrence


def _some(chance: random.Random, start: float, mean: float) -> list[float]:
    """Times within a minute, `mean` of them on average on a quiet day."""
    number = chance.gauss(mean, 0.3 * mean) * rhythm(start)
    whole = math.floor(max(0, number) + chance.random())
    return [start + 60 * chance.random() for _ in range(whole)]


def _requests(chance: random.Random, start: float) -> Iterator[Signal]:
    for at in _some(chance, start, 16):
        route = chance.choices(list(ROUTES), [often for often, _ in ROUTES.values()])[0]
        statuses = STATUSES[route[0]]
        status = chance.choices(list(statuses), list(statuses.values()))[0]
        seconds = ROUTES[route][1] * chance.lognormvariate(0, 0.7)
        yield Signal(at, "http_requests_total", (*route, status))
        yield Signal(at, "http_request_duration_seconds", route, seconds)
        if route[1] == "/api/login":
            yield Signal(at, "authentication_attempts_total", ())
            if chance.random() < 0.2:
                yield Signal(at, "mfa_verification_total", ("done",))
            if chance.random() < 0.05:
                yield Signal(at, "password_reset_total", ())
        result = "hit" if chance.random() < 0.9 else "miss"
        yield Signal(at, "cache_requests_total", (result,))
        if result == "miss":
            yield from _query(chance, at)


def _query(chance: random.Random, at: float) -> Iterator[Signal]:
    kind = chance.choices(list(QUERIES), [often for often, _ in QUERIES.values()])[0]
    seconds = QUERIES[kind][1] * chance.lognormvariate(0, 0.8)
    yield Signal(at, "database_query_duration_seconds", (kind,), seconds)
    if seconds > 0.05:
        yield Signal(at, "database_slow_queries_total", ())


def _messages(chance: random.Random, start: float) -> Iterator[Signal]:
    for at in _some(chance, start, 1.5):
        channel = chance.choices(CHANNELS, (5, 1))[0]
        median, price = MESSAGES[channel]
        seconds = median * chance.lognormvariate(0, 0.4)
        yield Signal(at, "messages_sent_total", (channel, "delivered"))
        yield Signal(at, "message_send_duration_seconds", (channel,), seconds)
        yield Signal(at, "message_cost_dollars_total", (channel,), price)


def _connects(seed: int, minute: int) -> int:
    chance = random.Random(f"{seed}/connects/{minute}")  # noqa: S311
    return math.floor(1.2 * rhythm(minute * 60) + chance.random())


def connected(seed: int, minute: int) -> int:
    """Connections open at the end of a minute."""
    return sum(_connects(seed, minute - back) for back in range(CONNECTED))


def _connections(seed: int, minute: int, chance: random.Random) -> Iterator[Signal]:
    start = minute * 60.0
    for _ in range(_connects(seed, minute)):
        yield Signal(start + 59 * chance.random(), "socket_connects_total", ())
    # Those that are lost are in the plan, and are connected again at once.
    for _ in range(_connects(seed, minute - CONNECTED)):
        at = start + 59 * chance.random()
        yield Signal(at, "socket_disconnects_total", ("closed",))
    for at in _some(chance, start, 5):
        seconds = 0.02 * chance.lognormvariate(0, 0.8)
        yield Signal(at, "socket_deliveries_total", ("delivered",))
        yield Signal(at, "socket_latency_seconds", (), seconds)
    now = float(connected(seed, minute))
    yield Signal(start + 59.5, "socket_connections", (), now)


def _tasks(chance: random.Random, minute: int) -> Iterator[Signal]:
    start = minute * 60.0
    for number, task in enumerate(TASKS):
        # Each task every five minutes, in turn.
        if (minute + number) % 5:
            continue
        at = start + 20 + 10 * number
        seconds = (number + 1) * chance.lognormvariate(0, 0.5)
        yield Signal(at, "task_runs_total", (task, "done"))
        yield Signal(at, "task_duration_seconds", (task,), seconds)
        yield Signal(at, "task_last_success_timestamp_seconds", (task,), at)
    busy = chance.choice((0, 1, 1, 2, 3))
    yield Signal(start, "task_workers", ("busy",), busy)
    yield Signal(start, "task_workers", ("idle",), 4 - busy)
    for queue in ("default", "mail"):
        yield Signal(start, "task_queue_length", (queue,), chance.choice((0, 0, 1, 2)))
    active = chance.choice((1, 2, 2, 3, 4))
    yield Signal(start, "database_connection_pool_size", (), 10)
    yield Signal(start, "database_active_connections", (), active)
    yield Signal(start, "database_idle_connections", (), 10 - active)


def _calls(chance: random.Random, start: float) -> Iterator[Signal]:
    for at in _some(chance, start, 2):
        provider = chance.choices(PROVIDERS, (1, 1, 6, 1))[0]
        median = 0.9 if provider == "openai" else 0.2
        seconds = median * chance.lognormvariate(0, 0.4)
        yield Signal(at, "api_calls_total", (provider, "200"))
        yield Signal(at, "api_call_duration_seconds", (provider,), seconds)
        if provider in OAUTH:
            yield Signal(at, "oauth_flows_total", (provider, "done"))
            yield Signal(at, "oauth_token_refreshes_total", (provider, "done"))


def failure(occurrence: Occurrence) -> list[Signal]:
    """The signals of an occurrence of the background."""
    at = occurrence.at.timestamp()
    fields = {key: str(value) for key, value in occurrence.fields.items()}

    def request(method: str, route: str, status: str, seconds: float) -> list[Signal]:
        return [
            Signal(at, "http_requests_total", (method, route, status)),
            Signal(at, "http_request_duration_seconds", (method, route), seconds),
        ]

    def one(metric: str, *labels: str) -> Signal:
        return Signal(at, metric, tuple(fields[label] for label in labels))

    match fields["event"]:
        case "request_failed":
            seconds = float(fields["duration_ms"]) / 1000
            route = fields["method"], fields["path"], fields["status"]
            failed = [one("database_errors_total")] if fields["status"] == "503" else []
            return [*request(*route, seconds), *failed]
        case "login_failed":
            return [
                *request("POST", "/api/login", "401", 0.1),
                one("authentication_attempts_total"),
                one("authentication_failures_total", "reason"),
            ]
        case "rate_limited":
            return [
                *request("POST", "/api/messages", "429", 0.002),
                Signal(at, "security_event_total", ("rate_limited",)),
            ]
        case "access_denied":
            denied = request("GET", "/api/profile", "403", 0.002)
            return [*denied, one("access_denied_total")]
        case "audit":
            return [one("audit_log_total", "action")]
        case "socket_disconnected":
            return [
                one("socket_disconnects_total", "reason"),
                one("socket_connects_total"),
                Signal(at, "socket_deliveries_total", ("failed",)),
            ]
    metric, label = FAILED[fields["event"]]
    return [Signal(at, metric, (fields[label], "failed"))]
