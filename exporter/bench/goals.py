"""The goals, and what a run says about each.

"Today" is `exporter.history = 0`, "30 days" the default; both against rex min on the
same keys in the same run. Nothing here fails: a missed goal is a line of the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bench import run as names
from bench.results import Results, Scrape

__all__ = ["Verdict", "judge"]


@dataclass(frozen=True)
class Verdict:
    """One goal. `ours` and `theirs` are the two sides of a ratio, in words."""

    what: str
    relation: Literal["at most", "at least"]
    limit: float
    measured: float
    unit: str = ""
    ours: str = ""
    theirs: str = ""
    # Which explanation of page.py belongs to it when it is missed.
    why: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        if self.relation == "at most":
            return self.measured <= self.limit
        return self.measured >= self.limit

    @property
    def off(self) -> float:
        """By which factor it is missed; 1 or less when it is met."""
        if self.relation == "at most":
            return self.measured / self.limit
        return self.limit / self.measured


#: Nothing changes between scrapes; the others are scraped while every key changes.
QUIET = "plain, keys at rest"


def _ms(value: float) -> str:
    return f"{value:.2f} ms" if value < 100 else f"{value:.0f} ms"


def _against(
    what: str, limit: float, ours: float, theirs: float, why: str = ""
) -> Verdict:
    return Verdict(
        what,
        "at most",
        limit,
        ours / theirs,
        ours=_ms(ours),
        theirs=_ms(theirs),
        why=why,
    )


def judge(results: Results) -> list[Verdict]:
    """Every goal for which there is a measurement, in the order of the page."""
    return [
        *_scrapes(results),
        *_costs(results),
        *_foreign(results),
        *_whole(results),
    ]


def _sides(
    results: Results, ours: str, theirs: str
) -> Iterator[tuple[str, Scrape, Scrape]]:
    if ours in results.answers and theirs in results.answers:
        a, b = results.answers[ours], results.answers[theirs]
        yield QUIET, a.quiet, b.quiet
        yield "plain", a.plain, b.plain
        yield "Prometheus' headers", a.prometheus, b.prometheus


def _scrapes(results: Results) -> Iterator[Verdict]:
    rows = (
        ("scrape of today", names.TODAY, names.REX_TODAY, (0.25, 0.25, 0.25), "today"),
        (
            "scrape of today without hiredis",
            names.TODAY_PURE,
            names.REX_TODAY,
            (0.5, 0.5, 0.5),
            "pure",
        ),
        ("scrape of 30 days", names.MONTH, names.REX_MONTH, (0.12, 0.12, 0.2), "month"),
    )
    for what, ours, theirs, limits, why in rows:
        sides = _sides(results, ours, theirs)
        for (how, a, b), limit in zip(sides, limits, strict=False):
            yield _against(f"{what}, {how}", limit, a.ms, b.ms, why)


def _costs(results: Results) -> Iterator[Verdict]:
    pairs = (
        ("today", names.TODAY, names.REX_TODAY),
        ("30 days", names.MONTH, names.REX_MONTH),
    )
    for span, ours, theirs in pairs:
        for how, a, b in _sides(results, ours, theirs):
            what = f"exporter CPU per scrape of {span}, {how}"
            yield _against(what, 0.25, a.cpu, b.cpu, "cpu")
    for span, ours, theirs in pairs:
        for how, a, b in _sides(results, ours, theirs):
            if how == "plain":  # Redis does not see the headers
                what = f"Redis CPU per scrape of {span}"
                yield _against(what, 0.25, a.redis_cpu, b.redis_cpu, "redis")


def _foreign(results: Results) -> Iterator[Verdict]:
    for how, a, b in _sides(results, names.MILLION, names.REX_MILLION):
        if how == "plain":
            what = "one million foreign keys, against rex by pattern"
            yield _against(what, 0.01, a.ms, b.ms, "foreign")
    for how, a, b in _sides(results, names.MILLION, names.MILLION_NONE):
        if how == "plain":
            what = "one million foreign keys, against our own time without them"
            yield _against(what, 1.5, a.ms, b.ms, "foreign")


def _whole(results: Results) -> Iterator[Verdict]:
    ours, theirs = names.TODAY, names.REX_TODAY
    if ours in results.loads and theirs in results.loads:
        a, b = results.loads[ours], results.loads[theirs]
        yield Verdict(
            f"requests a second with {names.CLIENTS} clients",
            "at least",
            5,
            a.rate / b.rate,
            ours=f"{a.rate:,.0f}/s",
            theirs=f"{b.rate:,.0f}/s",
            why="load",
        )
    for span, key, rex in (
        ("today", ours, theirs),
        ("30 days", names.MONTH, names.REX_MONTH),
    ):
        if key in results.answers and rex in results.answers:
            mine, other = results.answers[key].memory, results.answers[rex].memory
            yield Verdict(
                f"resident memory, {span}",
                "at most",
                1.9,
                mine / other,
                ours=f"{mine / 1e6:.1f} MB",
                theirs=f"{other / 1e6:.1f} MB",
                why="memory",
            )
            what = f"resident memory, {span}, alone"
            yield Verdict(what, "at most", 36, mine / 1e6, " MB", why="memory")
    for span, key in (("today", names.TODAY), ("30 days", names.MONTH)):
        if key in results.starts:
            start = results.starts[key]
            yield Verdict(
                f"ready to answer after start, {span}",
                "at most",
                150,
                start.answers,
                " ms",
                why="start",
            )
    for key in (names.TODAY, names.MONTH, names.MILLION):
        if key in results.stalls:
            what = f"longest stall of another Redis client, p99.9 ({key})"
            yield Verdict(
                what, "at most", 3, results.stalls[key].p999, " ms", why="stall"
            )
