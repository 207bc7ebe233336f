"""Finds an app's keys without expiry, a few at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from redis.exceptions import ResponseError

__all__ = ["AT_ONCE", "Expiries", "Place"]

AT_ONCE = 8
"""How many keys a scrape asks for their expiry, once each has been asked."""

Place = tuple[date, str]
"""A key: its day and its name."""


class Expiries:
    """The keys without expiry among those that were checked."""

    def __init__(self) -> None:
        self._known: set[Place] = set()
        self._lasting: set[Place] = set()
        self._turn = 0
        self.refused = ""
        """Why Redis does not say, when it does not."""

    @property
    def lasting(self) -> int | None:
        """The number of keys without expiry; None when Redis does not answer that."""
        return None if self.refused else len(self._lasting)

    def clear(self) -> None:
        """Forget everything: another server may be answering."""
        self._known.clear()
        self._lasting.clear()

    def keep(self, days: Iterable[date]) -> None:
        """Forget the keys of other days."""
        kept = set(days)
        self._known = {place for place in self._known if place[0] in kept}
        self._lasting = {place for place in self._lasting if place[0] in kept}

    def next(
        self, present: Iterable[Place], days: Sequence[date], names: Sequence[str]
    ) -> list[Place]:
        """The keys to check now: new ones of `present`, then all others in turn."""
        new = [place for place in present if place not in self._known][:AT_ONCE]
        count = len(days) * len(names)
        begin = self._turn if self._turn < count else 0
        self._turn = min(begin + AT_ONCE - len(new), count)
        turn = range(begin, self._turn)
        return [*new, *((days[n // len(names)], names[n % len(names)]) for n in turn)]

    def note(self, places: Sequence[Place], replies: Sequence[Any]) -> None:
        """Take the reply of TTL: -1 for a key without expiry, -2 for a missing one
        (https://redis.io/docs/latest/commands/ttl).
        """
        for place, reply in zip(places, replies, strict=True):
            self._lasting.discard(place)
            self._known.discard(place)
            if isinstance(reply, ResponseError):
                self.refused = str(reply)
                continue
            self.refused = ""
            if reply != -2:
                self._known.add(place)
            if reply == -1:
                self._lasting.add(place)
