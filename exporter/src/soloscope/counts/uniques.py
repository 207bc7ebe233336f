"""The number of different members in several days: unions, cached until they change.

A window over a unique is not a sum, because a member may occur on several days. Redis
merges estimates (PFCOUNT over several keys). Exact sets are fetched a day at a time and
only when their size has changed, since a union of thirty large sets would block Redis
for all clients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from redis.exceptions import ClusterCrossSlotError, ResponseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from soloscope.config import App
    from soloscope.counts.model import DayValues, Fault, Window
    from soloscope.counts.request import Keys
    from soloscope.redis.client import Command

__all__ = ["EXACT_LIMIT", "Unions"]

EXACT_LIMIT = 10_000
"""The most members a day's set may have to be part of a window."""


class Unions:
    """The sizes of the unions of one app, by name and window's label.

    `run` sends commands in one round trip, as `RedisClient.run` does.
    """

    def __init__(
        self,
        app: App,
        keys: Keys,
        windows: Sequence[Window],
        run: Callable[[Sequence[Command]], list[Any]],
    ) -> None:
        self._uniques = app.uniques
        self._keys = keys
        self._windows = windows
        self._run = run
        self.clear()

    def clear(self) -> None:
        """Forget everything: another server may be answering."""
        self._basis: Mapping[str, object] = {}
        self._sizes: dict[str, dict[str, int]] = {}
        self._faults: dict[str, Fault] = {}
        self._members: dict[tuple[str, date], frozenset[bytes]] = {}

    @property
    def faults(self) -> list[Fault]:
        """The uniques without a window, and why."""
        return list(self._faults.values())

    def sizes(self, days: Sequence[DayValues]) -> Mapping[str, Mapping[str, int]]:
        """The sizes for `days`, today first.

        Takes a round trip when the count of a day has changed, otherwise none.
        A unique that is unreadable on a day of a window is not in that window.
        """
        basis = {
            name: [(day.day, day.uniques.get(name)) for day in days]
            for name in self._uniques
        }
        stale = [name for name in basis if self._basis.get(name) != basis[name]]
        try:
            self._refresh(stale, days)
        except BaseException:
            self.clear()
            raise
        self._basis = basis
        return self._sizes

    def _refresh(self, names: Sequence[str], days: Sequence[DayValues]) -> None:
        spans = {w.label: days[: w.days] for w in self._windows}
        asked: list[tuple[str, str | date]] = []
        commands: list[Command] = []
        for name in names:
            self._faults.pop(name, None)
            self._sizes[name] = {}
            exact = self._uniques[name].exact
            for label, span in spans.items():
                if any(name not in day.uniques for day in span):
                    continue
                if len(span) == 1:
                    self._sizes[name][label] = span[0].uniques[name]
                elif not exact:
                    asked.append((name, label))
                    keys = [self._keys.key(day.day, name) for day in span]
                    commands.append((b"PFCOUNT", *keys))
            for day in days if exact and len(spans) > 1 else ():
                size = day.uniques.get(name, 0)
                held = self._members.get((name, day.day), ())
                if len(held) != size <= EXACT_LIMIT:
                    asked.append((name, day.day))
                    commands.append((b"SUNION", self._keys.key(day.day, name)))
        replies = self._run(commands) if commands else []
        for (name, what), reply in zip(asked, replies, strict=True):
            if isinstance(what, str):
                if isinstance(reply, ResponseError):
                    self._leave_out(name, days[0], _why(reply))
                else:
                    self._sizes[name][what] = reply
            elif isinstance(reply, ResponseError):
                self._leave_out(name, days[0], reply)
                self._members.pop((name, what), None)
            else:
                self._members[name, what] = frozenset(reply)
        oldest = days[-1].day
        self._members = {k: m for k, m in self._members.items() if k[1] >= oldest}
        for name in names:
            if self._uniques[name].exact:
                for label, span in spans.items():
                    if len(span) > 1:
                        self._merge(name, label, span)

    def _merge(self, name: str, label: str, span: Sequence[DayValues]) -> None:
        """The size of an exact unique's window, if all its sets are cached."""
        large = [day for day in span if day.uniques.get(name, 0) > EXACT_LIMIT]
        if large:
            why = f"more than {EXACT_LIMIT} members; set exact = false"
            self._leave_out(name, large[0], why)
            return
        sets = [self._members.get((name, day.day)) for day in span]
        sizes = [day.uniques.get(name) for day in span]
        if sizes == [len(held or ()) for held in sets]:
            self._sizes[name][label] = len(frozenset().union(*(s or () for s in sets)))

    def _leave_out(self, name: str, day: DayValues, reason: object) -> None:
        self._faults[name] = self._keys.fault(day.day, name, reason)


def _why(reply: ResponseError) -> object:
    if isinstance(reply, ClusterCrossSlotError):
        return f"{reply}: a cluster merges no days; set exact = true"
    return reply
