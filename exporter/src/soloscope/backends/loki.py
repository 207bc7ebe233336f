"""Loki's HTTP API: https://grafana.com/docs/loki/latest/reference/loki-http-api/"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from soloscope.backends.http import TIMEOUT, base_url
from soloscope.backends.prometheus import PrometheusApi
from soloscope.config import Config

__all__ = ["Line", "LokiApi"]


class Line(NamedTuple):
    """One log line; `at` is its Unix time in Loki."""

    labels: Mapping[str, str]
    at: float
    text: str


class LokiApi(PrometheusApi):
    """Loki answers metric queries in the format of Prometheus."""

    name = "Loki"
    prefix = "/loki/api/v1"

    @classmethod
    def of(cls, config: Config, timeout: float = TIMEOUT) -> LokiApi:
        """The client for the configured Loki."""
        return cls(base_url(config.loki), timeout)

    def alert_names(self) -> set[str]:
        """The names of all alert rules of the ruler, which has Prometheus' path."""
        ruler = PrometheusApi(f"{self.base}/prometheus", self.timeout)
        ruler.name = self.name
        return ruler.alert_names()

    def lines(
        self, selector: str, start: float, end: float, limit: int = 1000
    ) -> list[Line]:
        """Up to `limit` lines between two Unix times, the newest first."""
        data = self.get(
            "query_range",
            query=selector,
            start=str(int(start * 1e9)),
            end=str(int(end * 1e9)),
            limit=str(limit),
            direction="backward",
        )
        with self.understood("query_range"):
            found = [
                Line(dict(stream["stream"]), int(at) / 1e9, str(text))
                for stream in data["result"]
                for at, text, *_ in stream["values"]
            ]
        return sorted(found, key=lambda line: line.at, reverse=True)
