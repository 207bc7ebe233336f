"""Counts of an app in Redis: `INCR metrics:2026-11-18:orders` with an expiry.

A call puts a count into a queue and returns. A thread sends what is there in one
transaction, so a key and its expiry are set together, and a slow or absent Redis
holds nobody up. A count that could not be sent, or perhaps was, is not sent again:
it would be counted twice. `lost` says how many there are.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis

__all__ = ["Counts"]

EXPIRY = 30 * 86400
"""Seconds after its last change at which a day's key is removed."""

MOST = 10_000
"""Counts that wait at most; further ones are lost."""

AT_ONCE = 500
"""Counts of one transaction."""

PATIENCE = 1.0
"""Seconds that Redis may take to connect or to answer."""

PAUSE = 60.0
"""Seconds between two lines about lost counts."""

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

#: A key, whether it expires, and the commands without the key.
_Count = tuple[str, bool, tuple[tuple[Any, ...], ...]]


class Counts:
    """Counts what an app declares. Threads and forked processes may share one.

    `redis_url` is as in `apps.<name>.redis.url`; `prefix` and `zone` are the app's
    `redis.prefix` and `timeZone`. No method raises or waits, but for `flush`.
    """

    def __init__(
        self, redis_url: str, *, prefix: str = "metrics:", zone: tzinfo = UTC
    ) -> None:
        self.lost = 0
        self._url = redis_url
        self._prefix = prefix
        self._zone = zone
        self._complained = -PAUSE
        self._unsaid = 0
        self._begin()
        os.register_at_fork(after_in_child=self._begin)
        atexit.register(self.flush)

    def counter(self, name: str, by: int = 1) -> None:
        """Add to a counter of today."""
        self._count(name, ("INCRBY", by))

    def breakdown(self, name: str, key: str, by: int = 1) -> None:
        """Add to one key of a breakdown of today."""
        self._count(name, ("HINCRBY", str(key), by))

    def unique(self, name: str, member: object, *, exact: bool = False) -> None:
        """Count a member once today; `exact` as declared."""
        self._count(name, ("SADD" if exact else "PFADD", str(member)))

    def timing(self, name: str, seconds: float) -> None:
        """Add a call, and how long it took, to a timing of today."""
        ms = round(1000 * max(0.0, seconds))
        self._count(name, ("HINCRBY", "count", 1), ("HINCRBY", "ms", ms))

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Count the block as a call of a timing, also when it raises."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.timing(name, time.monotonic() - began)

    def gauge(self, name: str, value: float) -> None:
        """Set a value of now."""
        if self._is_name(name):
            self._put((f"{self._prefix}now", False, (("HSET", name, value),)))

    def flush(self, seconds: float = 2.0) -> bool:
        """Wait until everything is sent or lost, at most `seconds`; whether it is."""
        end = time.monotonic() + seconds
        while self._queue.unfinished_tasks and time.monotonic() < end:
            time.sleep(0.005)
        return not self._queue.unfinished_tasks

    # --- the queue ------------------------------------------------------------------

    def _begin(self) -> None:
        """An empty queue and no thread yet: a forked child has only its caller's."""
        self._queue: Queue[_Count] = Queue(MOST)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def _is_name(self, name: str) -> bool:
        if isinstance(name, str) and _NAME.fullmatch(name):
            return True
        self._lose(1, f"{name!r} is no name of letters, digits and underscores")
        return False

    def _count(self, name: str, *commands: tuple[Any, ...]) -> None:
        if self._is_name(name):
            day = datetime.now(self._zone).date().isoformat()
            self._put((f"{self._prefix}{day}:{name}", True, commands))

    def _put(self, count: _Count) -> None:
        try:
            self._queue.put_nowait(count)
        except Full:
            self._lose(1, f"{MOST} counts wait already")
            return
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._send, name="soloscope-counts", daemon=True
                    )
                    self._thread.start()

    # --- the thread -----------------------------------------------------------------

    def _send(self) -> None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        client: redis.Redis | None = None
        while True:
            counts = [self._queue.get()]
            while len(counts) < AT_ONCE:
                try:
                    counts.append(self._queue.get_nowait())
                except Empty:
                    break
            try:
                if client is None:
                    client = redis.Redis.from_url(
                        self._url,
                        socket_timeout=PATIENCE,
                        socket_connect_timeout=PATIENCE,
                        retry=Retry(NoBackoff(), 0),
                    )
                self._lose(*_transact(client, counts))
            except Exception as error:  # noqa: BLE001 (a count never ends the app)
                self._lose(len(counts), str(error))
            finally:
                for _ in counts:
                    self._queue.task_done()

    def _lose(self, number: int, why: str) -> None:
        if not number:
            return
        now = time.monotonic()
        with self._lock:
            self.lost += number
            self._unsaid += number
            if now - self._complained < PAUSE:
                return
            self._complained = now
            unsaid, self._unsaid = self._unsaid, 0
        logging.getLogger("soloscope.app").warning(
            "%d counts were lost: %s", unsaid, why
        )


def _transact(client: redis.Redis, counts: list[_Count]) -> tuple[int, str]:
    """Send counts with the expiry of their keys; how many Redis refused, and why."""
    pipe: Any = client.pipeline(transaction=True)
    for key, _, commands in counts:
        for verb, *rest in commands:
            pipe.execute_command(verb, key, *rest)
    for key in {key: None for key, expires, _ in counts if expires}:
        pipe.expire(key, EXPIRY)
    replies = iter(pipe.execute(raise_on_error=False))
    refused = [
        reply
        for _, _, commands in counts
        for reply in [next(replies) for _ in commands][:1]
        if isinstance(reply, Exception)
    ]
    return len(refused), str(refused[0]) if refused else ""
