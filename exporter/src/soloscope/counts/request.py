"""How an app's keys are called, how a day is asked for, and what the answers mean.

Keys are `<prefix><day>:<name>` and `<prefix>now`. All names come from the
configuration. The functions here are pure; `soloscope.counts.store` does the asking.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from redis.exceptions import ResponseError

from soloscope.counts.model import DayValues, Number, label, number

if TYPE_CHECKING:
    from datetime import date

    from soloscope.config import App
    from soloscope.redis.client import Command

__all__ = ["Fault", "Keys", "Question", "Reading", "ask", "read_gauges", "understand"]


class _Labels(dict[bytes, str | None]):
    """Hash fields as labels, each worked out once."""

    def __missing__(self, raw: bytes) -> str | None:
        if len(self) > 50_000:
            # Fields come and go for as long as the process lives.
            self.clear()
        self[raw] = text = label(raw)
        return text


class Keys:
    """The names of one app's keys, and the labels of its hashes' fields."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix.encode()
        self.now = self.prefix + b"now"
        self.labels = _Labels()

    def key(self, day: date, name: str) -> bytes:
        """The key of `name` on `day`."""
        return b"%s%s:%s" % (self.prefix, day.isoformat().encode(), name.encode())


class Fault(NamedTuple):
    """A metric that was left out: its name, the key, and why."""

    name: str
    key: str
    reason: str


class Question(NamedTuple):
    """The commands that read one day, in the order of the replies.

    One MGET answers for the counters in `strings`. MGET says nil both for a missing
    key and for one of another type, so the counters that were missing last time
    (`singles`) are asked by GET, which tells the two apart.
    """

    day: date
    strings: tuple[str, ...]
    singles: tuple[str, ...]
    commands: tuple[Command, ...]


@dataclass(slots=True)
class Reading:
    """A day as it was last read.

    `absent` are the counters without a usable string; `present` the names of all
    keys that exist; `changed` is when the replies last differed, in ticks.
    """

    replies: tuple[Any, ...]
    changed: float
    values: DayValues
    absent: frozenset[str] = frozenset()
    present: frozenset[str] = frozenset()
    faults: tuple[Fault, ...] = ()
    hashes: Mapping[str, Any] = field(default_factory=dict)


def ask(app: App, keys: Keys, day: date, absent: frozenset[str]) -> Question:
    """The question about `day`, when the counters `absent` were missing before."""
    strings = tuple(n for n in app.counters if n not in absent)
    singles = tuple(n for n in app.counters if n in absent)
    commands: list[Command] = []
    if strings:
        commands.append((b"MGET", *(keys.key(day, n) for n in strings)))
    commands += [(b"GET", keys.key(day, n)) for n in singles]
    commands += [
        (b"HGETALL", keys.key(day, n)) for n in (*app.breakdowns, *app.timings)
    ]
    commands += [
        (b"SCARD" if unique.exact else b"PFCOUNT", keys.key(day, n))
        for n, unique in app.uniques.items()
    ]
    return Question(day, strings, singles, tuple(commands))


def understand(
    app: App,
    keys: Keys,
    question: Question,
    replies: Sequence[Any],
    now: float,
    before: Reading | None,
) -> Reading:
    """What the replies to `question` mean.

    What has not changed since `before` is the same object again.
    """
    raw = tuple(replies)
    if before is not None and before.replies == raw:
        return before
    reading = _Interpreter(app, keys, question, before).read(raw, now)
    if before is not None and reading.values.same(before.values):
        # The same values in other replies: a counter that is there moves from GET
        # to MGET.
        reading.values, reading.changed = before.values, before.changed
    return reading


def _whole(replies: Sequence[Any]) -> list[int] | None:
    """The numbers in `replies` when each is a few digits and nothing else; else None.

    Asked of all together, which is how they nearly always are.
    """
    try:
        if not b"".join(replies).isdigit() or max(map(len, replies)) > 18:
            return None
        return list(map(int, replies))
    except (TypeError, ValueError):  # one that is missing, an error, or empty
        return None


class _Interpreter:
    """Collects values and faults from the replies about one day."""

    def __init__(
        self, app: App, keys: Keys, question: Question, before: Reading | None
    ) -> None:
        self.app = app
        self.keys = keys
        self.question = question
        self.before = before
        self.faults: list[Fault] = []
        self.absent: set[str] = set()
        self.present: set[str] = set()
        self.overlong = 0

    def read(self, raw: tuple[Any, ...], now: float) -> Reading:
        replies = iter(raw)
        strings = next(replies) if self.question.strings else []
        counters: dict[str, Number] = {}
        if isinstance(strings, ResponseError):
            strings = [strings] * len(self.question.strings)
        whole = None if self.question.singles else _whole(strings)
        if whole is not None:
            counters = dict(zip(self.question.strings, whole, strict=True))
            self.present.update(self.question.strings)
        else:
            answers = dict(zip(self.question.strings, strings, strict=True))
            answers |= {name: next(replies) for name in self.question.singles}
            for name in self.app.counters:
                count = self.counter(name, answers[name])
                if count is not None:
                    counters[name] = count
        hashes = {n: next(replies) for n in (*self.app.breakdowns, *self.app.timings)}
        breakdowns: dict[str, Mapping[str, Number]] = {}
        for name in self.app.breakdowns:
            table = self.breakdown(name, hashes[name])
            if table is not None:
                breakdowns[name] = table
        timings: dict[str, tuple[int, Number]] = {}
        for name in self.app.timings:
            timing = self.timing(name, hashes[name])
            if timing is not None:
                timings[name] = timing
        uniques: dict[str, int] = {}
        for name in self.app.uniques:
            size = next(replies)
            if isinstance(size, int):
                uniques[name] = size
                if size:
                    self.present.add(name)
            else:
                self.leave_out(name, size)
        values = DayValues(
            self.question.day, counters, breakdowns, uniques, timings, self.overlong
        )
        return Reading(
            raw,
            now,
            values,
            frozenset(self.absent),
            frozenset(self.present),
            tuple(self.faults),
            hashes,
        )

    def leave_out(self, name: str, why: object) -> None:
        """Note that `name` cannot be shown."""
        reason = str(why)
        key = self.keys.key(self.question.day, name).decode("utf-8", "replace")
        fault = Fault(name, key, reason)
        if fault not in self.faults:
            self.faults.append(fault)

    def counter(self, name: str, reply: Any) -> Number | None:
        if reply is None:
            self.absent.add(name)
            return 0
        if isinstance(reply, ResponseError):
            # Asked by GET again, which is what told us.
            self.absent.add(name)
            self.leave_out(name, reply)
            return None
        self.present.add(name)
        value = number(reply)
        if value is None or value < 0:
            self.leave_out(
                name, "is no number" if value is None else "is a count below zero"
            )
            return None
        return value

    def breakdown(self, name: str, reply: Any) -> Mapping[str, Number] | None:
        if isinstance(reply, ResponseError):
            self.leave_out(name, reply)
            return None
        if reply:
            self.present.add(name)
        keys = reply[::2]
        labels: Iterable[str | None] | None = None
        if (
            self.before is not None
            and name in self.before.values.breakdowns
            and not self.before.values.overlong
            and not any(fault.name == name for fault in self.before.faults)
        ):
            known = self.before.values.breakdowns[name]
            former = self.before.hashes[name]
            if former == reply:
                return known
            if len(known) == len(keys) and former[::2] == keys:
                # One label for each field, in the order of the fields.
                labels = known
        if labels is None:
            labels = map(self.keys.labels.__getitem__, keys)
        return self.counted(labels, reply[1::2]) or self.fields(name, reply)

    def counted(
        self, labels: Iterable[str | None], values: Sequence[bytes]
    ) -> Mapping[str, Number] | None:
        """The fields of a hash that holds short digits and nothing else; else None.

        That is nearly every hash, and costs a fifth of looking at each field.
        """
        counts = _whole(values)
        if counts is None:
            return None
        table = dict(zip(labels, counts, strict=True))
        if len(table) < len(values) or None in table:
            return None
        return cast("Mapping[str, Number]", table)

    def fields(self, name: str, reply: Sequence[bytes]) -> Mapping[str, Number]:
        """The fields of any hash, one by one."""
        table: dict[str, Number] = {}
        for raw_key, raw in zip(reply[::2], reply[1::2], strict=True):
            key = self.keys.labels[raw_key]
            value = number(raw)
            if key is None:
                self.overlong += 1
            elif value is None:
                self.leave_out(name, "has a field that is no number")
            elif value < 0:
                self.leave_out(name, "has a field that is a count below zero")
            elif key in table:
                # Two fields can look alike once bad bytes are spelt out.
                table[key] += value
            else:
                table[key] = value
        return table

    def timing(self, name: str, reply: Any) -> tuple[int, Number] | None:
        if isinstance(reply, ResponseError):
            self.leave_out(name, reply)
            return None
        if reply:
            self.present.add(name)
        fields = dict(zip(reply[::2], reply[1::2], strict=True))
        count, milliseconds = number(fields.get(b"count")), number(fields.get(b"ms"))
        for told, value in (("count", count), ("ms", milliseconds)):
            if value is None or value < 0:
                self.leave_out(name, f"its field `{told}` is no count")
                return None
        if not isinstance(count, int):
            self.leave_out(name, "its field `count` is no whole number")
            return None
        return count, milliseconds or 0


def read_gauges(
    app: App, keys: Keys, reply: Any
) -> tuple[dict[str, Number], list[Fault]]:
    """The declared gauges in the reply about `<prefix>now`, and what is unreadable.

    A gauge that is not there has no value; zero would be a claim.
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
