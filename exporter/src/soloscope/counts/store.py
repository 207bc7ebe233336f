"""One app's counts, read from Redis.

A scrape is one round trip for what is alive: today, the gauges, yesterday until it has
been quiet for ten minutes, one older day in turn, and the expiry of a few keys. Days
that are closed stay in memory. A further trip is made only for what is new: days that
were never read, and the unions of uniques after one of them changed. Nothing is ever
searched for (no KEYS, no SCAN).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from soloscope.counts import model
from soloscope.counts.model import DayValues, Snapshot
from soloscope.counts.request import (
    Fault,
    Keys,
    Question,
    Reading,
    ask,
    read_gauges,
    understand,
)
from soloscope.counts.uniques import Unions
from soloscope.counts.windows import Assembler, JobWatch
from soloscope.errors import BackendUnavailable
from soloscope.redis.client import RedisClient

if TYPE_CHECKING:
    from soloscope.config import App, Redis
    from soloscope.redis.client import Command

__all__ = ["AHEAD", "AT_ONCE", "EXPIRIES", "QUIET", "Store"]

QUIET = 600.0
"""Seconds without a change, and after midnight, until yesterday is closed."""

AHEAD = 600.0
"""Seconds before midnight from which tomorrow is read as well, for an app whose clock
is ahead of ours."""

AT_ONCE = 8
"""How many days that were never read are asked for in one round trip: a month is few
trips, and no more than eight days of replies is in memory at a time."""

EXPIRIES = 8
"""How many keys a scrape asks for their expiry, once each has been asked."""

Place = tuple[date, str]


class Store:
    """Reads one app's values. Not thread-safe: one reader at a time.

    `history` is in days, 0 means today only. `clock` gives Unix time, `ticks` seconds
    that never jump. `on_fault` is told of each metric that had to be left out, at
    each reading.
    """

    def __init__(
        self,
        app: App,
        redis: Redis,
        history: int,
        *,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
        on_fault: Callable[[Fault], None] = lambda _fault: None,
    ) -> None:
        self._app = app
        self._keys = Keys(redis.prefix)
        self._history_days = history
        self._history = max(history, 1)
        self._clock = clock
        self._ticks = ticks
        self._on_fault = on_fault
        self._redis = RedisClient(redis)
        self._opened = 0
        self._names = (*app.counters, *app.breakdowns, *app.timings, *app.uniques)
        self._every = frozenset(app.counters)
        self._gauges = [(b"HGETALL", self._keys.now)] if app.gauges else []
        self._days: dict[date, Reading] = {}
        self._questions: dict[Place | tuple[date, frozenset[str]], Question] = {}
        self._turn = 0
        self._asked: set[Place] = set()
        self._lasting: set[Place] = set()
        self._places: list[Place] = []
        self._place_turn = 0
        self._seen: date | None = None
        windows = model.windows_within(history)
        self._unions = Unions(app, self._keys, windows, self._run)
        self._assembler = Assembler(app, windows)
        self._jobs = JobWatch(app)

    def read(self) -> Snapshot:
        """Ask Redis and return everything that is shown about the app.

        Never raises for what Redis does: a server that is away gives a snapshot that
        is not `up`, and a metric that cannot be read is left out and reported.
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
        window = model.days_back(today, self._history)
        tomorrow = today + timedelta(days=1)
        start = model.midnight(today, zone)
        ahead = model.midnight(tomorrow, zone) - now <= AHEAD
        wanted = {*window, tomorrow} if ahead else set(window)
        if not self._days.keys() <= wanted:
            self._days = {d: kept for d, kept in self._days.items() if d in wanted}
        if self._seen != today:
            self._begin_day(today, window)
        live = [today, *self._alive(window, now - start)]
        if ahead:
            live.append(tomorrow)
        gauges, shrank = self._trip(live)
        if shrank:
            # Something that only grows became less: emptied, or restored from a copy.
            # What was remembered of the other days is as doubtful.
            self._forget()
            gauges, _ = self._trip(live)
        missing = [day for day in window if day not in self._days]
        for at in range(0, len(missing), AT_ONCE):
            self._load(missing[at : at + AT_ONCE])
        days = tuple(self._days[d].values for d in window)
        shown = self._assembler.show(days, self._unions.sizes(days))
        early = self._days[tomorrow].values if ahead else None
        told = days if self._history_days else ()
        if told and early is not None and any(early.plain().values()):
            told = (early, *told)
        values, faults = read_gauges(self._app, self._keys, gauges)
        for fault in (
            *faults,
            *self._unions.faults,
            *(fault for day in live for fault in self._days[day].faults),
        ):
            self._on_fault(fault)
        return Snapshot(
            self._app,
            up=True,
            taken=now,
            today=shown.today,
            midnight=start,
            gauges=values,
            days=told,
            windows=shown.windows,
            breakdown_windows=shown.breakdown_windows,
            jobs=self._jobs.states(days, now),
            keys_without_expiry=len(self._lasting),
            keys_dropped=shown.keys_dropped,
        )

    def _alive(self, window: Sequence[date], since_midnight: float) -> Iterator[date]:
        """The days before today that this reading asks about again.

        Yesterday while late writers may come, and one closed day in turn.
        """
        closed = [day for day in window[1:] if day in self._days]
        if closed and closed[0] == window[1]:
            quiet = self._ticks() - self._days[closed[0]].changed
            if min(since_midnight, quiet) < QUIET:
                yield closed.pop(0)
        if closed:
            self._turn = (self._turn + 1) % len(closed)
            yield closed[self._turn]

    def _trip(self, days: Sequence[date]) -> tuple[Any, bool]:
        """One round trip for `days`, the gauges and a few expiries.

        Returns the reply about the gauges, and whether a day lost what it had.
        """
        questions = [self._question(day) for day in days]
        places = self._expiry_places(days[0])
        commands: list[Command] = [c for q in questions for c in q.commands]
        asked = len(commands)
        commands += self._gauges
        commands += [(b"TTL", self._keys.key(*place)) for place in places]
        if not commands:
            # Nothing is declared, but whether it is there can still be said.
            commands, asked = [(b"PING",)], 1
        replies = self._ask(commands)
        if self._redis.opened != self._opened:
            # A new connection may lead to another server, or to an emptied one.
            self._opened = self._redis.opened
            self._forget()
        shrank = False
        rest = iter(replies)
        for question in questions:
            reading = self._understand(
                question, [next(rest) for _ in question.commands]
            )
            before = self._days.get(question.day)
            self._days[question.day] = reading
            if before is not None and reading.values is not before.values:
                shrank |= reading.values.shrank(before.values)
        gauges = replies[asked] if self._gauges else []
        self._note_expiries(places, replies[asked + len(self._gauges) :])
        return gauges, shrank

    def _load(self, days: Sequence[date]) -> None:
        """Read days that are not in memory, with the expiries of all their keys."""
        questions = [self._question(day) for day in days]
        commands: list[Command] = [c for q in questions for c in q.commands]
        asked = len(commands)
        places = [(day, name) for day in days for name in self._names]
        commands += [(b"TTL", self._keys.key(*place)) for place in places]
        if not commands:
            for day in days:
                self._days[day] = Reading((), self._ticks(), DayValues(day))
            return
        replies = self._ask(commands)
        rest = iter(replies)
        for question in questions:
            reading = self._understand(
                question, [next(rest) for _ in question.commands]
            )
            self._days[question.day] = reading
            for fault in reading.faults:
                self._on_fault(fault)
        self._note_expiries(places, replies[asked:])

    def _run(self, commands: Sequence[Command]) -> list[Any]:
        return self._redis.run(commands)

    def _ask(self, commands: Sequence[Command]) -> list[Any]:
        """The replies; a server that refuses all of it is not there (LOADING, BUSY)."""
        replies = self._run(commands)
        failed = [r for r in replies if isinstance(r, ResponseError)]
        if len(failed) == len(replies):
            raise self._redis.unavailable(str(failed[0]), failed[0])
        return replies

    def _question(self, day: date) -> Question:
        reading = self._days.get(day)
        absent = reading.absent if reading is not None else self._every
        question = self._questions.get((day, absent))
        if question is None:
            if len(self._questions) > 4 * self._history + 16:
                self._questions.clear()
            question = ask(self._app, self._keys, day, absent)
            self._questions[day, absent] = question
        return question

    def _understand(self, question: Question, replies: Sequence[Any]) -> Reading:
        before = self._days.get(question.day)
        return understand(
            self._app, self._keys, question, replies, self._ticks(), before
        )

    def _forget(self) -> None:
        """Drop everything that was read before."""
        self._days.clear()
        self._asked.clear()
        self._lasting.clear()
        self._unions.clear()

    # --- expiries ------------------------------------------------------------------

    def _begin_day(self, today: date, window: Sequence[date]) -> None:
        """Forget the expiries of days that are no longer looked at."""
        self._seen = today
        kept = {*window, today + timedelta(days=1)}
        self._asked = {place for place in self._asked if place[0] in kept}
        self._lasting = {place for place in self._lasting if place[0] in kept}
        self._places = [(day, name) for day in window for name in self._names]

    def _expiry_places(self, today: date) -> list[Place]:
        """The keys whose expiry this trip asks for.

        All of today's at the first reading; then those that have appeared since, and
        a few of the others in turn.
        """
        reading = self._days.get(today)
        if reading is None:
            return [(today, name) for name in self._names]
        new = [
            (today, name)
            for name in reading.present
            if (today, name) not in self._asked
        ][:EXPIRIES]
        at = self._place_turn
        turn = self._places[at : at + EXPIRIES - len(new)]
        self._place_turn = at + len(turn) if turn else 0
        return [*new, *turn]

    def _note_expiries(self, places: Sequence[Place], replies: Sequence[Any]) -> None:
        # TTL answers -1 for a key without expiry and -2 for one that is not there
        # (https://redis.io/docs/latest/commands/ttl).
        for place, reply in zip(places, replies, strict=True):
            if reply == -1:
                self._asked.add(place)
                self._lasting.add(place)
            else:
                self._lasting.discard(place)
                if isinstance(reply, int) and reply != -2:
                    self._asked.add(place)
                else:
                    self._asked.discard(place)
