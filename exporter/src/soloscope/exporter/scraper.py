"""Reads each app's Redis in a thread of its own, so that none delays another.

Scrapes that arrive before a reading has begun share it. So a thousand parallel scrapes
are a few readings, and no scrape gets a value older than its request.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from soloscope.counts.model import Fault, Snapshot
from soloscope.log import Pauses, event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soloscope.config import App
    from soloscope.counts.store import Store

__all__ = ["ScrapeLog", "Scraper", "gather"]

PATIENCE = 3.0
"""Seconds that a scrape waits for a Redis that answered last time."""

IMPATIENCE = 0.3
"""Seconds that it waits for one that did not; the others must not suffer again."""

STOP_PATIENCE = 1.5
"""Seconds that a reading may still take when all is stopped."""

FAULT_PAUSE = 3600.0
"""Seconds until the same fault is logged again."""

DOWN_PAUSE = 300.0
"""Seconds until it is logged again that a Redis is away."""


class ScrapeLog:
    """Logs the faults of one app's scrapes, each fault with a pause."""

    def __init__(self, app: str, ticks: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._pauses = Pauses(ticks)

    def fault(self, fault: Fault) -> None:
        """A metric was left out."""
        if self._pauses.over((fault.name, fault.reason), FAULT_PAUSE):
            event(
                "metric_left_out",
                f"{fault.name} is not shown: {fault.reason}",
                level=logging.WARNING,
                target=self._app,
                metric=fault.name,
                key=fault.key,
                reason=fault.reason,
            )

    def error(self, name: str, message: str, **fields: Any) -> None:
        """The whole reading failed."""
        if self._pauses.over(name, DOWN_PAUSE):
            event(name, message, level=logging.ERROR, target=self._app, **fields)

    def back(self) -> None:
        """The fault is over."""
        self._pauses.end("redis_unreachable")
        event("redis_back", "Redis answers again", target=self._app)


class Scraper:
    """One app's store with its thread. `ask` and `wait` from any thread."""

    def __init__(self, app: App, store: Store) -> None:
        self.app = app
        self.last: Snapshot | None = None
        self._store = store
        self._log = ScrapeLog(app.name)
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"redis-{app.name}")
        self._next: Future[Snapshot] | None = None

    def ask(self) -> Future[Snapshot]:
        """A reading that begins from now on."""
        with self._lock:
            if self._next is None or self._next.running() or self._next.done():
                self._next = self._thread.submit(self._read)
            return self._next

    def wait(self, reading: Future[Snapshot], begun: float) -> Snapshot:
        """The snapshot, or one that is not `up` when the reading takes too long.

        `begun` is when the scrape began, on time.monotonic.
        """
        troubled = self.last is not None and not self.last.up
        patience = IMPATIENCE if troubled else PATIENCE
        try:
            return reading.result(max(begun + patience - time.monotonic(), 0.0))
        except TimeoutError:
            error = f"no answer within {patience:g} s"
            return Snapshot(self.app, up=False, error=error, taken=time.time())

    def stop(self) -> None:
        """Stop reading, and close the connection."""
        closed = self._thread.submit(self._store.close)
        self._thread.shutdown(wait=False)
        try:
            closed.result(STOP_PATIENCE)
        except TimeoutError:
            # Wakes the thread: the interpreter waits for it at exit.
            self._store.close()

    def _read(self) -> Snapshot:
        try:
            snapshot = self._store.read()
        except Exception:  # noqa: BLE001 (a fault of ours must not end the scrapes)
            self._store.close()
            self._log.error(
                "read_failed",
                "An unexpected error while reading Redis",
                traceback=traceback.format_exc(limit=20),
            )
            error = "internal error"
            snapshot = Snapshot(self.app, up=False, error=error, taken=time.time())
        for fault in snapshot.faults:
            self._log.fault(fault)
        if not snapshot.up:
            self._log.error("redis_unreachable", snapshot.error)
        elif self.last is not None and not self.last.up:
            self._log.back()
        self.last = snapshot
        return snapshot


def gather(scrapers: Sequence[Scraper]) -> list[Snapshot]:
    """A snapshot of each app, all read at the same time."""
    begun = time.monotonic()
    readings = [scraper.ask() for scraper in scrapers]
    return [
        scraper.wait(reading, begun)
        for scraper, reading in zip(scrapers, readings, strict=True)
    ]
