"""A dashboard's panels and the results of their queries on the live stack.

The queries are read from the dashboards' JSON, as Grafana does, with the
variables substituted.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .clients import Loki, Prometheus

#: A dashboard's default time range (seconds).
WEEK = 7 * 24 * 3600


@dataclass(frozen=True)
class Answer:
    """A query of a panel, and its result.

    `rows` has one value or line per series; `seconds` is how long it took.
    """

    panel: str
    expression: str
    rows: Sequence[str]
    seconds: float
    error: str = ""


def targets(panels: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """(title, query) of each panel of a classic dashboard, in their order."""
    for panel in panels:
        yield from targets(panel.get("panels", ()))
        for target in panel.get("targets", ()):
            own = {"datasource": panel.get("datasource", {}), **target}
            yield panel.get("title", ""), own


def fill_in(expression: str, variables: Mapping[str, str]) -> str:
    """`expression` with $name and ${name} replaced, as Grafana does."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return variables.get(name, match[0])

    return re.sub(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))", value, expression)


def ask(
    dashboard: Path, prometheus: Prometheus, loki: Loki, app: str
) -> Iterator[Answer]:
    """Run a dashboard's queries. A rejected one is a result with `error`."""
    for title, target in targets(json.loads(dashboard.read_text())["panels"]):
        numbers = target["datasource"].get("type") == "prometheus"
        step = 300 if numbers else 3600
        variables = {
            "app": app,
            "__rate_interval": "1m",
            "__interval": f"{step}s",
            "__auto": f"{step}s",
            "__range": "7d",
            "__range_s": str(WEEK),
        }
        expression = fill_in(target["expr"], variables)
        now = time.time()
        path, parameters = "query", {"query": expression, "time": f"{now:.3f}"}
        if not (target.get("instant") or target.get("queryType") == "instant"):
            path = "query_range"
            parameters |= {"start": f"{now - WEEK:.0f}", "end": f"{now:.0f}"}
            if numbers or "over_time" in expression:
                parameters["step"] = f"{step}s"
            else:
                parameters["limit"] = "1000"
        started = time.perf_counter()
        found, error = [], ""
        try:
            found = rows((prometheus if numbers else loki).get(path, parameters))
        except (OSError, ValueError, KeyError) as failure:
            error = str(failure)
        yield Answer(title, target["expr"], found, time.perf_counter() - started, error)


def rows(data: Mapping[str, Any]) -> list[str]:
    """The labels and last value of each series; of streams the lines, newest first."""
    if data["resultType"] == "streams":
        lines = [pair for stream in data["result"] for pair in stream["values"]]
        return [line for _, line in sorted(lines, reverse=True)]
    found = []
    for series in data["result"]:
        sample = series["value"] if "value" in series else series["values"][-1]
        hidden = ("app", "__name__")
        labels = [f"{k}={v}" for k, v in series["metric"].items() if k not in hidden]
        found.append(
            ": ".join(filter(None, (", ".join(labels), f"{float(sample[1]):.6g}")))
        )
    return found
