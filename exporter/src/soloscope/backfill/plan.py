"""History for Prometheus from the days that Redis still has: pure.

Prometheus has a count only from its first scrape on. `soloscope backfill` writes the
samples of earlier scrapes: for each closed day a ramp from zero at the app's midnight
to the day's total, with the labels of the real scrape. A graph over 30 days is then
right on the day of installation.

Why a sample every four minutes: Prometheus 3 leaves a sample at the start of a range
out, so with two samples a day `increase(x[1d])` was empty or wrong by 100 %; and
graphs draw a line only where two samples are less than five minutes apart.
Why a zero at the end: Prometheus' next sample is the day's count so far, say 15
after yesterday's 10. Without a zero between them the reset would not be detected and
`increase` would return 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from soloscope.counts.model import ONE_DAY, midnight
from soloscope.exporter.exposition import (
    BREAKDOWN,
    COUNT,
    OPENMETRICS,
    TIMING,
    UNIQUE,
    Family,
    go_float,
    lines,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from soloscope.counts.model import Number, Snapshot

__all__ = [
    "BLOCK",
    "SETTLED",
    "STEP",
    "Plan",
    "Ramp",
    "days_to_write",
    "plan",
    "text",
    "windows",
]

STEP = 240
"""Seconds between two samples."""

BLOCK = 18 * 3600
"""Seconds of a block that `promtool … --max-block-duration=24h` makes: it takes the
longest of 2 h, 6 h, 18 h, 54 h … that fits, and blocks begin at multiples of it."""

SETTLED = 3 * 3600.0
"""Prometheus may still be writing the last three hours itself, and its documentation
(storage.md, "Backfilling") warns against blocks there."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """One metric with its labels: one series, or the two of a summary.

    For each series: its line up to the value, and the totals; a missing day is 0.
    The two of a summary are adjacent at each time, as OpenMetrics requires.
    """

    family: Family
    series: tuple[tuple[str, Mapping[date, Number]], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The samples for one app: these days, in order, and a zero after the last."""

    app: str
    zone: ZoneInfo
    days: tuple[date, ...]
    ramps: tuple[Ramp, ...]

    @property
    def begin(self) -> float:
        """Unix time of the first sample."""
        return midnight(self.days[0], self.zone)

    @property
    def end(self) -> float:
        """Unix time of the last sample, the zero after the last day."""
        return midnight(self.days[-1] + ONE_DAY, self.zone)

    @property
    def samples(self) -> int:
        """The approximate number of samples."""
        return self.series * int((self.end - self.begin) // STEP + 1)

    @property
    def series(self) -> int:
        """The number of series."""
        return sum(len(ramp.series) for ramp in self.ramps)


def days_to_write(
    days: Iterable[date],
    zone: ZoneInfo,
    now: float,
    first_known: float | None,
    oldest: float = 0.0,
) -> tuple[date, ...]:
    """Which of `days` are closed, settled, kept, and not in Prometheus yet.

    `first_known`: the first time with the app's counts in Prometheus, None when it
    has none. `oldest`: days that ended before are beyond Prometheus' retention.
    """
    until = now - SETTLED
    if first_known is not None:
        until = min(until, first_known)
    fit = []
    for day in sorted(set(days)):
        end = midnight(day + ONE_DAY, zone)
        if oldest < end <= until:
            fit.append(day)
    return tuple(fit)


def plan(
    snapshot: Snapshot, days: Sequence[date], target: Mapping[str, str]
) -> Plan | None:
    """The ramps for `days`; None when Redis has nothing for any of them.

    `target` holds the labels that the scrape adds (`job`, `instance`). Leading days
    without any count are left out: the app did not exist yet. Breakdown keys are
    those that are exported today, so the limit applies here too.
    """
    app = snapshot.app
    values = {v.day: v for v in snapshot.days}
    chosen = [day for day in sorted(days) if day in values]
    while chosen and not any(values[chosen[0]].plain().values()):
        chosen.pop(0)
    if not chosen or snapshot.today is None:
        return None
    ramps: list[Ramp] = []

    def ramp(
        family: Family, labels: Mapping[str, str], **own: Mapping[date, Number]
    ) -> None:
        """Add one, with the totals by the suffix of the series' name."""
        full = {"app": app.name, **labels, **target}
        series = []
        for suffix, totals in own.items():
            # Everything up to the value, in the renderer's format.
            line = lines(family.name + suffix, [(full, 0)])
            series.append((line[: -len("0.0\n")], totals))
        ramps.append(Ramp(family, tuple(series)))

    def per_day(table: str, name: str) -> dict[date, Number]:
        return {day: getattr(values[day], table).get(name, 0) for day in chosen}

    for name in app.counters:
        ramp(COUNT, {"name": name}, _total=per_day("counters", name))
    for name in app.breakdowns:
        for key in snapshot.today.breakdowns.get(name, {}):
            own = {d: values[d].breakdowns.get(name, {}).get(key, 0) for d in chosen}
            ramp(BREAKDOWN, {"name": name, "key": key}, _total=own)
    for name in app.uniques:
        ramp(UNIQUE, {"name": name}, **{"": per_day("uniques", name)})
    for name in app.timings:
        both = {day: values[day].timings.get(name, (0, 0)) for day in chosen}
        calls = {day: count for day, (count, _) in both.items()}
        spent = {day: milliseconds / 1000 for day, (_, milliseconds) in both.items()}
        ramp(TIMING, {"name": name}, _count=calls, _sum=spent)
    return Plan(app.name, app.zone, tuple(chosen), tuple(ramps))


def windows(plans: Sequence[Plan]) -> list[tuple[float, float]]:
    """The spans that become one block each, in order; the end is not in the span."""
    if not plans:
        return []
    begin = min(p.begin for p in plans)
    end = max(p.end for p in plans)
    first, last = int(begin // BLOCK), int(end // BLOCK)
    return [(n * BLOCK, (n + 1) * BLOCK) for n in range(first, last + 1)]


def _grid(one: Plan, low: float, high: float) -> list[tuple[date | None, float, str]]:
    """Each sample in [low, high): its day, the share of the day's total, the time.

    The last one is the zero after the last day, with None for the day.
    """
    grid: list[tuple[date | None, float, str]] = []
    for day in one.days:
        begin = midnight(day, one.zone)
        last = int((midnight(day + ONE_DAY, one.zone) - begin - 1) // STEP)
        grid += [
            (day, k / last, go_time(at))
            for k in range(last + 1)
            if low <= (at := begin + k * STEP) < high
        ]
    if low <= one.end < high:
        grid.append((None, 0.0, go_time(one.end)))
    return grid


def go_time(at: float) -> str:
    """Unix time in OpenMetrics: seconds, with a fraction only when there is one."""
    return str(int(at)) if float(at).is_integer() else f"{at:.3f}"


def text(
    plans: Sequence[Plan], low: float = 0.0, high: float = float("inf")
) -> Iterator[str]:
    """OpenMetrics for the samples in [low, high), a series at a time, with `# EOF`."""
    grids = [_grid(one, low, high) for one in plans]
    for family in (COUNT, BREAKDOWN, UNIQUE, TIMING):
        begun = False
        for one, grid in zip(plans, grids, strict=True):
            if not grid:
                continue
            for ramp in one.ramps:
                if ramp.family is not family:
                    continue
                if not begun:
                    begun = True
                    yield family.head(OPENMETRICS)
                yield _samples(ramp, grid)
    yield "# EOF\n"


def _samples(ramp: Ramp, grid: Sequence[tuple[date | None, float, str]]) -> str:
    out = []
    for day, share, at in grid:
        for start, days in ramp.series:
            value: Number = 0
            if day is not None:
                value = days.get(day, 0)
                # Integer counts stay integers; the last sample is the total.
                value = int(value * share) if isinstance(value, int) else value * share
            out.append(f"{start}{go_float(value)} {at}\n")
    return "".join(out)
