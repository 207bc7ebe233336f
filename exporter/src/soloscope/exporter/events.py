"""Counts as log events for Loki, on a host without Prometheus.

Long form, one value a line, so that a query needs no more than `last_over_time`:

    {…,"event":"metrics_snapshot","target":"languagebuddy","up":true,"day":"2026-11-18"}
    {…,"event":"metrics_day","target":"languagebuddy","name":"conversations",
       "day":"2026-11-18","weekday":"Wed","ago":86400,"value":31}
    {…,"event":"metrics_window","target":"languagebuddy","name":"deficiencies",
       "key":"past_tense","window":"7d","value":12}
    {…,"event":"metrics_now","target":"languagebuddy","name":"users_total","value":12}
    {…,"event":"metrics_job","target":"languagebuddy","name":"digest","verdict":0,
       "done":30,"failed":1,"usual":31,"last_success":1763438400}
    {…,"event":"metrics_check","target":"languagebuddy","name":"health","value":1}

`ago` is how long ago the day was, in seconds of whole days, to be compared with the
length of a time range. The field is `target`: Loki renames a JSON field with the name
of a stream label.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from soloscope.checks.report import WAIT
from soloscope.counts import model
from soloscope.exporter.scraper import gather
from soloscope.log import event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from soloscope.checks.model import Result
    from soloscope.checks.routes import Health
    from soloscope.config import App
    from soloscope.counts.model import Snapshot
    from soloscope.exporter.scraper import Scraper

__all__ = ["INTERVAL", "MetricEvents", "events", "next_due"]

INTERVAL = 900.0
"""Seconds between two writings."""


def events(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    """The events for one app, each with its name in `event`."""
    target = snapshot.app.name
    today = snapshot.today
    if not snapshot.up or today is None:
        yield {
            "event": "metrics_snapshot",
            "target": target,
            "up": False,
            "error": snapshot.error,
        }
        return
    yield {
        "event": "metrics_snapshot",
        "target": target,
        "up": True,
        "day": today.day.isoformat(),
        "counters": dict(today.counters),
        "uniques": dict(today.uniques),
        "timings": {
            name: {"count": count, "ms": milliseconds}
            for name, (count, milliseconds) in today.timings.items()
        },
        "jobs_late": [n for n, state in snapshot.jobs.items() if state.late],
        **(
            {}
            if snapshot.keys_without_expiry is None
            else {"keys_without_expiry": snapshot.keys_without_expiry}
        ),
        "keys_dropped": snapshot.keys_dropped,
    }
    for name, value in snapshot.gauges.items():
        yield {"event": "metrics_now", "target": target, "name": name, "value": value}
    for name, job in snapshot.jobs.items():
        yield {
            "event": "metrics_job",
            "target": target,
            "name": name,
            "verdict": int(job.verdict),
            "done": job.done,
            "failed": job.failed,
            "usual": job.usual,
            "last_success": job.last_success,
        }
    for day in snapshot.days:
        for name, value in day.plain().items():
            yield {
                "event": "metrics_day",
                "target": target,
                "name": name,
                "day": day.day.isoformat(),
                "weekday": model.weekday(day.day),
                "ago": (today.day - day.day).days * 86400,
                "value": value,
            }
    for window, row in snapshot.windows.items():
        for name, value in row.items():
            yield {
                "event": "metrics_window",
                "target": target,
                "name": name,
                "window": window,
                "value": value,
            }
    for window, tables in snapshot.breakdown_windows.items():
        for name, table in tables.items():
            for key, value in table.items():
                yield {
                    "event": "metrics_window",
                    "target": target,
                    "name": name,
                    "key": key,
                    "window": window,
                    "value": value,
                }


def check_events(results: Iterable[Result]) -> Iterator[dict[str, Any]]:
    """The events for the checks of apps, but not of the reading of their counts."""
    for result in results:
        if result.app and result.kind != "scrape":
            yield {
                "event": "metrics_check",
                "target": result.app,
                "name": result.name,
                "value": int(result.ok),
            }


def next_due(now: float, last: float, apps: Sequence[App]) -> float:
    """When to write next: INTERVAL after `last`, or at an app's midnight before that.

    All are Unix times. A clock that went back does not stop the writing.
    """
    due = [last + INTERVAL if last <= now else now]
    for app in apps:
        day = model.today(last, app.zone)
        due.append(model.midnight(day + model.ONE_DAY, app.zone) + 1)
    return min(due)


class MetricEvents:
    """Writes the events at the start, every quarter of an hour, and at midnight."""

    def __init__(
        self,
        scrapers: Sequence[Scraper],
        checks: Health | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._scrapers = scrapers
        self._checks = checks
        self._clock = clock
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="events", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Stop the thread."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def write(self) -> None:
        """Log the current values."""
        for snapshot in gather(self._scrapers):
            for fields in events(snapshot):
                event(fields.pop("event"), **fields)
        if self._checks is not None:
            for fields in check_events(self._checks.registry.results(WAIT)):
                event(fields.pop("event"), **fields)

    def _work(self) -> None:
        apps = [scraper.app for scraper in self._scrapers]
        while not self._stopped.is_set():
            last = self._clock()
            self.write()
            # In short steps: the clock may be set while we wait.
            while not self._stopped.wait(1.0):
                if self._clock() >= next_due(self._clock(), last, apps):
                    break
