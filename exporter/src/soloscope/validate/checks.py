"""The kinds of checks. Each looks, and gives a verdict with its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from redis.exceptions import ResponseError

from soloscope.config import (
    EventCheck,
    GapCheck,
    LimitCheck,
    MovesCheck,
    RecordCheck,
    Validator,
)
from soloscope.counts.jobs import job_day
from soloscope.errors import BackendUnavailable, SoloscopeError
from soloscope.masking import masked
from soloscope.users.records import flat, moment
from soloscope.validate.sources import Event, Sources
from soloscope.validate.verdict import Verdict

__all__ = ["examine"]

LATE = 60.0
"""Seconds by which an app may write a record later than it prints the line."""

UNITS = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86400.0}


def examine(validator: Validator, sources: Sources) -> Iterator[tuple[str, Verdict]]:
    """The verdict of each check with its name, the jobs first.

    What cannot be read is a verdict, too.
    """
    kinds = (
        (validator.events, _event),
        (validator.records, _record),
        (validator.moves, _moves),
        (validator.gaps, _gaps),
        (validator.limits, _limit),
    )
    for job in validator.jobs:
        yield job, _safe(_job, job, sources)
    for checks, look in kinds:
        for name, check in checks.items():
            yield name, _safe(look, check, sources)


def _safe(look: Any, check: Any, sources: Sources) -> Verdict:
    try:
        verdict: Verdict = look(check, sources)
    except (BackendUnavailable, SoloscopeError) as error:
        return Verdict(None, masked(str(error)))
    return Verdict(verdict.ok, masked(verdict.evidence))


# --- jobs and events ----------------------------------------------------------------


def _job(name: str, sources: Sources) -> Verdict:
    """Whether the job ran on each day of the span, from the first day with a count."""
    app, job = sources.app, sources.app.jobs[name]
    last = job_day(job, sources.end, app.zone)
    if last is None or app.redis is None:
        return Verdict(None, "its first deadline is still to come")
    days = [last - timedelta(n) for n in range(max(1, round(sources.seconds / 86400)))]
    keys = [f"{app.redis.prefix}{day}:{job.counter}" for day in days]
    replies = sources.redis().run([("GET", key) for key in keys])
    counts: dict[date, int] = {}
    for day, reply in zip(days, replies, strict=True):
        if isinstance(reply, ResponseError):
            return Verdict(None, f"Redis says: {reply}")
        counts[day] = int(reply) if reply is not None and reply.isdigit() else 0
    # Before its first success the app may not have existed.
    first = min((day for day, count in counts.items() if count), default=last)
    short = {day: n for day, n in counts.items() if n < job.min and day >= first}
    if short:
        day, count = min(short.items())
        return Verdict(
            False,
            f"`{job.counter}` was {count} on {day}, at least {job.min} is needed"
            f" ({len(short)} of {_days((last - first).days + 1)})",
        )
    return Verdict(
        True,
        f"`{job.counter}` was {job.min} or more on {_days((last - first).days + 1)}",
    )


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def _event(check: EventCheck, sources: Sources) -> Verdict:
    count = sources.number(check.event)
    said = f"{count} `{check.event}` in {sources.since}"
    if check.min is not None and count < check.min:
        return Verdict(False, f"{said}, at least {check.min} are needed")
    if check.max is not None and count > check.max:
        return Verdict(False, f"{said}, at most {check.max} are allowed")
    if check.of is not None and check.max_percent is not None:
        good = sources.number(check.of)
        share = 100 * count / (count + good) if count else 0.0
        said = f"{said} beside {good} `{check.of}`: {share:.1f} %"
        return Verdict(
            share <= check.max_percent, f"{said}, at most {check.max_percent:g} %"
        )
    return Verdict(True, said)


# --- records ------------------------------------------------------------------------


def _entries(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The entries of a value with their names: a table of objects has several."""
    if isinstance(value, Mapping) and value:
        inner = list(value.items())
        if all(isinstance(part, Mapping) for _, part in inner):
            for name, part in inner:
                yield str(name), dict(flat(part))
            return
    yield "", dict(flat(value))


def _find(entry: Mapping[str, Any], field: str) -> Any:
    """The value of a field, by its whole name or its last part; None without one."""
    if field in entry:
        return entry[field]
    return next((v for n, v in entry.items() if n.endswith(f".{field}")), None)


def _record(check: RecordCheck, sources: Sources) -> Verdict:
    records, entries, wrong, first = 0, 0, 0, ""
    more = False
    latest = datetime.fromtimestamp(sources.end + 300, UTC)
    for key, loaded in sources.scanned(check.record):
        if not key:
            more = True
            break
        records += 1
        faults = (
            [f"{key}: {loaded.note}"] if loaded.note not in {"", "no such key"} else []
        )
        for value in loaded.values:
            for name, entry in _entries(value):
                entries += 1
                where = f"{key} {name}".strip()
                faults += _faults(check, entry, where, latest)
        if faults:
            wrong += 1
            first = first or faults[0]
    sample = f"a sample of {records}" if more else str(records)
    if not records:
        return Verdict(None, f"there is no record `{check.record}`")
    if wrong:
        return Verdict(False, f"{wrong} of {sample} records are wrong, first {first}")
    return Verdict(True, f"{sample} records with {entries} entries, all complete")


def _faults(
    check: RecordCheck, entry: Mapping[str, Any], where: str, latest: datetime
) -> Iterator[str]:
    for field in check.fields:
        if _find(entry, field) is None:
            yield f"{where}: no `{field}`"
    for field in check.times:
        value = _find(entry, field)
        at = moment(value)
        if value is None:
            yield f"{where}: no `{field}`"
        elif at is None:
            yield f"{where}: `{field}` is no time"
        elif at > latest:
            yield f"{where}: `{field}` is in the future ({at:%Y-%m-%d %H:%M} UTC)"


def _moves(check: MovesCheck, sources: Sources) -> Verdict:
    newest: dict[tuple[str, str], float] = {}
    for event in sources.events(check.event, sources.sample):
        name = str(event.fields.get(check.entry, "")) if check.entry else ""
        if event.user:
            newest[event.user, name] = event.at
    if not newest:
        return Verdict(None, f"no `{check.event}` with a user in {sources.since}")
    users = list(dict.fromkeys(user for user, _ in newest))
    records = sources.records(check.record, users)
    wrong, first = 0, ""
    for (user, name), at in newest.items():
        seen = _newest(records[user].values, name, check.field)
        if seen is not None and seen.timestamp() >= at - LATE:
            continue
        wrong += 1
        when = datetime.fromtimestamp(at, UTC)
        record = f"`{check.field}` of {name}".removesuffix(" of ")
        has = f"{seen:%Y-%m-%d %H:%M} UTC" if seen is not None else "missing"
        first = first or (f"{user} at {when:%Y-%m-%d %H:%M} UTC, but {record} is {has}")
    if wrong:
        return Verdict(
            False, f"{wrong} of {len(newest)} did not move on, first {first}"
        )
    return Verdict(
        True,
        f"`{check.field}` is as late as `{check.event}` for {_users(len(users))}",
    )


def _users(number: int) -> str:
    return "1 user" if number == 1 else f"{number} users"


def _newest(values: Sequence[Any], name: str, field: str) -> datetime | None:
    times = [
        at
        for value in values
        for entry, fields in _entries(value)
        if not name or entry == name
        if (at := moment(_find(fields, field))) is not None
    ]
    return max(times, default=None)


# --- time and limits ----------------------------------------------------------------


def _gaps(check: GapCheck, sources: Sources) -> Verdict:
    gaps = [e for e in sources.events(check.event, sources.sample) if e.user]
    before: dict[str, list[float]] = {}
    for event in sources.events(check.after):
        before.setdefault(event.user, []).append(event.at)
    unit = UNITS[check.unit]
    looked, wrong, first = 0, 0, ""
    for event in gaps:
        earlier = [at for at in before.get(event.user, ()) if at < event.at]
        if not earlier:
            continue  # it was before the span
        looked += 1
        real = (event.at - earlier[-1]) / unit
        try:
            said = float(event.fields.get(check.field, "nan"))
        except (TypeError, ValueError):
            said = float("nan")
        # Rounded up or down, and counted from a line that is printed a little later.
        if not abs(said - real) <= 1 + LATE / unit:
            wrong += 1
            when = datetime.fromtimestamp(event.at, UTC)
            first = first or (
                f"{event.user} at {when:%Y-%m-%d %H:%M} UTC: `{check.field}` is"
                f" {said:g}, but it was {real:.1f} {check.unit}"
            )
    if wrong:
        return Verdict(False, f"{wrong} of {looked} are wrong, first {first}")
    if not looked:
        return Verdict(None, f"no `{check.event}` after a `{check.after}`")
    return Verdict(True, f"{looked} `{check.event}`, each with the right time")


def _limit(check: LimitCheck, sources: Sources) -> Verdict:
    zone = sources.app.zone

    def day(event: Event) -> date:
        return datetime.fromtimestamp(event.at, zone).date()

    counted = [e for e in sources.events(check.event) if e.user]
    refused = sources.events(check.refusal) if check.refusal else []
    refused = [e for e in refused if e.user]
    # Of the first day, a part may be older than the lines.
    whole = min((day(e) for e in counted), default=None)
    users = list(dict.fromkeys(e.user for e in (*counted, *refused)))[: sources.sample]
    if not users:
        return Verdict(None, f"no `{check.event}` with a user in {sources.since}")
    records = sources.records(check.record, users)
    limited = {
        user
        for user in users
        for value in records[user].values
        for _, entry in _entries(value)
        if str(_find(entry, check.field)) == check.value
    }
    sums: dict[tuple[str, date], list[tuple[float, float]]] = {}
    for event in counted:
        many = _count(event, check.count)
        rows = sums.setdefault((event.user, day(event)), [])
        rows.append((event.at, (rows[-1][1] if rows else 0.0) + many))
    known = set(users)
    faults = [
        f"{user} had {rows[-1][1]:g} on {when}, at most {check.max}"
        for (user, when), rows in sums.items()
        if user in limited and rows[-1][1] > check.max
    ]
    for event in refused:
        when = day(event)
        if event.user not in known or when == whole:
            continue
        rows = sums.get((event.user, when), [])
        had = max((total for at, total in rows if at <= event.at), default=0.0)
        if event.user not in limited:
            faults.append(
                f"{event.user} was refused on {when}, without `{check.field}` ="
                f" {check.value}"
            )
        elif had < check.max:
            faults.append(
                f"{event.user} was refused on {when} after {had:g}, not {check.max:g}"
            )
    looked = f"{_users(len(limited))} with the limit and {len(known - limited)} without"
    if faults:
        return Verdict(False, f"{len(faults)} wrong among {looked}, first {faults[0]}")
    return Verdict(True, f"{looked}, {len(refused)} refused, all as the limit says")


def _count(event: Event, field: str | None) -> float:
    if field is None:
        return 1.0
    try:
        return float(event.fields.get(field, 0))
    except (TypeError, ValueError):
        return 0.0
