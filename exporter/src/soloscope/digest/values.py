"""One app's numbers of a day, by the names of its lines' placeholders. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from soloscope.counts.jobs import JobState, job_day, usual
from soloscope.counts.model import ONE_DAY, today

if TYPE_CHECKING:
    from soloscope.config import App
    from soloscope.counts.model import DayValues, Number, Snapshot

__all__ = ["AppValues", "last_run", "of_snapshot"]

WEEK = timedelta(days=7)
_WINDOWS = {"7d": 7, "30d": 30}


@dataclass(frozen=True, slots=True)
class AppValues:
    """What is known about one app's `day`.

    `numbers` has a value for each placeholder that is known (`counters.orders.before`),
    and `nothing` the shares of zero. `tables` are the breakdowns, the largest key
    first. `runs` is the day of each job's last run, and `jobs` how it went, if known.
    `error` says why Redis did not answer; `begun` is false before the first full day of
    counts.
    """

    app: App
    day: date
    numbers: Mapping[str, Number] = field(default_factory=dict)
    nothing: frozenset[str] = frozenset()
    tables: Mapping[str, Sequence[tuple[str, Number]]] = field(default_factory=dict)
    runs: Mapping[str, date] = field(default_factory=dict)
    jobs: Mapping[str, JobState] = field(default_factory=dict)
    error: str = ""
    begun: bool = True


def last_run(app: App, job: str, day: date, now: float) -> date:
    """The day of a job's last run for the report of `day`: that night's if it was due.

    A report of yesterday tells of last night, which belongs to today.
    """
    due = job_day(app.jobs[job], now, app.zone)
    if due is None:
        due = today(now, app.zone) - ONE_DAY
    return min(day + ONE_DAY, due)


def of_snapshot(
    snapshot: Snapshot,
    day: date,
    now: float,
    gauges: Mapping[str, Number] | None = None,
) -> AppValues:
    """The values of `day`. `gauges` replace the snapshot's for a day long past."""
    app = snapshot.app
    runs = {job: last_run(app, job, day, now) for job in app.jobs}
    if not snapshot.up:
        return AppValues(app, day, runs=runs, error=snapshot.error)
    days = {one.day: one for one in snapshot.days}
    numbers: dict[str, Number] = {}
    for suffix, then in (("", day), (".before", day - WEEK)):
        if then in days and (not suffix or _counted(days[then])):
            numbers |= {f"{n}{suffix}": v for n, v in _of_day(days[then]).items()}
    for label, count in _WINDOWS.items():
        wanted = [day - n * ONE_DAY for n in range(count)]
        for name in app.counters:
            counts = [days[d].counters.get(name) for d in wanted if d in days]
            known = [one for one in counts if one is not None]
            if known and len(known) == len(counts):
                numbers[f"counters.{name}.{label}"] = sum(known)
    now_ones = snapshot.gauges if gauges is None else gauges
    numbers |= {f"gauges.{name}": value for name, value in now_ones.items()}
    jobs = {}
    for name in app.jobs:
        state = _last_state(app, name, runs[name], days)
        if state is None:
            continue
        jobs[name] = state
        numbers[f"jobs.{name}"] = state.done
        if state.failed is not None:
            numbers[f"jobs.{name}.failures"] = state.failed
    shares, nothing = _ratios(snapshot, numbers, day, now)
    tables = days[day].breakdowns if day in days else {}
    return AppValues(
        app,
        day,
        {**numbers, **shares},
        frozenset(nothing),
        {name: _largest(table.items()) for name, table in tables.items()},
        runs,
        jobs,
        begun=any(_counted(one) for then, one in days.items() if then <= day),
    )


def _last_state(
    app: App, name: str, run: date, days: Mapping[date, DayValues]
) -> JobState | None:
    """How the job's run of a day went; None when its count could not be read."""
    job = app.jobs[name]
    counts = days[run].counters if run in days else {}
    done = counts.get(job.counter)
    failed = counts.get(job.failures) if job.failures else None
    if done is None or (job.failures and failed is None):
        return None
    before = [days[d].counters.get(job.counter, 0) for d in _before(run) if d in days]
    late = done < job.min
    return JobState(late, None, done, failed, usual(before), over=True)


def _before(day: date) -> list[date]:
    return [day - n * ONE_DAY for n in range(1, 8)]


def _counted(day: DayValues) -> bool:
    return any(day.plain().values()) or any(day.breakdowns.values())


def _of_day(day: DayValues) -> dict[str, Number]:
    averages = {n: ms / count for n, (count, ms) in day.timings.items() if count}
    return {
        **{f"counters.{name}": value for name, value in day.counters.items()},
        **{f"uniques.{name}": value for name, value in day.uniques.items()},
        **{f"timings.{name}": value for name, value in averages.items()},
    }


def _largest(items: Iterable[tuple[str, Number]]) -> list[tuple[str, Number]]:
    return sorted(
        (item for item in items if item[1] > 0), key=lambda item: (-item[1], item[0])
    )


def _ratios(
    snapshot: Snapshot, numbers: Mapping[str, Number], day: date, now: float
) -> tuple[dict[str, Number], set[str]]:
    """The shares of the seven days up to `day`, and those of nothing (0 of 0)."""
    app = snapshot.app
    recent = day >= today(now, app.zone) - ONE_DAY

    def value(name: str) -> Number | None:
        kind, _, bare = name.partition(".")
        if kind == "counters":
            return numbers.get(f"{name}.7d")
        if kind == "uniques":
            # A union of days is known only for the days up to now.
            return snapshot.windows.get("7d", {}).get(bare) if recent else None
        return numbers.get(name)

    shares: dict[str, Number] = {}
    nothing = set()
    for name, ratio in app.dashboard.ratios.items():
        part, of = value(ratio.part), [value(one) for one in ratio.of]
        whole = [one for one in of if one is not None]
        if part is None or len(whole) < len(of):
            continue
        if sum(whole) > 0:
            shares[f"ratios.{name}"] = part / sum(whole)
        else:
            nothing.add(f"ratios.{name}")
    return shares, nothing
