"""What the checks ask: lines of Loki, and records of users in Redis."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from soloscope.backends.loki import LokiApi
from soloscope.config import App, Config, UserRecord, duration
from soloscope.errors import OTHER_SHAPE, SoloscopeError
from soloscope.redis.client import RedisClient
from soloscope.timeline.lines import quoted
from soloscope.users.records import Loaded, load

__all__ = ["Event", "Sources", "opened"]

MOST_LINES = 5000
"""The most lines that Loki gives in one answer."""

ENTRIES = 100
"""The most entries of a list that are looked at."""

AT_ONCE = 200
"""Records that are read at once: each command stays short for Redis."""


class Event(NamedTuple):
    """A line of an event: its Unix time, its user ("" without one), its fields."""

    at: float
    user: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Sources:
    """`since` is a duration of LogQL, `seconds` the same; `end` is now (Unix time).

    At most `sample` records or lines are looked at for a check, and the search for
    keys ends after `budget` seconds.
    """

    app: App
    loki: LokiApi
    client: RedisClient | None
    since: str
    seconds: float
    end: float
    sample: int
    budget: float

    def number(self, event: str) -> int:
        """How many lines of an event there are."""
        query = f"sum(count_over_time({self._of(event)} [{self.since}]))"
        found = self.loki.instant(query, self.end)
        return int(found[0].value) if found else 0

    def events(self, event: str, most: int = MOST_LINES) -> list[Event]:
        """The newest lines of an event, oldest first."""
        start = self.end - self.seconds
        lines = self.loki.lines(self._of(event), start, self.end, min(most, MOST_LINES))
        return [
            Event(line.at, line.labels.get("user", ""), _fields(line.text))
            for line in reversed(lines)
        ]

    def _of(self, event: str) -> str:
        return f"{{app={quoted(self.app.name)}}} | event={quoted(event)}"

    def redis(self) -> RedisClient:
        """The app's Redis; `faults` of the configuration makes sure that it has one."""
        if self.client is None:
            raise SoloscopeError(f"apps.{self.app.name}.redis.url is not set")
        return self.client

    def records(self, name: str, users: Sequence[str]) -> dict[str, Loaded]:
        """A record of each user."""
        record = replace(self.app.user.records[name], limit=ENTRIES)
        found: dict[str, Loaded] = {}
        for start in range(0, len(users), AT_ONCE):
            some = users[start : start + AT_ONCE]
            wanted = [(record.key.replace("{id}", user), record) for user in some]
            found.update(zip(some, load(self.redis(), wanted), strict=True))
        return found

    def scanned(self, name: str) -> Iterator[tuple[str, Loaded]]:
        """Records of users that exist, by key, until `sample` or `budget` is used up.

        Ends with `("", Loaded())` when there are more.
        """
        record = replace(self.app.user.records[name], limit=ENTRIES)
        client, until, seen = self.redis(), time.monotonic() + self.budget, 0
        for keys in _scan(client, record):
            for start in range(0, len(keys), AT_ONCE):
                some = keys[start : start + AT_ONCE][: self.sample - seen]
                if not some or time.monotonic() > until:
                    yield "", Loaded()
                    return
                seen += len(some)
                loaded = load(client, [(key, record) for key in some])
                yield from zip(some, loaded, strict=True)


@contextmanager
def opened(
    config: Config, app: App, since: str, sample: int = 1000, budget: float = 10.0
) -> Iterator[Sources]:
    """The sources of an app, with their connection closed at the end."""
    client = RedisClient(app.redis) if app.redis is not None else None
    seconds = duration(since) or 0.0
    loki = LokiApi.of(config)
    try:
        yield Sources(app, loki, client, since, seconds, time.time(), sample, budget)
    finally:
        if client is not None:
            client.close()


def _scan(client: RedisClient, record: UserRecord) -> Iterator[list[str]]:
    """The keys of a record, found step by step; no step blocks Redis for long."""
    glob = re.sub(r"([*?\[\]\\])", r"\\\1", record.key).replace("{id}", "*")
    cursor: Any = b"0"
    seen: set[str] = set()
    while True:
        (reply,) = client.run([("SCAN", cursor, "MATCH", glob, "COUNT", 1000)])
        if isinstance(reply, ResponseError):
            raise SoloscopeError(f"Redis says: {reply}")
        cursor, names = reply
        new = {name.decode("utf-8", "replace") for name in names} - seen
        seen |= new
        yield sorted(new)
        if cursor == b"0":
            return


def _fields(text: str) -> Mapping[str, Any]:
    """The fields of a JSON line, or of logfmt."""
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            return found
    except OTHER_SHAPE:
        pass
    return dict(re.findall(r'([\w.]+)="?([^"\s]+)"?', text))
