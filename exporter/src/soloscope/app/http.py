"""A health endpoint, and an app's requests as Prometheus metrics.

The metrics have the names that soloscope's rules and dashboards know:
`http_requests_total{method,route,status}` and `http_request_duration_seconds`.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from prometheus_client import CollectorRegistry

__all__ = ["Requests", "health", "health_app"]

ROUTES = 100
"""Different routes that are shown; requests of further ones are `other`."""

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_ID = re.compile(r"/(?=[^/]*\d)[^/]+|/[^/]{25,}")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


# --- health -------------------------------------------------------------------------


def health(
    checks: Mapping[str, Callable[[], object]], seconds: float = 2.0
) -> tuple[int, dict[str, str]]:
    """200 when no check raises or returns False within `seconds`, else 503.

    With what each check says: `ok`, or what went wrong.
    """
    said: dict[str, str] = dict.fromkeys(checks, f"no answer within {seconds:g} s")

    def run(name: str, check: Callable[[], object]) -> None:
        try:
            said[name] = "failed" if check() is False else "ok"
        except Exception as error:  # noqa: BLE001 (any failure is an answer)
            said[name] = type(error).__name__  # a text could have a password

    threads = [
        threading.Thread(target=run, args=check, daemon=True)
        for check in checks.items()
    ]
    end = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    answer = dict(said)
    return 200 if all(one == "ok" for one in answer.values()) else 503, answer


def health_app(checks: Mapping[str, Callable[[], object]]) -> WSGIApplication:
    """`health` as a WSGI app, for `apps.<name>.health.url`."""

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        del environ
        status, said = health(checks)
        reason = "200 OK" if status == 200 else "503 Service Unavailable"
        start(reason, [("Content-Type", "application/json")])
        return [json.dumps(said).encode()]

    return answer


# --- metrics ------------------------------------------------------------------------


def by_path(path: str) -> str:
    """A route for a path: parts with a digit, and long ones, are `:id`."""
    return _ID.sub("/:id", path)[:100] or "/"


class Requests:
    """Counts and times requests, as middleware for WSGI and ASGI.

    `route` makes a route of a path; a framework's own template is better.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        route: Callable[[str], str] = by_path,
    ) -> None:
        from prometheus_client import REGISTRY, Counter, Histogram

        at = REGISTRY if registry is None else registry
        self._route = route
        self._known: set[str] = set()
        self._total = Counter(
            "http_requests_total",
            "Requests answered",
            ("method", "route", "status"),
            registry=at,
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Time until a request was answered",
            ("method", "route"),
            registry=at,
        )

    def observe(self, method: str, path: str, status: str, seconds: float) -> None:
        """Count one request."""
        route = self._route(path)
        if route not in self._known:
            # Random paths of scanners make no series.
            if status == "404" or len(self._known) >= ROUTES:
                route = "other"
            self._known.add(route)
        method = method if method in _METHODS else "other"
        # Failures start at zero, or the first one would be no rise.
        self._total.labels(method, route, "500")
        self._total.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    def wsgi(self, app: WSGIApplication) -> WSGIApplication:
        """A WSGI app whose requests are counted."""

        def counted(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            began = time.perf_counter()
            seen = ["500"]

            def started(status: str, *rest: Any) -> Any:
                seen[0] = status[:3]
                return start(status, *rest)

            try:
                return app(environ, started)
            finally:
                self.observe(
                    environ["REQUEST_METHOD"],
                    environ.get("PATH_INFO", ""),
                    seen[0],
                    time.perf_counter() - began,
                )

        return counted

    def asgi(self, app: AsgiApp) -> AsgiApp:
        """An ASGI app whose HTTP requests are counted."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            began = time.perf_counter()
            seen = ["500"]

            async def sent(message: Message) -> None:
                if message["type"] == "http.response.start":
                    seen[0] = str(message["status"])
                await send(message)

            try:
                await app(scope, receive, sent)
            finally:
                seconds = time.perf_counter() - began
                self.observe(scope["method"], scope["path"], seen[0], seconds)

        return counted
