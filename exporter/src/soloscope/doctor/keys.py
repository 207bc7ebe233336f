"""The keys in Redis, against the app's declaration: pure.

The keys come from scan.py; this module checks their names, types and expiry.
Their values are checked in values.py.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from soloscope.config.values import NAME
from soloscope.counts.model import midnight, today
from soloscope.counts.store import AHEAD
from soloscope.doctor.finding import Finding, note, wrong

if TYPE_CHECKING:
    from soloscope.config import App

__all__ = ["FOREVER", "Key", "examine", "is_other_type", "types_of"]

FOREVER = -1
"""What TTL answers for a key without expiry (https://redis.io/commands/ttl)."""

_THIRTY_DAYS = 30 * 86400
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2}):(.+)\Z", re.DOTALL)
# An expiry set at the first write of a day may be shorter by this much.
_TOLERANCE = 2 * 3600.0
_RENAME = "rename it to letters, digits and underscores and declare that name"
# An app that writes a name for each user would fill the screen.
_MOST = 10


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the app's prefix. `ttl` is in seconds, FOREVER without expiry.

    `sample` has the first bytes of a string, when it was read.
    """

    name: str
    type: str
    ttl: int
    sample: bytes = b""


def types_of(app: App) -> dict[str, tuple[str, str]]:
    """Kind and Redis type of each declared name."""
    found = dict.fromkeys(app.counters, ("counter", "string"))
    found |= dict.fromkeys(app.breakdowns, ("breakdown", "hash"))
    found |= {
        name: ("unique", "set" if unique.exact else "string")
        for name, unique in app.uniques.items()
    }
    found |= dict.fromkeys(app.timings, ("timing", "hash"))
    return found


def is_other_type(app: App, key: Key) -> bool:
    """Whether a declared key of a day has another type than its kind needs."""
    assert app.redis is not None  # noqa: S101 (only such apps have keys)
    match = _DAY.match(key.name.removeprefix(app.redis.prefix))
    declared = types_of(app).get(match[2]) if match else None
    return declared is not None and key.type != declared[1]


def _suggest(key: Key) -> str:
    """The option that would declare a key like this one."""
    kind = {"hash": "breakdowns", "set": "uniques"}.get(key.type)
    if key.type == "string":
        kind = "uniques" if key.sample.startswith(b"HYLL") else "counters"
    return kind or ""


def _some(count: int, example: str) -> str:
    return f"`{example}`" if count == 1 else f"{count} keys such as `{example}`"


def examine(
    app: App, keys: Iterable[Key], now: float, history: int, *, complete: bool = True
) -> Iterator[Finding]:
    """The faults of an app's keys, one finding for each name and fault.

    `history` is the number of exported days. `complete`: all keys are in `keys`, so a
    name without any was never written.
    """
    assert app.redis is not None  # noqa: S101 (only such apps have keys)
    prefix = app.redis.prefix
    declared = types_of(app)
    faults: dict[tuple[str, str], list[Key]] = defaultdict(list)
    seen: set[str] = set()
    day_now = today(now, app.zone)
    kept = max(history, 1) * 86400 - _TOLERANCE
    for key in keys:
        rest = key.name.removeprefix(prefix)
        if rest == "now":
            if key.type != "hash":
                faults["now-type", "now"].append(key)
            if key.ttl != FOREVER:
                faults["now-expiry", "now"].append(key)
            continue
        match = _DAY.match(rest)
        day = _date(match[1]) if match else None
        if match is None or day is None:
            faults["foreign", ""].append(key)
            continue
        name = match[2]
        seen.add(name)
        if name not in declared:
            faults["undeclared", name].append(key)
        elif key.type != declared[name][1]:
            faults["type", name].append(key)
        if key.ttl == FOREVER:
            faults["forever", name].append(key)
        elif now + key.ttl < midnight(day, app.zone) + kept:
            faults["short", name].append(key)
        if _ahead(app, day, day_now, now):
            faults["future", ""].append(key)
    for fault, group in groupby(sorted(faults.items()), lambda item: item[0][0]):
        names = [(name, found) for (_, name), found in group]
        shown = [_finding(app, fault, *one, history) for one in names[:_MOST]]
        yield from shown
        if len(names) > _MOST:
            yield _more(app, shown[0].code, names[-1][0], len(names) - _MOST)
    if complete:
        for name in sorted(declared.keys() - seen):
            what = f"the {declared[name][0]} `{name}` is declared, but Redis has no "
            fix = "nothing, if it is rare; otherwise see that the app writes "
            fix += f"`{prefix}{day_now}:{name}`"
            yield note("never-written", app.name, what + "day of it", fix)


def _more(app: App, code: str, name: str, count: int) -> Finding:
    """One line for all names beyond the limit of lines."""
    said = {"undeclared": "not declared", "no-expiry": "without expiry"}.get(code, code)
    what = f"{count} more names such as `{name}`: the same, {said}"
    fix = "as for the others; a name that holds a user or a number belongs into the "
    return wrong(code, app.name, what, fix + "field of a breakdown")


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _ahead(app: App, day: date, day_now: date, now: float) -> bool:
    """Whether `day` is in the future, also for a clock that is slightly ahead."""
    if day <= day_now:
        return False
    if day > day_now + timedelta(days=1):
        return True
    return midnight(day, app.zone) - now > AHEAD


_EXPIRE = f"after each write, `EXPIRE {{prefix}}<day>:{{name}} {_THIRTY_DAYS}`"
_FAULTS = {
    "forever": ("no-expiry", "{some} {have} no expiry", _EXPIRE),
    "short": (
        "short-expiry",
        "{some} will be gone before the {days} days are over that are shown",
        _EXPIRE,
    ),
    "type": (
        "other-type",
        "{some}: a {type}, but the {kind} `{name}` is a {expected}",
        "{other}",
    ),
    "undeclared": (
        "undeclared",
        "{some}: the name `{name}` is not declared, so nothing shows it",
        "{declare}, or stop writing it",
    ),
    "foreign": (
        "undeclared",
        "{some}: not of the form `{prefix}<yyyy-mm-dd>:<name>`",
        "rename what belongs to the metrics; keep other keys out of the prefix",
    ),
    "future": (
        "clock",
        "{some}: that day has not begun in {app.zone.key}",
        "set `apps.{app.name}.timeZone` to the zone that the app counts in, or set the "
        "app's clock",
    ),
    "now-type": (
        "other-type",
        "{some}: a {type}, but the gauges are a hash",
        "`HSET {key} <gauge> <value>`",
    ),
    "now-expiry": (
        "short-expiry",
        "{some} expires in {ttl} s, and the gauges with it",
        "`PERSIST {key}`, and let the app set no expiry on it",
    ),
}


def _finding(
    app: App, fault: str, name: str, found: list[Key], history: int
) -> Finding:
    """One line about one fault."""
    assert app.redis is not None  # noqa: S101 (only such apps have keys)
    first = max(found, key=lambda key: key.name)
    kind, expected = types_of(app).get(name, ("", ""))
    kinds = _suggest(first) if NAME.match(name) else ""
    words = {
        "app": app,
        "key": first.name,
        "name": name,
        "prefix": app.redis.prefix,
        "some": _some(len(found), first.name),
        "have": "has" if len(found) == 1 else "have",
        "days": max(history, 1),
        "type": first.type,
        "ttl": first.ttl,
        "kind": kind,
        "expected": expected,
        "other": _other_type(app, name, kind, first),
        "declare": f"declare `apps.{app.name}.{kinds}.{name}`" if kinds else _RENAME,
    }
    code, what, fix = _FAULTS[fault]
    return wrong(code, app.name, what.format(**words), fix.format(**words))


def _other_type(app: App, name: str, kind: str, key: Key) -> str:
    option = f"apps.{app.name}.uniques.{name}.exact"
    if name in app.uniques and key.type == "set":
        return f"set `{option} = true`, or let the app use PFADD"
    if name in app.uniques and key.type == "string":
        return f"set `{option} = false`, or let the app use SADD"
    kinds = _suggest(key)
    fix = f"declare it under `{kinds}`" if kinds else "declare another name"
    return f"{fix}, or let the app write a {kind}"
