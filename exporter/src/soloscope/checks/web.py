"""The health paths as routes of the server."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from soloscope.checks.registry import Registry
from soloscope.checks.report import PATHS, WAIT, answer
from soloscope.server import Request, Response, Route

__all__ = ["routes"]

_TITLES = {
    "/api/health": "all health checks",
    "/health/overall": "health by service",
    "/health/database": "the database's health",
    "/health/database/performance": "the database's response times",
}


def _now() -> datetime:
    return datetime.now(UTC)


def routes(registry: Registry, now: Callable[[], datetime] = _now) -> dict[str, Route]:
    """A route for each of report.PATHS; none of them asks anybody anything.

    In the first moments a request waits for the first answers, up to WAIT seconds.
    """

    def handle(path: str, _request: Request) -> Response:
        status, body = answer(path, registry.results(WAIT), now())
        text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
        return Response(
            text.encode(), status, "application/json", {"Cache-Control": "no-store"}
        )

    return {
        path: Route(partial(handle, path), title=_TITLES.get(path, ""))
        for path in PATHS
    }
