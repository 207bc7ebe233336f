"""Whether an app's jobs ran today, derived from their counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import IntEnum
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from soloscope.counts.model import ONE_DAY, DayValues, Number, midnight, today

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from soloscope.config import App, Job

__all__ = [
    "JOB_GRACE",
    "JobState",
    "JobWatch",
    "Verdict",
    "job_day",
    "job_deadline",
    "usual",
]

JOB_GRACE = timedelta(minutes=5)
"""How long after its `by` a job that has not run is called late."""


LEAST_USUAL = 4
"""With a smaller usual number half of it says nothing."""


class Verdict(IntEnum):
    """What a person is told of a job, worse ones last."""

    ON_TIME = 0
    SOME_FAILED = 1
    FEW_DONE = 2
    MOST_FAILED = 3
    LATE = 4


class JobState(NamedTuple):
    """A job's last run, and when it last succeeded (Unix time) if known.

    The last run is today's as soon as it counted something or is due, else yesterday's.
    `failed` is None for a job that counts no failures, `usual` (the median of what was
    done on the seven days before, days without a run left out) when there is none.
    """

    late: bool
    last_success: float | None
    done: Number
    failed: Number | None = None
    usual: float | None = None
    over: bool = False

    @property
    def verdict(self) -> Verdict:
        """Few are less than half of the usual number, once the deadline has passed.

        It is asked only of a job that counts its failures: the counter of another one
        may go on counting through the day.
        """
        if self.late:
            return Verdict.LATE
        if self.failed is None:
            return Verdict.ON_TIME
        if self.failed > self.done:
            return Verdict.MOST_FAILED
        usual = self.usual or 0
        if self.over and usual >= LEAST_USUAL and self.done < usual / 2:
            return Verdict.FEW_DONE
        return Verdict.SOME_FAILED if self.failed else Verdict.ON_TIME


def job_deadline(job: Job, day: date, zone: ZoneInfo) -> float:
    """The Unix time by which `job` must have run on `day`."""
    return datetime.combine(day, job.by, zone).timestamp()


def job_day(job: Job, now: float, zone: ZoneInfo) -> date | None:
    """The day whose count decides whether `job` is late now; None before the first one.

    That is today from five minutes after `by`. A `by` so late that the five minutes
    end after midnight uses yesterday's count until the next such time.
    """
    day = today(now, zone)
    grace = JOB_GRACE.total_seconds()
    if now >= job_deadline(job, day, zone) + grace:
        return day
    yesterday = day - ONE_DAY
    due = job_deadline(job, yesterday, zone) + grace
    return yesterday if due >= midnight(day, zone) and now >= due else None


class JobWatch:
    """When each job of an app last succeeded, and whether it is late.

    Redis has a count per day and no time. A success during this process gets the time
    at which the count was first high enough; an earlier one gets the day's deadline,
    or now when that is in the future.
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
            states[name] = JobState(late, moment, *_last_run(job, days, judged == this))
        return states


def usual(counts: Sequence[Number]) -> float | None:
    """The median of what a job did on some days, without those on which it did not."""
    before = [count for count in counts if count]
    return median(before) if before else None


def _last_run(
    job: Job, days: Sequence[DayValues], due: bool
) -> tuple[Number, Number | None, float | None, bool]:
    """The rest of a JobState; `due` when today's deadline has passed."""

    def failed(day: DayValues) -> Number:
        return day.counters.get(job.failures, 0) if job.failures else 0

    counts = [day.counters.get(job.counter, 0) for day in days]
    # Yesterday's run is over in any case.
    last = 0 if due or counts[0] or failed(days[0]) or len(days) == 1 else 1
    return (
        counts[last],
        failed(days[last]) if job.failures else None,
        usual(counts[last + 1 : last + 8]),
        due or last == 1,
    )
