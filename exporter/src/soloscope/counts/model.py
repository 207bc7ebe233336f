"""Days, windows and the values of one app: pure, no clock and no Redis.

A day is a calendar day in the app's zone. "7d" is today and the six days before,
unlike `increase(…[7d])`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from heapq import nlargest
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from soloscope.config import App
    from soloscope.counts.jobs import JobState

__all__ = [
    "ONE_DAY",
    "WINDOWS",
    "DayValues",
    "Fault",
    "Number",
    "Snapshot",
    "Window",
    "days_back",
    "keep_largest",
    "label",
    "midnight",
    "number",
    "today",
    "weekday",
    "windows_within",
]

Number = int | float

ONE_DAY = timedelta(days=1)


class Window(NamedTuple):
    """A span of whole days that ends with today."""

    label: str
    days: int


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

WINDOWS = (Window("1d", 1), Window("7d", 7), Window("30d", 30))


def windows_within(history: int) -> tuple[Window, ...]:
    """The windows that `history` days cover; none without history."""
    return tuple(w for w in WINDOWS if w.days <= history)


def weekday(day: date) -> str:
    """`Mon`, `Tue`, …, in English whatever the host's locale."""
    return _WEEKDAYS[day.weekday()]


def today(now: float, zone: ZoneInfo) -> date:
    """The calendar day in `zone` at the Unix time `now`."""
    return datetime.fromtimestamp(now, zone).date()


def midnight(day: date, zone: ZoneInfo) -> float:
    """The Unix time at which `day` begins in `zone`.

    If the clocks skip midnight, this is the time of the change; if midnight occurs
    twice, the first one.
    """
    return datetime.combine(day, time(), zone).timestamp()


def days_back(day: date, count: int) -> tuple[date, ...]:
    """`count` days that end with `day`, the latest first."""
    return tuple(day - timedelta(days=n) for n in range(count))


_NUMBER = re.compile(rb"-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\Z")


def number(raw: bytes | None) -> Number | None:
    """A Redis value as a number; 0 for a missing key.

    None if it is not a finite decimal number. Python alone would also accept "1_000",
    " 1 ", "inf" and digits of other scripts.
    """
    if raw is None:
        return 0
    if raw.isdigit() and len(raw) < 20:
        return int(raw)
    if len(raw) > 64 or not _NUMBER.match(raw):
        return None
    value: Number = float(raw)
    if value in {float("inf"), float("-inf")}:
        return None
    if raw.lstrip(b"-").isdigit():
        value = int(raw)
    return value


_CONTROL = {c: f"\\x{c:02x}" for c in (*range(32), 127) if c != 10}
LABEL_LIMIT = 256
"""The longest breakdown key that becomes a label, in bytes as Redis holds it."""


def label(raw: bytes) -> str | None:
    r"""A hash field as a label value, or None when it is too long for one.

    Invalid UTF-8 and control characters become \xNN, so that different fields stay
    different and a NUL byte cannot end Prometheus' parser early.
    """
    if len(raw) > LABEL_LIMIT:
        return None
    text = raw.decode("utf-8", "backslashreplace")
    # Interned, because the same keys come for each of thirty days.
    return sys.intern(text if text.isprintable() else text.translate(_CONTROL))


def keep_largest(totals: Mapping[str, Number], limit: int) -> list[str]:
    """The `limit` keys with the largest totals, in alphabetical order."""
    if len(totals) > limit:
        best = nlargest(limit, totals.items(), key=lambda item: (item[1], item[0]))
        return sorted(key for key, _ in best)
    return sorted(totals)


def add(parts: Iterable[Mapping[str, Number]]) -> dict[str, Number]:
    """The sum of several tables, key by key."""
    total: dict[str, Number] = {}
    for part in parts:
        for key, value in part.items():
            total[key] = total.get(key, 0) + value
    return total


@dataclass(frozen=True, slots=True)
class DayValues:
    """The data of one day in Redis. Unreadable values are not in the tables.

    `breakdowns` has only existing keys; `timings` has calls and milliseconds.
    `overlong` counts the breakdown keys that are too long for a label.
    """

    day: date
    counters: Mapping[str, Number] = field(default_factory=dict)
    breakdowns: Mapping[str, Mapping[str, Number]] = field(default_factory=dict)
    uniques: Mapping[str, int] = field(default_factory=dict)
    timings: Mapping[str, tuple[int, Number]] = field(default_factory=dict)
    overlong: int = 0

    def plain(self) -> Mapping[str, Number]:
        """One value per name: counts, uniques, and calls of a timing."""
        calls = {name: count for name, (count, _) in self.timings.items()}
        return {**self.counters, **self.uniques, **calls}

    def shrank(self, before: DayValues) -> bool:
        """Whether a value that only grows is less than `before`."""
        for name, count in before.counters.items():
            if self.counters.get(name, count) < count:
                return True
        for name, estimate in before.uniques.items():
            # An estimate may vary slightly; an emptied key is zero.
            if estimate > 0 and self.uniques.get(name, 1) == 0:
                return True
        for name, fields in before.breakdowns.items():
            if not fields.keys() <= self.breakdowns.get(name, fields).keys():
                return True
        return any(
            self.timings.get(name, calls)[0] < calls[0]
            for name, calls in before.timings.items()
        )


class Fault(NamedTuple):
    """A metric that was left out: its name, the key, and why."""

    name: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One app's counts at one time.

    When Redis did not answer, `up` is false, `error` says why, and all else is
    empty: no old values are shown.

    `today` is the day's own values with every breakdown limited and zero-filled;
    `days` starts with the latest day; `windows` and `breakdown_windows` are keyed by
    the window's label. `faults` are the metrics that were left out, `taken` is Unix
    time, and `keys_without_expiry` is None when unknown.
    """

    app: App
    up: bool
    error: str = ""
    taken: float = 0.0
    today: DayValues | None = None
    midnight: float = 0.0
    gauges: Mapping[str, Number] = field(default_factory=dict)
    days: Sequence[DayValues] = ()
    windows: Mapping[str, Mapping[str, Number]] = field(default_factory=dict)
    breakdown_windows: Mapping[str, Mapping[str, Mapping[str, Number]]] = field(
        default_factory=dict
    )
    jobs: Mapping[str, JobState] = field(default_factory=dict)
    keys_without_expiry: int | None = 0
    keys_dropped: int = 0
    faults: Sequence[Fault] = ()
