"""The placeholders of a digest's line: `{counters.orders}`, `{ratios.premium}` …

    {counters.NAME}   the day's count; {uniques.NAME} different ones, {timings.NAME}
                      the average of a call
    ….before          the same, a week before
    {counters.NAME.7d}, ….30d   the days up to that day, added up
    {gauges.NAME}     the value now
    {ratios.NAME}     a share that `dashboard.ratios` declares, in percent
    {jobs.NAME}       what the last run counted; {jobs.NAME.failures} its failures
    {day}, {date}     `yesterday`, `Tue 17 Nov`

`{counters.orders|order|orders}` puts the noun behind the number, one or many. Braces
are written twice. Pure: the configuration is checked with `problems`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from soloscope.config import App

__all__ = ["KEY_FIELDS", "Placeholder", "fill", "known", "placeholders", "problems"]

KEY_FIELDS = ("key", "count")
"""The placeholders in a line of `digest.top`."""

_WINDOWS = (".7d", ".30d")
_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class Placeholder(NamedTuple):
    """What is wanted (`counters.orders.before`), and the nouns for one and for many."""

    name: str
    nouns: tuple[str, str] | None


def known(app: App) -> list[str]:
    """Every placeholder of an app's lines."""
    names = ["day", "date"]
    for kind in ("counters", "uniques", "timings"):
        for name in getattr(app, kind):
            names += [f"{kind}.{name}", f"{kind}.{name}.before"]
    names += [f"counters.{name}{w}" for name in app.counters for w in _WINDOWS]
    names += [f"gauges.{name}" for name in app.gauges]
    names += [f"ratios.{name}" for name in app.dashboard.ratios]
    for name, job in app.jobs.items():
        names.append(f"jobs.{name}")
        if job.failures:
            names.append(f"jobs.{name}.failures")
    return names


def placeholders(line: str) -> Iterator[Placeholder]:
    """Those of a line. Raises ValueError for a brace that has no partner."""
    for match in _TOKEN.finditer(line):
        if match[0] in {"{", "}"}:
            raise ValueError(f"`{match[0]}` alone; write `{match[0] * 2}` for a brace")
        if match[1] is not None:
            yield _parsed(match[1])


def _parsed(inner: str) -> Placeholder:
    name, *nouns = inner.split("|")
    if not nouns:
        return Placeholder(name, None)
    if len(nouns) != 2 or not all(noun.strip() for noun in nouns):
        raise ValueError(
            f"`{{{inner}}}` needs two nouns, as in `{{{name}|order|orders}}`"
        )
    return Placeholder(name, (nouns[0], nouns[1]))


def problems(line: str, names: Sequence[str]) -> Iterator[str]:
    """What is wrong with a line: each placeholder that is not in `names`."""
    if "\n" in line:
        yield "a line without a line break; write one entry for each line"
    try:
        found = list(placeholders(line))
    except ValueError as error:
        yield str(error)
        return
    for one in found:
        if one.name in names:
            continue
        near = get_close_matches(one.name, names, n=1, cutoff=0.6)
        hint = f"did you mean `{{{near[0]}}}`? " if near else ""
        listed = ", ".join(names) or "none"
        yield f"`{{{one.name}}}` is not declared; {hint}known: {listed}"


def fill(line: str, text: Callable[[Placeholder], str]) -> str:
    """The line with each placeholder replaced by its `text`."""

    def replacement(match: re.Match[str]) -> str:
        if match[1] is not None:
            return text(_parsed(match[1]))
        return match[0][0]

    return _TOKEN.sub(replacement, line)
