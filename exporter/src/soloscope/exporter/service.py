"""The paths of `soloscope serve`: metrics, liveness, administration, start page."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from soloscope import version
from soloscope.counts.store import Store
from soloscope.errors import SecretUnavailable
from soloscope.exporter.exposition import (
    OPENMETRICS,
    TEXT,
    AppRenderer,
    Family,
    Format,
    document,
    families,
    lines,
)
from soloscope.exporter.process import ProcessMetrics
from soloscope.exporter.scraper import FaultLog, Reader, gather
from soloscope.log import event
from soloscope.web.server import Request, Response, Route, Routes, preferences

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.counts.model import Snapshot
    from soloscope.extension import Extension
    from soloscope.secret import Secret

__all__ = ["Service", "accepted_format", "readers", "snapshot_json"]

_DURATION = Family(
    "soloscope_scrape_duration_seconds", "gauge", "How long this scrape took to answer"
)
_BUILD = Family("soloscope_build", "info", "The version of soloscope that answers")


@lru_cache(8)
def accepted_format(accept: str) -> Format:
    """OpenMetrics when the Accept header prefers it, plain text otherwise."""
    best = {True: 0.0, False: 0.0}
    for media, parameters, weight in preferences(accept):
        if media == "application/openmetrics-text":
            # 0.0.1 is the draft, which 1.0.0 does not satisfy in all points.
            if parameters.get("version", "1.0.0") == "1.0.0":
                best[True] = max(best[True], weight)
        elif media in {"text/plain", "text/*", "*/*"}:
            best[False] = max(best[False], weight)
    return OPENMETRICS if best[True] > 0 and best[True] >= best[False] else TEXT


def readers(config: Config) -> list[Reader]:
    """A reader for each app that has a Redis; none is started yet."""
    return [
        Reader(
            app,
            Store(app, app.redis, config.exporter.history, on_fault=FaultLog(app.name)),
        )
        for app in config.apps.values()
        if app.redis is not None
    ]


class Service:
    """Answers for all apps. `start` after the port is bound."""

    def __init__(
        self,
        config: Config,
        sources: Sequence[Reader],
        extensions: Sequence[Extension] = (),
    ) -> None:
        from soloscope.counts.model import Snapshot

        self._config = config
        self._readers = sources
        self._extensions = extensions
        self._process = ProcessMetrics()
        self._began = time.monotonic()
        # Apps without Redis have nothing to ask, but are described all the same.
        self._quiet = [
            Snapshot(app, up=False) for app in config.apps.values() if app.redis is None
        ]
        self._renderers = {
            form: {app.name: AppRenderer(app, form) for app in config.apps.values()}
            for form in (TEXT, OPENMETRICS)
        }
        self._lock = threading.Lock()
        self._build = ""
        self._routes: Routes = {}

    def start(self) -> None:
        """Read every Redis once, and start the extensions."""
        for reader in self._readers:
            reader.start()
        for extension in self._extensions:
            extension.start()

    def stop(self) -> None:
        """End all threads and connections."""
        for extension in self._extensions:
            extension.stop()
        for reader in self._readers:
            reader.stop()

    def routes(self) -> Routes:
        """The table of paths, with those of the extensions."""
        if not self._routes:
            own = {
                "/": Route(self._start_page),
                "/metrics": Route(self._metrics, title="Metrics for Prometheus"),
                "/api/metrics": Route(self._metrics, title="The same"),
                "/api/admin/metrics": Route(
                    self._admin, title="The same as JSON, with a token"
                ),
                "/health": Route(self._health, title="Whether this process lives"),
            }
            for extension in self._extensions:
                own |= extension.routes()
            self._routes = own
        return self._routes

    def metrics(self, form: Format) -> bytes:
        """Everything Prometheus is told, read now."""
        begun = time.perf_counter()
        snapshots = [*gather(self._readers), *self._quiet]
        renderers = self._renderers[form]
        with self._lock:
            texts = [renderers[s.app.name].render(s) for s in snapshots]
        parts = list(families(texts, form))
        parts += [e.metrics(form) for e in self._extensions]
        if not self._build:
            self._build = version()
        parts += [
            _BUILD.head(form),
            lines("soloscope_build_info", [({"version": self._build}, 1)]),
            self._process.render(form),
            _DURATION.head(form),
            lines(_DURATION.name, [({}, time.perf_counter() - begun)]),
        ]
        return document(parts, form)

    def _metrics(self, request: Request) -> Response:
        form = accepted_format(request.headers.get("accept", ""))
        return Response(self.metrics(form), content_type=form.content_type)

    def _health(self, request: Request) -> Response:
        """Alive is all that this says; the checks have their own paths."""
        del request
        seconds = int(time.monotonic() - self._began)
        return _json({"status": "ok", "uptime_seconds": seconds})

    def _admin(self, request: Request) -> Response:
        token = self._config.exporter.token
        if token is None:
            text = "not set up: set `services.soloscope.exporter.tokenFile`\n"
            return Response(text.encode(), 404)
        if not _authorised(token, request.headers.get("authorization", "")):
            return Response(
                b"A valid token is needed.\n",
                401,
                headers={"WWW-Authenticate": 'Bearer realm="soloscope"'},
            )
        snapshots = [*gather(self._readers), *self._quiet]
        apps = {s.app.name: snapshot_json(s) for s in snapshots}
        return _json({"apps": apps}, {"Cache-Control": "no-store"})

    def _start_page(self, request: Request) -> Response:
        del request
        import html

        rows = "".join(
            f'<li><a href="{html.escape(path)}">{html.escape(path)}</a> '
            f"{html.escape(route.title)}</li>"
            for path, route in self.routes().items()
            if route.title
        )
        apps = ", ".join(html.escape(a.title) for a in self._config.apps.values())
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            f"<title>soloscope</title><h1>soloscope</h1><p>{apps}</p><ul>{rows}</ul>"
        )
        return Response(page.encode(), content_type="text/html; charset=utf-8")


def _authorised(token: Secret, header: str) -> bool:
    """Whether the header brings the token; a near miss takes as long as a far one."""
    scheme, _, given = header.partition(" ")
    try:
        expected = token.read()
    except SecretUnavailable as error:
        event("token_unavailable", str(error), level=logging.ERROR)
        return False
    # hmac loads OpenSSL, which nothing else needs for most scrapes.
    import hmac

    # A header's bytes come to us as Latin-1.
    sent = given.strip().encode("latin-1", "replace")
    same = hmac.compare_digest(sent, expected.encode())
    return same and scheme.lower() == "bearer"


def _json(value: object, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
    return Response(body.encode(), 200, "application/json", headers or {})


def snapshot_json(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as plain data; what is not known is not in it."""
    if snapshot.app.redis is None:
        return {"title": snapshot.app.title}
    told: dict[str, Any] = {"title": snapshot.app.title, "up": snapshot.up}
    today = snapshot.today
    if not snapshot.up or today is None:
        return {**told, "error": snapshot.error}
    return {
        **told,
        "day": today.day.isoformat(),
        "counters": dict(today.counters),
        "breakdowns": {n: dict(t) for n, t in today.breakdowns.items()},
        "uniques": dict(today.uniques),
        "timings": {
            n: {"count": count, "seconds": milliseconds / 1000}
            for n, (count, milliseconds) in today.timings.items()
        },
        "gauges": dict(snapshot.gauges),
        "windows": {
            window: {**row, **snapshot.breakdown_windows.get(window, {})}
            for window, row in snapshot.windows.items()
        },
        "days": {d.day.isoformat(): dict(d.plain()) for d in snapshot.days},
        "jobs": {
            n: {"late": s.late, "last_success": s.last_success}
            for n, s in snapshot.jobs.items()
        },
        "keys_without_expiry": snapshot.keys_without_expiry,
        "keys_dropped": snapshot.keys_dropped,
    }
