"""From days to what is shown: windows, limits on keys, zero-filling, jobs.

Pure but for what it remembers to avoid doing the same sums again: an unchanged input
object gives the same output object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from soloscope.model import (
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


class Assembler:
    """Turns the days of one app into windows and limited breakdowns."""

    def __init__(self, app: App, windows: Sequence[Window]) -> None:
        self._app = app
        self._windows = windows
        self._days: tuple[DayValues, ...] = ()
        self._unions: Mapping[str, Mapping[str, int]] = {}
        self._closed: dict[str, _Closed] = {}
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
        tables: dict[str, dict[str, Mapping[str, Number]]] = {}
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
            tables[window.label] = {
                name: add((table, first.breakdowns[name]))
                for name, table in closed.breakdowns.items()
                if name in first.breakdowns
            }
        return self._limit(days, windows, tables)

    def _limit(
        self,
        days: Sequence[DayValues],
        windows: Mapping[str, Mapping[str, Number]],
        tables: Mapping[str, Mapping[str, Mapping[str, Number]]],
    ) -> Shown:
        """Keep the largest keys of each breakdown, the same ones everywhere.

        They are chosen by the longest window, so that a key does not come and go with
        the day; every one of them is shown everywhere, with zero where it was not
        counted.
        """
        first = days[0]
        dropped = max(day.overlong for day in days)
        own: dict[str, Mapping[str, Number]] = {}
        limited: dict[str, dict[str, Mapping[str, Number]]] = {w: {} for w in tables}
        for name, breakdown in self._app.breakdowns.items():
            if name not in first.breakdowns:
                continue
            totals: Mapping[str, Number] = first.breakdowns[name]
            for window in self._windows:
                totals = tables[window.label].get(name, totals)
            kept = keep_largest(totals, breakdown.limit)
            dropped += len(totals) - len(kept)
            table = first.breakdowns[name]
            own[name] = {key: table.get(key, 0) for key in kept}
            for label, by_name in tables.items():
                if name in by_name:
                    sums = by_name[name]
                    limited[label][name] = {key: sums.get(key, 0) for key in kept}
        return Shown(replace(first, breakdowns=own), windows, limited, dropped)


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
