"""One app's Redis: whether it answers, to whom, and what it holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from redis import exceptions

from soloscope.counts.model import today
from soloscope.counts.request import Fault, Keys
from soloscope.counts.store import Store
from soloscope.doctor import keys, values
from soloscope.doctor.finding import Finding, unseen, wrong
from soloscope.doctor.rights import lacking, needed
from soloscope.doctor.scan import scan
from soloscope.errors import BackendUnavailable, SecretUnavailable
from soloscope.redis.client import RedisClient

if TYPE_CHECKING:
    from soloscope.config import App

__all__ = ["look"]

_SKEW = 2.0


def look(
    app: App, history: int, budget: float, clock: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """Everything about one app's Redis. `budget`: seconds that the scan may take."""
    assert app.redis is not None  # noqa: S101 (only such apps are looked at)
    option = f"apps.{app.name}.redis.passwordFile"
    if app.redis.password is not None:
        if not app.redis.password.in_reach():
            yield unseen(
                "redis",
                app.name,
                "Redis was not looked at: its password is for the service alone",
                "run this as root while soloscope-exporter runs, or give the file of "
                f"`{option}` with `--redis-password-file FILE`",
            )
            return
        try:
            app.redis.password.read()
        except SecretUnavailable as error:
            yield wrong(
                "redis", app.name, f"no password: {error}", f"repair `{option}`"
            )
            return
    client = RedisClient(app.redis)
    try:
        yield from _look(app, client, history, budget, clock)
    except BackendUnavailable as error:
        yield _refusal(app, f"Redis does not answer: {error}", error.cause)
    except exceptions.ResponseError as error:
        yield _refusal(app, f"Redis refuses: {error}", error)
    finally:
        client.close()


def _refusal(app: App, what: str, error: BaseException | None) -> Finding:
    assert app.redis is not None  # noqa: S101 (only such apps are looked at)
    option = f"apps.{app.name}.redis"
    user = app.redis.url.username or "default"
    # Redis' own code stands first where redis-py has no class for it.
    code = str(error).partition(" ")[0]
    inner = error
    while inner is not None and not isinstance(inner, PermissionError):
        inner = inner.__cause__ or inner.__context__
    if inner is not None:
        fix = f"run this as root, or set `{option}.group` to the socket's group"
    elif isinstance(error, exceptions.AuthenticationError):
        fix = f"repair the user in `{option}.url` or the password in `passwordFile`"
        if app.redis.password is None:
            fix = f"set `{option}.passwordFile` to a file with the password of `{user}`"
    elif isinstance(error, exceptions.NoPermissionError):
        # Only a database other than 0 needs it, so it is not among the usual rights.
        fix = f"`ACL SETUSER {user} +select`"
    elif isinstance(error, exceptions.BusyLoadingError):
        fix = "wait until Redis has read its data; `redis-cli info persistence`"
    elif isinstance(error, exceptions.MasterDownError):
        fix = "bring its master back (`redis-cli info replication`), or `CONFIG SET "
        fix += "replica-serve-stale-data yes`"
    elif isinstance(error, exceptions.ClusterDownError):
        fix = "`redis-cli cluster info` says what the cluster lacks"
    elif isinstance(error, exceptions.AskError):  # MOVED, too
        fix = f"let `{option}.url` name a Redis that is no cluster of several nodes"
    elif code == "BUSY":
        fix = "a script holds Redis up: wait, or `redis-cli script kill`"
    elif code == "MISCONF":
        fix = "Redis cannot save: make room on its disk, and see its log for the reason"
    elif str(error) == "max number of clients reached":
        fix = "`redis-cli client list` says who they are; end some, or `CONFIG SET "
        fix += "maxclients`"
    else:
        fix = f"start Redis, or repair `{option}.url`"
    return wrong("redis", app.name, what, fix)


def _look(
    app: App,
    client: RedisClient,
    history: int,
    budget: float,
    clock: Callable[[], float],
) -> Iterator[Finding]:
    assert app.redis is not None  # noqa: S101 (only such apps are looked at)
    commands = needed(app)
    replies = client.run([(c, *given) for c, given in commands.items()])
    for reply in replies:
        if isinstance(reply, Exception) and not isinstance(
            reply, exceptions.NoPermissionError
        ):
            raise reply
    refused = list(lacking(app, dict(zip(commands, replies, strict=True))))
    yield from refused
    yield from _clock(app, client, clock)
    found = scan(client, app.redis.prefix, budget)
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
        yield from keys.examine(
            app, found.keys, clock(), history, complete=found.complete
        )
    if not refused:
        known = {key.name for key in found.keys if keys.is_other_type(app, key)}
        yield from _values(app, client, history, clock, known)


def _clock(
    app: App, client: RedisClient, clock: Callable[[], float]
) -> Iterator[Finding]:
    before = clock()
    (reply,) = client.run([(b"TIME",)])
    after = clock()
    # A user with few rights may not ask; that is no fault of theirs.
    if isinstance(reply, Exception):
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


def _values(
    app: App,
    client: RedisClient,
    history: int,
    clock: Callable[[], float],
    known: set[str],
) -> Iterator[Finding]:
    """What `serve` leaves out, as its own reader says it; `known` keys were named."""
    assert app.redis is not None  # noqa: S101 (only such apps are looked at)
    names = Keys(app.redis.prefix)
    gauges = names.now.decode("utf-8", "replace")
    faults: list[Fault] = []
    store = Store(app, app.redis, history, clock=clock, on_fault=faults.append)
    try:
        store.read()
    finally:
        store.close()
    faults = [f for f in dict.fromkeys(faults) if f.key not in {gauges, *known}]
    held = _read(app, client, [(f.name, f.key.encode()) for f in faults])
    yield from values.left_out(app, faults, held)
    day = today(clock(), app.zone)
    hashes = [(n, names.key(day, n)) for n in (*app.breakdowns, *app.timings)]
    now = _read(app, client, [*hashes, ("", names.now)])
    shown = {name: now.get(key.decode(), {}) for name, key in hashes}
    yield from values.today(app, shown)
    if gauges in now:
        yield from values.gauges(app, now[gauges])


def _read(
    app: App, client: RedisClient, wanted: Sequence[tuple[str, bytes]]
) -> dict[str, Any]:
    """What the keys hold: bytes of a counter, a hash of all else that is one."""
    replies = client.run(
        [(b"GET" if name in app.counters else b"HGETALL", k) for name, k in wanted]
    )
    found: dict[str, Any] = {}
    for (_, key), reply in zip(wanted, replies, strict=True):
        if isinstance(reply, bytes):
            found[key.decode()] = reply
        elif isinstance(reply, list):
            found[key.decode()] = dict(zip(reply[::2], reply[1::2], strict=True))
    return found
