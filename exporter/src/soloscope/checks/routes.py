"""The checks in `soloscope serve`: their paths and their metrics."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from soloscope.checks.declared import Scrape, checks
from soloscope.checks.model import Result
from soloscope.checks.registry import Registry
from soloscope.checks.report import PATHS, WAIT, answer, families
from soloscope.log import event
from soloscope.web.application import Request, Response, Route, Routes

if TYPE_CHECKING:
    from prometheus_client import Metric

    from soloscope.config import Config
    from soloscope.exporter.scraper import Scraper

__all__ = ["Health", "create"]

_TITLES = {
    "/api/health": "All health checks",
    "/health/overall": "Health by service",
    "/health/database": "The database's health",
    "/health/database/performance": "The database's response times",
}


def _now() -> datetime:
    return datetime.now(UTC)


class Health:
    """The checks while `serve` runs.

    Paths do not run checks: they show the registry's results.
    """

    def __init__(self, registry: Registry, now: Callable[[], datetime] = _now) -> None:
        self.registry = registry
        self._now = now

    def routes(self) -> Routes:
        """A route for each of report.PATHS."""
        return {
            path: Route(partial(self._answer, path), title=_TITLES.get(path, ""))
            for path in PATHS
        }

    def families(self) -> Iterator[Metric]:
        """The current results, for Prometheus."""
        return families(self.registry.results())

    def start(self) -> None:
        """Start the checks."""
        self.registry.start()

    def stop(self) -> None:
        """Stop the checks."""
        self.registry.stop()

    def _answer(self, path: str, _request: Request) -> Response:
        # Right after the start a request waits for the first results, WAIT at most.
        status, body = answer(path, self.registry.results(WAIT), self._now())
        text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
        return Response(
            text.encode(), status, "application/json", {"Cache-Control": "no-store"}
        )


def _tell(result: Result) -> None:
    """Log that a check has changed. The field is `target` as in all our events."""
    name = f"{result.app} {result.name}".strip()
    event(
        "check_recovered" if result.ok else "check_failed",
        f"{name}: {result.detail}",
        level=logging.INFO if result.ok else logging.WARNING,
        target=result.app,
        check=result.name,
        kind=result.kind,
    )


def create(config: Config, scrapers: Sequence[Scraper]) -> Health:
    """The checks of `config`; the scrapers have the results of the last scrape."""
    by_app = {scraper.app.name: scraper for scraper in scrapers}

    def last_scrape(app: str) -> Scrape | None:
        scraper = by_app.get(app)
        last = None if scraper is None else scraper.last
        if last is None:
            return None
        at = time.monotonic() - max(0.0, time.time() - last.taken)
        left_out = sorted({fault.name for fault in last.faults})
        return Scrape(last.up, last.error, at, left_out)

    return Health(Registry(checks(config, last_scrape), changed=_tell))
