"""A message from the notices of a group. Pure.

🚨 Critical Error

LanguageBuddy's health check fails
It answered 503 for two minutes.

User: ***1234
Since: 02:10
Check logs for details
Dashboard: https://grafana.example.org/d/soloscope-overview
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from itertools import groupby
from typing import Literal, NamedTuple

from soloscope.notify.notices import SEVERITIES, Alert, Notice
from soloscope.notify.texts import cut, isolated, one_line

__all__ = ["Message", "compose"]

LATE = 120.0
"""Seconds from the request to the sending, above which the message says so."""

LISTED = 10
"""More alerts or messages than these are counted only."""

TITLES = {
    "critical": "🚨 Critical Error",
    "warning": "⚠️ Warning",
    "info": "💬 For your information",
}
RESOLVED = "✅ Resolved"
REHEARSAL = "🔁 Rehearsal, nothing is wrong"
REPEATED = "(possibly repeated)"
LATE_TEXT = "sent late"
LOGS = "Check logs for details"
NOTHING = "-"
"""Stands for an empty parameter, which WhatsApp refuses."""

# The whole body of a template must have at most 1,024 characters (docs/whatsapp.md).
_PARAMETERS = {"title": 80, "what": 500, "since": 120, "link": 200}
_LINE = 90


class Message(NamedTuple):
    """The free text, and the same for an approved template."""

    text: str
    template: Literal["alert", "digest"]
    parameters: tuple[str, ...]


class _Parts(NamedTuple):
    """What the text and the parameters are made from."""

    title: str
    lines: Sequence[str]
    user: str = ""
    value: str = ""
    since: str = ""
    links: Sequence[tuple[str, str]] = ()
    check_logs: bool = True


class _Story(NamedTuple):
    """An alert at its newest, and when it fired and was resolved."""

    alert: Alert
    events: Sequence[tuple[str, float]]


def compose(
    notices: Sequence[tuple[float, Notice]],
    now: float,
    zone: tzinfo,
    titles: Mapping[str, str],
    *,
    repeated: bool = False,
) -> Message:
    """The message for a group's notices, each with the time of its request.

    `titles` has the apps' titles; the message names the app where there are several.
    `repeated`: it may have been sent before.
    """
    received, newest = notices[0][0], notices[-1][1]
    clock = _Clock(now, zone)
    late = now - received > LATE
    if newest.kind == "digest":
        return _digest(newest, repeated)
    if newest.kind == "alerts":
        parts = _of_alerts([n for _, n in notices], clock, titles, late)
    else:
        parts = _of_texts(notices, clock, titles, late)
    return _written(parts, newest.rehearsal, repeated)


class _Clock(NamedTuple):
    now: float
    zone: tzinfo

    def __call__(self, at: float) -> str:
        """ "02:10", with the date on another day."""
        try:
            moment = datetime.fromtimestamp(at, self.zone)
        except (OverflowError, ValueError, OSError):
            return NOTHING
        same = moment.date() == datetime.fromtimestamp(self.now, self.zone).date()
        return f"{moment:%H:%M}" if same else f"{moment.day} {moment:%b %H:%M}"


def _of_app(text: str, app: str, titles: Mapping[str, str]) -> str:
    """The text with the app's title before it, where it names no app."""
    title = titles.get(app, app)
    if not app or len(titles) < 2 or title in text or app in text:
        return text
    return f"{title}: {text}"


def _stories(notices: Sequence[Notice]) -> list[_Story]:
    """What happened to each alert of several notices, the firing ones first."""
    found: dict[str, tuple[Alert, dict[tuple[str, float], None]]] = {}
    for notice in notices:
        for alert in notice.alerts:
            _, events = found.get(alert.fingerprint, (alert, {}))
            if alert.starts is not None:
                events["fired", alert.starts] = None
            if not alert.firing and alert.ends is not None:
                events["resolved", alert.ends] = None
            found[alert.fingerprint] = alert, events
    stories = [_Story(alert, list(events)) for alert, events in found.values()]
    rank = SEVERITIES.index
    stories.sort(key=lambda s: (not s.alert.firing, rank(s.alert.severity)))
    return stories


def _when(story: _Story, clock: _Clock, late: bool) -> str:
    """ "Since: 02:10", or "Fired 02:10, resolved 02:45, sent late"."""
    events = list(story.events)[-6:]
    ending = [LATE_TEXT] if late else []
    if story.alert.firing and len(events) == 1:
        return "Since: " + ", ".join([clock(events[0][1]), *ending])
    told = ", ".join([*(f"{what} {clock(at)}" for what, at in events), *ending])
    return told[:1].upper() + told[1:]


def _of_alerts(
    notices: Sequence[Notice], clock: _Clock, titles: Mapping[str, str], late: bool
) -> _Parts:
    stories = _stories(notices)
    first = stories[0].alert
    firing = first.firing
    title = TITLES[first.severity] if firing else RESOLVED
    more = notices[-1].more
    if len(stories) == 1 and not more:
        lines = [isolated(_of_app(first.summary, first.app, titles))]
        if first.description and first.description not in first.summary:
            lines.append(isolated(first.description))
        return _Parts(
            title,
            lines,
            first.user,
            first.value,
            _when(stories[0], clock, late),
            first.links,
            firing,
        )
    # Alerts that read the same are one line with their number.
    told: dict[str, int] = {}
    for story in stories:
        mark = "•" if story.alert.firing else "✓"
        text = cut(_of_app(story.alert.summary, story.alert.app, titles), 160)
        when = cut(_when(story, clock, late), 80)
        line = f"{mark} {isolated(text)} ({when})"
        told[line] = told.get(line, 0) + 1
    lines = [
        line + (f", {count} times" if count > 1 else "")
        for line, count in list(told.items())[:LISTED]
    ]
    rest = more + sum(list(told.values())[LISTED:])
    if rest:
        lines.append(f"and {rest} more")
    users = {story.alert.user for story in stories}
    starts = [s.alert.starts for s in stories if s.alert.firing and s.alert.starts]
    links = first.links if len({story.alert.links for story in stories}) == 1 else ()
    return _Parts(
        title,
        [f"{len(stories) + more} alerts", *lines],
        users.pop() if len(users) == 1 else "",
        since=f"Since: {clock(min(starts))}" if starts and firing else "",
        links=links or first.links[:1],
        check_logs=firing,
    )


def _of_texts(
    notices: Sequence[tuple[float, Notice]],
    clock: _Clock,
    titles: Mapping[str, str],
    late: bool,
) -> _Parts:
    (received, first), newest = notices[0], notices[-1][1]
    worst = min((n.severity for _, n in notices), key=SEVERITIES.index)
    since = f"Since: {clock(received)}" + (f", {LATE_TEXT}" if late else "")
    if len(notices) == 1:
        text = isolated(_of_app(first.text, first.app, titles))
        return _Parts(
            TITLES[worst], text.split("\n"), first.user, since=since if late else ""
        )
    # The same text many times is one line with its number.
    told = [(cut(one_line(n.text), 160), at) for at, n in notices]
    runs = [(text, list(run)) for text, run in groupby(told, key=lambda pair: pair[0])]
    lines = [
        f"• {isolated(text)} ({f'{len(run)} times, ' if len(run) > 1 else ''}"
        f"{clock(run[-1][1])})"
        for text, run in runs[:LISTED]
    ]
    if len(runs) > LISTED:
        lines.append(f"and {sum(len(run) for _, run in runs[LISTED:])} more")
    users = {n.user for _, n in notices}
    return _Parts(
        TITLES[worst],
        [_of_app(f"{len(notices)} messages", newest.app, titles), *lines],
        users.pop() if len(users) == 1 else "",
        since=since,
    )


def _written(parts: _Parts, rehearsal: bool, repeated: bool) -> Message:
    details = [
        *([f"User: {isolated(parts.user)}"] if parts.user else []),
        *([f"Value: {isolated(parts.value)}"] if parts.value else []),
        *([parts.since] if parts.since else []),
        *([LOGS] if parts.check_logs else []),
        *(f"{what}: {url}" for what, url in parts.links),
        *([REPEATED] if repeated else []),
    ]
    head = [REHEARSAL, ""] if rehearsal else []
    end = "\n\n" + "\n".join(details) if details else ""
    start = "\n".join([*head, parts.title, "", *parts.lines])
    # What is long is the text; who, when and the links stand to the end.
    text = cut(start, 4096 - len(end.encode("utf-16-le")) // 2) + end
    title = [*(["Rehearsal"] if rehearsal else []), parts.title]
    title += [REPEATED] if repeated else []
    what = [*parts.lines]
    what += [f"User: {parts.user}"] if parts.user else []
    what += [f"Value: {parts.value}"] if parts.value else []
    link = next((url for _, url in parts.links), NOTHING)
    parameters = {
        "title": " ".join(title),
        "what": " · ".join(filter(None, what)),
        "since": parts.since.removeprefix("Since: ") or NOTHING,
        "link": link if len(link) <= _PARAMETERS["link"] else NOTHING,
    }
    return Message(
        text,
        "alert",
        tuple(cut(one_line(t), _PARAMETERS[n]) for n, t in parameters.items()),
    )


def _digest(notice: Notice, repeated: bool) -> Message:
    """A report as it is; without parameters it goes into the alert's template."""
    ending = f"\n{REPEATED}" if repeated else ""
    text = cut(notice.text, 4096 - len(ending)) + ending
    if not notice.parameters:
        title, _, rest = notice.text.partition("\n")
        parts = _Parts(title, rest.split("\n"), check_logs=False)
        return Message(text, "alert", _written(parts, False, repeated).parameters)
    lines = [cut(one_line(p), _LINE) or NOTHING for p in notice.parameters]
    return Message(text, "digest", tuple(lines))
