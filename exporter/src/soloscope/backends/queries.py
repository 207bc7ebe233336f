"""What Prometheus and Loki know, asked over their HTTP APIs.

Every function raises BackendUnavailable with the server's address and reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from soloscope.backends.fetch import LARGE, base_url, fetch
from soloscope.checks.model import CheckFailed
from soloscope.config import Config
from soloscope.errors import BackendUnavailable

__all__ = ["Line", "LokiApi", "PrometheusApi", "Sample", "get_json"]

TIMEOUT = 15.0
"""Seconds for one query. People wait for these, so they may take a moment."""


def get_json(url: str, timeout: float = TIMEOUT) -> Any:
    """The JSON at `url`."""
    where = url.partition("?")[0]
    try:
        answer = fetch(url, timeout, {"Accept": "application/json"}, LARGE)
    except CheckFailed as failed:
        raise BackendUnavailable(f"{where}: {failed}") from None
    try:
        value = json.loads(answer.body)
    except ValueError:
        value = None
    if answer.status != 200 or value is None:
        # Both servers say in one line what they did not like.
        told = value.get("error") if isinstance(value, dict) else None
        text = str(told or answer.body[:200].decode("utf-8", "replace")).strip()
        raise BackendUnavailable(f"{where}: answered {answer.status}: {text}")
    return value


@dataclass(frozen=True, slots=True)
class Sample:
    """One series' value; `at` is Unix time."""

    labels: Mapping[str, str]
    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Line:
    """One log line; `at` is Unix time, as Loki keeps it."""

    labels: Mapping[str, str]
    at: float
    text: str


class PrometheusApi:
    """https://prometheus.io/docs/prometheus/latest/querying/api/"""

    def __init__(self, base: str) -> None:
        self.base = base

    @classmethod
    def of(cls, config: Config) -> PrometheusApi:
        """The one of the configuration."""
        room = config.prometheus
        return cls(base_url(room.listen_address, room.port))

    def get(self, path: str, **parameters: str) -> Any:
        """`data` of the answer."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        value = get_json(f"{self.base}{path}{query}")
        if not isinstance(value, dict) or "data" not in value:
            raise BackendUnavailable(f"{self.base}{path}: not Prometheus' answer")
        return value["data"]

    def instant(self, expression: str, at: float | None = None) -> list[Sample]:
        """The value of each series now, or at `at`."""
        moment = {} if at is None else {"time": f"{at:.3f}"}
        data = self.get("/api/v1/query", query=expression, **moment)
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][0]), float(data["result"][1]))]
        return [
            Sample(one["metric"], float(one["value"][0]), float(one["value"][1]))
            for one in data["result"]
        ]

    def span(
        self, expression: str, start: float, end: float, step: float
    ) -> Iterator[Sample]:
        """The values at each step from `start` to `end`, series by series."""
        data = self.get(
            "/api/v1/query_range",
            query=expression,
            start=f"{start:.3f}",
            end=f"{end:.3f}",
            step=f"{step:.3f}",
        )
        for one in data["result"]:
            for at, value in one["values"]:
                yield Sample(one["metric"], float(at), float(value))


class LokiApi:
    """https://grafana.com/docs/loki/latest/reference/loki-http-api/"""

    def __init__(self, base: str, timeout: float = TIMEOUT) -> None:
        self.base = base
        self.timeout = timeout

    @classmethod
    def of(cls, config: Config, timeout: float = TIMEOUT) -> LokiApi:
        """The one of the configuration."""
        return cls(base_url(config.loki.listen_address, config.loki.port), timeout)

    def instant(self, expression: str, at: float | None = None) -> list[Sample]:
        """The value of each series of a metric query now, or at `at`."""
        moment = {} if at is None else {"time": f"{at:.3f}"}
        data = self._data("/loki/api/v1/query", query=expression, **moment)
        return [
            Sample(one["metric"], float(one["value"][0]), float(one["value"][1]))
            for one in data["result"]
        ]

    def lines(
        self, selector: str, start: float, end: float, limit: int = 1000
    ) -> list[Line]:
        """Up to `limit` lines between two Unix times, the newest first."""
        data = self._data(
            "/loki/api/v1/query_range",
            query=selector,
            start=str(int(start * 1e9)),
            end=str(int(end * 1e9)),
            limit=str(limit),
            direction="backward",
        )
        found = [
            Line(stream["stream"], int(at) / 1e9, text)
            for stream in data["result"]
            for at, text, *_ in stream["values"]
        ]
        return sorted(found, key=lambda line: line.at, reverse=True)

    def _data(self, path: str, **parameters: str) -> Any:
        value = get_json(f"{self.base}{path}?{urlencode(parameters)}", self.timeout)
        if not isinstance(value, dict) or "data" not in value:
            raise BackendUnavailable(f"{self.base}{path}: not Loki's answer")
        return value["data"]
