"""The names of an app's keys, the commands that read a day, and their replies.

Keys are `<prefix><day>:<name>` and `<prefix>now`. All names come from the
configuration. Pure; `soloscope.counts.store` runs the commands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from redis.exceptions import ResponseError

from soloscope.counts.model import DayValues, Fault, Number, label, number

if TYPE_CHECKING:
    from datetime import date

    from soloscope.config import App
    from soloscope.redis.client import Command

__all__ = ["CachedDay", "DayRequest", "Keys", "read_gauges"]

T = TypeVar("T")


class Keys:
    """The names of one app's keys."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix.encode()
        self.now = self.prefix + b"now"

    def key(self, day: date, name: str) -> bytes:
        """The key of `name` on `day`."""
        return b"%s%s:%s" % (self.prefix, day.isoformat().encode(), name.encode())

    def fault(self, day: date, name: str, reason: object) -> Fault:
        """The fault of `name` on `day`."""
        key = self.key(day, name).decode("utf-8", "replace")
        return Fault(name, key, str(reason))


@dataclass(frozen=True, slots=True)
class CachedDay:
    """The last reading of a day."""

    values: DayValues
    faults: tuple[Fault, ...] = ()


class _UnusableError(Exception):
    """A reply cannot be used; the message is the fault's reason."""


class DayRequest:
    """The commands for a day of one app: one for each name.

    Never MGET: it returns nil both for a missing key and for one of another type, and
    a cluster refuses it for keys of several slots.
    """

    def __init__(self, app: App, keys: Keys) -> None:
        self._app = app
        self._keys = keys
        self._verbs = dict.fromkeys(app.counters, b"GET")
        self._verbs |= dict.fromkeys([*app.breakdowns, *app.timings], b"HGETALL")
        self._verbs |= {
            name: b"SCARD" if unique.exact else b"PFCOUNT"
            for name, unique in app.uniques.items()
        }

    @property
    def names(self) -> Sequence[str]:
        """The declared names, in the order of the commands."""
        return list(self._verbs)

    def commands(self, day: date) -> list[Command]:
        """The commands that read `day`."""
        return [(verb, self._keys.key(day, n)) for n, verb in self._verbs.items()]

    def understand(self, day: date, replies: Sequence[Any]) -> CachedDay:
        """The values in the replies to `commands`; an unusable reply is a fault."""
        app = self._app
        answers = dict(zip(self._verbs, replies, strict=True))
        faults: dict[Fault, None] = {}
        overlong = 0

        def read(names: Mapping[str, Any], meaning: Callable[[Any], T]) -> dict[str, T]:
            found = {}
            for name in names:
                try:
                    if isinstance(answers[name], ResponseError):
                        raise _UnusableError(answers[name])
                    found[name] = meaning(answers[name])
                except _UnusableError as error:
                    faults[self._keys.fault(day, name, error)] = None
            return found

        breakdowns = {}
        for name, (table, long, reasons) in read(app.breakdowns, _breakdown).items():
            breakdowns[name] = table
            overlong += long
            faults |= dict.fromkeys(self._keys.fault(day, name, r) for r in reasons)
        values = DayValues(
            day,
            read(app.counters, _count),
            breakdowns,
            read(app.uniques, int),
            read(app.timings, _timing),
            overlong,
        )
        return CachedDay(values, tuple(faults))


def _count(reply: bytes | None) -> Number:
    value = number(reply)
    if value is None:
        raise _UnusableError("is no number")
    if value < 0:
        raise _UnusableError("is a count below zero")
    return value


def _breakdown(reply: Sequence[bytes]) -> tuple[dict[str, Number], int, set[str]]:
    """The fields with counts, the number of too long ones, and the faults of others.

    Two fields with the same form after escaping invalid bytes become one.
    """
    table: dict[str, Number] = {}
    overlong, reasons = 0, set()
    keys, values = map(label, reply[::2]), map(number, reply[1::2])
    for key, value in zip(keys, values, strict=True):
        if key is None:
            overlong += 1
        elif value is None:
            reasons.add("has a field that is no number")
        elif value < 0:
            reasons.add("has a field that is a count below zero")
        else:
            table[key] = table.get(key, 0) + value
    return table, overlong, reasons


def _timing(reply: Sequence[bytes]) -> tuple[int, Number]:
    fields = dict(zip(reply[::2], reply[1::2], strict=True))
    count, milliseconds = number(fields.get(b"count")), number(fields.get(b"ms"))
    for name, value in (("count", count), ("ms", milliseconds)):
        if value is None or value < 0:
            raise _UnusableError(f"its field `{name}` is no count")
    if not isinstance(count, int):
        raise _UnusableError("its field `count` is no whole number")
    return count, milliseconds or 0


def read_gauges(
    app: App, keys: Keys, reply: Any
) -> tuple[dict[str, Number], list[Fault]]:
    """The declared gauges in the reply for `<prefix>now`, and the unreadable ones.

    A missing gauge has no value: zero would be wrong.
    """
    key = keys.now.decode("utf-8", "replace")
    if isinstance(reply, ResponseError):
        return {}, [Fault(name, key, str(reply)) for name in app.gauges]
    fields = dict(zip(reply[::2], reply[1::2], strict=True))
    values: dict[str, Number] = {}
    faults = []
    for name in app.gauges:
        raw = fields.get(name.encode())
        if raw is None:
            continue
        value = number(raw)
        if value is None:
            faults.append(Fault(name, key, f"its field `{name}` is no number"))
        else:
            values[name] = value
    return values, faults
