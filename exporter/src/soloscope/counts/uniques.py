"""How many different ones there were in several days: unions, kept until they change.

A window over a unique is no sum, because the same one may come every day. Redis merges
estimates (PFCOUNT over several keys). Exact sets are fetched a day at a time and only
when their size has changed, since a union of thirty large sets would stop Redis for
everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from soloscope.counts.request import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from soloscope.config import App
    from soloscope.counts.model import DayValues, Window
    from soloscope.counts.request import Keys
    from soloscope.redis.client import Command

__all__ = ["EXACT_LIMIT", "Unions"]

EXACT_LIMIT = 10_000
"""The most members a day's set may have to be part of a window."""


class Unions:
    """The sizes of the unions of one app, by window's label and name.

    `run` sends commands in one round trip, as `RedisClient.run` does.
    """

    def __init__(
        self,
        app: App,
        keys: Keys,
        windows: Sequence[Window],
        run: Callable[[Sequence[Command]], list[Any]],
    ) -> None:
        self._app = app
        self._keys = keys
        self._windows = [w for w in windows if w.days > 1]
        self._run = run
        self._basis: dict[str, tuple[Any, ...]] = {}
        self._sizes: dict[str, dict[str, int]] = {}
        self._members: dict[tuple[str, date], frozenset[bytes]] = {}
        self.faults: list[Fault] = []

    def clear(self) -> None:
        """Forget everything: another server may be answering."""
        self._basis.clear()
        self._sizes.clear()
        self._members.clear()

    def sizes(self, days: Sequence[DayValues]) -> Mapping[str, Mapping[str, int]]:
        """By name, then by window's label, for `days` with today first.

        Costs a round trip when the count of a day has changed, and none otherwise.
        A unique that is unreadable on one of the days has no window.
        """
        stale: list[str] = []
        for name in self._app.uniques:
            basis = tuple((d.day, d.uniques.get(name)) for d in days)
            if self._basis.get(name) != basis:
                stale.append(name)
                self._basis[name] = basis
        if stale:
            self.faults = [f for f in self.faults if f.name not in stale]
            try:
                self._refresh(stale, days)
            except BaseException:
                self.clear()
                raise
        return self._sizes

    def _refresh(self, names: Sequence[str], days: Sequence[DayValues]) -> None:
        exact = [n for n in names if self._app.uniques[n].exact]
        estimates = [n for n in names if not self._app.uniques[n].exact]
        wanted: list[tuple[str, Window]] = []
        commands: list[Command] = []
        for name in estimates:
            self._sizes[name] = {}
            for window in self._windows:
                if self._readable(name, days, window):
                    wanted.append((name, window))
                    span = [self._keys.key(d.day, name) for d in days[: window.days]]
                    commands.append((b"PFCOUNT", *span))
        fetched: list[tuple[str, date]] = []
        for name in exact:
            for day in days[: self._windows[-1].days if self._windows else 0]:
                size = day.uniques.get(name, 0)
                held = self._members.get((name, day.day))
                if size > EXACT_LIMIT or len(held or ()) == size:
                    continue
                fetched.append((name, day.day))
                commands.append((b"SUNION", self._keys.key(day.day, name)))
        replies = self._run(commands) if commands else []
        for (name, window), reply in zip(wanted, replies, strict=False):
            if isinstance(reply, int):
                self._sizes[name][window.label] = reply
            else:
                self._leave_out(name, reply)
        unread: set[tuple[str, date]] = set()
        for (name, when), reply in zip(fetched, replies[len(wanted) :], strict=True):
            if isinstance(reply, ResponseError):
                self._leave_out(name, reply)
                unread.add((name, when))
            else:
                self._members[name, when] = frozenset(reply)
        first = days[-1].day
        self._members = {k: m for k, m in self._members.items() if k[1] >= first}
        for name in exact:
            self._sizes[name] = self._exact_sizes(name, days, unread)

    def _exact_sizes(
        self, name: str, days: Sequence[DayValues], unread: set[tuple[str, date]]
    ) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for window in self._windows:
            span = days[: window.days]
            large = [d.day for d in span if d.uniques.get(name, 0) > EXACT_LIMIT]
            if large:
                why = f"more than {EXACT_LIMIT} members; set exact = false"
                key = self._keys.key(large[0], name).decode("utf-8", "replace")
                self.faults.append(Fault(name, key, why))
            elif self._readable(name, days, window) and not any(
                (name, d.day) in unread for d in span
            ):
                sets = [self._members.get((name, d.day), frozenset()) for d in span]
                sizes[window.label] = len(frozenset().union(*sets))
        return sizes

    def _readable(self, name: str, days: Sequence[DayValues], window: Window) -> bool:
        return all(name in day.uniques for day in days[: window.days])

    def _leave_out(self, name: str, reply: ResponseError) -> None:
        key = self._keys.key(self._basis[name][0][0], name).decode("utf-8", "replace")
        self.faults.append(Fault(name, key, str(reply)))
