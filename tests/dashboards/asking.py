"""Asks a dashboard's queries of Prometheus and Loki, as Grafana would."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dashboard_files import filled
from dashboard_lint import Json, panels
from soloscope_demo.stack import Loki, Prometheus

#: Where a time range begins -> its length in seconds.
RANGES = {
    "now-6h": 6 * 3600,
    "now-24h": 86400,
    "now-7d": 7 * 86400,
    "now-30d": 30 * 86400,
}

#: Points of a graph, and seconds between two scrapes (Options.scrape_interval).
POINTS, SCRAPE = 500, 5

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Answer:
    """The result of one target of a panel, and how long it took (seconds).

    `dashboard` is the uid; `numbers` holds the value of each series now; `points`
    those of a range; `lines` log lines as (time in ns, labels, text), newest first.
    """

    dashboard: str
    panel: str
    index: int
    expr: str
    seconds: float
    numbers: dict[Labels, float]
    points: dict[Labels, list[tuple[float, float]]]
    lines: list[tuple[int, dict[str, str], str]]

    @property
    def key(self) -> tuple[str, str, int]:
        """The target's unique name among all dashboards."""
        return self.dashboard, self.panel, self.index

    @property
    def last(self) -> dict[Labels, float]:
        """The values now, or at the end of the time range."""
        ends = {labels: points[-1][1] for labels, points in self.points.items()}
        return self.numbers or ends

    def empty(self) -> bool:
        """Whether the panel would show its `noValue`."""
        return not (self.numbers or self.points or self.lines)

    def number(self) -> float:
        """The one value."""
        assert len(self.last) == 1, (self.panel, self.expr, self.last)
        return next(iter(self.last.values()))

    def by(self, label: str) -> dict[str, float]:
        """The values by one label."""
        return {dict(labels).get(label, ""): v for labels, v in self.last.items()}


def ask(
    dashboard: dict[str, Any], prometheus: str, loki: str, **variables: str
) -> Iterator[Answer]:
    """Every answer of a dashboard over its own time range.

    `prometheus` and `loki` are addresses without a slash at the end; `variables` are
    the dashboard's that have another value than in `dashboard_files.VARIABLES`.
    """
    span = RANGES[dashboard["time"]["from"]]
    for panel in panels(dashboard):
        for index, target in enumerate(panel["targets"]):
            key = (dashboard["uid"], panel["title"], index)
            yield _ask(key, target, (prometheus, loki), span, variables)


def _ask(
    key: tuple[str, str, int],
    target: Json,
    addresses: tuple[str, str],
    span: int,
    variables: dict[str, str],
) -> Answer:
    # As Grafana 9.4 does: the interval of a graph, and the shortest for a rate.
    step = max(15, span // POINTS)
    grafana = {
        "__range": f"{span}s",
        "__range_s": str(span),
        "__interval": f"{step}s",
        "__rate_interval": f"{max(step + SCRAPE, 4 * SCRAPE)}s",
    }
    expr = filled(target["expr"], **grafana, **variables)
    now = time.time()
    client: Prometheus = Prometheus(addresses[0])
    arguments: dict[str, str | int | float] = {"query": expr}
    numbers = target["datasource"]["type"] == "prometheus"
    instant = target["instant"] if numbers else target["queryType"] == "instant"
    path = "query" if instant else "query_range"
    if not numbers:
        client = Loki(addresses[1])
    if not instant and numbers:
        # The last point is now.
        arguments |= {"start": now - span // step * step, "end": now, "step": step}
    elif not instant:
        arguments |= {
            "start": int((now - span) * 1e9),
            "end": int(now * 1e9),
            "limit": target.get("maxLines", 1000),
            "direction": "backward",
            "step": target.get("step", f"{step}s"),
        }
    started = time.perf_counter()
    # Loki keeps what it answered before all lines were there.
    data = client.get(path, arguments, {"Cache-Control": "no-cache"})
    seconds = time.perf_counter() - started
    return _read(key, expr, seconds, data)


def _read(
    key: tuple[str, str, int], expr: str, seconds: float, data: dict[str, Any]
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
    return Answer(*key, expr, seconds, numbers, points, lines)
