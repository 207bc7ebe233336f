"""What the dashboards about an app's own metrics must show, from the app's traffic.

The traffic is a pure function of time, so the value of a panel is the sum of what
happened in its window. Prometheus extrapolates `increase` and `rate` and scrapes
every few seconds, so values are about right, to a few percent.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

import pytest
from asking import Answer
from soloscope_demo.app.meters import METRICS
from soloscope_demo.app.plan import Occurrence
from soloscope_demo.app.traffic import Signal, signals
from truth import CHECKS, SILENT_WITHOUT, Truth

DAY, HOUR = 86400, 3600


@lru_cache(8)
def happened(seed: int, now: float, seconds: int) -> tuple[Signal, ...]:
    """The signals of the last `seconds` before `now`."""
    return tuple(signals(seed, now - seconds, now))


def labels_of(signal: Signal) -> dict[str, str]:
    """The labels of a signal, by name."""
    return dict(zip(METRICS[signal.metric][2], signal.labels, strict=True))


def chosen(
    truth: Truth, metric: str, seconds: int, **labels: str | tuple[str, ...]
) -> list[Signal]:
    """The signals of a metric with these labels; a tuple is any of its values."""
    found = []
    for signal in happened(truth.seed, truth.now.timestamp(), seconds):
        if signal.metric == metric:
            own = labels_of(signal)
            wanted = (
                (k, v if isinstance(v, tuple) else (v,)) for k, v in labels.items()
            )
            if all(own[key] in values for key, values in wanted):
                found.append(signal)
    return found


def total(truth: Truth, metric: str, seconds: int, **labels: Any) -> float:
    """What a counter rose by."""
    return sum(signal.value for signal in chosen(truth, metric, seconds, **labels))


def by(truth: Truth, metric: str, seconds: int, label: str, **labels: Any) -> Any:
    """What a counter rose by, for each value of a label."""
    found: Counter[str] = Counter()
    for signal in chosen(truth, metric, seconds, **labels):
        found[labels_of(signal)[label]] += signal.value  # type: ignore[assignment]
    return found


def quantile(q: float, values: list[float], buckets: tuple[float, ...]) -> float:
    """What `histogram_quantile` makes of these values."""
    rank, below = q * len(values), 0
    for low, high in pairwise((0.0, *buckets)):
        inside = sum(low < value <= high for value in values)
        if below + inside >= rank and inside:
            return low + (high - low) * (rank - below) / inside
        below += inside
    return buckets[-1]


def within(truth: Truth, q: float, metric: str, seconds: int, **labels: Any) -> float:
    """The quantile of a histogram."""
    values = [signal.value for signal in chosen(truth, metric, seconds, **labels)]
    return quantile(q, values, METRICS[metric][4])


def about(value: Any, rel: float = 0.06, off: float = 2.0) -> Any:
    """About `value`: scrapes are a few seconds apart."""
    return pytest.approx(value, rel=rel, abs=off)


def panel(uid: str, title: str, value: Callable[[Truth], Any], index: int = 0) -> None:
    """One value, now or at the end of the time range."""

    def check(answer: Answer, truth: Truth) -> None:
        wanted = value(truth)
        assert answer.number() == wanted, f"{answer.number()} for {wanted}"

    CHECKS[f"soloscope-{uid}", title, index] = check


def series(
    uid: str,
    title: str,
    label: str,
    value: Callable[[Truth], Mapping[str, float]],
    index: int = 0,
    **how: float,
) -> None:
    """A value for each value of a label. Those that have none are about 0."""

    def check(answer: Answer, truth: Truth) -> None:
        wanted, shown = value(truth), answer.by(label)
        assert shown, answer.expr
        assert set(wanted) <= set(shown)
        full = {key: wanted.get(key, 0) for key in shown}
        assert shown == about(full, **how), f"{shown} for {full}"

    CHECKS[f"soloscope-{uid}", title, index] = check


def events(
    uid: str, title: str, wanted: Callable[[Occurrence], bool], days: int
) -> None:
    """The lines of these events, newest first."""

    def check(answer: Answer, truth: Truth) -> None:
        found = [o for o in within_days(truth, days) if wanted(o)]
        shown = [labels.get("event") for _, labels, _ in answer.lines]
        assert shown == [o.fields["event"] for o in found][: len(shown)]
        assert len(shown) == min(len(found), 50)
        for (_, labels, text), occurrence in zip(answer.lines, found, strict=False):
            assert labels["user"] == occurrence.fields["user"]
            assert text.startswith(f"{occurrence.fields['event']}  ")

    CHECKS[f"soloscope-{uid}", title, 0] = check
    SILENT_WITHOUT[f"soloscope-{uid}", title, 0] = lambda truth: any(
        wanted(o) for o in within_days(truth, days)
    )


def within_days(truth: Truth, days: float) -> list[Occurrence]:
    """What the app printed in that many days, newest first."""
    import datetime as dt

    return list(truth.happened(dt.timedelta(days=days)))


def event_is(*names: str) -> Callable[[Occurrence], bool]:
    """Whether an occurrence is one of these, or begins so when it ends in `_`."""

    def test(occurrence: Occurrence) -> bool:
        event = str(occurrence.fields["event"])
        return (
            event.startswith(tuple(n for n in names if n[-1] == "_")) or event in names
        )

    return test


# --- application

FAILED = ("500", "503")


def ratio(truth: Truth, seconds: int) -> float:
    """Share of requests that failed."""
    whole = total(truth, "http_requests_total", seconds)
    return total(truth, "http_requests_total", seconds, status=FAILED) / whole


panel("application", "Health", lambda _: 1)
panel(
    "application",
    "Requests per second",
    lambda t: about(total(t, "http_requests_total", 300) / 300, 0.1, 0.04),
)
for title in ("Failed requests", "Failed requests over time"):
    panel("application", title, lambda t: about(ratio(t, 300), 0.2, 0.01))


def times(q: float) -> Callable[[Truth], Any]:
    """The quantile of the requests' time, over five minutes."""
    return lambda t: about(
        within(t, q, "http_request_duration_seconds", 300), 0.25, 0.005
    )


for index, (words, q) in enumerate({"Half": 0.5, "95 %": 0.95, "99 %": 0.99}.items()):
    panel("application", f"{words} answered within", times(q))
    panel("application", "Response time", times(q), index)


def classes(truth: Truth) -> Mapping[str, float]:
    """Requests per second by the class of their status."""
    found: dict[str, float] = defaultdict(float)
    for status, n in by(truth, "http_requests_total", 300, "status").items():
        found[f"{status[0]}xx"] += n / 300
    return found


series("application", "Requests per second, by status", "class", classes, off=0.04)


def routes(truth: Truth) -> Mapping[str, float]:
    """Requests per second by route."""
    found = by(truth, "http_requests_total", 300, "route")
    return {route: n / 300 for route, n in found.items()}


def slowest(truth: Truth) -> Mapping[str, float]:
    """P95 by route."""
    metric = "http_request_duration_seconds"
    found = by(truth, metric, 300, "route")
    return {route: within(truth, 0.95, metric, 300, route=route) for route in found}


series("application", "Slowest routes", "route", slowest, 0, rel=0.4, off=0.03)
series("application", "Slowest routes", "route", routes, 1, rel=0.2, off=0.02)
series(
    "application",
    "Slowest routes",
    "route",
    lambda t: {
        route: n / by(t, "http_requests_total", 300, "route")[route]
        for route, n in by(
            t, "http_requests_total", 300, "route", status=FAILED
        ).items()
    },
    2,
    off=0.05,
)


def gauge(metric: str, **labels: str) -> Callable[[Truth], float]:
    """The last value of a gauge."""
    return lambda t: chosen(t, metric, 120, **labels)[-1].value


ACTIVE = gauge("database_active_connections")
panel("application", "Connections in use", lambda t: about(ACTIVE(t) / 10, 0, 0.31))
panel("application", "Connections", lambda t: about(ACTIVE(t), 0, 3), 0)
panel("application", "Connections", lambda t: about(10 - ACTIVE(t), 0, 3), 1)
panel(
    "application",
    "95 % of queries within",
    lambda t: about(
        within(t, 0.95, "database_query_duration_seconds", HOUR), 0.3, 0.002
    ),
)
panel(
    "application",
    "Slow queries, 1 h",
    lambda t: about(total(t, "database_slow_queries_total", HOUR)),
)
panel(
    "application",
    "Failed queries, 1 h",
    lambda t: about(total(t, "database_errors_total", HOUR)),
)


def hourly(q: float, metric: str, label: str) -> Callable[[Truth], Mapping[str, float]]:
    """The quantile of an hour, for each value of a label."""
    return lambda t: {
        value: within(t, q, metric, HOUR, **{label: value})
        for value in by(t, metric, HOUR, label)
    }


series(
    "application",
    "Queries, P95 of an hour",
    "operation",
    hourly(0.95, "database_query_duration_seconds", "operation"),
    rel=0.5,
    off=0.01,
)
panel(
    "application",
    "Cache hits",
    lambda t: about(
        total(t, "cache_requests_total", HOUR, result="hit")
        / total(t, "cache_requests_total", HOUR),
        0.03,
        0.01,
    ),
)

# --- SLO: its recording rules begin with the stack, so only short windows are full

panel("slo", "Objective", lambda _: 0.99)


def burn(seconds: int) -> Callable[[Truth], Any]:
    """How many times faster than allowed the budget was used."""
    return lambda t: about(ratio(t, seconds) / 0.01, 0.3, 0.05)


for index, (window, seconds) in enumerate({"1 h": HOUR, "6 h": 6 * HOUR}.items()):
    panel("slo", f"Burn rate, {window}", burn(seconds))
    panel("slo", "Burn rate over time", burn(seconds), index)
# Of the recorded hours, of which there is one now.
panel("slo", "Burn rate, 3 days", burn(HOUR))
panel("slo", "Burn rate over time", burn(HOUR), 2)
panel("slo", "Answered well, 30 days", lambda t: about(1 - ratio(t, HOUR), 0, 0.001))
panel(
    "slo", "Error budget left", lambda t: about(1 - ratio(t, HOUR) / 0.01, 0.05, 0.05)
)


def failed_routes(answer: Answer, truth: Truth) -> None:
    """Failed requests by route and status."""
    wanted: Counter[tuple[str, ...]] = Counter()
    for signal in chosen(truth, "http_requests_total", DAY, status=FAILED):
        wanted[signal.labels] += 1
    shown = {
        tuple(dict(labels)[k] for k in ("method", "route", "status")): value
        for labels, value in answer.numbers.items()
    }
    assert shown == about(dict(wanted), off=1)


CHECKS["soloscope-slo", "Where the failures are", 0] = failed_routes
SILENT_WITHOUT["soloscope-slo", "Where the failures are", 0] = lambda t: chosen(
    t, "http_requests_total", DAY, status=FAILED
)

# --- realtime

LOST = ("ping_timeout", "transport_error", "server_shutdown")
for title in ("Connected now", "Connected"):
    panel("realtime", title, lambda t: about(gauge("socket_connections")(t), 0, 3))
panel(
    "realtime",
    "Messages not delivered, 1 h",
    lambda t: about(
        total(t, "socket_deliveries_total", HOUR, result="failed")
        / total(t, "socket_deliveries_total", HOUR),
        0.1,
        0.006,
    ),
)
panel(
    "realtime",
    "Connections lost, 1 h",
    lambda t: about(total(t, "socket_disconnects_total", HOUR, reason=LOST), off=1.2),
)
panel(
    "realtime",
    "Connections made, 1 h",
    lambda t: about(total(t, "socket_connects_total", HOUR), off=3),
)
series(
    "realtime",
    "Connections that ended, per hour",
    "reason",
    lambda t: by(t, "socket_disconnects_total", HOUR, "reason"),
    off=3,
)
for index, (words, q) in enumerate({"Half": 0.5, "95 %": 0.95}.items()):

    def latency(t: Truth, q: float = q) -> Any:
        """The quantile of an hour."""
        return about(within(t, q, "socket_latency_seconds", HOUR), 0.2, 0.002)

    panel("realtime", f"{words} arrive within", latency)
    panel("realtime", "Latency of an hour", latency, index)
events("realtime", "What was lost", event_is("socket_disconnected"), 1)

# --- security


def in_a_day(metric: str) -> Callable[[Truth], Any]:
    """What a counter rose by in 24 hours."""
    return lambda t: about(total(t, metric, DAY), 0.03, 1.2)


SECURITY = {
    "Logins that failed, 24 h": "authentication_failures_total",
    "Slowed down, 24 h": "security_event_total",
    "Not allowed, 24 h": "access_denied_total",
    "Passwords reset, 24 h": "password_reset_total",
    "Recorded actions, 24 h": "audit_log_total",
}
for title, metric in SECURITY.items():
    panel("security", title, in_a_day(metric))
panel(
    "security",
    "Share of logins that failed",
    lambda t: about(
        total(t, "authentication_failures_total", DAY)
        / total(t, "authentication_attempts_total", DAY),
        0.1,
        0.001,
    ),
)
panel(
    "security",
    "Logins per hour",
    lambda t: about(total(t, "authentication_attempts_total", HOUR)),
    0,
)
panel(
    "security",
    "Logins per hour",
    lambda t: about(total(t, "authentication_failures_total", HOUR), off=1.2),
    1,
)
series(
    "security",
    "Why logins failed, per hour",
    "reason",
    lambda t: by(t, "authentication_failures_total", HOUR, "reason"),
    off=1.2,
)
series(
    "security",
    "Requests refused, per second",
    "status",
    lambda t: {
        status: n / 300
        for status, n in by(
            t, "http_requests_total", 300, "status", status=("401", "403", "429")
        ).items()
    },
    off=0.005,
)
events(
    "security",
    "What happened",
    event_is(
        "login_failed", "rate_limited", "access_denied", "audit", "token_refresh_failed"
    ),
    1,
)

# --- messaging


def sent(label: str = "", seconds: int = DAY, **labels: Any) -> Callable[[Truth], Any]:
    """Messages sent, all of them or by a label."""
    if label:
        return lambda t: by(t, "messages_sent_total", seconds, label, **labels)
    return lambda t: about(
        total(t, "messages_sent_total", seconds, **labels), 0.03, 1.2
    )


panel("messaging", "Sent, 24 h", sent())
panel("messaging", "Failed, 24 h", sent(result="failed"))
panel(
    "messaging",
    "Delivered, 24 h",
    lambda t: about(
        total(t, "messages_sent_total", DAY, result="delivered")
        / total(t, "messages_sent_total", DAY),
        0.0005,
        0,
    ),
)
panel(
    "messaging",
    "Cost, 24 h",
    lambda t: about(total(t, "message_cost_dollars_total", DAY), 0.03, 0.1),
)
series(
    "messaging", "Sent per hour, by channel", "channel", sent("channel", HOUR), off=3
)
series(
    "messaging",
    "Failed per hour, by channel",
    "channel",
    sent("channel", HOUR, result="failed"),
    off=1.2,
)
series(
    "messaging",
    "Providers' response time, P95 of an hour",
    "channel",
    hourly(0.95, "message_send_duration_seconds", "channel"),
    rel=0.3,
    off=0.05,
)
series("messaging", "Channels, 24 h", "channel", sent("channel"), 0, rel=0.03)
series(
    "messaging",
    "Channels, 24 h",
    "channel",
    sent("channel", result="failed"),
    1,
    off=1.2,
)
series(
    "messaging",
    "Channels, 24 h",
    "channel",
    lambda t: by(t, "message_cost_dollars_total", DAY, "channel"),
    2,
    rel=0.03,
    off=0.1,
)
events("messaging", "What failed", event_is("message_failed"), 1)

# --- integrations


def good(
    metric: str, label: str = "result", bad: str = "failed"
) -> Callable[[Truth], dict[str, float]]:
    """The share of a counter that is not bad, by provider; all under ""."""

    def shares(t: Truth) -> dict[str, float]:
        whole = by(t, metric, DAY, "provider")
        failed = by(t, metric, DAY, "provider", **{label: bad})
        found = {p: 1 - failed[p] / n for p, n in whole.items()}
        found[""] = 1 - sum(failed.values()) / sum(whole.values())
        return found

    return shares


SHARES = {
    "Calls answered, 24 h": good("api_calls_total", "status", "500"),
    "Logins through others, 24 h": good("oauth_flows_total"),
    "Tokens refreshed, 24 h": good("oauth_token_refreshes_total"),
}
Shares = Callable[[Truth], dict[str, float]]
for index, (title, shares) in enumerate(SHARES.items()):

    def all_of_them(t: Truth, shares: Shares = shares) -> Any:
        """The share of all providers together."""
        return about(shares(t)[""], 0.001, 0)

    def each(t: Truth, shares: Shares = shares) -> Mapping[str, float]:
        """The share of each provider."""
        return {provider: share for provider, share in shares(t).items() if provider}

    panel("integrations", title, all_of_them)
    series(
        "integrations", "Services, 24 h", "provider", each, index + 1, rel=0.001, off=0
    )
CALLS = hourly(0.95, "api_call_duration_seconds", "provider")
panel(
    "integrations", "Slowest service, P95", lambda t: about(max(CALLS(t).values()), 0.3)
)
series(
    "integrations",
    "Calls per hour, by service",
    "provider",
    lambda t: by(t, "api_calls_total", HOUR, "provider"),
    off=3,
)
series(
    "integrations",
    "Response time, P95 of an hour",
    "provider",
    CALLS,
    rel=0.3,
    off=0.05,
)
series(
    "integrations",
    "Services, 24 h",
    "provider",
    lambda t: by(t, "api_calls_total", DAY, "provider"),
    0,
    rel=0.03,
)
events("integrations", "What failed", event_is("token_refresh_failed"), 1)
