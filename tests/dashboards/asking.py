"""Asks a dashboard's queries of Prometheus and Loki, as Grafana would."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests
from dashboard_files import filled
from dashboard_lint import targets

WEEK = 7 * 86400

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Answer:
    """What one target of a panel answered, and how long that took (seconds).

    `numbers` holds the value of each series now; `points` those of a range;
    `lines` log lines as (time in ns, labels, text), newest first.
    """

    panel: str
    index: int
    expr: str
    seconds: float
    numbers: dict[Labels, float]
    points: dict[Labels, list[tuple[float, float]]]
    lines: list[tuple[int, dict[str, str], str]]

    def empty(self) -> bool:
        """Whether the panel would show its `noValue`."""
        return not (self.numbers or self.points or self.lines)

    def number(self) -> float:
        """The one value."""
        assert len(self.numbers) == 1, (self.panel, self.expr, self.numbers)
        return next(iter(self.numbers.values()))

    def by(self, label: str) -> dict[str, float]:
        """The values by one label."""
        return {dict(labels)[label]: v for labels, v in self.numbers.items()}


def ask(
    dashboard: dict[str, Any], prometheus: str, loki: str, app: str = "languagebuddy"
) -> Iterator[Answer]:
    """Every answer of a dashboard over its seven days.

    `prometheus` and `loki` are addresses without a slash at the end.
    """
    for panel, index, target in targets(dashboard):
        expr = filled(target["expr"], app=app)
        now = time.time()
        arguments: dict[str, str | int] = {"query": expr}
        if target["datasource"]["type"] == "prometheus":
            assert target["instant"]
            assert not target["range"]
            url = f"{prometheus}/api/v1/query"
        elif target["queryType"] == "instant":
            url = f"{loki}/loki/api/v1/query"
        else:
            url = f"{loki}/loki/api/v1/query_range"
            arguments |= {
                "start": int((now - WEEK) * 1e9),
                "end": int(now * 1e9),
                "limit": target.get("maxLines", 1000),
                "direction": "backward",
            }
            if "step" in target:
                arguments["step"] = target["step"]
        started = time.perf_counter()
        response = requests.get(url, params=arguments, timeout=30)
        seconds = time.perf_counter() - started
        assert response.ok, f"{panel['title']}: {expr}: {response.text}"
        answer = _read(panel["title"], index, expr, seconds, response.json()["data"])
        for step in panel["transformations"]:
            if step["id"] == "limit":
                _keep_newest(answer.numbers, step["options"]["limitField"])
        yield answer


def _keep_newest(numbers: dict[Labels, float], limit: int) -> None:
    """Keep so many rows, as the panel does after sorting by `day`."""
    newest = sorted(numbers, key=lambda labels: dict(labels)["day"])[-limit:]
    for labels in set(numbers) - set(newest):
        del numbers[labels]


def _read(
    panel: str, index: int, expr: str, seconds: float, data: dict[str, Any]
) -> Answer:
    numbers: dict[Labels, float] = {}
    points: dict[Labels, list[tuple[float, float]]] = {}
    lines: list[tuple[int, dict[str, str], str]] = []
    for found in data["result"]:
        if data["resultType"] == "streams":
            lines += [(int(at), found["stream"], text) for at, text in found["values"]]
            continue
        labels = tuple(sorted(found["metric"].items()))
        if data["resultType"] == "vector":
            numbers[labels] = float(found["value"][1])
        else:
            points[labels] = [(float(at), float(v)) for at, v in found["values"]]
    lines.sort(key=lambda line: line[0], reverse=True)
    return Answer(panel, index, expr, seconds, numbers, points, lines)
