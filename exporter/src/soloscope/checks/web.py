"""The checks as a part of `soloscope serve`: their paths and their metrics."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from soloscope.checks.declared import Scrape, checks
from soloscope.checks.model import Result
from soloscope.checks.registry import Registry
from soloscope.checks.report import PATHS, WAIT, answer, metrics
from soloscope.log import event
from soloscope.web.server import Request, Response, Route, Routes

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.exporter.exposition import Format
    from soloscope.exporter.scraper import Reader

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
    """The extension. No path of it asks anybody anything: the registry has asked."""

    def __init__(self, registry: Registry, now: Callable[[], datetime] = _now) -> None:
        self.registry = registry
        self._now = now
        # The metrics as they were last told in each format, and of which results.
        # The results are judged anew each time: an answer fails by growing old.
        self._texts: dict[Format, tuple[list[tuple[bool, float | None]], str]] = {}

    def routes(self) -> Routes:
        """A route for each of report.PATHS."""
        return {
            path: Route(partial(self._answer, path), title=_TITLES.get(path, ""))
            for path in PATHS
        }

    def metrics(self, format: Format) -> str:  # noqa: A002
        """What has been found out so far."""
        results = self.registry.results()
        told = [(result.ok, result.seconds) for result in results]
        known = self._texts.get(format)
        if known is None or known[0] != told:
            known = self._texts[format] = (told, metrics(results, format))
        return known[1]

    def start(self) -> None:
        """Begin to check."""
        self.registry.start()

    def stop(self) -> None:
        """Check no more."""
        self.registry.stop()

    def _answer(self, path: str, _request: Request) -> Response:
        # In the first moments a request waits for the first answers, WAIT at most.
        status, body = answer(path, self.registry.results(WAIT), self._now())
        text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
        return Response(
            text.encode(), status, "application/json", {"Cache-Control": "no-store"}
        )


def _tell(result: Result) -> None:
    """Log that a check has turned. The field is `target` as in all our events."""
    name = f"{result.app} {result.name}".strip()
    event(
        "check_recovered" if result.ok else "check_failed",
        f"{name}: {result.detail}",
        level=logging.INFO if result.ok else logging.WARNING,
        target=result.app,
        check=result.name,
        kind=result.kind,
    )


def create(config: Config, readers: Sequence[Reader]) -> Health:
    """The checks that `config` asks for; the readers know their last scrape."""
    by_app = {reader.app.name: reader for reader in readers}

    def last_scrape(app: str) -> Scrape | None:
        reader = by_app.get(app)
        last = None if reader is None else reader.last
        if last is None:
            return None
        at = time.monotonic() - max(0.0, time.time() - last.taken)
        return Scrape(last.up, "" if last.up else last.error, at)

    return Health(Registry(checks(config, last_scrape), changed=_tell))
