"""One app's counts, read from Redis.

A scrape is one round trip for the data that changes: today, the gauges, yesterday until
it was unchanged for ten minutes, one older day in turn, and the expiry of a few keys.
Closed days stay in memory. A further round trip is made only for new data: days that
were never read, and the unions of uniques after one of them changed. There is no search
for keys (no KEYS, no SCAN).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from soloscope.counts import model
from soloscope.counts.expiries import Expiries, Place
from soloscope.counts.jobs import JobWatch
from soloscope.counts.model import Fault, Snapshot
from soloscope.counts.request import CachedDay, DayRequest, Keys, read_gauges
from soloscope.counts.uniques import Unions
from soloscope.counts.windows import Sums, close, show
from soloscope.errors import BackendUnavailable
from soloscope.redis.client import RedisClient

if TYPE_CHECKING:
    from soloscope.config import App, Redis
    from soloscope.redis.client import Command

__all__ = ["AHEAD", "AT_ONCE", "QUIET", "Store"]

QUIET = 600.0
"""Seconds without a change, and after midnight, until yesterday is closed."""

AHEAD = 600.0
"""Seconds before midnight from which tomorrow is read as well, for an app whose clock
is ahead of ours."""

AT_ONCE = 8
"""How many days that were never read are asked for in one round trip: a month is few
trips, and no more than eight days of replies is in memory at a time."""


class Store:
    """Reads one app's values. Not thread-safe: one reader at a time.

    `history` is in days, 0 means today only. `clock` gives Unix time, `ticks` seconds
    that never jump.
    """

    def __init__(
        self,
        app: App,
        redis: Redis,
        history: int,
        *,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._keys = Keys(redis.prefix)
        self._history = history
        self._clock = clock
        self._ticks = ticks
        self._redis = RedisClient(redis)
        self._opened = 0
        self._request = DayRequest(app, self._keys)
        self._names = self._request.names
        self._windows = model.windows_within(history)
        self._today: date | None = None
        self._days: dict[date, CachedDay] = {}
        self._changed: dict[date, float] = {}
        self._sums: dict[str, Sums] | None = None
        self._turn = 0
        self._expiries = Expiries()
        self._unions = Unions(app, self._keys, self._windows, self._run)
        self._jobs = JobWatch(app)

    def read(self) -> Snapshot:
        """Query Redis and return all values of the app.

        Never raises for errors of Redis: without an answer the snapshot is not `up`,
        and an unreadable metric is left out and listed in `faults`.
        """
        now = self._clock()
        try:
            return self._read(now)
        except BackendUnavailable as error:
            return Snapshot(self._app, up=False, error=str(error), taken=now)

    def close(self) -> None:
        """Close the connection; the next reading opens another."""
        self._redis.close()

    # --- one reading ---------------------------------------------------------------

    def _read(self, now: float) -> Snapshot:
        zone = self._app.zone
        today = model.today(now, zone)
        start = model.midnight(today, zone)
        tomorrow = today + timedelta(days=1)
        ahead = model.midnight(tomorrow, zone) - now <= AHEAD
        window = model.days_back(today, max(self._history, 1))
        self._begin(today, [tomorrow, *window])
        live = [today, *self._alive(window, now - start)]
        if ahead:
            live.append(tomorrow)
        gauges, shrank = self._trip(live, window)
        if shrank:
            # A value that only grows became less: emptied, or restored from a backup.
            # The cached values of the other days may be wrong as well.
            self._forget()
            gauges, _ = self._trip(live, window)
        missing = [day for day in window if day not in self._days]
        for at in range(0, len(missing), AT_ONCE):
            some = missing[at : at + AT_ONCE]
            self._ask(some, [(day, name) for day in some for name in self._names])
        days = [self._days[day].values for day in window]
        if self._sums is None:
            self._sums = close(self._app, self._windows, days[1:])
        unions = self._unions.sizes(days)
        overlong = max(day.overlong for day in days)
        shown = show(self._app, days[0], self._sums, unions, overlong)
        history = days if self._history else []
        early = self._days[tomorrow].values if ahead else None
        if history and early is not None and any(early.plain().values()):
            history = [early, *history]
        values, faults = read_gauges(self._app, self._keys, gauges)
        faults += self._unions.faults
        faults += [fault for day in self._days.values() for fault in day.faults]
        if self._expiries.refused:
            key = self._keys.prefix.decode() + "*"
            faults.append(Fault("keys_without_expiry", key, self._expiries.refused))
        return Snapshot(
            self._app,
            up=True,
            taken=now,
            today=shown.today,
            midnight=start,
            gauges=values,
            days=tuple(history),
            windows=shown.windows,
            breakdown_windows=shown.breakdown_windows,
            jobs=self._jobs.states(days, now),
            keys_without_expiry=self._expiries.lasting,
            keys_dropped=shown.keys_dropped,
            faults=tuple(faults),
        )

    def _alive(self, window: Sequence[date], since_midnight: float) -> Iterator[date]:
        """The days before today that this reading reads again.

        Yesterday while late writers may come, and one closed day in turn.
        """
        closed = [day for day in window[1:] if day in self._days]
        if closed and closed[0] == window[1]:
            quiet = self._ticks() - self._changed[closed[0]]
            if min(since_midnight, quiet) < QUIET:
                yield closed.pop(0)
        if closed:
            self._turn = (self._turn + 1) % len(closed)
            yield closed[self._turn]

    def _trip(self, days: Sequence[date], window: Sequence[date]) -> tuple[Any, bool]:
        """One round trip for `days`, today first, the gauges and a few expiries.

        Returns the reply for the gauges, and whether a value of a day became less.
        """
        today, names = days[0], self._names
        known = self._days.get(today)
        if known is None:
            places = [(today, name) for name in names]
        else:
            there = {**known.values.plain(), **known.values.breakdowns}
            new = [(today, name) for name, value in there.items() if value]
            places = self._expiries.next(new, window, names)
        gauges: list[Command] = []
        if self._app.gauges:
            gauges.append((b"HGETALL", self._keys.now))
        elif not names:
            # Nothing is declared, but `up` can still be determined.
            gauges.append((b"PING",))
        replies, shrank = self._ask(days, places, gauges)
        return replies[0] if self._app.gauges else [], shrank

    def _ask(
        self,
        days: Sequence[date],
        places: Sequence[Place],
        more: Sequence[Command] = (),
    ) -> tuple[list[Any], bool]:
        """Read `days`, the expiries of `places`, and `more`.

        Returns the replies to `more`, and whether a value of a day became less.
        """
        commands = [c for day in days for c in self._request.commands(day)]
        commands += more
        asked = len(commands)
        commands += [(b"TTL", self._keys.key(*place)) for place in places]
        replies = self._run(commands) if commands else []
        failed = [r for r in replies if isinstance(r, ResponseError)]
        if failed and len(failed) == len(replies):
            # A server that refuses all commands is not up (BUSY, MASTERDOWN).
            raise self._redis.unavailable(str(failed[0]), failed[0])
        if self._redis.opened != self._opened:
            # A new connection may lead to another server, or to an emptied one.
            self._opened = self._redis.opened
            self._forget()
        shrank = False
        count = len(self._names)
        for n, day in enumerate(days):
            read = self._request.understand(day, replies[n * count : (n + 1) * count])
            before = self._days.get(day)
            if read != before:
                self._days[day], self._changed[day] = read, self._ticks()
                if day != self._today:
                    self._sums = None
                if before is not None:
                    shrank |= read.values.shrank(before.values)
        self._expiries.note(places, replies[asked:])
        return replies[asked - len(more) : asked], shrank

    def _run(self, commands: Sequence[Command]) -> list[Any]:
        return self._redis.run(commands)

    # --- the cache -----------------------------------------------------------------

    def _begin(self, today: date, wanted: Sequence[date]) -> None:
        """Forget the days outside of the history."""
        if self._today == today:
            return
        self._today, self._sums = today, None
        self._days = {day: self._days[day] for day in wanted if day in self._days}
        self._expiries.keep(wanted)

    def _forget(self) -> None:
        """Drop everything that was read before."""
        self._days.clear()
        self._sums = None
        self._expiries.clear()
        self._unions.clear()
