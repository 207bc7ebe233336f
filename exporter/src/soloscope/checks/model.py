"""Health checks and their results. Pure; times are in seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "Check",
    "CheckFailed",
    "Kind",
    "Outcome",
    "Recorded",
    "Result",
    "judge",
]

Kind = Literal[
    "redis",
    "loki",
    "prometheus",
    "grafana",
    "alertmanager",
    "health",
    "http",
    "tcp",
    "api",
    "postgres",
    "scrape",
    "unit",
]

# How long after its own time-out a check may still be running before that counts
# as a failure: names that do not resolve and slow closes are not in the time-out.
GRACE = 1.0


class CheckFailed(Exception):  # noqa: N818 (reads as a state)
    """The check failed; the message says why, for a person.

    `seconds` is the time that the answer took, if there was one; `age` is set when
    another process ran the check earlier.
    """

    def __init__(
        self, message: str, seconds: float | None = None, *, age: float = 0.0
    ) -> None:
        super().__init__(message)
        self.seconds = seconds
        self.age = age


@dataclass(frozen=True, slots=True)
class Outcome:
    """A check that succeeded. `seconds`: the time that the answer took.

    `age` is set when another process ran the check earlier.
    `figures` are further values of the check; only the database has some.
    """

    detail: str = ""
    seconds: float | None = None
    age: float = 0.0
    figures: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `app` is "" when it belongs to no app.

    `run` takes the time-out and raises CheckFailed. A `passive` check only reads
    memory or a small file, so it runs on each request.
    `witness` is another source of the same result in this process: when it is newer,
    it is used, so that two results of the same time do not differ.
    """

    app: str
    name: str
    kind: Kind
    run: Callable[[float], Outcome] = field(repr=False)
    interval: float = 30.0
    timeout: float = 10.0
    passive: bool = False
    witness: Callable[[], Recorded | None] = field(default=lambda: None, repr=False)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The last result of a check and when it finished (monotonic clock)."""

    ok: bool
    at: float
    detail: str = ""
    seconds: float | None = None
    figures: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """The state of a check. `age`: seconds since its result, None without one."""

    app: str
    name: str
    kind: Kind
    ok: bool
    detail: str
    interval: float
    age: float | None = None
    seconds: float | None = None
    figures: Mapping[str, float | None] = field(default_factory=dict)


def judge(
    check: Check, last: Recorded | None, running_since: float | None, now: float
) -> Result:
    """The state of `check` at `now`, with the last result `last`.

    A check that is still running after its time-out has failed, and so has one
    whose result is older than twice its interval.
    """

    def result(ok: bool, detail: str) -> Result:
        return Result(
            app=check.app,
            name=check.name,
            kind=check.kind,
            ok=ok,
            detail=detail,
            interval=check.interval,
            age=None if last is None else max(0.0, now - last.at),
            seconds=None if last is None else last.seconds,
            figures={} if last is None or not ok else last.figures,
        )

    running = 0.0 if running_since is None else now - running_since
    if running > check.timeout + GRACE:
        return result(False, f"no answer for {running:.0f} s")
    if last is None:
        return result(False, "no answer yet")
    if now - last.at > 2 * check.interval:
        return result(
            False,
            f"the last answer is {now - last.at:.0f} s old, "
            f"more than twice the interval of {check.interval:g} s",
        )
    return result(last.ok, last.detail)
