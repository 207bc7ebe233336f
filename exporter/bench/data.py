"""What is put into Redis, and the configuration under which soloscope reads it.

The days are those of a zone where it is about noon, so that no run meets midnight.
"""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import redis

__all__ = [
    "FOREIGN",
    "LARGE",
    "SMALL",
    "DataSet",
    "Touch",
    "add_foreign",
    "configuration",
    "noon_zone",
]

FOREIGN = 1_000_000
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class DataSet:
    """Counts of one or more apps over some days, today the last of them."""

    counters: int
    breakdowns: int
    fields: int
    days: int = 30
    apps: int = 1

    @property
    def per_day(self) -> int:
        """Keys of one day, all apps together."""
        return self.apps * (self.counters + self.breakdowns)

    @property
    def values_per_day(self) -> int:
        """Values of one day, all apps together."""
        return self.apps * (self.counters + self.breakdowns * self.fields)

    def prefix(self, app: int) -> str:
        """The prefix of one app's keys."""
        return "metrics:" if self.apps == 1 else f"metrics:app{app}:"

    def names(self) -> tuple[list[str], list[str]]:
        """The names of counters and of breakdowns."""
        return (
            [f"count_{i:03}" for i in range(self.counters)],
            [f"parts_{i:03}" for i in range(self.breakdowns)],
        )

    def keys(self, day: date) -> list[str]:
        """Every key of one day."""
        return [
            f"{self.prefix(app)}{day}:{name}"
            for app in range(self.apps)
            for names in self.names()
            for name in names
        ]

    def all_keys(self, today: date) -> list[str]:
        """Every key of every day."""
        days = (today - timedelta(days=age) for age in range(self.days))
        return [key for day in days for key in self.keys(day)]

    def fill(self, client: redis.Redis, today: date) -> None:
        """Write the counts. The same data set gets the same values each time."""
        values = random.Random(4)
        counters, breakdowns = self.names()
        fields = [f"kind_{i:03}" for i in range(self.fields)]
        for age in range(self.days):
            day = today - timedelta(days=age)
            pipe = client.pipeline(transaction=False)
            for app in range(self.apps):
                prefix = f"{self.prefix(app)}{day}:"
                for name in counters:
                    pipe.set(
                        prefix + name, values.randrange(5000), ex=30 * _DAY_SECONDS
                    )
                for name in breakdowns:
                    pipe.hset(
                        prefix + name,
                        mapping={field: values.randrange(500) for field in fields},
                    )
                    pipe.expire(prefix + name, 30 * _DAY_SECONDS)
            pipe.execute()

    def with_days(self, days: int) -> DataSet:
        """The same names over other days."""
        return replace(self, days=days)


#: 2,100 keys and 13,500 values; one day of it has 70 keys and 450 values.
SMALL = DataSet(counters=50, breakdowns=20, fields=20)
#: 10,980 keys and 109,000 values.
LARGE = DataSet(counters=333, breakdowns=33, fields=100)


class Touch:
    """Changes every key of today, as a busy app does between two scrapes.

    One script for all keys, sent as ready bytes over a connection of its own: this
    happens before each scrape and must not disturb it. Each counter grows by one, and
    so does one part of each breakdown.
    """

    _SCRIPT = (
        "for i = 2, ARGV[1] + 1 do redis.call('INCR', ARGV[i]) end "
        "for i = ARGV[1] + 2, #ARGV do "
        "redis.call('HINCRBY', ARGV[i], 'kind_000', 1) end return 1"
    )

    def __init__(self, client: redis.Redis, data: DataSet, today: date) -> None:
        port = client.connection_pool.connection_kwargs["port"]
        sha = client.script_load(self._SCRIPT)
        counters, breakdowns = data.names()
        keys = [
            f"{data.prefix(app)}{today}:{name}"
            for names in (counters, breakdowns)
            for app in range(data.apps)
            for name in names
        ]
        arguments = ["EVALSHA", str(sha), "0", str(data.apps * len(counters)), *keys]
        parts = "".join(f"${len(a)}\r\n{a}\r\n" for a in arguments)
        self._command = f"*{len(arguments)}\r\n{parts}".encode("ascii")
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def send(self) -> None:
        """Change the keys soon; `wait` must follow."""
        self._socket.sendall(self._command)

    def wait(self, count: int = 1) -> None:
        """Wait for `count` changes that were sent. Raises ValueError for an error."""
        left = count * len(b":1\r\n")
        while left:
            data = self._socket.recv(left)
            if not data or b"-" in data:
                raise ValueError(f"Redis does not change the keys: {data!r}")
            left -= len(data)

    def __call__(self) -> None:
        """Change the keys now."""
        self.send()
        self.wait()


def add_foreign(client: redis.Redis, count: int) -> None:
    """Add `count` keys that have nothing to do with any app's counts."""
    # One script for many keys: a million SETs of a Python client take minutes.
    script = client.register_script(
        "for i = ARGV[1], ARGV[2] do redis.call('SET', 'session:' .. i, 'x') end"
    )
    step = 20_000
    for first in range(0, count, step):
        script(args=[first, min(first + step, count) - 1])


def noon_zone(now: datetime | None = None) -> ZoneInfo:
    """A zone in which it is about noon now."""
    hour = (now or datetime.now(UTC)).hour
    ahead = 12 - hour  # hours by which the zone is ahead of UTC
    # The sign is the other way round in these names (POSIX).
    return ZoneInfo(f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT")


def configuration(
    data: DataSet, redis_port: int, port: int, zone: str, history: int | None
) -> dict[str, Any]:
    """The configuration file of `soloscope serve` for these counts.

    `history` None is the default, 30 days. The other programs of the stack are named
    at port 1, where nothing listens, so that none that happens to run is asked.
    """
    counters, breakdowns = data.names()
    here = {"listenAddress": "127.0.0.1"}
    away = here | {"port": 1}
    url = "http://127.0.0.1:1/"
    return {
        "timeZone": zone,
        "exporter": here
        | {
            "port": port,
            "history": 30 if history is None else history,
            "maxConnections": 64,
            "logLevel": "info",
        },
        "loki": away,
        "shipper": away | {"engine": "promtail"},
        "prometheus": away | {"enable": True},
        "grafana": away | {"enable": False, "rootUrl": url},
        "alertmanager": away | {"enable": False},
        "apps": {
            f"app{app}": {
                "title": f"App {app}",
                "timeZone": zone,
                "redis": {
                    "url": f"redis://127.0.0.1:{redis_port}/0",
                    "prefix": data.prefix(app),
                },
                "counters": {
                    name: {"help": f"Count {name}", "unit": ""} for name in counters
                },
                "breakdowns": {
                    name: {"help": f"By {name}", "limit": 200} for name in breakdowns
                },
                "uniques": {},
                "timings": {},
                "gauges": {},
                "jobs": {},
                "checks": {},
                "units": [],
                "objectives": {"availability": 0.99},
            }
            for app in range(data.apps)
        },
    }
