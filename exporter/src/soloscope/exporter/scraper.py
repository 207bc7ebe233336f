"""Reads each app's Redis in a thread of its own, so that none delays another.

Scrapes that come while a reading has not begun share it. So a thousand scrapes at once
are a few readings, and no scrape is answered with a value older than its request.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from soloscope.counts.model import Snapshot
from soloscope.log import event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soloscope.config import App
    from soloscope.counts.request import Fault
    from soloscope.counts.store import Store

__all__ = ["FaultLog", "Reader", "gather"]

PATIENCE = 3.0
"""Seconds that a scrape waits for a Redis that answered last time."""

IMPATIENCE = 0.3
"""Seconds that it waits for one that did not; the others must not suffer again."""

FAULT_PAUSE = 3600.0
"""Seconds until the same fault is logged again."""

DOWN_PAUSE = 300.0
"""Seconds until it is logged again that a Redis is away."""


class FaultLog:
    """Names in the log each metric that is left out, once an hour for each reason."""

    def __init__(self, app: str, ticks: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._ticks = ticks
        self._told: dict[tuple[str, str], float] = {}

    def __call__(self, fault: Fault) -> None:
        """Log `fault`, unless it was logged within the hour."""
        now = self._ticks()
        last = self._told.get((fault.name, fault.reason))
        if last is not None and now - last < FAULT_PAUSE:
            return
        if len(self._told) > 1000:
            self._told.clear()
        self._told[fault.name, fault.reason] = now
        event(
            "metric_left_out",
            f"{fault.name} is not shown: {fault.reason}",
            level=logging.WARNING,
            target=self._app,
            metric=fault.name,
            key=fault.key,
            reason=fault.reason,
        )


class _Answer:
    """A reading that is asked for; `snapshot` is set when `done` is."""

    __slots__ = ("done", "snapshot")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.snapshot: Snapshot | None = None


class Reader:
    """One app's store with its thread. `start` once, then `ask` from any thread."""

    def __init__(self, app: App, store: Store) -> None:
        self.app = app
        self.last: Snapshot | None = None
        self._store = store
        self._wanted: _Answer | None = None
        self._change = threading.Condition()
        self._stopped = False
        self._busy = threading.Lock()
        self._began = 0.0
        self._told_down = -DOWN_PAUSE
        self._thread = threading.Thread(
            target=self._work, name=f"redis-{app.name}", daemon=True
        )

    @property
    def ready(self) -> bool:
        """Whether the last reading was a good one."""
        return self.last is not None and self.last.up

    def start(self) -> None:
        """Start the thread, and a first reading that fills the memory of days."""
        self._thread.start()
        self.ask()

    def stop(self, timeout: float = 1.5) -> None:
        """End the thread and close the connection."""
        with self._change:
            self._stopped = True
            self._change.notify_all()
        self._thread.join(timeout)

    def ask(self) -> _Answer:
        """A reading that begins from now on."""
        with self._change:
            if self._wanted is None:
                self._wanted = _Answer()
                self._change.notify()
            return self._wanted

    def wait(self, answer: _Answer, begun: float) -> Snapshot:
        """The snapshot of `answer`, or one that is not up when it takes too long.

        `begun` is when the scrape began, on time.monotonic.
        """
        troubled = self.last is not None and not self.last.up
        patience = IMPATIENCE if troubled else PATIENCE
        left = patience - (time.monotonic() - begun)
        if answer.done.wait(max(left, 0.0)) and answer.snapshot is not None:
            return answer.snapshot
        error = f"no answer within {patience:g} s"
        return Snapshot(self.app, up=False, error=error, taken=time.time())

    def _work(self) -> None:
        while True:
            with self._change:
                while self._wanted is None and not self._stopped:
                    self._change.wait()
                if self._stopped:
                    break
                answer, self._wanted = self._wanted, None
            if answer is not None:
                answer.snapshot = self.read(time.monotonic())
                answer.done.set()
        with self._busy:
            self._store.close()

    def read(self, begun: float) -> Snapshot:
        """Read in the caller's thread, or share a reading that began after `begun`.

        `begun` is when the scrape began, on time.monotonic.
        """
        with self._busy:
            if self.last is None or self._began < begun:
                self._began = time.monotonic()
                self.last = self._read()
            return self.last

    def _read(self) -> Snapshot:
        try:
            snapshot = self._store.read()
        except Exception:  # noqa: BLE001 (a fault of ours must not end the thread)
            event(
                "read_failed",
                "An unexpected error while reading Redis",
                level=logging.ERROR,
                target=self.app.name,
                traceback=_traceback(),
            )
            self._store.close()
            snapshot = Snapshot(
                self.app, up=False, error="internal error", taken=time.time()
            )
        self._tell(snapshot)
        return snapshot

    def _tell(self, snapshot: Snapshot) -> None:
        """Log when Redis goes away, now and then while it is, and when it is back."""
        now = time.monotonic()
        if not snapshot.up and now - self._told_down >= DOWN_PAUSE:
            self._told_down = now
            event(
                "redis_unreachable",
                snapshot.error,
                level=logging.ERROR,
                target=self.app.name,
            )
        elif snapshot.up and self.last is not None and not self.last.up:
            self._told_down = -DOWN_PAUSE
            event("redis_back", "Redis answers again", target=self.app.name)


def _traceback() -> str:
    import traceback

    return traceback.format_exc(limit=20)


def gather(readers: Sequence[Reader]) -> list[Snapshot]:
    """A snapshot of each app, all read at the same time."""
    begun = time.monotonic()
    if len(readers) == 1 and readers[0].ready:
        # Nobody else can be delayed, and two changes of thread are saved. A Redis that
        # is in trouble, or was never read, may take longer than a scrape should wait.
        return [readers[0].read(begun)]
    answers = [reader.ask() for reader in readers]
    return [
        reader.wait(answer, begun)
        for reader, answer in zip(readers, answers, strict=True)
    ]
