"""The report as text, and as the parameters of a message template. Pure.

Each app has a title, its lines and its top lists; then follow what fired, new errors,
the disk budget, and what could not be read. All text that is not the declaration's is
printable, without line breaks, and with people masked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from soloscope.counts.jobs import Verdict
from soloscope.counts.model import today
from soloscope.digest.lines import Placeholder, fill, placeholders
from soloscope.digest.values import WEEK
from soloscope.digest.words import (
    UNKNOWN,
    amount,
    clock,
    day_name,
    plural,
    readable,
    short_date,
)
from soloscope.masking import masked
from soloscope.terminal import printable

if TYPE_CHECKING:
    from datetime import date
    from zoneinfo import ZoneInfo

    from soloscope.config import App, Job
    from soloscope.counts.model import Number
    from soloscope.digest.values import AppValues
    from soloscope.error_groups import Group

__all__ = ["PARAMETERS", "Disk", "Fired", "Report", "parameters", "text"]

RULE = "━" * 18

#: WhatsApp takes 4,096 characters; an emoji may count as two.
MOST = 3900

#: A template's text has at most 1,024 characters with its parameters.
PARAMETERS = 10
PARAMETER_MOST = 90

_MARKS = {
    Verdict.ON_TIME: "✅",
    Verdict.SOME_FAILED: "⚠️",
    Verdict.FEW_DONE: "⚠️",
    Verdict.MOST_FAILED: "❌",
    Verdict.LATE: "❌",
}

_LINE = 300
_LISTED = 5
_FEW_DAYS = 14


class Fired(NamedTuple):
    """An alert of the last day: Unix times at which it began and last fired."""

    name: str
    app: str
    first: float
    last: float
    firing: bool


class Disk(NamedTuple):
    """The disk budget of the logs, in bytes; `days_left` may be infinite."""

    used: float
    budget: float
    days_left: float
    blocked: bool


@dataclass(frozen=True, slots=True)
class Report:
    """All that is known for one morning. `at` is the report's Unix time.

    What is None is not part of the host, or is in `unread` with the reason.
    """

    at: float
    zone: ZoneInfo
    apps: Sequence[AppValues]
    alerts: Sequence[Fired] | None = None
    errors: Sequence[Group] | None = None
    disk: Disk | None = None
    unread: Sequence[str] = ()

    @property
    def morning(self) -> date:
        """The developer's date of the message."""
        return today(self.at, self.zone)


class _Part(NamedTuple):
    """Lines that belong together. What is urgent has a place in every template."""

    lines: Sequence[str]
    apart: bool = False
    urgent: bool = False


def text(report: Report) -> str:
    """The whole message, at most MOST characters."""
    blocks = []
    for values in report.apps:
        title = f"📊 {values.app.title} Daily Report"
        blocks.append("\n".join([title, RULE, *_joined(_app_parts(values, report))]))
    rest = "\n".join(_joined(_host_parts(report)))
    if rest:
        blocks.append(rest)
    whole = "\n\n".join(blocks)
    if len(whole) <= MOST:
        return whole
    kept = whole[: MOST - 40].rpartition("\n")[0]
    return f"{kept}\n… the rest is on the dashboards"


def parameters(report: Report) -> list[str]:
    """PARAMETERS texts for a template: the titles, the day, and one for each line.

    None has a line break, a tab or several spaces, and none is empty, because WhatsApp
    refuses those.
    """
    titles = ", ".join(_clean(values.app.title) for values in report.apps)
    days = {values.day for values in report.apps}
    when = ", ".join(short_date(day) for day in sorted(days))
    parts = [part for one in report.apps for part in _app_parts(one, report)]
    parts += _host_parts(report)
    room = PARAMETERS - 2
    if len(parts) > room:
        # What is urgent stays; of the others the first, and a word about the rest.
        urgent = [part for part in parts if part.urgent][: room - 1]
        calm = [part for part in parts if not part.urgent]
        chosen = calm[: room - 1 - len(urgent)]
        left = len(parts) - len(urgent) - len(chosen)
        more = _Part([f"{left} more on the dashboards"])
        parts = [part for part in parts if part in urgent or part in chosen]
        parts = [*parts[: room - 1], more]
    texts = [titles, when, *(_flat(part) for part in parts)]
    texts += [""] * (PARAMETERS - len(texts))
    return [_fitting(one) for one in texts]


def _flat(part: _Part) -> str:
    head, *rest = part.lines
    return f"{head} {', '.join(rest)}" if rest else head


def _fitting(value: str) -> str:
    flat = " ".join(value.split()) or "-"
    if len(flat) <= PARAMETER_MOST:
        return flat
    return flat[: PARAMETER_MOST - 1] + "…"


def _joined(parts: Sequence[_Part]) -> Iterator[str]:
    for at, part in enumerate(parts):
        if part.apart and at:
            yield ""
        yield from part.lines


def _clean(value: str, most: int = _LINE) -> str:
    return printable(masked(value), most)


# --- an app -------------------------------------------------------------------------


def _app_parts(values: AppValues, report: Report) -> list[_Part]:
    if values.error:
        why = f"❓ The counts could not be read: {_clean(values.error)}"
        return [_Part([why], urgent=True)]
    app = values.app
    declared = bool(app.digest.lines)
    parts = [] if declared and _says_day(app) else [_heading(values, report)]
    parts += _declared(values, report) if declared else _made(values, report)
    if not values.begun:
        note = "Nothing was counted until then; tomorrow's report is the first full one"
        parts.append(_Part([note]))
    return [*parts, *_tops(values)]


def _says_day(app: App) -> bool:
    named = {one.name for line in app.digest.lines for one in placeholders(line)}
    return bool(named & {"day", "date"})


def _heading(values: AppValues, report: Report) -> _Part:
    name = day_name(values.day, report.morning)
    date = short_date(values.day)
    said = date if date in name else f"{readable(name)}, {date}"
    return _Part([f"{said}:"])


def _declared(values: AppValues, report: Report) -> list[_Part]:
    parts, named = [], set()
    for line in values.app.digest.lines:
        wanted = {one.name for one in placeholders(line)}
        named |= wanted
        if wanted & values.nothing:
            continue  # a share of nothing, such as conversions without a trial

        def shown(one: Placeholder) -> str:
            return _placeholder(one, values, report)

        parts.append(_Part([fill(line, shown)]))
    for name, job in values.app.jobs.items():
        state = values.jobs.get(name)
        spoken = {f"jobs.{name}.failures", f"counters.{job.failures}"} & named
        # What the app's own lines may say so that it sounds well.
        fine = {Verdict.ON_TIME, Verdict.SOME_FAILED} if spoken else {Verdict.ON_TIME}
        if state is None or state.verdict not in fine:
            parts.append(_Part([_job(name, job, values, report)], urgent=True))
    compared = _compared(values, named)
    return [*parts, _Part([compared])] if compared else parts


def _placeholder(one: Placeholder, values: AppValues, report: Report) -> str:
    if one.name == "day":
        return day_name(values.day, report.morning)
    if one.name == "date":
        return short_date(values.day)
    value = values.numbers.get(one.name)
    if one.nouns is not None:
        return plural(value, *one.nouns)
    return amount(value, _unit(values.app, one.name))


def _unit(app: App, name: str) -> str:
    kind, bare, *_ = name.split(".")
    if kind == "ratios":
        return "percentunit"
    if kind == "timings":
        return "ms"
    if kind == "counters":
        return app.counters[bare].unit
    return app.gauges[bare].unit if kind == "gauges" else ""


def _label(app: App, name: str) -> str:
    kind, bare, *_ = name.split(".")
    return _clean(getattr(app, kind)[bare].help or readable(bare), 80)


def _compared(values: AppValues, named: set[str]) -> str:
    """The same weekday before, for the lines that do not say it themselves."""
    said = []
    for name in sorted(named, key=lambda one: (one.partition(".")[0], one)):
        before = values.numbers.get(f"{name}.before")
        if before is None or f"{name}.before" in named:
            continue
        unit = _unit(values.app, name)
        now, then = amount(values.numbers.get(name), unit), amount(before, unit)
        said.append(f"{_label(values.app, name)} {now} (was {then})")
    if not said:
        return ""
    return f"📈 Against {short_date(values.day - WEEK)}: {', '.join(said)}"


def _made(values: AppValues, report: Report) -> list[_Part]:
    """The report of an app without lines of its own: what it declares."""
    app = values.app
    jobs = []
    for name, job in sorted(app.jobs.items()):
        state = values.jobs.get(name)
        urgent = state is None or state.verdict is not Verdict.ON_TIME
        jobs.append(_Part([_job(name, job, values, report)], urgent=urgent))
    numbers = [
        (declared.order, at, f"{kind}.{name}")
        for at, kind in enumerate(("counters", "uniques", "gauges"))
        for name, declared in getattr(app, kind).items()
    ]
    names = [name for _, _, name in sorted(numbers)]
    lines = [*jobs, *(_Part([_number_line(values, name)]) for name in names)]
    most = app.digest.limit
    # No limit hides a job that failed.
    kept = [part for at, part in enumerate(lines) if at < most or part.urgent]
    if len(kept) < len(lines):
        left = len(lines) - len(kept)
        kept.append(_Part([f"… {left} more on the dashboards"]))
    if not lines:
        kept = [_Part(["It declares nothing to count"])]
    return kept


def _number_line(values: AppValues, name: str) -> str:
    unit = _unit(values.app, name)
    value, before = values.numbers.get(name), values.numbers.get(f"{name}.before")
    kind, _, bare = name.partition(".")
    about = ""
    if kind == "uniques" and value and not values.app.uniques[bare].exact:
        about = "≈ "
    then = "" if before is None else f" (a week before: {amount(before, unit)})"
    return f"• {_label(values.app, name)}: {about}{amount(value, unit)}{then}"


def _job(name: str, job: Job, values: AppValues, report: Report) -> str:
    """The line of a job's last run, with the mark of its verdict."""
    label = _clean(job.help or readable(name), 80)
    when = day_name(values.runs[name], report.morning)
    due = f"{job.by:%H:%M}"
    if values.app.zone.key != report.zone.key:
        due += f" {values.app.zone.key}"
    state = values.jobs.get(name)
    if state is None:
        return f"❓ {label}: {UNKNOWN} {when} (due {due})"
    line = f"{_MARKS[state.verdict]} {label}: {amount(state.done)} {when} (due {due})"
    if state.late:
        line += f", expected at least {job.min:,}"
    if state.failed:
        line += f", {plural(state.failed, 'failure', 'failures')}"
    if state.verdict is Verdict.FEW_DONE:
        line += f", usually {amount(state.usual)}"
    return line


def _tops(values: AppValues) -> Iterator[_Part]:
    app = values.app
    for name, breakdown in app.breakdowns.items():
        top = app.digest.top.get(name)
        count = 3 if top is None else top.count
        table = list(values.tables.get(name, ()))[:count]
        if not table:
            continue
        title = top.title if top is not None and top.title else None
        if title is None:
            title = f"Top {count}, {breakdown.help or readable(name)}:"
        pattern = top.line if top is not None and top.line else "{key} ({count})"
        lines = [title]
        for place, (key, value) in enumerate(table, 1):
            lines.append(f"{place}. {fill(pattern, _key_text(key, value))}")
        yield _Part(lines, apart=True)


def _key_text(key: str, value: Number) -> Any:
    def shown(one: Placeholder) -> str:
        if one.name == "key":
            return _clean(readable(key), 80)
        return plural(value, *one.nouns) if one.nouns is not None else amount(value)

    return shown


# --- the host -----------------------------------------------------------------------


def _host_parts(report: Report) -> list[_Part]:
    parts = [
        _alerts(report.alerts or (), report.zone),
        _errors(report.errors or ()),
        _disk(report.disk),
        _unread(report.unread),
    ]
    return [part for part in parts if part is not None]


def _alerts(alerts: Sequence[Fired], zone: ZoneInfo) -> _Part | None:
    if not alerts:
        return None
    firing = sum(one.firing for one in alerts)
    still = f", {firing} still firing" if firing else ", all over"
    lines = [f"🔔 Alerts in 24 hours: {len(alerts)}{still}"]
    ordered = sorted(alerts, key=lambda one: (not one.firing, one.first, one.name))
    for one in ordered[:_LISTED]:
        of = f" {one.app}" if one.app else ""
        began, ended = clock(one.first, zone), clock(one.last, zone)
        when = f"since {began}" if one.firing else f"{began} to {ended}"
        lines.append(_clean(f"• {one.name}{of} {when}", 120))
    if len(ordered) > _LISTED:
        lines.append(f"• … {len(ordered) - _LISTED} more")
    return _Part(lines, urgent=True)


def _errors(errors: Sequence[Group]) -> _Part | None:
    """The groups that are new; a known error is no news at breakfast."""
    new = [group for group in errors if group.new]
    if not new:
        return None
    lines = [f"🆕 New errors in 24 hours: {len(new)}"]
    for group in new[:_LISTED]:
        what = ": ".join(filter(None, (group.error or group.event, group.text)))
        times = plural(group.count, "time", "times")
        lines.append(f"• {_clean(group.app, 40)} {_clean(what, 120)} ({times})")
    if len(new) > _LISTED:
        lines.append(f"• … {len(new) - _LISTED} more")
    return _Part(lines, urgent=True)


def _disk(disk: Disk | None) -> _Part | None:
    if disk is None:
        return None
    used = f"{disk.used / 2**30:.1f} of {disk.budget / 2**30:g} GiB"
    if disk.blocked:
        line = f"❌ Logs are refused: {used} are used"
        return _Part([line], urgent=True)
    days = disk.days_left
    left = f"room for {days:,.0f} days" if days < 1000 else "room for years"
    few = days < _FEW_DAYS
    return _Part([f"{'⚠️' if few else '💾'} Logs: {used}, {left}"], urgent=few)


def _unread(unread: Sequence[str]) -> _Part | None:
    if not unread:
        return None
    lines = ["❓ Could not be read:", *(f"• {_clean(one)}" for one in unread[:_LISTED])]
    if len(unread) > _LISTED:
        lines.append(f"• … {len(unread) - _LISTED} more")
    return _Part(lines, urgent=True)
