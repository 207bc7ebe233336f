"""The paths of `soloscope serve`: metrics, liveness, administration, start page."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client import ProcessCollector
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

from soloscope import version
from soloscope.counts.model import Snapshot
from soloscope.counts.store import Store
from soloscope.exporter.exposition import (
    OPENMETRICS,
    TEXT,
    Format,
    accepted_format,
    counts,
)
from soloscope.exporter.families import app_families, encode, metric_info
from soloscope.exporter.scraper import Scraper, gather
from soloscope.exporter.timers import timer_families
from soloscope.web.application import Request, Response, Route, Routes
from soloscope.web.bearer import Bearer

if TYPE_CHECKING:
    from soloscope.checks.routes import Health
    from soloscope.config import Config

__all__ = ["Service", "scrapers", "snapshot_json"]


def scrapers(config: Config) -> list[Scraper]:
    """A scraper for each app that has a Redis."""
    return [
        Scraper(app, Store(app, app.redis, config.exporter.history))
        for app in config.apps.values()
        if app.redis is not None
    ]


class Service:
    """The paths for all apps. Call `start` after the port is bound."""

    def __init__(
        self, config: Config, sources: Sequence[Scraper], checks: Health | None = None
    ) -> None:
        self._config = config
        self._scrapers = sources
        self._checks = checks
        self._process = ProcessCollector(registry=None)
        build = InfoMetricFamily(
            "soloscope_build", "The version of soloscope that answers"
        )
        build.add_metric([], {"version": version()})
        # Does not change while the process runs.
        steady = [metric_info(config.apps.values()), build]
        self._steady = {
            form: encode(steady, form).removesuffix(b"# EOF\n")
            for form in (TEXT, OPENMETRICS)
        }
        self._began = time.monotonic()
        token = config.exporter.token
        self._bearer = None if token is None else Bearer(token)
        # Apps without Redis are not scraped, but are listed.
        self._quiet = [
            Snapshot(app, up=False) for app in config.apps.values() if app.redis is None
        ]

    def start(self) -> None:
        """Read every Redis once, and start the checks."""
        for scraper in self._scrapers:
            scraper.ask()
        if self._checks is not None:
            self._checks.start()

    def stop(self) -> None:
        """End all threads and connections."""
        if self._checks is not None:
            self._checks.stop()
        for scraper in self._scrapers:
            scraper.stop()

    def routes(self) -> Routes:
        """The table of paths, with those of the checks."""
        return {
            "/": Route(self._start_page),
            "/metrics": Route(self._metrics, title="Metrics for Prometheus"),
            "/api/metrics": Route(self._metrics, title="The same"),
            "/api/admin/metrics": Route(
                self._admin, title="The same as JSON, with a token"
            ),
            "/health": Route(self._health, title="Whether this process lives"),
            **(self._checks.routes() if self._checks is not None else {}),
        }

    def metrics(self, form: Format) -> bytes:
        """Everything for Prometheus, read now."""
        begun = time.perf_counter()
        snapshots = gather(self._scrapers)
        large = [text.encode() for text in counts(snapshots, form)]
        duration = GaugeMetricFamily(
            "soloscope_scrape_duration_seconds", "How long this scrape took to answer"
        )
        metrics = [
            *app_families(snapshots, form),
            *(self._checks.families() if self._checks is not None else ()),
            *timer_families(self._config),
            *self._process.collect(),
            duration,
        ]
        duration.add_metric([], time.perf_counter() - begun)
        return b"".join([*large, self._steady[form], encode(metrics, form)])

    def _metrics(self, request: Request) -> Response:
        form = accepted_format(request.headers.get("accept", ""))
        return Response(self.metrics(form), content_type=form.content_type)

    def _health(self, request: Request) -> Response:
        """Only says that the process runs; the checks have their own paths."""
        del request
        seconds = int(time.monotonic() - self._began)
        return _json({"status": "ok", "uptime_seconds": seconds})

    def _admin(self, request: Request) -> Response:
        if self._bearer is None:
            text = "not set up: set `services.soloscope.exporter.tokenFile`\n"
            return Response(text.encode(), 404)
        refused = self._bearer.refused(request)
        if refused is not None:
            return refused
        snapshots = [*gather(self._scrapers), *self._quiet]
        apps = {s.app.name: snapshot_json(s) for s in snapshots}
        return _json({"apps": apps}, {"Cache-Control": "no-store"})

    def _start_page(self, request: Request) -> Response:
        del request
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


def _json(value: object, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
    return Response(body.encode(), 200, "application/json", headers or {})


def snapshot_json(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as plain data, without unknown values."""
    if snapshot.app.redis is None:
        return {"title": snapshot.app.title}
    known: dict[str, Any] = {"title": snapshot.app.title, "up": snapshot.up}
    today = snapshot.today
    if not snapshot.up or today is None:
        return {**known, "error": snapshot.error}
    if snapshot.keys_without_expiry is not None:
        known["keys_without_expiry"] = snapshot.keys_without_expiry
    return {
        **known,
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
        "keys_dropped": snapshot.keys_dropped,
    }
