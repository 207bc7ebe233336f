"""The alerts of Loki's ruler, on real lines: who fires, in full, and who just does not.

Each app's lines make one case, so one Loki and one evaluation answer for all of them.
The alerts of Prometheus are in tests/rules.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from harness import Factory, LogPath
from soloscope_demo.stack import until

MINUTE, HOUR, DAY = 60, 3600, 86400
RUNBOOKS = "https://github.com/OWNER/soloscope/blob/main/docs/runbooks"

OVERRIDES = {
    "apps": {
        "events": {
            "criticalEvents": {
                "digest_failed": {"atLeast": 3, "within": "1h"},
                "payment_failed": {},
            }
        },
        "quiet": {"criticalEvents": {"digest_failed": {"atLeast": 3, "within": "1h"}}},
    },
    # As soon as the others: the test does not wait for five minutes.
    "alerts": {"rules": {"NewErrorGroup": {"interval": None}}},
}


@dataclass(frozen=True)
class Lines:
    """`count` lines of an app, `age` seconds old, `apart` seconds from each other."""

    app: str
    count: int
    age: float
    level: str = "error"
    event: str = ""
    text: str = '{"msg":"it failed"}'
    apart: float = 0.01

    def times(self, now: float) -> list[float]:
        return [now - self.age + i * self.apart for i in range(self.count)]


def background(app: str, count: int) -> Lines:
    """Errors of the day before the last five minutes, and of before that day."""
    return Lines(app, count, 20 * HOUR, apart=15 * HOUR / count)


#: What is in Loki, and the name of each app is its case.
LINES = [
    # twelve against five times 2.26 and 2.57: 650 and 740 in the day
    background("spike", 638),
    Lines("spike", 12, MINUTE),
    background("nospike", 728),
    Lines("nospike", 12, MINUTE),
    Lines("eleven", 11, MINUTE),
    Lines("nine", 9, MINUTE),
    Lines("earlier", 50, 6 * MINUTE, apart=0.001),
    Lines("fatal", 1, MINUTE, level="fatal"),
    Lines("critical", 2, MINUTE, event="critical_error"),
    Lines("fatalbefore", 1, 6 * MINUTE, level="fatal"),
    Lines("warned", 3, MINUTE, level="warn", event="critical_error"),
    Lines("events", 3, 50 * MINUTE, event="digest_failed", level="warn"),
    Lines("events", 1, MINUTE, event="payment_failed", level="info"),
    Lines("quiet", 2, 50 * MINUTE, event="digest_failed", level="warn"),
    Lines("quiet", 5, 61 * MINUTE, event="digest_failed", level="warn"),
    # A new kind for an app that logged yesterday, and kinds that are not new.
    Lines("known", 1, 2 * DAY, event="a", text='{"err":{"type":"E1"}}'),
    Lines("known", 90, 25 * HOUR, level="info", apart=MINUTE, text="{}"),
    Lines("known", 1, MINUTE, event="a", text='{"err":{"type":"E1"}}'),
    Lines("new", 1, 2 * DAY, event="a", text='{"err":{"type":"E1"}}'),
    Lines("new", 90, 25 * HOUR, level="info", apart=MINUTE, text="{}"),
    Lines("new", 2, MINUTE, event="a", text='{"err":{"type":"E2"}}'),
    Lines("fresh", 2, MINUTE, event="a", text='{"err":{"type":"E2"}}'),
]

NEW = (
    "a E2 came 2 times in a quarter of an hour, and not in the seven days before. "
    "`soloscope errors` shows it."
)


@dataclass(frozen=True)
class Alert:
    """What is expected of an alert; the rest is the same for all."""

    name: str
    severity: str
    summary: str
    description: str
    labels: dict[str, str] = field(default_factory=dict)


def spike(app: str, count: int) -> Alert:
    words = (
        f"{count} lines of level error or fatal in five minutes, more than 5 times the "
        "day's average."
    )
    return Alert("ErrorSpike", "warning", f"{app} logs many errors", words)


def critical(app: str, count: int) -> Alert:
    words = (
        f"{count} lines of level fatal, or with the event critical_error, in five "
        "minutes."
    )
    return Alert("CriticalError", "critical", f"{app} logged a critical error", words)


def event(name: str, count: int) -> Alert:
    words = (
        f"The log has this event {count} times, which apps.events.criticalEvents calls "
        "critical."
    )
    labels = {"event": name}
    return Alert("CriticalEvent", "critical", f"events: {name}", words, labels)


#: What fires, by app. Nothing else may.
EXPECTED = {
    "spike": [spike("spike", 12)],
    "eleven": [spike("eleven", 11)],
    "fatal": [critical("fatal", 1)],
    "critical": [critical("critical", 2)],
    "events": [event("digest_failed", 3), event("payment_failed", 1)],
    "new": [
        Alert(
            "NewErrorGroup",
            "info",
            "new has a new kind of error",
            NEW,
            {"event": "a", "error": "E2"},
        )
    ],
}


def in_full(app: str, alert: Alert) -> tuple[dict[str, str], dict[str, str]]:
    """The labels and the annotations that the ruler shows."""
    labels = {"alertname": alert.name, "app": app, "severity": alert.severity}
    link = f"http://127.0.0.1:3000/d/soloscope-overview?var-app={app}"
    annotations = {
        "summary": alert.summary,
        "description": alert.description,
        "dashboard": f"{link}&from=now-1h&to=now",
        "runbook_url": f"{RUNBOOKS}/{alert.name}.md",
    }
    return labels | alert.labels, annotations


@pytest.fixture(scope="module")
def path(paths: Factory) -> LogPath:
    """A Loki with these lines, whose ruler evaluates every second."""
    made = paths({"alertmanager": {"enable": True}, **OVERRIDES})
    told = made.files["loki.yaml"]
    told["ruler"]["evaluation_interval"] = "1s"
    told["ruler"]["poll_interval"] = "1s"
    (made.root / "loki.yaml").write_text(json.dumps(told))
    made.start_loki()
    now = time.time()
    dated = sorted(
        (
            (at, number, lines)
            for lines in LINES
            for number, at in enumerate(lines.times(now))
        ),
        key=lambda entry: entry[0],
    )
    # Oldest first: Loki refuses what is much older than its stream's newest.
    streams: dict[tuple[str, str], list[Any]] = {}
    for at, number, lines in dated:
        more = {"event": lines.event} if lines.event else {}
        text = lines.text.replace("}", f',"n":{number}}}', 1).replace("{,", "{", 1)
        entry = [f"{int(at * 1e9)}", text, more]
        streams.setdefault((lines.app, lines.level), []).append(entry)
    body = {
        "streams": [
            {"stream": {"app": app, "level": level}, "values": values}
            for (app, level), values in streams.items()
        ]
    }
    url = f"{made.loki_url}/loki/api/v1/push"
    answer = requests.post(url, json=body, timeout=60)
    assert answer.status_code == 204, answer.text
    return made


def rules(path: LogPath) -> dict[str, dict[str, Any]]:
    """The ruler's rules by name, as it shows them."""
    answer = requests.get(f"{path.loki_url}/prometheus/api/v1/rules", timeout=10)
    groups = answer.json()["data"]["groups"]
    return {rule["name"]: rule for group in groups for rule in group["rules"]}


def test_each_alert_fires_in_full_and_only_then(path: LogPath) -> None:
    expected = [
        in_full(app, alert) for app, alerts in EXPECTED.items() for alert in alerts
    ]

    def fires() -> dict[str, dict[str, Any]] | None:
        found = rules(path)
        if not found or any(rule["health"] != "ok" for rule in found.values()):
            return None
        alerts = sum(len(rule["alerts"]) for rule in found.values())
        # The first evaluations may be from before the lines came.
        return found if alerts >= len(expected) else None

    found = until("the alerts fire", fires, within=60, every=0.5)
    assert set(found) == {alert.name for some in EXPECTED.values() for alert in some}
    got = [
        (alert["labels"], alert["annotations"])
        for rule in found.values()
        for alert in rule["alerts"]
    ]
    assert sorted(got, key=str) == sorted(expected, key=str)


def test_moving_a_number_by_a_fifth_changes_who_fires(path: LogPath) -> None:
    """The thresholds and what else a query compares with.

    Those of CriticalEvent are small numbers that an app declares: of three lines one
    less is silent, above.
    """
    survived = []
    moved = 0
    for name, rule in rules(path).items():
        if name == "CriticalEvent":
            continue
        query = rule["query"]
        before = apps(path, query)
        for number in re.finditer(r"[<>]=? \(*(\d+(?:\.\d+)?)", query):
            for factor in (0.8, 1.2) if float(number[1]) else ():
                start, end = number.span(1)
                to = f"{float(number[1]) * factor:g}"
                moved += 1
                if apps(path, f"{query[:start]}{to}{query[end:]}") == before:
                    survived.append(f"{name}: {number[0]} -> {to}")
    assert moved == 4
    assert survived == []


def apps(path: LogPath, query: str) -> set[tuple[tuple[str, str], ...]]:
    """Whom a query returns."""
    return {tuple(sorted(labels.items())) for labels, _ in path.number(query)}
