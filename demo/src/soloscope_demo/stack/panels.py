"""A dashboard's panels and the answers of the live stack to their queries.

The queries are read from the dashboards' JSON, the same that Grafana reads, with
the variables that Grafana would fill in.
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

#: What a dashboard shows when it is opened (seconds).
WEEK = 7 * 24 * 3600


@dataclass(frozen=True)
class Query:
    """One query of a panel. `source` is prometheus or loki."""

    panel: str
    ref: str
    source: str
    expression: str
    instant: bool


@dataclass(frozen=True)
class Answer:
    """What came back: one value or line per series, and how long it took (s)."""

    query: Query
    rows: Sequence[tuple[str, str]]
    seconds: float
    error: str = ""


def _panels(panels: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for panel in panels:
        yield from _panels(panel.get("panels", ()))
        if panel.get("targets"):
            yield panel


def queries(dashboard: Path) -> list[Query]:
    """Every query of a classic dashboard file, in the order of its panels."""
    content = json.loads(dashboard.read_text())
    found = []
    for panel in _panels(content["panels"]):
        for target in panel["targets"]:
            kind = target.get("datasource", panel.get("datasource", {})).get("type", "")
            instant = target.get("instant") or target.get("queryType") == "instant"
            found.append(
                Query(
                    panel=panel.get("title", ""),
                    ref=target.get("refId", ""),
                    source=kind,
                    expression=target["expr"],
                    instant=bool(instant),
                )
            )
    return found


def fill_in(expression: str, variables: Mapping[str, str]) -> str:
    """`expression` with $name and ${name} replaced, as Grafana does."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return variables.get(name, match[0])

    return re.sub(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))", value, expression)


def ask(query: Query, prometheus: Prometheus, loki: Loki, app: str) -> Answer:
    """Ask the live program. A refused query is an answer with `error`."""
    step = 300 if query.source == "prometheus" else 3600
    variables = {
        "app": app,
        "__rate_interval": "1m",
        "__interval": f"{step}s",
        "__auto": f"{step}s",
        "__range": "7d",
        "__range_s": str(WEEK),
    }
    expression = fill_in(query.expression, variables)
    now = time.time()
    path, parameters = "query", {"time": f"{now:.3f}"}
    if not query.instant:
        path, parameters = (
            "query_range",
            {"start": f"{now - WEEK:.0f}", "end": f"{now:.0f}"},
        )
        if query.source == "prometheus" or "over_time" in expression:
            parameters["step"] = f"{step}s"
        else:
            parameters["limit"] = "1000"
    client = loki if query.source == "loki" else prometheus
    started = time.perf_counter()
    try:
        data, error = client.get(path, {"query": expression, **parameters}), ""
    except (OSError, ValueError, KeyError) as failure:
        data, error = {"resultType": "streams", "result": ()}, str(failure)
    return Answer(query, rows(data), time.perf_counter() - started, error)


def rows(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(labels, last value) per series; of log streams ("", line), newest first."""
    if data["resultType"] == "streams":
        lines = [pair for stream in data["result"] for pair in stream["values"]]
        return [("", line) for _, line in sorted(lines, reverse=True)]
    found = []
    for series in data["result"]:
        sample = series["value"] if "value" in series else series["values"][-1]
        labels = {
            key: value
            for key, value in series["metric"].items()
            if key not in ("app", "__name__")
        }
        named = [f"{key}={value}" for key, value in labels.items()]
        text = next(iter(labels.values())) if len(labels) == 1 else ", ".join(named)
        found.append((text, f"{float(sample[1]):.6g}"))
    return found
