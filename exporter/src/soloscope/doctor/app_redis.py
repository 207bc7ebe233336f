"""One app's Redis: whether it answers, and its keys and values."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from redis import exceptions

from soloscope.counts.model import today
from soloscope.counts.request import Keys
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
    """All findings for one app's Redis. `budget`: seconds that the scan may take."""
    assert app.redis is not None  # noqa: S101 (only such apps are looked at)
    password, option = app.redis.password, f"apps.{app.name}.redis.passwordFile"
    if password is not None and not password.in_reach():
        what = "Redis was not looked at: its password is for the service alone"
        fix = "run this as root while soloscope-exporter runs, or give the file of "
        fix += f"`{option}` with `--redis-password-file FILE`"
        yield unseen("redis", app.name, what, fix)
        return
    client = RedisClient(app.redis)
    try:
        yield from _look(app, client, history, budget, clock)
    except BackendUnavailable as error:
        yield _refusal(app, f"Redis does not answer: {error}", error.cause or error)
    except exceptions.ResponseError as error:
        yield _refusal(app, f"Redis refuses: {error}", error)
    finally:
        client.close()


_FIXES: dict[type[Exception] | str, str] = {
    PermissionError: "run this as root, or set `{option}.group` to the socket's group",
    SecretUnavailable: "repair `{option}.passwordFile`",
    exceptions.AuthenticationError: "set `{option}.passwordFile` to a file with the "
    "password of `{user}`, or repair the user in `{option}.url`",
    # Only a database other than 0 needs it, so it is not among the usual rights.
    exceptions.NoPermissionError: "`ACL SETUSER {user} +select`",
    exceptions.BusyLoadingError: "wait until Redis has read its data; `redis-cli info "
    "persistence`",
    exceptions.MasterDownError: "bring its master back (`redis-cli info replication`), "
    "or `CONFIG SET replica-serve-stale-data yes`",
    exceptions.ClusterDownError: "`redis-cli cluster info` says what the cluster lacks",
    exceptions.AskError: "let `{option}.url` name a Redis that is no cluster",  # MOVED
    # redis-py has no class for these.
    "BUSY": "a script holds Redis up: wait, or `redis-cli script kill`",
    "MISCONF": "Redis cannot save: make room on its disk, and see its log",
    "max number of clients reached": "`redis-cli client list` says who they are; end "
    "some, or `CONFIG SET maxclients`",
    Exception: "start Redis, or repair `{option}.url`",
}


def _refusal(app: App, what: str, error: BaseException) -> Finding:
    """The finding for an error of Redis. `error`: redis-py's, or its cause."""
    assert app.redis is not None  # noqa: S101 (only such apps are looked at)
    words = {"option": f"apps.{app.name}.redis"}
    words["user"] = app.redis.url.username or "default"
    said, causes = str(error), [error]
    while inner := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(inner)
    fix = next(
        fix
        for kind, fix in _FIXES.items()
        if kind in {said, said.partition(" ")[0]}
        or (isinstance(kind, type) and any(isinstance(c, kind) for c in causes))
    )
    return wrong("redis", app.name, what, fix.format(**words))


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
        what = f"the keys were not looked at: the user `{user}` may not run "
        fix = f"`ACL SETUSER {user} +scan +type`, only for the doctor"
        yield unseen("keys", app.name, f"{what}`{found.refused}`", fix)
    elif not found.complete:
        what = f"only part of the database was looked at: {budget:g} s were over after "
        fix = "give more time with `--budget SECONDS`"
        yield unseen("keys", app.name, f"{what}{found.walked:,} keys", fix)
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
    # A user with few rights may not run it; that is not a fault.
    if isinstance(reply, Exception):
        return
    there = int(reply[0]) + int(reply[1]) / 1e6
    off = there - (before + after) / 2
    if abs(off) > _SKEW + (after - before):
        way = "ahead of" if off > 0 else "behind"
        what = f"the clock of Redis' host is {abs(off):.0f} s {way} this one"
        fix = "let both keep time with NTP (`services.timesyncd.enable`)"
        yield wrong("clock", app.name, what, fix)


def _values(
    app: App,
    client: RedisClient,
    history: int,
    clock: Callable[[], float],
    known: set[str],
) -> Iterator[Finding]:
    """The faults in the store of `serve`; `known` keys are already reported."""
    assert app.redis is not None  # noqa: S101 (only such apps are looked at)
    names = Keys(app.redis.prefix)
    gauges = names.now.decode("utf-8", "replace")
    store = Store(app, app.redis, history, clock=clock)
    try:
        found = dict.fromkeys(store.read().faults)
    finally:
        store.close()
    faults = [fault for fault in found if fault.key not in {gauges, *known}]
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
    """The values of the keys: bytes of a counter, otherwise a hash."""
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
