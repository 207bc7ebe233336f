"""Prometheus' HTTP API: https://prometheus.io/docs/prometheus/latest/querying/api/"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from soloscope.backends.http import TIMEOUT, base_url, get_json, understood
from soloscope.config import Config
from soloscope.errors import BackendUnavailable

__all__ = ["PrometheusApi", "Sample"]


class Sample(NamedTuple):
    """One series' value; `at` is Unix time."""

    labels: Mapping[str, str]
    at: float
    value: float


def sample(labels: Mapping[str, str], pair: Any) -> Sample:
    """A `[time, "value"]` of an answer; other shapes raise an error of Python's."""
    at, value = pair
    if not math.isfinite(at):
        raise ValueError
    return Sample({str(k): str(v) for k, v in labels.items()}, float(at), float(value))


class PrometheusApi:
    """Every method raises BackendUnavailable with the server's name, address and
    reason.
    """

    name = "Prometheus"
    prefix = "/api/v1"

    def __init__(self, base: str, timeout: float = TIMEOUT) -> None:
        self.base = base
        self.timeout = timeout

    @classmethod
    def of(cls, config: Config) -> PrometheusApi:
        """The client for the configured Prometheus."""
        return cls(base_url(config.prometheus))

    def get(self, path: str, **parameters: str) -> dict[str, Any]:
        """`data` of the answer."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        url = f"{self.base}{self.prefix}/{path}"
        try:
            value = get_json(url + query, self.timeout)
        except BackendUnavailable as error:
            raise BackendUnavailable(f"{self.name} at {error}") from None
        with self.understood(path):
            return dict(value["data"])

    def alert_names(self) -> set[str]:
        """The names of all alert rules."""
        groups = self.get("rules")["groups"]
        with self.understood("rules"):
            return {
                str(rule["name"])
                for group in groups
                for rule in group["rules"]
                if rule["type"] == "alerting"
            }

    def understood(self, path: str) -> Any:
        """`http.understood` for the answer of `path`."""
        return understood(f"{self.name} at {self.base}{self.prefix}/{path}")

    def instant(self, expression: str, at: float | None = None) -> list[Sample]:
        """The value of each series now, or at `at`."""
        moment = {} if at is None else {"time": f"{at:.3f}"}
        data = self.get("query", query=expression, **moment)
        with self.understood("query"):
            if data["resultType"] == "scalar":
                return [sample({}, data["result"])]
            return [sample(one["metric"], one["value"]) for one in data["result"]]

    def span(
        self, expression: str, start: float, end: float, step: float
    ) -> list[Sample]:
        """The values at each step from `start` to `end`, series by series."""
        data = self.get(
            "query_range",
            query=expression,
            start=f"{start:.3f}",
            end=f"{end:.3f}",
            step=f"{step:.3f}",
        )
        with self.understood("query_range"):
            return [
                sample(one["metric"], pair)
                for one in data["result"]
                for pair in one["values"]
            ]
