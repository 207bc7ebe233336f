"""The values of the declared keys, against what `serve` can export: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from soloscope.config.values import NAME
from soloscope.counts.model import Number, number
from soloscope.doctor.finding import Finding, note, wrong
from soloscope.doctor.keys import types_of

if TYPE_CHECKING:
    from soloscope.config import App
    from soloscope.counts.model import Fault

__all__ = ["gauges", "left_out", "today"]

Hash = Mapping[bytes, bytes]


def left_out(
    app: App, faults: Iterable[Fault], held: Mapping[str, Any]
) -> Iterator[Finding]:
    """A finding for each name and kind of fault that makes `serve` omit a metric.

    `held`: the known values of the keys with faults, bytes or a hash.
    """
    types = types_of(app)
    keys: dict[tuple[str, str, str], list[str]] = {}
    for fault in faults:
        if fault.name in types:
            code, what = _why(app, fault, held.get(fault.key))
            keys.setdefault((fault.name, code, what), []).append(fault.key)
    for (name, code, what), found in keys.items():
        key = max(found)
        days = f" and {len(found) - 1} more days" if len(found) > 1 else ""
        kind = types[name][0]
        fix = _FIXES[kind].format(key=key, name=name) + days
        yield wrong(code, app.name, f"the {kind} `{name}` {what}", fix)


_FIXES = {
    "counter": "let the app use INCR only, and `DEL {key}`",
    "breakdown": "let the app use HINCRBY only, and `HDEL {key} <field>`",
    "timing": "for each call, `HINCRBY {key} count 1` and `HINCRBY {key} ms "
    "<milliseconds>`, or declare `{name}` under `breakdowns`",
    "unique": "let the app write one kind of key only, and `DEL {key}`",
}


def _why(app: App, fault: Fault, held: Any) -> tuple[str, str]:
    """Code and text of one fault, with the value where it explains the fault."""
    if isinstance(held, bytes) and fault.name in app.counters:
        said = _no_count(held)
        if said:
            return "no-number", f"holds {said}"
    if isinstance(held, dict):
        timing = fault.name in app.timings
        for field in [b"count", b"ms"] if timing else list(held):
            said = _no_count(held.get(field, b"0"), whole=timing and field == b"count")
            if said:
                name = field.decode("utf-8", "backslashreplace")
                return "no-number", f"has the field `{name}` with {said}"
    return "left-out", f"cannot be read: {fault.reason}"


def _no_count(raw: bytes, *, whole: bool = False) -> str:
    """The fault of a count, "" when it has none."""
    value: Number | None = number(raw)
    shown = f"`{raw[:20].decode('utf-8', 'backslashreplace')}`"
    if value is None:
        return f"{shown}, which is not a number"
    if value < 0:
        return f"{shown}, which is below zero"
    if whole and not isinstance(value, int):
        return f"{shown}, which is no whole number"
    return ""


def today(app: App, hashes: Mapping[str, Hash]) -> Iterator[Finding]:
    """Timings without a field, and breakdowns with more keys than are exported."""
    for name in app.timings:
        fields = hashes.get(name, {})
        missing = [f"`{f}`" for f in ("count", "ms") if f.encode() not in fields]
        if fields and missing:
            what = f"the timing `{name}` has no field {' and '.join(missing)}"
            fix = _FIXES["timing"].format(key="<key>", name=name)
            yield wrong("fields", app.name, what, fix)
    for name, breakdown in app.breakdowns.items():
        count, limit = len(hashes.get(name, ())), breakdown.limit
        if count > limit:
            what = (
                f"`{name}` has {count} keys today; only the {limit} largest are shown"
            )
            fix = "count fewer different keys, or raise "
            fix += f"`apps.{app.name}.breakdowns.{name}.limit`"
            yield note("too-many-keys", app.name, what, fix)


def gauges(app: App, fields: Hash) -> Iterator[Finding]:
    """The fields of `<prefix>now` against the declared gauges."""
    assert app.redis is not None  # noqa: S101 (only such apps have keys)
    now = f"{app.redis.prefix}now"
    if fields and not app.gauges:
        what = f"`{now}` has gauges, but none is declared"
        fix = f"declare them under `apps.{app.name}.gauges`"
        yield note("undeclared", app.name, what, fix)
        return
    there = {f.decode("utf-8", "backslashreplace"): v for f, v in fields.items()}
    for name in sorted(there.keys() - set(app.gauges)):
        what = f"the gauge `{name}` is not declared, so nothing shows it"
        fix = f"`HDEL {now} {name}`"
        if NAME.match(name):
            fix = f"declare `apps.{app.name}.gauges.{name}`, or {fix}"
        yield wrong("undeclared", app.name, what, fix)
    for name in app.gauges:
        if name not in there:
            what = f"the gauge `{name}` is declared, but `{now}` has no such field"
            fix = f"let the app `HSET {now} {name} <value>`"
            yield wrong("never-written", app.name, what, fix)
        elif number(there[name]) is None:
            shown = there[name][:20].decode("utf-8", "replace")
            what = f"the gauge `{name}` holds `{shown}`, which is not a number"
            fix = f"let the app set a plain decimal number for `{name}`"
            yield wrong("no-number", app.name, what, fix)
