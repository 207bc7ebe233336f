"""The doctor on a Redis that refuses, and on values that serve leaves out."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from exporting import complete, parse
from running import free_port, redis_server, until
from soloscope.config import App
from soloscope.doctor import app_redis
from soloscope.doctor.finding import Finding

MONTH = 30 * 86400


def shop(socket: object, **redis: Any) -> App:
    app = {
        "redis": {"url": f"unix://{socket}", **redis},
        "counters": {"orders": {}},
        "breakdowns": {"kinds": {}},
        "uniques": {"users": {}},
        "timings": {"openai": {}},
    }
    return parse({"apps": {"shop": app}}).apps["shop"]


def client(socket: Path, **options: Any) -> Any:
    return redis.Redis(unix_socket_path=str(socket), protocol=2, **options)


def looked(app: App) -> list[Finding]:
    return list(app_redis.look(app, 30, 5))


def refused(app: App) -> Finding:
    (only,) = looked(app)
    assert (only.level, only.code) == ("wrong", "redis")
    return only


# --- a Redis that refuses everything ------------------------------------------------


def test_a_password_that_is_not_given(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--requirepass", "geheim") as socket:
        only = refused(shop(socket))
        assert "Authentication required" in only.what
        assert only.fix.startswith("set `apps.shop.redis.passwordFile`")
        (tmp_path / "password").write_text("falsch\n")
        secret = {"file": str(tmp_path / "password")}
        only = refused(shop(socket, passwordFile=secret))
        assert "repair the user" in only.fix
        (tmp_path / "password").unlink()
        only = refused(shop(socket, passwordFile=secret))
        assert "No such file" in only.what
        assert only.fix == "repair `apps.shop.redis.passwordFile`"


def masterdown(db: Any, _folder: Path) -> None:
    db.config_set("replica-serve-stale-data", "no")
    db.replicaof("127.0.0.1", free_port())


def full(db: Any, _folder: Path) -> None:
    db.config_set("maxclients", 1)


def misconf(db: Any, folder: Path) -> None:
    """A snapshot that cannot be written, because its folder is gone."""
    (folder / "data").mkdir()
    db.config_set("dir", str(folder / "data"))
    db.config_set("save", "1000 1000")
    (folder / "data").rmdir()
    db.bgsave()

    def fails() -> bool:
        return bool(db.info("persistence")["rdb_last_bgsave_status"] == "err")

    until("saving fails", fails)


@pytest.mark.parametrize(
    ("spoil", "options", "what", "fix"),
    [
        (masterdown, [], "MASTER", "info replication"),
        (full, [], "max number of clients", "client list"),
        (
            misconf,
            ["--enable-protected-configs", "yes"],
            "MISCONF",
            "make room on its disk",
        ),
        (
            lambda *_: None,
            ["--cluster-enabled", "yes"],
            "Hash slot not served",
            "cluster info",
        ),
    ],
)
def test_what_redis_said_and_its_fix(
    spoil: Callable[[Any, Path], None],
    options: list[str],
    what: str,
    fix: str,
    tmp_path: Path,
) -> None:
    with redis_server(tmp_path, *options) as socket, client(socket) as db:
        spoil(db, tmp_path)
        only = refused(shop(socket))
    assert what in only.what
    assert fix in only.fix


def test_a_redis_that_still_loads(tmp_path: Path) -> None:
    debug = ("--enable-debug-command", "local")
    with redis_server(tmp_path, *debug) as socket, client(socket) as db:
        db.execute_command("DEBUG", "POPULATE", 3000, "foreign")
        db.save()
    slow = ["--key-load-delay", "700", "--loading-process-events-interval-bytes"]
    socket.unlink(missing_ok=True)
    with redis_server(tmp_path, *slow, "1024") as socket:
        only = refused(shop(socket))
        assert "loading" in only.what
        assert only.fix.startswith("wait until Redis has read its data")


def test_a_script_that_holds_redis_up(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--busy-reply-threshold", "50") as socket:
        endless = client(socket, socket_timeout=30)

        def loop() -> None:
            with pytest.raises(redis.ResponseError, match="killed"):
                endless.eval("while true do end", 0)

        script = threading.Thread(target=loop)
        script.start()
        with client(socket) as db:

            def busy() -> bool:
                try:
                    db.get("x")
                except redis.ResponseError as error:
                    return "BUSY" in str(error)
                return False

            until("Redis is busy", busy)
            only = refused(shop(socket))
            db.script_kill()
        script.join(10)
        endless.close()
    assert "BUSY Redis is busy running a script" in only.what
    assert "redis-cli script kill" in only.fix


def test_the_command_never_says_that_nothing_is_wrong(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--requirepass", "geheim") as socket:
        app = {"redis": {"url": f"unix://{socket}"}, "counters": {"orders": {}}}
        path = tmp_path / "soloscope.json"
        value = {"apps": {"shop": app}, "loki": {"port": free_port()}}
        path.write_text(json.dumps(complete(value)))
        argv = [sys.executable, "-m", "soloscope", "--config", str(path), "doctor"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Nothing is wrong" not in done.stdout
    assert "✗ shop: Redis does not answer" in done.stdout


# --- what serve leaves out ----------------------------------------------------------


@contextmanager
def filled(tmp_path: Path) -> Iterator[tuple[Any, App, Callable[[int, str], str]]]:
    """A correct Redis; the third gives the key of a name some days ago."""
    today = datetime.now(UTC).date()

    def key(age: int, name: str) -> str:
        return f"metrics:{today - timedelta(days=age)}:{name}"

    with redis_server(tmp_path) as socket, client(socket) as db:
        db.set(key(0, "orders"), 3, ex=MONTH)
        db.hset(key(0, "kinds"), "a", 1)
        db.pfadd(key(0, "users"), "u")
        db.hset(key(0, "openai"), mapping={"count": 1, "ms": 20})
        for name in ("kinds", "users", "openai"):
            db.expire(key(0, name), MONTH)
        yield db, shop(socket), key


@pytest.mark.parametrize(
    ("age", "name", "value", "what"),
    [
        (0, "orders", "-5", "the counter `orders` holds `-5`, which is below zero"),
        (1, "orders", "1_000", "holds `1_000`, which is not a number"),
        (5, "orders", "many", "the counter `orders` holds `many`, which is not a numb"),
        (0, "kinds", {"a": "abc"}, "has the field `a` with `abc`, which is not a numb"),
        (29, "kinds", {"b": "-1"}, "has the field `b` with `-1`, which is below zero"),
        (0, "openai", {"count": "x", "ms": 1}, "has the field `count` with `x`"),
        (
            3,
            "openai",
            {"count": "1.5", "ms": 1},
            "with `1.5`, which is no whole number",
        ),
        (
            3,
            "openai",
            {"count": 1, "ms": "-2"},
            "the field `ms` with `-2`, which is bel",
        ),
        (10, "users", "text", "the unique `users` cannot be read: WRONGTYPE"),
    ],
)
@pytest.mark.parametrize("scanned", [True, False])
def test_one_line_with_the_key_for_what_is_left_out(
    age: int, name: str, value: Any, what: str, scanned: bool, tmp_path: Path
) -> None:
    with filled(tmp_path) as (db, app, key):
        assert looked(app) == []
        if isinstance(value, str):
            db.set(key(age, name), value)
        else:
            db.hset(key(age, name), mapping=value)
        db.expire(key(age, name), MONTH)
        if not scanned:
            db.execute_command("ACL", "SETUSER", "default", "-scan")
        found = [f for f in looked(app) if f.level == "wrong"]
    (one,) = found
    assert what in one.what
    assert key(age, name) in one.fix


def test_a_key_of_another_type_long_ago_is_told_once(tmp_path: Path) -> None:
    with filled(tmp_path) as (db, app, key):
        for age, name in ((10, "orders"), (11, "kinds"), (12, "users"), (13, "openai")):
            db.sadd(key(age, name), "x")
            db.expire(key(age, name), MONTH)
        found = looked(app)
        assert sorted(f.what.partition(":2")[0] for f in found) == ["`metrics"] * 4
        assert {f.code for f in found} == {"other-type"}
        db.execute_command("ACL", "SETUSER", "default", "-scan")
        found = [f for f in looked(app) if f.level == "wrong"]
        assert sorted(f.code for f in found) == ["left-out"] * 4
        assert all("WRONGTYPE" in f.what for f in found)


def test_the_same_fault_on_several_days_is_one_line(tmp_path: Path) -> None:
    with filled(tmp_path) as (db, app, key):
        for age in range(5):
            db.set(key(age, "orders"), "-5", ex=MONTH)
        (one,) = looked(app)
    assert one.fix.endswith(f"`DEL {key(0, 'orders')}` and 4 more days")


def test_advice_that_check_config_accepts(tmp_path: Path) -> None:
    with filled(tmp_path) as (db, app, key):
        db.set(key(0, "digests:x"), 1, ex=MONTH)
        db.set(key(0, "a\n✗ shop: faked"), 1, ex=MONTH)
        fixes = {f.what: f.fix for f in looked(app)}
    assert len(fixes) == 2
    assert all("apps.shop" not in fix for fix in fixes.values())
    assert all("letters, digits and underscores" in fix for fix in fixes.values())
    assert not any("\n" in text for text in (*fixes, *fixes.values()))
