"""What the exporter's Redis user may do, and the keys that the doctor looks at.

Rights are tried, not read: `ACL` itself is a right that few users have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError, ResponseError

from soloscope.counts.model import today
from soloscope.counts.request import Keys
from soloscope.doctor.finding import Finding, note, unseen, wrong
from soloscope.doctor.keys import (
    Key,
    examine,
    gauge_fields,
    value_faults,
)
from soloscope.errors import BackendUnavailable
from soloscope.redis.client import Command, RedisClient

if TYPE_CHECKING:
    from soloscope.config import App

__all__ = ["Scan", "look", "scan"]

COUNT = 1000
"""Keys that one SCAN step walks over. With Redis' own 10 a database of a million keys
took 7.4 s instead of 0.7 s."""

_SKEW = 2.0


@dataclass(slots=True)
class Scan:
    """What a scan has found. `refused`: the command that the user may not run."""

    keys: list[Key] = field(default_factory=list)
    walked: int = 0
    complete: bool = False
    refused: str = ""


def look(
    app: App, history: int, budget: float, clock: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """Everything about one app's Redis. `budget`: seconds that the scan may take."""
    assert app.redis is not None  # noqa: S101 (only such apps are looked at)
    link = RedisClient(app.redis)
    try:
        yield from _look(app, link, history, budget, clock)
    except BackendUnavailable as error:
        yield _unavailable(app, str(error))
    finally:
        link.close()


def _unavailable(app: App, error: str) -> Finding:
    option = f"apps.{app.name}.redis"
    if "CREDENTIALS_DIRECTORY" in error:
        return unseen(
            "redis",
            app.name,
            "Redis was not looked at: its password is for the service alone",
            "run this as root while soloscope-exporter runs, or give the file of "
            f"`{option}.passwordFile` with `--redis-password-file FILE`",
        )
    fix = f"start Redis, or repair `{option}.url`"
    upper = error.upper()
    if "AUTHENTICATION" in upper or "WRONGPASS" in upper or "PASSWORD" in upper:
        fix = f"repair the user in `{option}.url` or the password in `passwordFile`"
    elif "PERMISSIONS" in upper and "'SELECT'" in upper and app.redis is not None:
        # Only a database other than 0 needs it, so it is not among the usual rights.
        fix = f"`ACL SETUSER {app.redis.url.username or 'default'} +select`"
    elif "PERMISSION DENIED" in upper:
        fix = f"run this as root, or set `{option}.group` to the socket's group"
    return wrong("redis", app.name, f"Redis does not answer: {error}", fix)


def _look(
    app: App,
    link: RedisClient,
    history: int,
    budget: float,
    clock: Callable[[], float],
) -> Iterator[Finding]:
    assert app.redis is not None  # noqa: S101 (only such apps are looked at)
    refused = list(_rights(app, link))
    yield from refused
    yield from _clock(app, link, clock)
    found = scan(link, app.redis.prefix, budget)
    if found.refused:
        user = app.redis.url.username or "default"
        yield unseen(
            "keys",
            app.name,
            f"the keys were not looked at: the user `{user}` may not run "
            f"`{found.refused}`",
            f"`ACL SETUSER {user} +scan +type`, only for the doctor",
        )
    elif not found.complete:
        yield unseen(
            "keys",
            app.name,
            f"only part of the database was looked at: {budget:g} s were over after "
            f"{found.walked:,} keys",
            "give more time with `--budget SECONDS`",
        )
    if not found.refused:
        yield from examine(app, found.keys, clock(), history, complete=found.complete)
    if not refused:
        yield from _values(app, link, clock())


# --- rights -------------------------------------------------------------------------


def _needed(app: App) -> dict[str, tuple[bytes, ...]]:
    """Each command that a scrape uses, with arguments for a key that is not there."""
    assert app.redis is not None  # noqa: S101 (only such apps are looked at)
    key = f"{app.redis.prefix}doctor".encode()
    needed: dict[str, tuple[bytes, ...]] = {"ping": (), "ttl": (key,)}
    if app.counters:
        needed |= {"mget": (key,), "get": (key,)}
    if app.breakdowns or app.timings or app.gauges:
        needed |= {"hgetall": (key,)}
    if any(not unique.exact for unique in app.uniques.values()):
        needed |= {"pfcount": (key,)}
    if any(unique.exact for unique in app.uniques.values()):
        needed |= {"scard": (key,), "sunion": (key,)}
    return needed


def _rights(app: App, link: RedisClient) -> Iterator[Finding]:
    assert app.redis is not None  # noqa: S101 (only such apps are looked at)
    needed = _needed(app)
    commands: list[Command] = [(c, *arguments) for c, arguments in needed.items()]
    replies = link.run(commands)
    user = app.redis.url.username or "default"
    denied, no_keys = [], False
    for command, reply in zip(needed, replies, strict=True):
        if isinstance(reply, NoPermissionError):
            # Redis 7: "User u has no permissions to run the 'get' command", and "No
            # permissions to access a key"; 6: "… access one of the keys …".
            if "command" in str(reply):
                denied.append(command)
            else:
                no_keys = True
    if denied:
        grant = " ".join(f"+{command}" for command in denied)
        listed = ", ".join(f"`{command}`" for command in denied)
        yield wrong(
            "acl",
            app.name,
            f"the Redis user `{user}` may not run {listed}",
            f"`ACL SETUSER {user} {grant}`",
        )
    if no_keys:
        yield wrong(
            "acl",
            app.name,
            f"the Redis user `{user}` may not read keys of `{app.redis.prefix}*`",
            f"`ACL SETUSER {user} %R~{app.redis.prefix}*`",
        )


def _clock(
    app: App, link: RedisClient, clock: Callable[[], float]
) -> Iterator[Finding]:
    before = clock()
    (reply,) = link.run([(b"TIME",)])
    after = clock()
    # A user with few rights may not ask; that is no fault of theirs.
    if isinstance(reply, ResponseError):
        return
    there = int(reply[0]) + int(reply[1]) / 1e6
    off = there - (before + after) / 2
    if abs(off) > _SKEW + (after - before):
        yield wrong(
            "clock",
            app.name,
            f"the clock of Redis' host is {abs(off):.0f} s "
            f"{'ahead of' if off > 0 else 'behind'} this one",
            "let both keep time with NTP (`services.timesyncd.enable`)",
        )


# --- keys and values ----------------------------------------------------------------


def scan(
    link: RedisClient,
    prefix: str,
    budget: float,
    ticks: Callable[[], float] = time.monotonic,
) -> Scan:
    """Walk over the whole database for keys of `prefix`, within `budget` seconds."""
    found = Scan()
    end = ticks() + budget
    cursor = b"0"
    # The prefix is a text, not a pattern.
    pattern = b"".join(
        b"\\" + bytes([c]) if c in b"*?[]\\" else bytes([c]) for c in prefix.encode()
    )
    seen: set[bytes] = set()
    while True:
        step = (b"SCAN", cursor, b"MATCH", pattern + b"*", b"COUNT", b"%d" % COUNT)
        (reply,) = link.run([step])
        if isinstance(reply, ResponseError):
            found.refused = "scan"
            return found
        cursor, names = reply
        found.walked += COUNT
        # SCAN may give a key more than once.
        new = [name for name in names if name not in seen]
        seen.update(new)
        if new and not _describe(link, new, found):
            found.refused = "type"
            return found
        if cursor == b"0":
            found.complete = True
            return found
        if ticks() > end:
            return found


def _describe(link: RedisClient, names: Sequence[bytes], found: Scan) -> bool:
    """Add type and expiry of each name; false when the user may not ask for types."""
    replies = link.run([c for name in names for c in ((b"TYPE", name), (b"TTL", name))])
    kinds, expiries = replies[::2], replies[1::2]
    strings = [n for n, kind in zip(names, kinds, strict=True) if kind == b"string"]
    # Enough to tell a number from a HyperLogLog.
    values = dict(zip(strings, link.run([(b"GET", n) for n in strings]), strict=True))
    for name, kind, ttl in zip(names, kinds, expiries, strict=True):
        if isinstance(kind, ResponseError):
            return False
        if kind == b"none" or isinstance(ttl, ResponseError) or ttl == -2:
            continue  # expired meanwhile
        value = values.get(name)
        sample = value[:32] if isinstance(value, bytes) else b""
        text = name.decode("utf-8", "backslashreplace")
        found.keys.append(Key(text, kind.decode(), int(ttl), sample))
    return True


def _values(app: App, link: RedisClient, now: float) -> Iterator[Finding]:
    assert app.redis is not None  # noqa: S101 (only such apps are looked at)
    keys = Keys(app.redis.prefix)
    day = today(now, app.zone)
    counters = list(app.counters)
    tables = [*app.breakdowns, *app.timings]
    commands = [(b"GET", keys.key(day, name)) for name in counters]
    commands += [(b"HGETALL", keys.key(day, name)) for name in tables]
    commands += [(b"HGETALL", keys.now)]
    replies = link.run(commands)
    strings = {
        name: reply
        for name, reply in zip(counters, replies, strict=False)
        if isinstance(reply, bytes)
    }
    hashes = {
        name: _pairs(reply)
        for name, reply in zip(tables, replies[len(counters) :], strict=False)
        if isinstance(reply, list)
    }
    yield from value_faults(app, strings, hashes)
    if app.gauges and isinstance(replies[-1], list):
        yield from gauge_fields(app, _pairs(replies[-1]))
    elif isinstance(replies[-1], list) and replies[-1]:
        yield note(
            "undeclared",
            app.name,
            f"`{keys.now.decode()}` has gauges, but none is declared",
            f"declare them under `apps.{app.name}.gauges`",
        )


def _pairs(reply: Sequence[Any]) -> dict[bytes, bytes]:
    return dict(zip(reply[::2], reply[1::2], strict=True))
