"""Runs the checks in the background and keeps the last result of each.

No request waits for a check: it reads the last results, with their age. Each check has
its own interval and time-out. One thread waits for the next that is due, and each run
has a thread of its own, up to WORKERS at once, so one that hangs does not delay the
others; the threads are daemons, so it does not delay the end of the process either.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Sequence

from soloscope.checks.model import Check, CheckFailed, Recorded, Result, judge

__all__ = ["Registry"]

WORKERS = 32


class Registry:
    """`start()` once, `results()` from any thread, `stop()` at the end.

    `changed` is called, outside any lock, when a check starts to fail or succeeds
    again, and for each that fails at its first result.
    """

    def __init__(
        self,
        checks: Sequence[Check],
        *,
        changed: Callable[[Result], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        workers: int = WORKERS,
    ) -> None:
        self.checks = tuple(checks)
        self._changed = changed
        self._clock = clock
        self._lock = threading.Condition()
        self._last: dict[int, Recorded] = {}
        self._running: dict[int, float] = {}
        active = [i for i, check in enumerate(self.checks) if not check.passive]
        self._due: list[tuple[float, int]] = [(clock(), i) for i in active]
        self._stopped = False
        self._workers = workers
        self._runs: set[threading.Thread] = set()
        self._thread = threading.Thread(target=self._work, name="checks", daemon=True)

    def start(self) -> None:
        """Begin to run the checks; each one at once, then at its interval."""
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Start no further check; wait up to `timeout` seconds for running ones."""
        with self._lock:
            self._stopped = True
            self._lock.notify_all()
            runs = list(self._runs)
        end = time.monotonic() + timeout
        for thread in runs:
            thread.join(max(0.0, end - time.monotonic()))

    def results(self, wait: float = 0.0) -> tuple[Result, ...]:
        """The current states, in the order of the checks.

        Waits up to `wait` seconds for checks without any result, which matters only
        right after the start.
        """
        active = sum(not check.passive for check in self.checks)
        with self._lock:
            if wait > 0 and not self._stopped:
                self._lock.wait_for(lambda: len(self._last) >= active, wait)
            running = dict(self._running)
        found = []
        for i, check in enumerate(self.checks):
            if check.passive:
                found.append(judge(check, self._ask(check), None, self._clock()))
            else:
                known = self._witnessed(i, check)
                found.append(judge(check, known, running.get(i), self._clock()))
        return tuple(found)

    def _witnessed(self, i: int, check: Check) -> Recorded | None:
        """The last result, or the witness's when that is newer and differs."""
        seen = check.witness()
        with self._lock:
            last = self._last.get(i)
            # One with the same result has less data: no time, and no figures.
            if seen is None or (
                last is not None and (seen.at <= last.at or seen.ok == last.ok)
            ):
                return last
            self._last[i] = seen
        self._note(check, last, seen)
        return seen

    def _note(self, check: Check, before: Recorded | None, now: Recorded) -> None:
        """Report a check that has changed, or fails at its first result."""
        turned = not now.ok if before is None else before.ok != now.ok
        if turned and self._changed is not None:
            self._changed(judge(check, now, None, now.at))

    def _work(self) -> None:
        """Start each check when it is due and fewer than WORKERS run."""
        while True:
            with self._lock:
                while not self._stopped:
                    left: float | None = None
                    if self._due and len(self._running) < self._workers:
                        left = self._due[0][0] - self._clock()
                        if left <= 0:
                            break
                    self._lock.wait(left)
                if self._stopped:
                    return
                _, i = heapq.heappop(self._due)
                self._running[i] = self._clock()
                run = threading.Thread(target=self._run, args=(i,), daemon=True)
                run.start()
                self._runs.add(run)

    def _run(self, i: int) -> None:
        check = self.checks[i]
        started = self._clock()
        recorded = self._ask(check)
        with self._lock:
            before = self._last.get(i)
            self._last[i] = recorded
            del self._running[i]
            # From the start, so that a slow answer does not stretch the interval.
            again = max(started + check.interval, self._clock())
            heapq.heappush(self._due, (again, i))
            self._lock.notify_all()
        self._note(check, before, recorded)
        with self._lock:
            self._runs.discard(threading.current_thread())

    def _ask(self, check: Check) -> Recorded:
        start = self._clock()
        try:
            outcome = check.run(check.timeout)
        except CheckFailed as failed:
            at = self._clock() - failed.age
            return Recorded(False, at, str(failed), failed.seconds)
        except Exception as error:  # noqa: BLE001 (a broken check is a failed check)
            # Only the kind: the text of an unexpected error may contain secrets.
            detail = f"could not be asked ({type(error).__name__})"
            return Recorded(False, self._clock(), detail)
        end = self._clock()
        seconds = outcome.seconds
        # The duration of reading memory or a file is not meaningful.
        if seconds is None and not check.passive:
            seconds = end - start
        return Recorded(
            ok=True,
            at=end - outcome.age,
            detail=outcome.detail,
            seconds=seconds,
            figures=outcome.figures,
        )
