"""An app's log lines, against the required fields of an event: pure.

An event is a JSON object with `event`; it also needs a level, a time and a message,
under the names that pino or python-json-logger use. Events of a conversation
have `conversation_id`.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from math import isfinite
from statistics import median
from typing import TYPE_CHECKING, Any

from soloscope.doctor.finding import Finding, note, wrong

if TYPE_CHECKING:
    from soloscope.backends.loki import Line

__all__ = ["event_time", "examine"]

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "a level": ("level", "levelname", "severity"),
    "a time": ("time", "timestamp", "asctime", "ts", "@timestamp"),
    "a message": ("msg", "message"),
}
_LAST4 = re.compile(r"\d{4}\Z")
_OFF = 60.0
"""Seconds between an event's own time and the journal's that are called off."""

_SHARE = 0.5


def event_time(value: object) -> float | None:
    """An event's own time as Unix time: pino's milliseconds, seconds, or ISO 8601."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            # Unix time in seconds reaches 1e11 in the year 5138.
            seconds = value / 1000 if value > 1e11 else float(value)
            return seconds if isfinite(seconds) else None
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip().replace(",", "."))
            # Python's logging writes local time without a zone: it cannot be checked.
            return None if moment.tzinfo is None else moment.timestamp()
    except (ValueError, OverflowError):
        pass
    return None


def _parsed(lines: Iterable[Line]) -> Iterator[tuple[Line, dict[str, Any] | None]]:
    for line in lines:
        try:
            value = json.loads(line.text)
        except (ValueError, RecursionError):
            value = None
        yield line, value if isinstance(value, dict) else None


def examine(app: str, lines: Iterable[Line]) -> Iterator[Finding]:
    """The faults of an app's lines, one finding for each event and fault."""
    total = plain = 0
    missing: dict[tuple[str, str], int] = defaultdict(int)
    seen: Counter[str] = Counter()
    with_id: Counter[str] = Counter()
    bad_last4: Counter[str] = Counter()
    off: list[float] = []
    for line, value in _parsed(lines):
        total += 1
        if value is None:
            plain += 1
            continue
        name = value.get("event")
        if not isinstance(name, str) or not name:
            continue
        seen[name] += 1
        for what, names in _FIELDS.items():
            if not any(value.get(n) not in (None, "") for n in names):
                missing[name, what] += 1
        if value.get("conversation_id") not in (None, ""):
            with_id[name] += 1
        last4 = value.get("phone_last4")
        if last4 is not None and not _LAST4.match(str(last4)):
            bad_last4[name] += 1
        own = [event_time(value[n]) for n in _FIELDS["a time"] if n in value]
        if own and own[0] is not None:
            off.append(own[0] - line.at)
    for name, count in sorted(seen.items()):
        # Part of a conversation by its name, or by other lines of the event.
        belongs = name.startswith("conversation_") or with_id[name] >= _SHARE * count
        if belongs and with_id[name] < count:
            missing[name, "`conversation_id`"] += count - with_id[name]
    for (name, lacking), count in sorted(missing.items()):
        what = f"`{name}` without {lacking} in {count} of {seen[name]} lines"
        fix = f"let the app log {lacking} with every `{name}`"
        yield wrong("event-fields", app, what, fix)
    for name, count in sorted(bad_last4.items()):
        what = f"`phone_last4` of `{name}` is not four digits in {count} lines"
        fix = "log the last four digits only, without stars and never the number"
        yield wrong("personal-data", app, what, fix)
    if off and abs(seconds := median(off)) > _OFF:
        way = "ahead of" if seconds > 0 else "behind"
        what = f"the events' own time is {abs(seconds):.0f} s {way} the journal's"
        fix = "log UTC or a time with its zone, and keep the app's clock with NTP"
        yield wrong("clock", app, what, fix)
    if total and plain > _SHARE * total:
        what = f"{plain} of {total} lines are not JSON, so they have no event or level"
        yield note("no-json", app, what, "let the app log one JSON object per line")
