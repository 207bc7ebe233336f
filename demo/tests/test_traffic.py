"""The sample app's metrics are its traffic, and every failure has its log line."""

from __future__ import annotations

import datetime as dt
from collections import Counter

from soloscope_demo.app.meters import METRICS, Meters
from soloscope_demo.app.plan import background
from soloscope_demo.app.traffic import Signal, failure, signals

NOON = dt.datetime(2026, 11, 18, 12, tzinfo=dt.UTC).timestamp()
DAY = 86400.0


def total(meters: Meters, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in meters.registry.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_a_span_is_the_same_whole_or_in_parts() -> None:
    whole = list(signals(7, NOON - 3600, NOON))
    cut = NOON - 1234.5
    parts = [*signals(7, NOON - 3600, cut), *signals(7, cut, NOON)]
    assert parts == whole
    assert whole == sorted(whole)
    assert whole != list(signals(8, NOON - 3600, NOON))


def test_a_day_touches_every_metric_also_at_night() -> None:
    found = {signal.metric for signal in signals(7, NOON - 2 * DAY, NOON)}
    # Only on bad days (plan.background).
    assert METRICS.keys() - found == {"database_errors_total"}
    # What a panel of five minutes shows is there at any time.
    for hour in range(24):
        at = NOON + 3600 * hour
        often = Counter(signal.metric for signal in signals(7, at - 300, at))
        assert often["http_requests_total"] >= 10
        assert often["task_runs_total"] >= 2


def test_the_metrics_are_the_sum_of_the_traffic() -> None:
    meters = Meters(7, NOON - DAY)
    meters.play(NOON - 100)
    meters.text(NOON)
    happened = list(signals(7, NOON - DAY, NOON))
    counted = Counter(signal.metric for signal in happened)
    requests, times = "http_requests_total", "http_request_duration_seconds"
    assert total(meters, requests) == counted[requests] > 10_000
    assert total(meters, f"{times}_count") == counted[times] == counted[requests]
    assert total(meters, f"{times}_bucket", le="+Inf") == counted[times]
    sockets = [s for s in happened if s.metric == "socket_connections"]
    assert total(meters, "socket_connections") == sockets[-1].value


def test_every_failure_is_counted_when_it_is_logged() -> None:
    first = dt.date(2026, 11, 11)
    logged = [
        occurrence
        for back in range(7)
        for occurrence in background(7, first + dt.timedelta(back))
    ]
    start = dt.datetime.combine(first, dt.time(), dt.UTC).timestamp()
    counted = Counter(signals(7, start - 1, start + 7 * DAY))
    for occurrence in logged:
        wanted: list[Signal] = failure(occurrence)
        assert wanted, occurrence
        assert all(counted[signal] for signal in wanted), occurrence


def test_failures_start_at_zero() -> None:
    meters = Meters(7, NOON)
    text = meters.text(NOON).decode()
    line = 'http_requests_total{method="GET",route="/api/profile",status="500"} 0.0'
    assert line in text.splitlines()


def test_the_history_is_what_scrapes_would_have_read() -> None:
    samples = list(Meters(7, NOON - 600).history(NOON, 60))
    live = Meters(7, NOON - 600)
    assert sorted({at for at, *_ in samples}) == [
        NOON - 60 * back for back in range(9, -1, -1)
    ]
    live.play(NOON - 300)
    at_five = sum(
        value
        for at, name, _, value in samples
        if at == NOON - 300 and name == "http_requests_total"
    )
    assert at_five == total(live, "http_requests_total")
