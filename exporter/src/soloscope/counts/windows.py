"""From days to what is shown: windows, limits on keys, zero-filling, jobs.

Pure but for what it remembers to avoid doing the same sums again: an unchanged input
object gives the same output object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from operator import add as plus
from typing import TYPE_CHECKING, NamedTuple

from soloscope.counts.model import (
    DayValues,
    JobState,
    Number,
    Window,
    add,
    job_day,
    job_deadline,
    keep_largest,
    today,
)

if TYPE_CHECKING:
    from datetime import date

    from soloscope.config import App

__all__ = ["Assembler", "JobWatch", "Shown"]


class Shown(NamedTuple):
    """What is shown of the days: see `Snapshot`, whose fields these are."""

    today: DayValues
    windows: Mapping[str, Mapping[str, Number]]
    breakdown_windows: Mapping[str, Mapping[str, Mapping[str, Number]]]
    keys_dropped: int


class _Closed(NamedTuple):
    """The sums of the days before today, for one window."""

    plain: Mapping[str, Number]
    breakdowns: Mapping[str, Mapping[str, Number]]


class _Kept(NamedTuple):
    """The keys of a breakdown that are shown, while `table` has the same keys.

    `before` has for each window what the keys had on the days before today.
    """

    table: Mapping[str, Number]
    keys: Sequence[str]
    before: Mapping[str, Sequence[Number]]


class Assembler:
    """Turns the days of one app into windows and limited breakdowns."""

    def __init__(self, app: App, windows: Sequence[Window]) -> None:
        self._app = app
        self._windows = windows
        self._days: tuple[DayValues, ...] = ()
        self._unions: Mapping[str, Mapping[str, int]] = {}
        self._closed: dict[str, _Closed] = {}
        self._kept: dict[str, _Kept] = {}
        self._shown: Shown | None = None

    def show(
        self, days: tuple[DayValues, ...], unions: Mapping[str, Mapping[str, int]]
    ) -> Shown:
        """What is shown for `days` (today first) and the unions of their uniques."""
        same = len(days) == len(self._days)
        # Identity is enough: a day that has not changed is the same object.
        closed_same = same and all(
            a is b for a, b in zip(days[1:], self._days[1:], strict=True)
        )
        unions = {name: dict(sizes) for name, sizes in unions.items()}
        if (
            self._shown is not None
            and closed_same
            and days[0] is self._days[0]
            and unions == self._unions
        ):
            return self._shown
        if not closed_same or not self._closed:
            self._closed = {
                w.label: self._close(days[1 : w.days]) for w in self._windows
            }
            self._kept.clear()
        self._days, self._unions = days, unions
        self._shown = self._assemble(days, unions)
        return self._shown

    def _close(self, days: Sequence[DayValues]) -> _Closed:
        """The sums over `days`, of what is readable on each of them."""
        app = self._app
        plain = [
            {**day.counters, **{n: c for n, (c, _) in day.timings.items()}}
            for day in days
        ]
        whole = [n for n in (*app.counters, *app.timings) if all(n in p for p in plain)]
        return _Closed(
            {n: sum(p[n] for p in plain) for n in whole},
            {
                name: add(day.breakdowns[name] for day in days)
                for name in app.breakdowns
                if all(name in day.breakdowns for day in days)
            },
        )

    def _assemble(
        self, days: Sequence[DayValues], unions: Mapping[str, Mapping[str, int]]
    ) -> Shown:
        first = days[0]
        own = first.plain()
        windows: dict[str, Mapping[str, Number]] = {}
        for window in self._windows:
            closed = self._closed[window.label]
            row = {n: c + own[n] for n, c in closed.plain.items() if n in own}
            for name in self._app.uniques:
                if window.days == 1:
                    size = first.uniques.get(name)
                else:
                    size = unions.get(name, {}).get(window.label)
                if size is not None:
                    row[name] = size
            windows[window.label] = row
        dropped = max(day.overlong for day in days)
        tables: dict[str, dict[str, Mapping[str, Number]]] = {w: {} for w in windows}
        today: dict[str, Mapping[str, Number]] = {}
        for name in self._app.breakdowns:
            table = first.breakdowns.get(name)
            if table is None:
                continue
            if not self._windows and len(table) <= self._app.breakdowns[name].limit:
                today[name] = table
                continue
            kept, left = self._keep(name, table)
            dropped += left
            # Without a loop in Python: this is done for every key of every scrape.
            counts = list(map(table.get, kept.keys, repeat(0)))
            today[name] = dict(zip(kept.keys, counts, strict=True))
            for label, before in kept.before.items():
                totals = map(plus, before, counts)
                tables[label][name] = dict(zip(kept.keys, totals, strict=True))
        return Shown(replace(first, breakdowns=today), windows, tables, dropped)

    def _keep(self, name: str, table: Mapping[str, Number]) -> tuple[_Kept, int]:
        """The keys of a breakdown that are shown, and how many are left out.

        The largest of the longest window, so that a key does not come and go with
        the day; every one of them is shown everywhere, with zero where it was not
        counted.
        """
        known = self._kept.get(name)
        if known is not None and known.table.keys() == table.keys():
            return known, 0
        closed = {
            window.label: self._closed[window.label].breakdowns[name]
            for window in self._windows
            if name in self._closed[window.label].breakdowns
        }
        longest: Mapping[str, Number] = {}
        for sums in closed.values():
            longest = sums
        totals = add((longest, table))
        limit = self._app.breakdowns[name].limit
        keys = keep_largest(totals, limit)
        kept = _Kept(
            table,
            keys,
            {label: [sums.get(k, 0) for k in keys] for label, sums in closed.items()},
        )
        if len(totals) <= limit:
            # Above it, which are the largest can change with every count.
            self._kept[name] = kept
        else:
            self._kept.pop(name, None)
        return kept, max(0, len(totals) - limit)


class JobWatch:
    """When each job of an app last succeeded, and whether it is late.

    Redis holds a count per day and no time. A success that is watched has the moment
    at which the count was first seen to suffice; one that was there before has the
    day's deadline, or now when that is still to come.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._seen: dict[str, tuple[date, float]] = {}
        self._short: dict[str, date] = {}

    def states(self, days: Sequence[DayValues], now: float) -> dict[str, JobState]:
        """The state of each job whose counter is readable, for `days`, today first."""
        zone = self._app.zone
        this = today(now, zone)
        counts = {day.day: day.counters for day in days}
        states: dict[str, JobState] = {}
        for name, job in self._app.jobs.items():
            count = counts.get(this, {}).get(job.counter)
            if count is None:
                continue
            seen = self._seen.get(name)
            if count < job.min:
                self._short[name] = this
                if seen is not None and seen[0] >= this:
                    # Redis was emptied, or the clock went back.
                    self._seen.pop(name)
                    seen = None
            elif seen is None or seen[0] != this:
                deadline = job_deadline(job, this, zone)
                watched = self._short.get(name) == this
                seen = (this, now if watched else min(now, deadline))
                self._seen[name] = seen
            moment = seen[1] if seen is not None else None
            if moment is None:
                for day in days[1:]:
                    if day.counters.get(job.counter, 0) >= job.min:
                        moment = job_deadline(job, day.day, zone)
                        break
            judged = job_day(job, now, zone)
            late = judged is not None and count < job.min
            if late and judged != this:
                then = counts.get(judged, {}) if judged is not None else {}
                late = then.get(job.counter, job.min) < job.min
            states[name] = JobState(late, moment)
        return states
