"""What each panel must show, from the truth file of the demo's app.

The truth file gives days and gauges. Times of log lines come from the app's
plans, which are the same for the same seed. Nothing here asks the stack.
"""

from __future__ import annotations

import datetime as dt
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from asking import Answer
from dashboard_files import OVERVIEW
from dashboard_lint import Json
from soloscope_demo.app.plan import ERROR, WARN, Occurrence, plan
from soloscope_demo.app.plan import TASKS as TASK_NAMES
from soloscope_demo.stack import Stack

#: The nightly job of demo/declaration.nix and the five minutes that it is given.
JOB_DUE, JOB_LATE_FROM = dt.time(4), dt.time(4, 5)

#: How long a number may take on its way into a panel (seconds): the app counts,
#: is scraped, and its lines go through journal and shipper.
PATIENCE = 60


def estimate(value: object) -> Any:
    """About `value`: a PFCOUNT is off by at most 2 or 3 %, whichever is more."""
    return pytest.approx(value, abs=2, rel=0.03)


@dataclass(frozen=True)
class Truth:
    """The app's truth at one moment (`now`, in UTC). Its days are those of `zone`."""

    content: Json
    now: dt.datetime
    seed: int
    zone: dt.tzinfo

    @classmethod
    def of(cls, stack: Stack) -> Truth:
        """The truth of a running stack, now."""
        now = dt.datetime.now(dt.UTC)
        return cls(stack.truth(), now, stack.options.seed, stack.zone)

    def day(self, back: int) -> dt.date:
        """The day that many days ago."""
        return self.now.astimezone(self.zone).date() - dt.timedelta(back)

    def counted(self, back: int) -> Json:
        """What the truth file has for that day."""
        empty: Json = {"counters": {}, "breakdowns": {}, "uniques": {}, "timings": {}}
        found: Json = self.content["days"].get(self.day(back).isoformat(), empty)
        return found

    def count(self, name: str, days: int = 1) -> int:
        """A counter over that many days, today included."""
        return sum(self.counted(back)["counters"].get(name, 0) for back in range(days))

    def per_day(self, name: str, days: int = 7) -> dict[str, int]:
        """A counter on each of the last days."""
        return {
            self.day(back).isoformat(): self.counted(back)["counters"].get(name, 0)
            for back in range(days)
        }

    def different(self, days: int) -> int:
        """How many different users wrote in that many days."""
        found: set[int] = set()
        for back in range(days):
            found |= set(self.counted(back)["uniques"].get("active_users", []))
        return len(found)

    def users(self, back: int) -> int:
        """How many different users wrote on that day."""
        return len(self.counted(back)["uniques"].get("active_users", []))

    def gauge(self, name: str) -> int:
        """A gauge now."""
        return int(self.content["gauges"][name])

    def average(self, timing: str) -> float | None:
        """Seconds per call today; None before the first one."""
        found = self.counted(0)["timings"].get(timing)
        return found and float(found["ms"] / found["count"] / 1000)

    def practised(self, days: int = 7) -> Counter[str]:
        """Deficiencies of that many days, by kind."""
        found: Counter[str] = Counter()
        for back in range(days):
            found.update(self.counted(back)["breakdowns"].get("deficiencies", {}))
        return found

    def happened(self, since: dt.timedelta) -> Iterator[Occurrence]:
        """What the app printed since then, newest first."""
        for back in range(since.days + 2):
            for occurrence in reversed(plan(self.seed, self.day(back), self.zone)):
                if self.now - since < occurrence.at <= self.now:
                    yield occurrence

    def silent(self, uid: str, title: str, index: int) -> bool:
        """Whether a target has nothing to show: nothing of the kind has happened."""
        kind = SILENT_WITHOUT.get((uid, title, index))
        return kind is not None and not kind(self)


BUSINESS, TASKS = "soloscope-business", "soloscope-tasks"
BOTH = (OVERVIEW, TASKS)

#: What a target shows nothing without; all others always show something.
SILENT_WITHOUT: dict[tuple[str, str, int], Callable[[Truth], object]] = {}


def failures_within(days: int, *uids: str) -> None:
    """Red bars are there only with failures."""
    for uid in uids:
        SILENT_WITHOUT[uid, "Digests created per day", 2] = lambda truth: truth.count(
            "digests_failed", days
        )


failures_within(7, *BOTH)
failures_within(30, BUSINESS)

Check = Callable[[Answer, Truth], None]
#: The dashboard's uid, the panel's title, the number of the target -> its check.
CHECKS: dict[tuple[str, str, int], Check] = {}


def panel(title: str, index: int = 0, *uids: str) -> Callable[[Check], Check]:
    """Enter a function as the value of one target of a panel (the overview's)."""

    def enter(check: Check) -> Check:
        for uid in uids or (OVERVIEW,):
            CHECKS[uid, title, index] = check
        return check

    return enter


def one(title: str, value: Callable[[Truth], Any], index: int = 0, *uids: str) -> None:
    """The panel shows one number, which `value` gives."""

    @panel(title, index, *uids)
    def _(answer: Answer, truth: Truth) -> None:
        assert answer.number() == value(truth)


def average(title: str, timing: str) -> None:
    """The panel shows seconds per call, in colour from 20 calls on, and the calls."""

    def calls(truth: Truth) -> int:
        found = truth.counted(0)["timings"].get(timing, {"count": 0})
        return int(found["count"])

    def check(answer: Answer, truth: Truth) -> None:
        assert answer.number() == pytest.approx(truth.average(timing))

    CHECKS[OVERVIEW, title, 0] = CHECKS[OVERVIEW, title, 1] = check
    one(title, calls, 2)
    SILENT_WITHOUT[OVERVIEW, title, 0] = lambda truth: calls(truth) >= 20
    SILENT_WITHOUT[OVERVIEW, title, 1] = lambda truth: 0 < calls(truth) < 20


def per_day(
    title: str, count: Callable[[Truth, int], Any], days: int, *uids: str
) -> None:
    """The panel shows the days that are over, and today's count by itself."""

    def check(days: range) -> Check:
        def compare(answer: Answer, truth: Truth) -> None:
            wanted = {f"{truth.day(b):%a %Y-%m-%d}": count(truth, b) for b in days}
            assert answer.by("date") == wanted

        return compare

    panel(title, 0, *uids)(check(range(1, days)))
    panel(title, 1, *uids)(check(range(1)))


def counted(name: str) -> Callable[[Truth, int], int]:
    """A counter of one day."""
    return lambda truth, back: truth.counted(back)["counters"].get(name, 0)


def users(truth: Truth, back: int) -> Any:
    """How many wrote on one day."""
    return estimate(truth.users(back))


def last_run(truth: Truth) -> tuple[bool, int]:
    """Whether today's digests are due, and how many days ago the last run was."""
    due = truth.now.astimezone(truth.zone).time() >= JOB_LATE_FROM
    begun = any(truth.count(f"digests_{end}") for end in ("created", "failed"))
    return due, 0 if due or begun else 1


@panel("Nightly digests", 0, *BOTH)
def _(answer: Answer, truth: Truth) -> None:
    due, back = last_run(truth)
    made, failed = (counted(f"digests_{e}")(truth, back) for e in ("created", "failed"))
    late = due and not made
    # The demo's nights are never poor, so the other verdicts do not come up.
    assert answer.number() == (4 if late else 3 if failed > made else int(failed > 0))


@panel("Nightly digests", 3, *BOTH)
def _(answer: Answer, truth: Truth) -> None:
    _, back = last_run(truth)
    before = [counted("digests_created")(truth, back + 1 + n) for n in range(7)]
    assert answer.number() == statistics.median(filter(None, before))


@panel("Nightly digests", 4, *BOTH)
def _(answer: Answer, truth: Truth) -> None:
    # Nobody watched: it is that day's deadline, or now before it.
    back = 0 if truth.count("digests_created") else 1
    deadline = dt.datetime.combine(truth.day(back), JOB_DUE, truth.zone)
    wanted = min(deadline, truth.now).timestamp() * 1000
    assert answer.number() == pytest.approx(wanted, abs=PATIENCE * 1000)


@panel("Checks")
def _(answer: Answer, truth: Truth) -> None:
    assert answer.by("name") == {"health": 1, "redis": 1}


@panel("Open alerts")
def _(answer: Answer, truth: Truth) -> None:
    assert answer.number() >= 0


@panel("Digest success rate, 7 days")
def _(answer: Answer, truth: Truth) -> None:
    good, bad = (truth.count(f"digests_{end}", 7) for end in ("created", "failed"))
    assert answer.number() == pytest.approx(good / (good + bad))


@panel("Errors, 24 h")
def _(answer: Answer, truth: Truth) -> None:
    found = truth.happened(dt.timedelta(days=1))
    assert answer.number() == sum(o.level >= ERROR for o in found)


def failed_days(days: int) -> Check:
    """The panel shows the days with failures."""

    def check(answer: Answer, truth: Truth) -> None:
        failed = truth.per_day("digests_failed", days)
        assert answer.by("day") == {day: n for day, n in failed.items() if n}

    return check


panel("Digests created per day", 2, *BOTH)(failed_days(7))
panel("Digests created per day", 2, BUSINESS)(failed_days(30))


def top_deficiencies(days: int) -> Check:
    """The panel shows the five largest."""

    def check(answer: Answer, truth: Truth) -> None:
        shown, counts = answer.by("key"), truth.practised(days)
        assert shown == {key: counts[key] for key in shown}
        largest = sorted(counts.values(), reverse=True)[:5]
        assert list(shown.values()) == largest

    return check


panel("Top deficiencies, 7 days")(top_deficiencies(7))
panel("Top deficiencies, 30 days", 0, BUSINESS)(top_deficiencies(30))


@panel("Latest failures")
def _(answer: Answer, truth: Truth) -> None:
    found = truth.happened(dt.timedelta(days=6, hours=22))
    failures = [o for o in found if o.level >= ERROR][:20]
    shown = [text for _, _, text in answer.lines]
    assert len(shown) >= len(failures)
    for text, failure in zip(shown, failures, strict=False):
        error, about = failure.fields["err"], failure.fields.get("conversation_id")
        assert isinstance(error, dict)
        whom = f"conversation={about}" if about else f"user={failure.fields['user']}"
        assert text == f"{failure.fields['event']}: {error['message']}  {whom}"


@panel("Activity stream")
def _(answer: Answer, truth: Truth) -> None:
    found = truth.happened(dt.timedelta(days=6, hours=22))
    told = ("digest_", "conversation_", "trial_", "throttled", "critical_error")
    wanted = [
        o for o in found if str(o.fields["event"]).startswith(told) or o.level >= WARN
    ][:50]
    assert len(wanted) == 50
    shown = [(labels["event"], text) for _, labels, text in answer.lines]
    assert [event for event, _ in shown] == [o.fields["event"] for o in wanted]
    for (_, text), occurrence in zip(shown, wanted, strict=True):
        assert text.startswith(str(occurrence.fields["event"]))
        assert f"***{occurrence.fields['phone_last4']}" in text


@panel("Errors and warnings per hour")
def _(answer: Answer, truth: Truth) -> None:
    shown = {
        (dict(labels)["level"], at): value
        for labels, points in answer.points.items()
        for at, value in points
    }
    assert shown
    wanted: Counter[tuple[str, float]] = Counter()
    names = {WARN: "warn", ERROR: "error", 60: "fatal"}
    for occurrence in truth.happened(dt.timedelta(days=6, hours=22)):
        if occurrence.level in names:
            # The bar of an hour is at its end.
            end = (occurrence.at.timestamp() // 3600 + 1) * 3600
            wanted[names[occurrence.level], end] += 1
    oldest = (truth.now - dt.timedelta(days=6, hours=20)).timestamp()
    newest = truth.now.timestamp() // 3600 * 3600
    inside = {key: n for key, n in wanted.items() if oldest < key[1] <= newest}
    assert inside
    bars = {key: n for key, n in shown.items() if oldest < key[1] <= newest}
    assert bars == inside, sorted(set(bars.items()) ^ set(inside.items()))


for position, ended in ((1, "created"), (2, "failed")):

    @panel("Nightly digests", position, *BOTH)
    def _(answer: Answer, truth: Truth, ended: str = ended) -> None:
        assert answer.number() == counted(f"digests_{ended}")(truth, last_run(truth)[1])


one("soloscope", lambda _: 1)
average("OpenAI response, average today", "openai")
average("Redis response, average today", "redis")
one("Total users", lambda truth: truth.gauge("users_total"))
one(
    "Premium subscribers",
    lambda truth: pytest.approx(
        truth.gauge("users_premium") / truth.gauge("users_total")
    ),
)
one("Trials ending soon", lambda truth: truth.gauge("users_trial_ending"))
one("Open conversations", lambda truth: truth.gauge("conversations_active"))
one("Digests to make", lambda truth: truth.gauge("digests_pending"))
one("Users to write to", lambda truth: truth.gauge("users_to_reengage"))
one("Monthly revenue", lambda truth: truth.gauge("revenue_monthly"))


def today(title: str, count: Callable[[Truth, int], Any]) -> None:
    """The panel shows today's count beside that of the same weekday a week ago."""
    one(title, lambda truth: count(truth, 0), 0)
    one(title, lambda truth: count(truth, 7), 1)


for name, value in (
    ("Users active{} ≈", users),
    ("Conversations{}", counted("conversations")),
    ("Digests created{}", counted("digests_created")),
    ("Trials won{}", counted("trial_conversions")),
):
    per_day(name.format(" per day"), value, 7)
    per_day(name.format(" per day"), value, 30, BUSINESS)
    today(name.format(" today"), value)
per_day("Digests created per day", counted("digests_created"), 7, TASKS)


def month(title: str, count: Callable[[Truth, int], Any]) -> None:
    """The panel of the business shows 7 and 30 days."""
    one(title, lambda truth: count(truth, 7), 0, BUSINESS)
    one(title, lambda truth: count(truth, 30), 1, BUSINESS)


def success(truth: Truth, days: int) -> Any:
    """The share of digests that were made."""
    good, bad = (truth.count(f"digests_{end}", days) for end in ("created", "failed"))
    return pytest.approx(good / (good + bad))


month("Users active ≈", lambda truth, days: estimate(truth.different(days)))
month("Conversations", lambda truth, days: truth.count("conversations", days))
month("Digests created", lambda truth, days: truth.count("digests_created", days))
month("Trials won", lambda truth, days: truth.count("trial_conversions", days))
month("Digest success rate", success)


@panel("Users active ≈", 2, BUSINESS)
def _(answer: Answer, truth: Truth) -> None:
    share = truth.users(0) / truth.different(30)
    assert answer.number() == pytest.approx(share, abs=0.03)


# The demo's own metrics: a pure function of time (app/traffic.py).


@panel("Last success", 0, TASKS)
def _(answer: Answer, truth: Truth) -> None:
    # Each runs every five minutes.
    assert set(answer.by("task")) == set(TASK_NAMES)
    assert all(0 <= ago < 400 for ago in answer.by("task").values())


def rates(answer: Answer, label: str) -> dict[str, list[float]]:
    """The points of each series of a graph."""
    return {
        dict(labels)[label]: [value for _, value in points]
        for labels, points in answer.points.items()
    }


@panel("Runs per minute", 0, TASKS)
def _(answer: Answer, truth: Truth) -> None:
    # One of each task in five minutes, so as many a minute as there are tasks in five.
    done = rates(answer, "result")["done"]
    assert statistics.median(done) == pytest.approx(len(TASK_NAMES) / 5, rel=0.1)


@panel("How long a run takes", 0, TASKS)
def _(answer: Answer, truth: Truth) -> None:
    taken = rates(answer, "task")
    # The medians are one second, two seconds and so on.
    for number, task in enumerate(TASK_NAMES):
        assert statistics.median(taken[task]) == pytest.approx(number + 1, rel=0.4)


@panel("Waiting in each queue", 0, TASKS)
def _(answer: Answer, truth: Truth) -> None:
    waiting = rates(answer, "queue")
    assert set(waiting) == {"default", "mail"}
    assert {n for points in waiting.values() for n in points} == {0, 1, 2}


@panel("Workers", 0, TASKS)
def _(answer: Answer, truth: Truth) -> None:
    busy, idle = (rates(answer, "state")[state] for state in ("busy", "idle"))
    assert {a + b for a, b in zip(busy, idle, strict=True)} == {4}
    assert max(busy) == 3
