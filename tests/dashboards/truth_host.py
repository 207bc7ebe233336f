"""What the dashboards about logs, the host and the stack must show.

The app's lines come from its plans. What the host and the programs of the stack say
about themselves is asked of them in another way: the system's own numbers.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections import Counter
from collections.abc import Callable
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from asking import Answer
from soloscope_demo.app.plan import ERROR, WARN, Occurrence
from truth import CHECKS, SILENT_WITHOUT, Check, Truth
from truth_app import about, happened, panel, within_days

LEVEL_NAMES = {30: "info", 40: "warn", 50: "error", 60: "fatal"}

#: The user whose journey the tests look at: the one with most lines of a week.
WHO = "who"


def enter(uid: str, title: str, index: int = 0) -> Callable[[Check], Check]:
    """Enter a function as the check of one target."""

    def add(check: Check) -> Check:
        CHECKS[f"soloscope-{uid}", title, index] = check
        return check

    return add


def never(uid: str, title: str, index: int = 0) -> None:
    """A target that has nothing to show in the demo."""

    def check(answer: Answer, truth: Truth) -> None:
        raise AssertionError(f"{answer.panel} shows something: {answer.last}")

    CHECKS[f"soloscope-{uid}", title, index] = check
    SILENT_WITHOUT[f"soloscope-{uid}", title, index] = lambda _: False


# --- errors


def failed(truth: Truth, span: dt.timedelta) -> list[Occurrence]:
    """Errors that the app printed, newest first."""
    return [o for o in truth.happened(span) if o.level >= ERROR]


def groups(found: list[Occurrence]) -> Counter[tuple[str, str]]:
    """How often each error happened: its event and the error's type."""
    return Counter((str(o.fields["event"]), o.fields["err"]["type"]) for o in found)  # type: ignore[index]


HOURS = dt.timedelta(hours=1)
DAYS = dt.timedelta(days=1)
#: Of the oldest day the lines are cut off where the app began to print.
WEEK = dt.timedelta(days=6, hours=20)


def of_a_week(
    value: Callable[[list[Occurrence]], Any], wanted: Callable[[Occurrence], bool]
) -> Callable[[Answer, Truth], None]:
    """A check: between what the printed part of a week gives, and the whole of it.

    `value` gives a number, or a Counter of the labels that `keyed` has found.
    """

    def check(answer: Answer, truth: Truth) -> None:
        low, high = (
            value([o for o in truth.happened(span) if wanted(o)])
            for span in (WEEK, 7 * DAYS)
        )
        if isinstance(high, Counter):
            shown = keyed(answer)
            assert set(low) <= set(shown) <= set(high)
            assert all(low[key] <= shown[key] <= high[key] for key in shown), shown
        else:
            assert low <= answer.number() <= high, f"{answer.number()} for {high}"

    return check


def keyed(answer: Answer) -> dict[Any, float]:
    """The value of each group of errors, or of each user."""
    users = answer.by("user")
    return users if set(users) != {""} else listed(answer)


def is_failure(occurrence: Occurrence) -> bool:
    """Whether it is an error."""
    return occurrence.level >= ERROR


def is_trouble(occurrence: Occurrence) -> bool:
    """Whether it is a warning or an error."""
    return occurrence.level >= WARN


panel("errors", "Errors, 1 h", lambda t: len(failed(t, HOURS)))
panel("errors", "Errors, 24 h", lambda t: len(failed(t, DAYS)))
panel("errors", "Different errors, 24 h", lambda t: len(groups(failed(t, DAYS))))


@enter("errors", "New today")
def _(answer: Answer, truth: Truth) -> None:
    recent = failed(truth, DAYS)
    before = failed(truth, 7 * DAYS)[len(recent) :]
    assert answer.number() == len(groups(recent).keys() - groups(before).keys())


@enter("errors", "Errors per hour")
def _(answer: Answer, truth: Truth) -> None:
    hours(answer, truth, failed(truth, WEEK + 2 * HOURS))


def hours(answer: Answer, truth: Truth, found: list[Occurrence]) -> None:
    """The bars of whole hours, by event."""
    newest = truth.now.timestamp() // 3600 * 3600
    oldest = (truth.now - WEEK).timestamp()
    wanted: Counter[tuple[str, float]] = Counter()
    for o in found:
        # The bar of an hour is at its end.
        wanted[str(o.fields["event"]), (o.at.timestamp() // 3600 + 1) * 3600] += 1
    shown = {
        (dict(labels)["event"], at): value
        for labels, points in answer.points.items()
        for at, value in points
        if oldest < at <= newest
    }
    assert shown == {k: n for k, n in wanted.items() if oldest < k[1] <= newest}


def listed(answer: Answer) -> dict[tuple[str, str], float]:
    """The value of each group of errors."""
    return {
        (dict(labels)["event"], dict(labels)["error"]): value
        for labels, value in answer.numbers.items()
    }


CHECKS["soloscope-errors", "Errors of the time range", 0] = of_a_week(
    groups, is_failure
)


@enter("errors", "Errors of the time range", 1)
def _(answer: Answer, truth: Truth) -> None:
    # The oldest lines may be cut off.
    first = dict(listed(answer))
    shown = failed(truth, WEEK)
    late = {group: 1000 * int(o.at.timestamp()) for o in shown for group in groups([o])}
    early = {
        group: 1000 * int(o.at.timestamp())
        for o in failed(truth, 7 * DAYS)
        for group in groups([o])
    }
    assert set(late) <= set(first) <= set(early)
    assert all(early[k] <= at <= late.get(k, early[k]) for k, at in first.items())


@enter("errors", "Errors of the time range", 2)
def _(answer: Answer, truth: Truth) -> None:
    times(answer, list(reversed(failed(truth, 7 * DAYS))))


def times(answer: Answer, found: list[Occurrence]) -> None:
    """The time of each group, the last of `found`, in milliseconds."""
    wanted = {
        (str(o.fields["event"]), o.fields["err"]["type"]): 1000 * int(o.at.timestamp())  # type: ignore[index]
        for o in found
    }
    assert listed(answer) == wanted


@enter("errors", "Newest errors")
def _(answer: Answer, truth: Truth) -> None:
    found = failed(truth, 7 * DAYS)[:50]
    assert min(50, len(failed(truth, WEEK))) <= len(answer.lines) <= len(found)
    for (_, labels, text), o in zip(answer.lines, found, strict=False):
        assert labels["event"] == o.fields["event"]
        said: Any = o.fields["err"]
        assert text == f"{o.fields['event']}  {said['message']}  {o.fields['user']}"


def top_users(wanted: Callable[[Occurrence], bool]) -> Check:
    """The ten users with most of these."""

    def check(answer: Answer, truth: Truth) -> None:
        low, high = (
            Counter(str(o.fields["user"]) for o in truth.happened(span) if wanted(o))
            for span in (WEEK, 7 * DAYS)
        )
        shown = answer.by("user")
        assert len(shown) == min(10, len(high))
        assert all(low[user] <= shown[user] <= high[user] for user in shown), shown
        tenth = sorted(low.values(), reverse=True)[:10][-1]
        assert min(shown.values()) >= tenth

    return check


CHECKS["soloscope-errors", "Users with errors", 0] = top_users(is_failure)


# --- logs: their time range is six hours

SIX = 6 * HOURS


@enter("logs", "Lines found, by level")
def _(answer: Answer, truth: Truth) -> None:
    wanted = Counter(LEVEL_NAMES[o.level] for o in truth.happened(SIX))
    shown = {
        dict(labels)["level"]: sum(value for _, value in points)
        for labels, points in answer.points.items()
    }
    # The app says that it was started, and a bar at the edge is cut.
    assert shown == about({level: wanted[level] for level in shown}, 0.05, 3)
    assert set(wanted) <= set(shown)


def unit_of_app(answer: Answer) -> float:
    """The value of the app's unit."""
    return answer.by("unit")["languagebuddy-backend.service"]


@enter("logs", "Who writes most")
def _(answer: Answer, truth: Truth) -> None:
    assert unit_of_app(answer) == about(len(list(truth.happened(SIX))) + 1, 0.02, 2)


@enter("logs", "Who writes most", 1)
def _(answer: Answer, truth: Truth) -> None:
    # A line has some 300 bytes.
    number = len(list(truth.happened(SIX)))
    assert 200 * number < unit_of_app(answer) < 500 * (number + 2)


@enter("logs", "Lines found")
def _(answer: Answer, truth: Truth) -> None:
    wanted = [o.fields["event"] for o in truth.happened(SIX)][:199]
    shown = [labels["event"] for _, labels, _ in answer.lines]
    shown.remove("app_started")
    assert shown[: len(wanted)] == wanted


# --- user journey: of the user with most lines


def journey(truth: Truth) -> list[Occurrence]:
    """What happened to that user in a week, newest first."""
    return [o for o in truth.happened(7 * DAYS) if o.fields["user"] == traveller(truth)]


def traveller(truth: Truth) -> str:
    """The user with most lines of the last days."""
    counted = Counter(str(o.fields["user"]) for o in truth.happened(6 * DAYS))
    return max(sorted(counted), key=lambda user: counted[user])


def of_traveller(value: Callable[[list[Occurrence]], int]) -> Check:
    """A number about that user's week."""

    def check(answer: Answer, truth: Truth) -> None:
        who = traveller(truth)
        of_a_week(value, lambda o: o.fields["user"] == who)(answer, truth)

    return check


JOURNEY: dict[str, Callable[[list[Occurrence]], int]] = {
    "Lines": len,
    "Warnings and errors": lambda found: sum(map(is_trouble, found)),
    "Conversations": lambda found: len(
        {o.fields["conversation_id"] for o in found if "conversation_id" in o.fields}
    ),
    "Last seen": lambda found: 1000 * int(found[0].at.timestamp()),
}
for title, number in JOURNEY.items():
    CHECKS["soloscope-user-journey", title, 0] = of_traveller(number)


@enter("user-journey", "What happened")
def _(answer: Answer, truth: Truth) -> None:
    found = journey(truth)
    assert len(answer.lines) > 10
    for (_, labels, text), o in zip(answer.lines, found, strict=False):
        assert labels["event"] == o.fields["event"]
        assert text.startswith(str(o.fields["event"]))
        assert text.endswith(str(o.fields.get("conversation_id", "")))


@enter("user-journey", "When")
def _(answer: Answer, truth: Truth) -> None:
    hours(answer, truth, journey(truth))


CHECKS["soloscope-user-journey", "Users with trouble", 0] = top_users(is_trouble)


# --- system: the system's own numbers

UNKNOWN = "systemd's units: the demo runs no systemd"


def share(title: str, value: Callable[[], float], off: float, index: int = 0) -> None:
    """A share between 0 and 1, about `value`."""
    panel("system", title, lambda _: pytest.approx(value(), abs=off), index)


def disk() -> float:
    """What is used of the fullest disk, as users see it."""
    found = []
    for part in psutil.disk_partitions(all=False):
        usage = shutil.disk_usage(part.mountpoint)
        found.append(1 - usage.free / usage.total)
    root = shutil.disk_usage("/")
    return max([*found, 1 - root.free / root.total])


def memory() -> Any:
    """The memory."""
    return psutil.virtual_memory()


share("Processor", lambda: 0.5, 0.5)
share("Memory", lambda: 1 - memory().available / memory().total, 0.1)
share("Fullest disk", disk, 0.05)
share("Disk at work", lambda: 0.5, 0.5)
never("system", "Failed units")
never("system", "Units that failed")
MEMORY = (
    lambda: memory().total - memory().available,
    lambda: memory().available - memory().free,
    lambda: memory().free,
)
for index, value in enumerate(MEMORY):

    def size(_: Truth, value: Callable[[], float] = value) -> Any:
        """About so many bytes: other programs start and end meanwhile."""
        return pytest.approx(value(), abs=0.15 * memory().total)

    panel("system", "Memory, by use", size, index)


@enter("system", "Full in")
def _(answer: Answer, truth: Truth) -> None:
    assert answer.number() > 0


# Whether a disk fills depends on the machine.
MAY_BE_SILENT = {("soloscope-system", "Full in", 0)}


@enter("system", "Processor, by use")
def _(answer: Answer, truth: Truth) -> None:
    shown = answer.by("mode")
    assert {"user", "system", "iowait"} <= set(shown)
    assert "idle" not in shown
    assert 0 < sum(shown.values()) <= 1.01


@enter("system", "Disks")
def _(answer: Answer, truth: Truth) -> None:
    shown = answer.by("mountpoint")
    assert max(shown.values()) == pytest.approx(disk(), abs=0.05)


def positive(uid: str, title: str, sign: int = 1, index: int = 0) -> None:
    """A number that is at least 0, or at most 0."""

    def check(answer: Answer, truth: Truth) -> None:
        assert sign * answer.number() >= 0

    CHECKS[f"soloscope-{uid}", title, index] = check


for title in ("Network", "Disk traffic"):
    positive("system", title, 1, 0)
    positive("system", title, -1, 1)
for index in range(3):
    positive("system", "Network errors and drops", 1, index)
panel(
    "system",
    "Load per core",
    lambda _: pytest.approx(
        psutil.getloadavg()[1] / psutil.cpu_count(), rel=0.5, abs=1
    ),
)

# --- stack

JOBS = {
    *("alertmanager", "languagebuddy", "loki", "node", "prometheus", "promtail"),
    *("redis", "soloscope"),
}
#: Those that do not say how much memory they use.
MEMORYLESS = {"redis", "languagebuddy"}
panel("stack", "Programs down", lambda _: 0)
panel("stack", "soloscope's own checks", lambda _: 1)


@enter("stack", "Newest log line")
def _(answer: Answer, truth: Truth) -> None:
    newest = within_days(truth, 1)[0].at.timestamp()
    assert newest - 1 <= answer.number() / 1000 <= truth.now.timestamp() + 60


for title in (
    "Log lines lost, 24 h",
    "Loki: writes that failed, 24 h",
    "Rules that failed, 24 h",
    "Loki: lines refused, 24 h",
    "Notifications that failed, 24 h",
    "Alerts that did not get there, 24 h",
):
    panel("stack", title, lambda _: 0)


def jobs(index: int, low: float, high: float) -> None:
    """A column of the table of programs."""

    def check(answer: Answer, truth: Truth) -> None:
        shown = answer.by("job")
        assert set(shown) >= JOBS - (MEMORYLESS if index == 3 else set())
        assert all(low <= value <= high for value in shown.values()), shown

    CHECKS["soloscope-stack", "Programs", index] = check


jobs(0, 1, 1)
jobs(1, 1e-4, 5)
jobs(2, 1, 20_000)
jobs(3, 1e6, 2e9)


@enter("stack", "Memory")
def _(answer: Answer, truth: Truth) -> None:
    shown = answer.by("job")
    assert set(shown) >= JOBS - MEMORYLESS
    assert all(1e6 < value < 2e9 for value in shown.values())


positive("stack", "Log lines per second")
panel("stack", "Log lines per second", lambda _: 0, 1)
# Lines above the limit have no series before the first one.
never("stack", "Log lines per second", 2)
CHECKS["soloscope-stack", "What the stack complains about", 0] = lambda answer, _: None
MAY_BE_SILENT.add(("soloscope-stack", "What the stack complains about", 0))
never("stack", "Loki: budget used")
never("stack", "Loki: lines are kept")


# Prometheus may have asked Loki only after the lines of a week were taken.
positive("stack", "Loki: taken per day")


@enter("stack", "Series")
def _(answer: Answer, truth: Truth) -> None:
    assert 1_000 < answer.number() < 50_000


@enter("stack", "On disk")
def _(answer: Answer, truth: Truth) -> None:
    assert 1e4 < answer.number() < 1e9


@enter("stack", "Reading the counts takes")
def _(answer: Answer, truth: Truth) -> None:
    assert 0 < answer.number() < 5


positive("stack", "Open alerts")
# The examples' apps have some.
positive("stack", "Keys without expiry")
REDIS = {
    "Redis: memory": (1e5, 1e9),
    "Redis: connections": (1, 100),
    "Redis: keys evicted, 24 h": (0, 0),
}
for title, (low, high) in REDIS.items():

    def check(
        answer: Answer, truth: Truth, low: float = low, high: float = high
    ) -> None:
        """Between these."""
        assert low <= answer.number() <= high

    CHECKS["soloscope-application", title, 0] = check

__all__ = ["MAY_BE_SILENT", "happened", "traveller"]
