"""On the real stack: lines reach Loki, counts of every kind reach Prometheus."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from soloscope_demo.app.ledger import DayTruth
from soloscope_demo.errors import DemoError
from soloscope_demo.stack import APP, Stack, until
from soloscope_demo.stack.prove import prove

UNIT = "languagebuddy-backend.service"
JOB = "languagebuddy-backend"

#: How long a count may take from Redis to Prometheus (seconds).
PATIENCE = 30.0


#: How many days the stack shows (exporter.history).
HISTORY = 30


def today(stack: Stack) -> DayTruth:
    """What the app has counted today."""
    (counted,) = stack.days(1).values()
    return counted


def same(actual: Callable[[], object], expected: Callable[[], object]) -> None:
    """Both become equal; the app may count something meanwhile."""
    seen: list[object] = []

    def equal() -> bool:
        seen[:] = actual(), expected()
        return seen[0] == seen[1]

    with contextlib.suppress(DemoError):  # the difference is reported below
        until("what was counted", equal, PATIENCE, 0.3)
    assert seen, "no answer"
    assert seen[0] == seen[1]


def by(stack: Stack, query: str, *labels: str) -> dict[Any, float]:
    """Label (or labels) -> value of an instant query."""
    found = {}
    for metric, value in stack.prometheus.values(query):
        key = tuple(metric[label] for label in labels)
        found[key[0] if len(key) == 1 else key] = value
    return found


def webhook(stack: Stack, **body: object) -> str:
    """Write to the app as a user does; the id of the conversation."""
    reply = requests.post(f"{stack.url('app')}/api/webhook", json=body, timeout=10)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["conversation_id"])


def happen(stack: Stack, event: str) -> None:
    """Make an event happen in the app."""
    url = f"{stack.url('app')}/api/do"
    reply = requests.post(url, json={"event": event}, timeout=10)
    assert reply.status_code == 200, reply.text


def series(stack: Stack, selector: str) -> list[dict[str, str]]:
    """The label sets of the streams of a selector, without structured metadata."""
    start = f"{time.time() - 8 * 86400:.0f}"
    found: list[dict[str, str]] = stack.loki.get(
        "series", {"match[]": selector, "start": start}
    )
    return found


def test_the_path_is_proven(stack: Stack) -> None:
    said = [proof.what for proof in prove(stack)]
    assert any("event in Loki" in what for what in said)
    assert any("count in Prometheus" in what for what in said)


def test_a_line_has_exactly_the_labels_of_the_contract(stack: Stack) -> None:
    conversation = webhook(stack, user="u_002")
    query = f'{{app="{APP}"}} | conversation_id="{conversation}"'
    found = stack.until("the conversation", lambda: stack.loki.entries(query))
    event = "conversation_started"
    (labels,) = [entry.labels for entry in found if entry.labels["event"] == event]
    assert labels.pop("host")
    assert len(labels.pop("trace_id")) == 32
    assert labels == {
        "app": APP,
        "unit": UNIT,
        "job": JOB,
        "service_name": JOB,
        "level": "info",
        "event": "conversation_started",
        "conversation_id": conversation,
        "user": "u_002",
    }


def test_streams_are_told_apart_by_level_only(stack: Stack) -> None:
    happen(stack, "throttled")
    happen(stack, "digest_failed")
    query = f'{{app="{APP}",level="warn"}} | event="throttled"'
    stack.until("a warning", lambda: stack.loki.entries(query))
    found = series(stack, f'{{app="{APP}"}}')
    names = {"app", "unit", "job", "service_name", "host", "level"}
    assert {frozenset(labels) for labels in found} == {frozenset(names)}
    levels = Counter(labels["level"] for labels in found)
    assert (
        {"info", "warn", "error"} <= levels.keys() <= {"info", "warn", "error", "fatal"}
    )
    assert set(levels.values()) == {1}


def test_the_exporters_own_lines_belong_to_no_app(stack: Stack) -> None:
    selector = '{unit="soloscope-exporter.service"}'
    stack.until("a line of the exporter", lambda: series(stack, selector))
    for labels in series(stack, selector):
        assert "app" not in labels
        assert labels["job"] in ("soloscope-exporter", "soloscope-days")
        assert labels["service_name"] == labels["job"]


def test_a_phone_number_does_not_reach_loki(stack: Stack) -> None:
    happen(stack, "critical_error")
    query = f'{{app="{APP}",level="fatal"}} |= `payment for`'
    for entry in stack.until("the critical error", lambda: stack.loki.entries(query)):
        assert "***" in entry.line
        assert "+49155" not in entry.line


def events_of(stack: Stack, day: str) -> dict[tuple[str, str], int]:
    """How many lines of each event Loki has on a day of the app, by both."""
    date = dt.date.fromisoformat(day)
    start, end = (
        dt.datetime.combine(date + dt.timedelta(n), dt.time(), stack.zone).timestamp()
        for n in (0, 1)
    )
    # The app does not count that it started.
    lines = f'{{app="{APP}"}} | event!="app_started"'
    counted = f"count_over_time({lines} [{end - start:.0f}s])"
    found = stack.loki.values(
        f"sum by (event) ({counted})",
        # A range is open at its start: (time - range, time].
        time=f"{end - 0.000001:.6f}",
    )
    return {(day, labels["event"]): int(value) for labels, value in found}


def test_the_history_is_in_loki_to_the_line(stack: Stack) -> None:
    # Whole days that Loki surely takes; the oldest is cut somewhere.
    truth = dict(list(stack.days(6).items())[:-1])
    expected = {
        (day, event): number
        for day, counted in truth.items()
        for event, number in counted["events"].items()
    }

    def found() -> dict[tuple[str, str], int]:
        return {k: n for day in truth for k, n in events_of(stack, day).items()}

    # The shipper carries a week of lines, the oldest first.
    same(found, lambda: expected)


def test_counters_of_today_and_of_every_day(stack: Stack) -> None:
    happen(stack, "digest_created")
    happen(stack, "digest_failed")
    declared = stack.files["soloscope.json"]["apps"][APP]["counters"]

    def of_today() -> dict[str, int]:
        counted = today(stack)["counters"]
        return {name: counted.get(name, 0) for name in declared}

    query = f'soloscope_count_total{{app="{APP}"}}'
    same(lambda: by(stack, query, "name"), of_today)

    def of_days() -> dict[tuple[str, str], int]:
        return {
            (name, day): counted["counters"].get(name, 0)
            for day, counted in stack.days(HISTORY).items()
            for name in declared
        }

    names = "|".join(declared)
    query_days = f'soloscope_day{{app="{APP}",name=~"{names}"}}'
    same(lambda: by(stack, query_days, "name", "day"), of_days)


@pytest.mark.parametrize(("window", "days"), [("1d", 1), ("7d", 7), ("30d", 30)])
def test_windows_are_sums_of_days(stack: Stack, window: str, days: int) -> None:
    def expected() -> dict[str, int]:
        total: Counter[str] = Counter()
        for counted in stack.days(days).values():
            total.update(counted["counters"])
        return {name: total[name] for name in ("conversations", "digests_created")}

    names = "conversations|digests_created"
    query = f'soloscope_window{{app="{APP}",name=~"{names}",window="{window}"}}'
    same(lambda: by(stack, query, "name"), expected)


def test_breakdowns_by_key(stack: Stack) -> None:
    webhook(stack)

    def of_today() -> dict[str, int]:
        return today(stack)["breakdowns"].get("deficiencies", {})

    def of_thirty_days() -> dict[str, int]:
        total: Counter[str] = Counter()
        for counted in stack.days(HISTORY).values():
            total.update(counted["breakdowns"].get("deficiencies", {}))
        return dict(total)

    now = f'soloscope_breakdown_total{{app="{APP}",name="deficiencies"}} > 0'
    same(lambda: by(stack, now, "key"), of_today)
    month = (
        f'soloscope_window{{app="{APP}",name="deficiencies",window="30d",key!=""}} > 0'
    )
    same(lambda: by(stack, month, "key"), of_thirty_days)


@pytest.mark.parametrize(("window", "days"), [("1d", 1), ("7d", 7), ("30d", 30)])
def test_uniques_are_the_union_within_the_error_of_the_estimate(
    stack: Stack, window: str, days: int
) -> None:
    webhook(stack, user="u_012")
    query = f'soloscope_window{{app="{APP}",name="active_users",window="{window}"}}'

    def near() -> bool:
        users: set[str] = set()
        for counted in stack.days(days).values():
            users.update(counted["uniques"].get("active_users", ()))
        ((_, shown),) = stack.prometheus.values(query)
        return abs(shown - len(users)) <= max(2, 0.03 * len(users))

    stack.until(f"the users of {window}", near, PATIENCE)


def test_timings_are_calls_and_seconds(stack: Stack) -> None:
    webhook(stack)
    for name in ("openai", "redis"):

        def counted(name: str = name) -> dict[str, int]:
            none = {"count": 0, "ms": 0}
            return today(stack)["timings"].get(name, none)

        def shown(name: str = name) -> dict[str, int]:
            labels = f'{{app="{APP}",name="{name}"}}'
            count, total = (
                sum(
                    by(
                        stack, f"soloscope_timing_seconds_{end}{labels}", "name"
                    ).values()
                )
                for end in ("count", "sum")
            )
            return {"count": round(count), "ms": round(1000 * total)}

        same(shown, counted)


def test_gauges_are_the_values_now(stack: Stack) -> None:
    query = f'soloscope_value{{app="{APP}"}}'
    same(lambda: by(stack, query, "name"), lambda: stack.truth()["gauges"])


def test_the_apps_own_metrics_are_scraped(stack: Stack) -> None:
    query = f'http_requests_total{{job="{APP}",app="{APP}",route="/api/do"}}'
    happen(stack, "throttled")
    found = stack.until("requests", lambda: by(stack, query, "status"))
    assert found.keys() == {"200", "500", "503"}
    assert found["500"] == found["503"] == 0


def test_every_target_is_scraped(stack: Stack) -> None:
    expected = {"soloscope", "node", "redis", "prometheus", "loki", "promtail", APP}
    expected |= {"blackbox", "alertmanager"}

    def all_up() -> bool:
        found = by(stack, "up", "job")
        return expected <= found.keys() and set(found.values()) == {1.0}

    stack.until("every target up", all_up)


def test_the_apps_health_is_asked_from_outside(stack: Stack) -> None:
    """The blackbox exporter asks the app's health URL as often as it is declared."""
    query = f'probe_success{{job="blackbox",app="{APP}",name="health"}}'

    def answered() -> list[tuple[dict[str, str], float]]:
        return stack.prometheus.values(query)

    ((labels, value),) = stack.until("the probe", answered, 45)
    assert value == 1
    assert labels["instance"] == stack.app["health"]["url"]
    active = stack.prometheus.get("targets", {"state": "active"})["activeTargets"]
    (target,) = [one for one in active if one["labels"]["job"] == "blackbox"]
    assert target["scrapeInterval"] == "30000ms"
    assert stack.app["health"]["interval"] == "30s"


def test_metrics_are_bounded_by_time_and_size(stack: Stack) -> None:
    flags = stack.prometheus.get("status/flags", {})
    assert flags["storage.tsdb.retention.time"] == "30d"
    assert flags["storage.tsdb.retention.size"] == "5GiB"


def test_nothing_listens_beyond_localhost(stack: Stack) -> None:
    ports = set(stack.used_ports().values())
    beyond = set()
    for line in listening():
        address, port = line
        if port in ports and address != "0100007F":
            beyond.add((address, port))
    assert not beyond


def listening() -> list[tuple[str, int]]:
    """(address in hex, port) of every listening TCP socket, from /proc/net."""
    found = []
    for name in ("tcp", "tcp6"):
        with Path(f"/proc/net/{name}").open() as table:
            for line in list(table)[1:]:
                fields = line.split()
                if fields[3] == "0A":
                    address, port = fields[1].rsplit(":", 1)
                    found.append((address, int(port, 16)))
    return found
