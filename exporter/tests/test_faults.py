"""Faults of Redis and its keys: each time the rest is exported and nothing is stale.

Real servers throughout; only a Redis with a slow reply is simulated by a socket.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from redis._parsers import _RESP2Parser
from redis.connection import UnixDomainSocketConnection

from exporting import (
    Clock,
    Counted,
    an_app,
    configure,
    continue_signal,
    counted,
    declare,
    get,
    samples,
    serving,
    stop_signal,
)
from running import free_port, listens, program, raw_server, running, until
from soloscope.config import App
from soloscope.counts.model import Snapshot
from soloscope.counts.store import Store
from soloscope.exporter import scraper as reading
from soloscope.exporter.service import snapshot_json

DAY = "metrics:2026-11-18:"


@contextmanager
def own_redis(folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Redis of this test's own at folder/r.sock, to be stopped and started."""
    path = folder / "r.sock"
    path.unlink(missing_ok=True)
    argv = [program("redis-server"), "--port", "0", "--unixsocket", str(path)]
    argv += ["--save", "", "--dir", str(folder), *options]
    with running(argv, folder / "redis.log") as process:
        until("redis-server listens", lambda: listens(path))
        yield process


def client(path: Path, **options: Any) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(path), protocol=2, **options)


def tell(db: Any, *words: object) -> Any:
    """Any command; redis-py's own is not annotated."""
    return db.execute_command(*words)


@pytest.fixture
def noon(redis_socket: Path, db: redis.Redis) -> Counted:
    return counted(an_app(redis_socket), Clock("2026-11-18 12:00"))


def up(snapshot: Snapshot) -> Snapshot:
    assert snapshot.up, snapshot.error
    return snapshot


def down(snapshot: Snapshot, why: str) -> None:
    """Not up, with the reason, and with no value left from before."""
    assert not snapshot.up
    assert why in snapshot.error
    assert snapshot.today is None
    values = (snapshot.days, snapshot.windows, snapshot.gauges, snapshot.jobs)
    assert not any(values)


def conversations(snapshot: Snapshot) -> float | None:
    assert snapshot.today is not None
    return snapshot.today.counters.get("conversations")


# --- the server --------------------------------------------------------------------


def test_redis_stopped_and_restarted(tmp_path: Path) -> None:
    reader = counted(an_app(tmp_path / "r.sock"), Clock("2026-11-18 12:00"))
    down(reader.store.read(), "No such file")
    with own_redis(tmp_path):
        with client(tmp_path / "r.sock") as db:
            db.set(DAY + "conversations", 31)
        assert conversations(up(reader.store.read())) == 31
    down(reader.store.read(), str(tmp_path / "r.sock"))
    with own_redis(tmp_path):
        # The first reading after a restart succeeds, and nothing is left of before.
        again = up(reader.store.read())
        assert conversations(again) == 0
        assert again.windows["30d"]["conversations"] == 0


def test_redis_restarted_between_two_readings(tmp_path: Path) -> None:
    reader = counted(an_app(tmp_path / "r.sock"), Clock("2026-11-18 12:00"))
    for value in (31, 32):
        with own_redis(tmp_path):
            with client(tmp_path / "r.sock") as db:
                db.set(DAY + "conversations", value)
            assert conversations(up(reader.store.read())) == value


def test_redis_hung(tmp_path: Path) -> None:
    with own_redis(tmp_path) as process:
        reader = counted(an_app(tmp_path / "r.sock"), Clock("2026-11-18 12:00"))
        up(reader.store.read())
        stop_signal(process)
        try:
            begun = time.monotonic()
            down(reader.store.read(), "no answer within 1 s")
            assert 0.9 < time.monotonic() - begun < 2.5
        finally:
            continue_signal(process)
        up(reader.store.read())


@pytest.mark.parametrize("reconnect", [False, True])
def test_redis_replaced_by_an_empty_one(
    noon: Counted, db: redis.Redis, reconnect: bool
) -> None:
    for day in ("18", "17", "10"):
        db.set(f"metrics:2026-11-{day}:conversations", 5)
        db.sadd(f"metrics:2026-11-{day}:payers", day)
    assert up(noon.store.read()).windows["30d"]["conversations"] == 15
    noon.clock.pass_(3600)
    db.flushall()
    if reconnect:
        db.client_kill_filter(_type="normal", skipme=True)
    empty = up(noon.store.read())
    assert conversations(empty) == 0
    assert empty.windows["30d"]["conversations"] == 0
    assert empty.windows["30d"]["payers"] == 0
    assert not any(day.counters["conversations"] for day in empty.days)


def test_a_day_that_is_emptied_while_today_has_nothing(
    noon: Counted, db: redis.Redis
) -> None:
    for n in range(1, 18):
        db.set(f"metrics:2026-11-{n:02}:conversations", 5)
    assert up(noon.store.read()).windows["30d"]["conversations"] == 85
    noon.clock.pass_(3600)
    db.flushall()
    for _ in range(13):  # the days before November had nothing to lose
        snapshot = up(noon.store.read())
    assert snapshot.windows["30d"]["conversations"] == 0


def test_foreign_keys_are_never_looked_at(noon: Counted, db: redis.Redis) -> None:
    up(noon.store.read())
    fill = "for i = 1, 100000 do redis.call('SET', 'foreign:' .. i, i) end"
    tell(db, "EVAL", fill, 0)
    db.config_resetstat()
    up(noon.store.read())
    told: Any = db.info("commandstats")
    assert "cmdstat_hgetall" in told
    assert not {"cmdstat_keys", "cmdstat_scan"} & set(told)


def test_noauth_and_a_wrong_password(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    path = tmp_path / "r.sock"
    with own_redis(tmp_path, "--requirepass", "right"):
        without = counted(an_app(path), Clock("2026-11-18 12:00"))
        down(without.store.read(), "uthentication")
        secret = {"file": str(tmp_path / "password")}
        app = an_app(path, redis={"url": f"unix://{path}", "passwordFile": secret})
        with_one = counted(app, Clock("2026-11-18 12:00"))
        snapshot = with_one.store.read()
        down(snapshot, "invalid")
        assert "hunter2" not in snapshot.error
        # A corrected password takes effect at the next reading.
        (tmp_path / "password").write_text("right\n")
        up(with_one.store.read())
        (tmp_path / "password").unlink()
        with_one.store.close()
        down(with_one.store.read(), "password")


ACL = "on >secret %R~metrics:* -@all +get +hgetall +pfcount +scard +sunion +ttl +ping"


def acl_app(path: Path, folder: Path) -> App:
    (folder / "password").write_text("secret")
    secret = {"file": str(folder / "password")}
    url = f"unix://reader@{path}?db=0"
    return an_app(path, redis={"url": url, "passwordFile": secret})


def test_the_documented_rights_suffice(
    redis_socket: Path, db: redis.Redis, tmp_path: Path
) -> None:
    tell(db, "ACL", "SETUSER", "reader", "reset", *ACL.split())
    for day in ("18", "17"):
        db.set(f"metrics:2026-11-{day}:conversations", 1)
        db.sadd(f"metrics:2026-11-{day}:payers", day)
        db.pfadd(f"metrics:2026-11-{day}:active_users", day)
    app = acl_app(redis_socket, tmp_path)
    reader = counted(app, Clock("2026-11-18 12:00"))
    snapshot = up(reader.store.read())
    assert snapshot.windows["7d"]["payers"] == 2
    assert snapshot.windows["7d"]["active_users"] == 2
    assert reader.faults == []


def test_noperm_for_one_command_and_for_all(
    redis_socket: Path, db: redis.Redis, tmp_path: Path
) -> None:
    tell(db, "ACL", "SETUSER", "reader", "reset", *ACL.split())
    tell(db, "ACL", "SETUSER", "reader", "-pfcount")
    db.set(DAY + "conversations", 31)
    reader = counted(acl_app(redis_socket, tmp_path), Clock("2026-11-18 12:00"))
    snapshot = up(reader.store.read())
    assert conversations(snapshot) == 31
    assert snapshot.today is not None
    assert snapshot.today.uniques == {"payers": 0}
    assert {(f.name, "pfcount" in f.reason) for f in reader.faults} == {
        ("active_users", True)
    }
    tell(db, "ACL", "SETUSER", "reader", "nocommands")
    down(reader.store.read(), "no permissions")
    tell(db, "ACL", "SETUSER", "reader", "resetkeys", "%R~other:*", "+@all")
    down(reader.store.read(), "no permissions")


def test_a_user_who_may_not_read_hashes_or_expiries(
    redis_socket: Path, db: redis.Redis, tmp_path: Path
) -> None:
    tell(db, "ACL", "SETUSER", "reader", "reset", *ACL.split())
    tell(db, "ACL", "SETUSER", "reader", "-hgetall", "-ttl")
    db.set(DAY + "conversations", 31)
    reader = counted(acl_app(redis_socket, tmp_path), Clock("2026-11-18 12:00"))
    for _ in range(4):
        snapshot = up(reader.store.read())
        # The same at each scrape, and no value for what was not seen.
        assert conversations(snapshot) == 31
        assert snapshot.keys_without_expiry is None
        assert {(f.name, f.reason.rsplit("'", 2)[1]) for f in snapshot.faults} == {
            ("deficiencies", "hgetall"),
            ("openai", "hgetall"),
            ("users_total", "hgetall"),
            ("revenue", "hgetall"),
            ("keys_without_expiry", "ttl"),
        }
        assert "keys_without_expiry" not in snapshot_json(snapshot)
    tell(db, "ACL", "SETUSER", "reader", "+ttl")
    assert [up(reader.store.read()).keys_without_expiry for _ in range(30)][-1] == 1


def test_no_command_of_a_connection_is_refused(
    redis_socket: Path, db: redis.Redis, tmp_path: Path
) -> None:
    """redis-py would send CLIENT SETINFO, which the documented rights do not allow."""
    tell(db, "ACL", "SETUSER", "reader", "reset", *ACL.split())
    tell(db, "ACL", "LOG", "RESET")
    up(counted(acl_app(redis_socket, tmp_path), Clock("2026-11-18 12:00")).store.read())
    assert tell(db, "ACL", "LOG") == []


def test_loading(tmp_path: Path) -> None:
    debug = ("--enable-debug-command", "local")
    with own_redis(tmp_path, *debug), client(tmp_path / "r.sock") as db:
        tell(db, "DEBUG", "POPULATE", 3000, "foreign")
        db.set(DAY + "conversations", 31)
        db.save()
    slow = (
        "--key-load-delay",
        "700",
        "--loading-process-events-interval-bytes",
        "1024",
    )
    with own_redis(tmp_path, *slow):
        reader = counted(an_app(tmp_path / "r.sock"), Clock("2026-11-18 12:00"))
        down(reader.store.read(), "loading")
        until("Redis has loaded", lambda: reader.store.read().up)
        assert conversations(up(reader.store.read())) == 31


def test_a_server_that_is_busy_between_two_questions(
    noon: Counted, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script of somebody else runs just when an older day is read."""
    db.set("metrics:2026-11-10:conversations", 5)
    run = noon.store._redis.run
    asked: list[int] = []

    def sometimes(commands: Sequence[bytes]) -> list[Any]:
        asked.append(len(commands))
        busy = redis.ResponseError("BUSY Redis is busy running a script.")
        return [busy] * len(commands) if len(asked) == 3 else run(commands)

    monkeypatch.setattr(noon.store._redis, "run", sometimes)
    down(noon.store.read(), "BUSY")
    assert up(noon.store.read()).windows["30d"]["conversations"] == 5


def test_moved(tmp_path: Path) -> None:
    """A cluster's node that has none of the keys."""
    with ExitStack() as stack:
        nodes = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            port, bus = free_port(), free_port()
            argv = [program("redis-server"), "--port", str(port), "--save", ""]
            argv += ["--cluster-enabled", "yes", "--cluster-port", str(bus)]
            argv += ["--bind", "127.0.0.1", "--dir", str(tmp_path / name)]
            stack.enter_context(running(argv, tmp_path / name / "log"))
            node = redis.Redis(host="127.0.0.1", port=port, protocol=2)
            stack.callback(node.close)

            def pings(node: redis.Redis = node) -> bool:
                try:
                    return bool(node.ping())
                except redis.RedisError:
                    return False

            until("the node answers", pings)
            nodes.append((node, port, bus))
        (a, port, _), (b, b_port, b_bus) = nodes
        tell(b, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        tell(a, "CLUSTER", "MEET", "127.0.0.1", b_port, b_bus)
        app = an_app(redis={"url": f"redis://127.0.0.1:{port}"})

        def moved() -> bool:
            try:
                a.get("metrics:2026-11-18:conversations")
            except redis.ResponseError as error:
                return type(error).__name__ == "MovedError"
            return False

        until("the nodes know each other", moved)
        reader = counted(app, Clock("2026-11-18 12:00"))
        down(reader.store.read(), str(b_port))


def test_a_cluster_of_one_node(tmp_path: Path) -> None:
    """Counts are steady; estimates by day; only their windows cannot be merged."""
    port, bus = free_port(), free_port()
    argv = [program("redis-server"), "--port", str(port), "--save", ""]
    argv += ["--cluster-enabled", "yes", "--cluster-port", str(bus)]
    argv += ["--bind", "127.0.0.1", "--dir", str(tmp_path)]
    app = an_app(redis={"url": f"redis://127.0.0.1:{port}"})
    reader = counted(app, Clock("2026-11-18 12:00"))
    with (
        running(argv, tmp_path / "log"),
        redis.Redis(host="127.0.0.1", port=port, protocol=2) as node,
    ):
        until("the node listens", lambda: "refused" not in reader.store.read().error)
        down(reader.store.read(), "Hash slot not served")
        tell(node, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        until("the cluster is well", lambda: reader.store.read().up)
        for day in ("18", "17"):
            node.set(f"metrics:2026-11-{day}:conversations", 2)
            node.pfadd(f"metrics:2026-11-{day}:active_users", "a", day)
            node.sadd(f"metrics:2026-11-{day}:payers", "a", day)
        reader = counted(app, Clock("2026-11-18 12:00"))
        for _ in range(3):
            snapshot = up(reader.store.read())
            assert snapshot.windows["7d"]["conversations"] == 4
            assert snapshot.windows["7d"]["payers"] == 3
            assert snapshot.windows["1d"]["active_users"] == 2
            assert [day.uniques["active_users"] for day in snapshot.days[:2]] == [2, 2]
            assert "active_users" not in snapshot.windows["7d"]
            (fault,) = snapshot.faults
            assert fault.name == "active_users"
            assert "set exact = true" in fault.reason


def test_an_answer_that_is_no_redis() -> None:
    def talk(peer: socket.socket) -> None:
        peer.recv(1000)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with raw_server(talk) as port:
        app = an_app(redis={"url": f"redis://127.0.0.1:{port}"})
        down(counted(app, Clock("2026-11-18 12:00")).store.read(), "is no Redis")


def test_an_answer_that_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soloscope.redis.client.TOTAL", 0.5)

    def talk(peer: socket.socket) -> None:
        peer.recv(10_000)
        peer.sendall(b"*2\r\n")
        for _ in range(40):
            peer.sendall(b"$1\r\n1\r\n")
            time.sleep(0.05)

    with raw_server(talk) as port:
        app = an_app(redis={"url": f"redis://127.0.0.1:{port}"})
        begun = time.monotonic()
        reader = counted(app, Clock("2026-11-18 12:00"))
        down(reader.store.read(), "no whole answer")
        assert time.monotonic() - begun < 1.5


# Two counters and the expiries of both are asked for.
@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (b"$1\r\n5\r\n" * 2 + b":9\r\n" * 5, True),
        (b"$1\r\n5\r\n" * 2 + b":9\r\n", False),
        (b"$1\r\n", False),
        (b"", False),
    ],
)
def test_an_answer_of_another_length(answer: bytes, whole: bool) -> None:
    """Unexpected replies are never taken for those of the next commands."""

    def talk(peer: socket.socket) -> None:
        peer.recv(10_000)
        peer.sendall(answer)
        if whole:
            time.sleep(0.2)

    others: dict[str, Any] = {
        kind: {} for kind in ("breakdowns", "uniques", "timings", "gauges")
    }
    with raw_server(talk) as port:
        app = an_app(redis={"url": f"redis://127.0.0.1:{port}"}, **others)
        reader = counted(app, Clock("2026-11-18 12:00"), history=0)
        for _ in range(3):
            snapshot = reader.store.read()
            if whole:
                assert conversations(up(snapshot)) == 5
            else:
                down(snapshot, f"127.0.0.1:{port}")


def test_a_late_answer_never_becomes_another_value(tmp_path: Path) -> None:
    """A reply after a time-out belongs to a command after it."""
    debug = ("--enable-debug-command", "local")
    path = tmp_path / "r.sock"
    with (
        own_redis(tmp_path, *debug),
        client(path) as db,
        client(path) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        reader = counted(an_app(path), Clock("2026-11-18 12:00"), history=0)
        seen = {True: 0, False: 0}
        for n in range(1, 13):
            db.set(DAY + "conversations", 1000 + n)
            db.set(DAY + "digests_created", 2000 + n)
            db.hset("metrics:now", "users_total", 3000 + n)
            nap = pool.submit(tell, other, "DEBUG", "SLEEP", 1.15 if n % 4 == 0 else 0)
            time.sleep(0.02)
            snapshot = reader.store.read()
            seen[snapshot.up] += 1
            if snapshot.up:
                assert snapshot.today is not None
                assert snapshot.today.counters == {
                    "conversations": 1000 + n,
                    "digests_created": 2000 + n,
                }
                assert snapshot.gauges == {"users_total": 3000 + n}
            nap.result(10)
        assert seen == {True: 9, False: 3}


def test_a_slow_first_reading_does_not_hold_up_the_answer(
    redis_socket: Path, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with one app: Prometheus would end the scrape after ten seconds."""
    app = an_app(redis_socket)
    assert app.redis is not None

    class Slow(Store):
        def read(self) -> Snapshot:
            if slow.last is None:
                time.sleep(1)
            return super().read()

    monkeypatch.setattr(reading, "PATIENCE", 0.2)
    slow = reading.Scraper(app, Slow(app, app.redis, 30))
    slow.ask()
    try:
        begun = time.monotonic()
        (first,) = reading.gather([slow])
        assert time.monotonic() - begun < 0.9
        down(first, "no answer within 0.2 s")
        until("it is read", lambda: slow.last is not None and slow.last.up)
        (later,) = reading.gather([slow])
        up(later)
    finally:
        slow.stop()


def test_one_redis_that_hangs_does_not_delay_the_others(
    tmp_path: Path, redis_socket: Path, db: redis.Redis
) -> None:
    with own_redis(tmp_path) as process:
        hung = declare(tmp_path / "r.sock")
        config = configure(declare(redis_socket), hung, declare("/nowhere/r.sock"))
        with serving(config) as url:
            text = get(url + "/metrics")
            assert samples(text, "soloscope_up") == [
                'soloscope_up{app="shop"} 1.0',
                'soloscope_up{app="shop2"} 1.0',
                'soloscope_up{app="shop3"} 0.0',
            ]
            stop_signal(process)
            try:
                get(url + "/metrics")
                durations = []
                for _ in range(5):
                    begun = time.monotonic()
                    text = get(url + "/metrics")
                    durations.append(time.monotonic() - begun)
                    assert 'soloscope_up{app="shop"} 1.0' in text
                    assert 'soloscope_up{app="shop2"} 0.0' in text
                    stale = [s for s in text.splitlines() if 'app="shop2"' in s]
                    assert {s.partition("{")[0] for s in stale} == {
                        "soloscope_up",
                        "soloscope_metric_info",
                    }
                # Its fault is known, and no scrape waits for it again.
                assert sorted(durations)[2] < 0.8
            finally:
                continue_signal(process)
            until("it is back", lambda: 'app="shop2"} 1.0' in get(url + "/metrics"))


# --- the keys ----------------------------------------------------------------------


def test_keys_of_another_type(noon: Counted, db: redis.Redis) -> None:
    db.set(DAY + "conversations", 31)
    db.lpush(DAY + "digests_created", 1)
    db.set(DAY + "deficiencies", 1)
    db.set(DAY + "active_users", "no estimate")
    db.set(DAY + "payers", 1)
    db.set(DAY + "openai", 1)
    db.set("metrics:now", 1)
    snapshot = up(noon.store.read())
    today = snapshot.today
    assert today is not None
    assert today.counters == {"conversations": 31}
    assert (today.breakdowns, today.uniques, today.timings) == ({}, {}, {})
    assert snapshot.gauges == {}
    assert snapshot.windows["7d"] == {"conversations": 31}
    assert {(f.name, "WRONGTYPE" in f.reason) for f in noon.faults} == {
        (name, True)
        for name in (
            "digests_created",
            "deficiencies",
            "active_users",
            "payers",
            "openai",
            "users_total",
            "revenue",
        )
    }
    # Repaired, each is exported again.
    db.flushall()
    db.set(DAY + "digests_created", 2)
    today = up(noon.store.read()).today
    assert today is not None
    assert today.counters == {"conversations": 0, "digests_created": 2}
    assert today.breakdowns == {"deficiencies": {}}


def test_a_counter_that_becomes_another_type(noon: Counted, db: redis.Redis) -> None:
    db.set(DAY + "conversations", 31)
    up(noon.store.read())
    up(noon.store.read())
    db.delete(DAY + "conversations")
    db.lpush(DAY + "conversations", 1)
    assert conversations(up(noon.store.read())) is None
    assert noon.faults[-1].name == "conversations"


@pytest.mark.parametrize(
    "value", [b"31 conversations", b"", b"nan", b"-1", b"\xff\xfe", b"1" * 70]
)
def test_a_counter_that_is_no_count(
    noon: Counted, db: redis.Redis, value: bytes
) -> None:
    db.set(DAY + "conversations", value)
    db.set(DAY + "digests_created", 2)
    snapshot = up(noon.store.read())
    assert snapshot.today is not None
    assert snapshot.today.counters == {"digests_created": 2}
    assert [f.name for f in noon.faults] == ["conversations"]


def test_values_beyond_a_float(noon: Counted, db: redis.Redis) -> None:
    db.set(DAY + "conversations", 2**53 + 1)
    db.set("metrics:2026-11-17:conversations", 2**63 - 1)
    snapshot = up(noon.store.read())
    assert conversations(snapshot) == 2**53 + 1
    assert snapshot.windows["7d"]["conversations"] == 2**53 + 2**63


NASTY = [
    b'qu"ote',
    b"back\\slash",
    b"new\nline",
    b"inv\xff\xfealid",
    b"nul\x00",
    "Größe 数".encode(),
    b"",
    b"{}=,",
]


def test_nasty_field_names(redis_socket: Path, db: redis.Redis, noon: Counted) -> None:
    from prometheus_client.openmetrics.parser import (
        text_string_to_metric_families as parse_openmetrics,
    )
    from prometheus_client.parser import text_string_to_metric_families as parse

    from soloscope.exporter.exposition import OPENMETRICS, TEXT
    from soloscope.exporter.exposition import counts as write

    app = an_app(redis_socket, breakdowns={"deficiencies": {}})
    reader = counted(app, noon.clock)
    for n, name in enumerate(NASTY):
        db.hset(DAY + "deficiencies", name, n + 1)
    db.hset(DAY + "deficiencies", b"x" * 10_000, 99)
    snapshot = up(reader.store.read())
    text = "".join(write([snapshot], TEXT))
    openmetrics = "".join(write([snapshot], OPENMETRICS)) + "# EOF\n"
    assert "soloscope_breakdown" in {f.name for f in parse_openmetrics(openmetrics)}  # type: ignore[no-untyped-call]
    read = {
        sample.labels["key"]: sample.value
        for family in parse(text)
        for sample in family.samples
        if sample.name == "soloscope_breakdown_total"
    }
    assert read == {
        'qu"ote': 1,
        "back\\slash": 2,
        "new\nline": 3,
        r"inv\xff\xfealid": 4,
        r"nul\x00": 5,
        "Größe 数": 6,
        "": 7,
        "{}=,": 8,
    }
    assert snapshot.keys_dropped == 1


def test_fields_that_are_no_counts(noon: Counted, db: redis.Redis) -> None:
    db.hset(DAY + "deficiencies", mapping={"good": 3, "bad": "x", "worse": "-1"})
    db.hset(DAY + "openai", mapping={"count": "1.5", "ms": 3})
    snapshot = up(noon.store.read())
    assert snapshot.today is not None
    assert snapshot.today.breakdowns == {"deficiencies": {"good": 3}}
    assert snapshot.today.timings == {}
    assert {f.name for f in noon.faults} == {"deficiencies", "openai"}


def test_a_hash_with_ten_thousand_fields(noon: Counted, db: redis.Redis) -> None:
    db.hset(DAY + "deficiencies", mapping={f"k{n}": n for n in range(10_000)})
    snapshot = up(noon.store.read())
    assert snapshot.today is not None
    assert snapshot.today.breakdowns["deficiencies"] == {
        "k9997": 9997,
        "k9998": 9998,
        "k9999": 9999,
    }
    assert snapshot.keys_dropped == 9997


def test_the_same_fault_is_logged_once_an_hour(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from soloscope.counts.model import Fault
    from soloscope.exporter.scraper import ScrapeLog
    from soloscope.log import set_up

    set_up("info")
    clock = Clock("2026-11-18 12:00")
    log = ScrapeLog("shop", ticks=lambda: clock.ticked)
    for seconds in (0, 30, 3569, 2):
        clock.pass_(seconds)
        log.fault(Fault("x", "metrics:…:x", "WRONGTYPE"))
    log.fault(Fault("x", "metrics:…:x", "is no number"))
    told = capsys.readouterr().out.splitlines()
    assert [line.partition('"reason":')[2] for line in told] == [
        '"WRONGTYPE"}',
        '"WRONGTYPE"}',
        '"is no number"}',
    ]


# --- the connection ----------------------------------------------------------------


def test_tls_with_a_certificate_that_is_trusted_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    argv = [program("openssl"), "req", "-x509", "-newkey", "ec", "-nodes"]
    argv += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"]
    argv += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    argv += ["-keyout", key, "-out", certificate]
    subprocess.run(argv, check=True, capture_output=True)
    port = free_port()
    tls = ["--tls-port", str(port), "--tls-cert-file", certificate]
    tls += ["--tls-key-file", key, "--tls-ca-cert-file", certificate]
    with own_redis(tmp_path, *tls, "--tls-auth-clients", "no"):
        with client(tmp_path / "r.sock", db=3) as db:
            db.set(DAY + "conversations", 31)
        app = an_app(redis={"url": f"rediss://127.0.0.1:{port}/3"})
        reader = counted(app, Clock("2026-11-18 12:00"))
        down(reader.store.read(), "certificate verify failed")
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        assert conversations(up(reader.store.read())) == 31
        plain = an_app(redis={"url": f"redis://127.0.0.1:{port}"})
        down(counted(plain, reader.clock).store.read(), f"127.0.0.1:{port}")


def test_a_server_that_is_full_says_so(tmp_path: Path) -> None:
    with own_redis(tmp_path), client(tmp_path / "r.sock") as db:
        db.config_set("maxclients", 1)
        reader = counted(an_app(tmp_path / "r.sock"), Clock("2026-11-18 12:00"))
        down(reader.store.read(), "max number of clients")
        db.config_set("maxclients", 100)
        up(reader.store.read())


def test_a_host_that_does_not_exist() -> None:
    app = an_app(redis={"url": "redis://no-such-host.invalid"})
    down(counted(app, Clock("2026-11-18 12:00")).store.read(), "no-such-host.invalid")


@pytest.mark.parametrize("host", ["a..b", ".x", "x" * 70, "no-such-host.invalid"])
@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_host_that_cannot_be_one(scheme: Any, host: str) -> None:
    app = an_app()
    assert app.redis is not None
    url = replace(app.redis.url, scheme=scheme, host=host, path=None)
    app = replace(app, redis=replace(app.redis, url=url))
    snapshot = counted(app, Clock("2026-11-18 12:00")).store.read()
    assert not snapshot.up
    assert "no such host" in snapshot.error or "not known" in snapshot.error


def test_forty_apps_in_one_redis(redis_socket: Path, db: redis.Redis) -> None:
    for n in range(40):
        db.set(f"app{n}:{datetime.now(UTC).date()}:conversations", n)
    apps = [
        declare(
            redis_socket, redis={"url": f"unix://{redis_socket}", "prefix": f"app{n}:"}
        )
        for n in range(40)
    ]
    with serving(configure(*apps)) as url:
        begun = time.monotonic()
        text = get(url + "/metrics")
        assert time.monotonic() - begun < 10
    found = [s for s in samples(text, "soloscope_count_total") if "conversations" in s]
    values = sorted(float(s.rpartition(" ")[2]) for s in found)
    assert values == [float(n) for n in range(40)]


def test_without_hiredis_the_same_is_read(
    noon: Counted, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.set(DAY + "conversations", 31)
    db.lpush(DAY + "digests_created", 1)
    db.hset(DAY + "deficiencies", mapping={f"k{n}": n for n in range(10_000)})
    db.sadd(DAY + "payers", "a")
    with_hiredis = up(noon.store.read())
    kind: Any = UnixDomainSocketConnection
    plain = partial(kind, parser_class=_RESP2Parser)
    monkeypatch.setattr("soloscope.redis.client.UnixDomainSocketConnection", plain)
    other = counted(an_app(noon.store._app.redis.url.path), noon.clock)  # type: ignore[union-attr]
    without = up(other.store.read())
    assert snapshot_json(without) == snapshot_json(with_hiredis)
    assert other.faults == noon.faults
