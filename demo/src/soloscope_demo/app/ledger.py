"""The counts of the sample app: in Redis as the contract says, and in a truth file.

Tests compare panels and queries with the truth file. It is written by the
same call that writes Redis, but never read back from there.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, TypedDict

import redis

from .people import register, remember
from .plan import EXPIRY, Occurrence, User

#: Our own key, beside the contract's: day -> occurrences of its plan played.
PLAYED = "demo:played"


class DayTruth(TypedDict):
    """One day as it was counted. `uniques` holds members, `timings` count and ms."""

    counters: dict[str, int]
    breakdowns: dict[str, dict[str, int]]
    uniques: dict[str, list[str]]
    timings: dict[str, dict[str, int]]
    #: Log lines printed, by event.
    events: dict[str, int]


class Truth(TypedDict):
    """The truth file: days by ISO date, and the gauges now."""

    days: dict[str, DayTruth]
    gauges: dict[str, int]


class Ledger:
    """Counts occurrences in Redis and in the truth file; threads may share it."""

    def __init__(self, url: str, prefix: str, truth_file: Path) -> None:
        """`url` is Redis', `prefix` that of the contract's keys."""
        self.redis = redis.Redis.from_url(
            url, socket_timeout=5, socket_connect_timeout=5, decode_responses=True
        )
        self._prefix = prefix
        self._file = truth_file
        self._lock = Lock()
        self._truth: Truth = {"days": {}, "gauges": {}}
        if truth_file.exists():
            self._truth = json.loads(truth_file.read_text())

    def played(self) -> dict[str, int]:
        """How many occurrences of each day's plan were counted in this Redis."""
        answer: Any = self.redis.hgetall(PLAYED)
        return {day: int(number) for day, number in answer.items()}

    def skip(self, day: dt.date, number: int) -> None:
        """Count the first `number` occurrences of a plan as played."""
        self.redis.hset(PLAYED, day.isoformat(), str(number))

    def count(
        self,
        day: dt.date,
        occurrences: Sequence[Occurrence],
        *,
        printed: bool,
        played: int | None = None,
    ) -> None:
        """Count what happened on `day`, all of it or nothing.

        `played` is how far the day's plan is played now, None outside a plan.
        """
        with self._lock:
            self._write_redis(day, occurrences, played)
            truth = self._truth["days"].setdefault(day.isoformat(), nothing())
            for occurrence in occurrences:
                add(truth, occurrence, printed=printed)
            self._save()

    def _write_redis(
        self, day: dt.date, occurrences: Sequence[Occurrence], played: int | None
    ) -> None:
        pipe = self.redis.pipeline(transaction=True)
        expiry: dict[str, dt.datetime] = {}
        for occurrence in occurrences:
            remember(pipe, occurrence)
            counts = occurrence.counts
            for name, by in counts.counters.items():
                pipe.incrby(self._key(day, name), by)
            for name, keys in counts.breakdowns.items():
                for key, by in keys.items():
                    pipe.hincrby(self._key(day, name), key, by)
            for name, members in counts.uniques.items():
                pipe.pfadd(self._key(day, name), *members)
            for name, (calls, ms) in counts.timings.items():
                pipe.hincrby(self._key(day, name), "count", calls)
                pipe.hincrby(self._key(day, name), "ms", ms)
            kinds = counts.counters, counts.breakdowns, counts.uniques, counts.timings
            for kind in kinds:
                expiry.update((self._key(day, name), occurrence.at) for name in kind)
        for key, at in expiry.items():
            pipe.expireat(key, at + EXPIRY)
        if played is not None:
            pipe.hset(PLAYED, day.isoformat(), str(played))
        pipe.execute()

    def register(self, people: Sequence[User]) -> None:
        """Write the profiles of users."""
        pipe = self.redis.pipeline(transaction=False)
        for user in people:
            register(pipe, user)
        pipe.execute()

    def set_gauges(self, values: dict[str, int]) -> None:
        """Set values of `metrics:now`, a key without expiry."""
        with self._lock:
            texts: Any = {name: str(value) for name, value in values.items()}
            self.redis.hset(f"{self._prefix}now", mapping=texts)
            self._truth["gauges"].update(values)
            self._save()

    def _key(self, day: dt.date, name: str) -> str:
        return f"{self._prefix}{day.isoformat()}:{name}"

    def _save(self) -> None:
        temporary = self._file.with_suffix(".new")
        temporary.write_text(json.dumps(self._truth, indent=1, sort_keys=True))
        temporary.replace(self._file)


def nothing() -> DayTruth:
    """A day on which nothing has happened."""
    return DayTruth(counters={}, breakdowns={}, uniques={}, timings={}, events={})


def add(truth: DayTruth, occurrence: Occurrence, *, printed: bool) -> None:
    """Count an occurrence in the truth of its day."""
    counts = occurrence.counts
    for name, by in counts.counters.items():
        truth["counters"][name] = truth["counters"].get(name, 0) + by
    for name, keys in counts.breakdowns.items():
        inside = truth["breakdowns"].setdefault(name, {})
        for key, by in keys.items():
            inside[key] = inside.get(key, 0) + by
    for name, members in counts.uniques.items():
        known = truth["uniques"].setdefault(name, [])
        known.extend(member for member in members if member not in known)
    for name, (calls, ms) in counts.timings.items():
        timing = truth["timings"].setdefault(name, {"count": 0, "ms": 0})
        timing["count"] += calls
        timing["ms"] += ms
    if printed:
        event = str(occurrence.fields["event"])
        truth["events"][event] = truth["events"].get(event, 0) + 1
