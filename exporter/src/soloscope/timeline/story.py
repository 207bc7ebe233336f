"""The story of one id: its own lines, and what happened around them.

An id is a conversation, a user, a trace, or any word that lines contain. Around its
lines are searched: other failures of the app and what systemd says of its units,
annotations, checks and scrapes that stopped answering, and alerts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter

from soloscope.backends.loki import Line, LokiApi
from soloscope.backends.prometheus import PrometheusApi
from soloscope.errors import BackendUnavailable
from soloscope.timeline.lines import BAD, Kind, Moment, moment, quoted

__all__ = ["Story", "events", "tell"]

MOST = 500
"""Lines of an id that are shown, the newest."""

BEFORE, AFTER = 300.0, 120.0
"""Seconds around its lines in which a cause is searched."""

WHOLE = 7200.0
"""An id whose lines are further apart than this many seconds (a user's, mostly) has
causes searched around its first failure only."""

_UNIT_WORDS = (
    "^(?:Started|Stopped) |Main process exited|Failed with result|Scheduled restart job"
)


@dataclass(frozen=True)
class Story:
    """Moments in order of time. `first_wrong` is what failed first, if anything did.

    `about` says what the id is; `deployed` is the last annotation shortly before
    `first_wrong`; `unseen` names the sources that did not answer.
    """

    id: str
    about: str
    moments: Sequence[Moment]
    first_wrong: Moment | None
    deployed: Moment | None
    unseen: Sequence[str] = ()


def events(
    loki: LokiApi, apps: Sequence[str], id_: str, start: float, end: float, limit: int
) -> list[Line]:
    """The newest lines that have the id in their metadata, oldest first."""
    query = (
        f"{_of(apps)} | conversation_id={quoted(id_)} or user={quoted(id_)} "
        f"or trace_id={quoted(id_)}"
    )
    return loki.lines(query, start, end, limit)[::-1]


def tell(
    loki: LokiApi,
    prometheus: PrometheusApi | None,
    apps: Sequence[str],
    id_: str,
    start: float,
    end: float,
) -> Story | None:
    """The story of `id_` between two Unix times; None when no line has it.

    Raises BackendUnavailable when Loki does not answer. Without Prometheus the story
    has no checks and alerts.
    """
    lines, about = _own(loki, apps, id_, start, end)
    if not lines:
        return None
    own = [moment(line) for line in lines]
    apps = sorted({line.labels["app"] for line in lines if "app" in line.labels})
    failures = [m for m in own if m.bad]
    began, ended = own[0].at, own[-1].at
    if ended - began > WHOLE:
        began = ended = (failures[0] if failures else own[-1]).at
    since, until = began - BEFORE, ended + AFTER
    around = list(_around(loki, apps, id_, own, since, until))
    unseen: list[str] = []
    if prometheus is not None:
        try:
            around += _states(prometheus, apps, since, until)
        except BackendUnavailable as error:
            unseen.append(str(error))
    # What happened after its own failure is no cause of it.
    limit = failures[0].at if failures else until
    wrong = [m for m in [*own, *around] if m.bad and m.at <= limit]
    first = min(wrong, key=attrgetter("at"), default=None)
    deploys = [m for m in around if m.kind == "deploy" and first and m.at <= first.at]
    return Story(
        id_,
        about,
        sorted([*own, *around], key=attrgetter("at")),
        first,
        max(deploys, key=attrgetter("at"), default=None),
        unseen,
    )


def _any(words: Iterable[str]) -> str:
    """A regular expression for each of the words, quoted."""
    return quoted("|".join(map(re.escape, words)))


def _of(apps: Sequence[str], *more: str) -> str:
    return f"{{{', '.join((f'app=~{_any(apps)}', *more))}}}"


def _own(
    loki: LokiApi, apps: Sequence[str], id_: str, start: float, end: float
) -> tuple[list[Line], str]:
    """The lines of the id, and what it is."""
    lines = events(loki, apps, id_, start, end, MOST)
    names = {"conversation_id": "conversation", "user": "user", "trace_id": "trace"}
    for label, name in names.items():
        if any(line.labels.get(label) == id_ for line in lines):
            if name == "conversation":
                lines = _with_traces(loki, apps, lines, start, end)
            return lines, name
    word = re.compile(rf"(?<![\w-]){re.escape(id_)}(?![\w-])")
    found = loki.lines(f"{_of(apps)} |= {quoted(id_)}", start, end, MOST)
    return [line for line in reversed(found) if word.search(line.text)], "word"


def _with_traces(
    loki: LokiApi, apps: Sequence[str], lines: list[Line], start: float, end: float
) -> list[Line]:
    """The lines, and those of their traces that do not name the conversation."""
    traces = {line.labels.get("trace_id", "") for line in lines} - {""}
    if not traces:
        return lines
    some = _any(sorted(traces)[:20])
    query = f'{_of(apps)} | trace_id=~{some} | conversation_id=""'
    more = loki.lines(query, start, end, MOST)
    return sorted([*lines, *more], key=attrgetter("at"))


def _around(
    loki: LokiApi,
    apps: Sequence[str],
    id_: str,
    own: Sequence[Moment],
    since: float,
    until: float,
) -> Iterator[Moment]:
    """Other failures of the apps, what systemd says, and annotations."""
    bad = f'{{app=~{quoted("|".join(map(re.escape, apps)))}, level=~"{"|".join(BAD)}"}}'
    seen = {(m.at, m.what) for m in own}
    users = {m.user for m in own} - {""}
    others: list[Moment] = []
    for line in loki.lines(bad, since, until, MOST):
        found = moment(line)
        if (found.at, found.what) in seen or id_ in (found.conversation, found.user):
            continue
        if found.conversation or (found.user and found.user not in users):
            others.append(found)
        else:
            seen.add((found.at, found.what))
            yield found
    yield from _folded(others)
    for line in loki.lines(f"{_of(apps)} |~ `{_UNIT_WORDS}`", since, until, MOST):
        found = moment(line)
        if (found.at, found.what) not in seen:
            yield replace(found, bad=not found.what.startswith(("Started", "Stopped")))
    marks = '{job="soloscope-annotate"} | event="annotation"'
    for line in loki.lines(marks, since, until, MOST):
        yield replace(moment(line), kind="deploy", event="annotation", level="")


def _folded(others: Iterable[Moment]) -> Iterator[Moment]:
    """Failures of other users, one moment for each kind, at its first time."""

    def kind(m: Moment) -> tuple[str, str]:
        return m.event, m.level

    for _, group in groupby(sorted(others, key=kind), key=kind):
        same = sorted(group, key=attrgetter("at"))
        first, more = same[0], len(same) - 1
        also = f" (and {more} more of other users)" if more else " (another user)"
        yield replace(first, what=first.what + also, conversation="", user="")


def _states(
    prometheus: PrometheusApi, apps: Sequence[str], since: float, until: float
) -> Iterator[Moment]:
    """Checks, scrapes and alerts that changed."""
    some = _any(apps)
    step = max(5.0, (until - since) / 500)
    asked: tuple[tuple[str, Kind, bool], ...] = (
        (f"soloscope_check_up{{app=~{some}}}", "check", True),
        (f"soloscope_up{{app=~{some}}}", "check", True),
        (f"up{{app=~{some}}}", "check", True),
        (f'ALERTS{{alertstate="firing",app=~{some}}}', "alert", False),
    )
    for query, kind, well in asked:
        samples = prometheus.span(query, since, until, step)
        by_series = groupby(samples, key=lambda s: tuple(sorted(s.labels.items())))
        for labels, series in by_series:
            values = [(s.at, bool(s.value)) for s in series]
            name = _named(dict(labels))
            if kind == "alert":
                yield Moment(values[0][0], kind, name, bad=True)
                continue
            before = well
            for at, up in values:
                if up != before:
                    says = "answers again" if up else "does not answer"
                    yield Moment(at, kind, f"{name} {says}", bad=not up)
                before = up


def _named(labels: dict[str, str]) -> str:
    """What a series is about, in a few words."""
    metric = labels.get("__name__", "")
    if metric == "ALERTS":
        return labels.get("alertname", "an alert")
    if metric == "soloscope_check_up":
        return f"check {labels.get('name', '')}"
    return "Redis of the counts" if metric == "soloscope_up" else "/metrics of the app"
