"""The records of a user, read from a real Redis of every shape and size."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from exporting import configure
from soloscope.config import App
from soloscope.errors import BackendUnavailable, ConfigError, SoloscopeError
from soloscope.redis.client import RedisClient
from soloscope.users.people import by_phone, phone_number
from soloscope.users.records import Section, moment, records

RECORD: dict[str, Any] = {
    "fields": [],
    "times": [],
    "newest": "first",
    "limit": 3,
    "title": "",
}


def app_with(**parts: Any) -> App:
    """An app of these parts only."""
    return configure(parts).apps["shop"]


def shop(socket: Path, *declared: dict[str, Any], **user: Any) -> App:
    """An app with these records of a user."""
    found = {f"r{n}": {**RECORD, "order": n, **one} for n, one in enumerate(declared)}
    return app_with(redis={"url": f"unix://{socket}"}, user={"records": found, **user})


def read(socket: Path, *declared: dict[str, Any], user: str = "7") -> list[Section]:
    """The sections of a user."""
    app = shop(socket, *declared)
    assert app.redis is not None
    client = RedisClient(app.redis)
    try:
        return records(app, user, client)
    finally:
        client.close()


def texts(section: Section) -> list[dict[str, str]]:
    """Each entry as name -> text."""
    return [{f.name: f.text for f in entry} for entry in section.entries]


def test_every_type_is_read(db: redis.Redis, redis_socket: Path) -> None:
    db.hset("h:7", mapping={"name": "Kim", "plan": "trial"})
    db.set("j:7", '{"a": {"b": 1, "c": ["x", "y"]}, "d": null, "e": true}')
    db.set("s:7", "plain words")
    db.rpush("l:7", '{"n": 1}', '{"n": 2}', '{"n": 3}', '{"n": 4}')
    db.zadd("z:7", {"old": 1, "new": 2})
    db.sadd("m:7", "b", "a")
    keys: list[dict[str, Any]] = [{"key": f"{kind}:{{id}}"} for kind in "hjslzm"]
    keys.append({"key": "l:{id}", "newest": "last", "limit": 2})
    found = [texts(section) for section in read(redis_socket, *keys)]
    assert found == [
        [{"name": "Kim", "plan": "trial"}],
        [{"a.b": "1", "a.c": "x, y", "d": "null", "e": "true"}],
        [{"": "plain words"}],
        [{"n": "1"}, {"n": "2"}, {"n": "3"}],
        [{"": "new"}, {"": "old"}],
        [{"": "a"}, {"": "b"}],
        [{"n": "4"}, {"n": "3"}],
    ]


def test_the_declared_fields_in_their_order(
    db: redis.Redis, redis_socket: Path
) -> None:
    db.set("u:7", '{"z": 1, "settings": {"a": 1, "b": 2}, "y": 2, "x": 3}')
    chosen = {"key": "u:{id}", "fields": ["y", "settings", "gone", "z"]}
    (section,) = read(redis_socket, chosen)
    assert list(texts(section)[0]) == ["y", "settings.a", "settings.b", "z"]


def test_times_have_a_moment(db: redis.Redis, redis_socket: Path) -> None:
    db.hset("u:7", mapping={"ends": "2026-11-18", "d": '{"at": 1763452800123}'})
    (section,) = read(redis_socket, {"key": "u:{id}", "times": ["ends", "at"]})
    at = {f.name: f.at for f in section.entries[0]}
    assert at["ends"] == datetime(2026, 11, 18, tzinfo=UTC)
    assert at["d.at"] == datetime(2025, 11, 18, 8, 0, 0, 123000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1763452800", "2025-11-18T08:00:00+00:00"),
        (1763452800.5, "2025-11-18T08:00:00.500000+00:00"),
        ("2025-11-18T09:00:00+01:00", "2025-11-18T09:00:00+01:00"),
        ("2025-11-18T08:00:00Z", "2025-11-18T08:00:00+00:00"),
    ],
)
def test_a_time_in_each_form(value: object, expected: str) -> None:
    found = moment(value)
    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize("value", ["", "soon", "0", "-5", "nan", "1e99", "inf", None])
def test_what_is_no_time(value: object) -> None:
    assert moment(value) is None


def test_secrets_are_never_shown(db: redis.Redis, redis_socket: Path) -> None:
    secrets: dict[Any, Any] = {
        "passwordHash": "x",
        "session_token": "x",
        "apiKey": "x",
        "salt": "x",
    }
    db.hset("u:7", mapping={**secrets, "passenger": "Kim"})
    (section,) = read(redis_socket, {"key": "u:{id}"})
    hidden = dict.fromkeys(secrets, "***")
    assert texts(section) == [{**hidden, "passenger": "Kim"}]


def test_what_is_missing_or_too_large_is_said(
    db: redis.Redis, redis_socket: Path
) -> None:
    db.set("big:7", "x" * 5_000_000)
    db.hset("wide:7", mapping={str(n): n for n in range(1001)})
    db.xadd("stream:7", {"a": "b"})
    db.set("broken:7", '{"a": ')
    db.set("bytes:7", b"\xff\xfe")
    keys = [{"key": f"{k}:{{id}}"} for k in ("gone", "big", "wide", "stream")]
    assert [section.note for section in read(redis_socket, *keys)] == [
        "no such key",
        "5.0 MB, too large to be shown",
        "1001 fields, too many to be shown",
        "a key of type stream, which is not read",
    ]
    odd = read(redis_socket, {"key": "broken:{id}"}, {"key": "bytes:{id}"})
    assert [texts(section) for section in odd] == [
        [{"": '{"a": '}],
        [{"": "\ufffd\ufffd"}],
    ]


def test_what_redis_refuses_is_said(db: redis.Redis, redis_socket: Path) -> None:
    db.set("u:7", "x")
    db.acl_setuser("few", enabled=True, nopass=True, commands=["+ping"], keys=["*"])
    try:
        app = app_with(
            redis={"url": f"unix://few@{redis_socket}"},
            user={"records": {"u": {**RECORD, "key": "u:{id}", "order": 1}}},
        )
        assert app.redis is not None
        (section,) = records(app, "7", RedisClient(app.redis))
        assert "Redis says: " in section.note
        assert "permission" in section.note
    finally:
        db.acl_deluser("few")


def test_redis_that_is_down(tmp_path: Path) -> None:
    app = shop(tmp_path / "none.sock", {"key": "u:{id}"})
    assert app.redis is not None
    with pytest.raises(BackendUnavailable, match=r"none\.sock"):
        records(app, "7", RedisClient(app.redis))


def test_an_id_is_text(db: redis.Redis, redis_socket: Path) -> None:
    db.set("u:*", "stars")
    db.set("u:7", "seven")
    (section,) = read(redis_socket, {"key": "u:{id}"}, user="*")
    assert texts(section) == [{"": "stars"}]


def test_who_has_a_number(db: redis.Redis, redis_socket: Path) -> None:
    db.set("phone:+4912345678", "u_7")
    db.lpush("phone:+4900000000", "x")
    app = shop(redis_socket, idByPhone="phone:{phone}")
    assert app.redis is not None
    client = RedisClient(app.redis)
    assert by_phone(app, "+4912345678", client) == "u_7"
    assert by_phone(app, "+4912345679", client) is None
    with pytest.raises(SoloscopeError, match="WRONGTYPE"):
        by_phone(app, "+4900000000", client)
    client.close()


@pytest.mark.parametrize(
    "text", ["+4912345678", "+49 123 45678", "0049-123/45678", "+49 (123) 45678"]
)
def test_a_number_as_people_write_it(text: str) -> None:
    assert phone_number(text) == "+4912345678"


@pytest.mark.parametrize("text", ["", "12345678", "+49", "+0123456789", "+49x12345678"])
def test_a_malformed_number(text: str) -> None:
    with pytest.raises(ValueError, match="as \\+4912345678"):
        phone_number(text)


@pytest.mark.parametrize("key", ["user", "user:{name}", "user:{id}:{x}", "user:{id"])
def test_a_key_without_its_placeholder_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=r"a Redis key with `\{id\}` in it"):
        shop(Path("/run/r.sock"), {"key": key})


def test_records_need_redis() -> None:
    record = {**RECORD, "order": 1, "key": "u:{id}"}
    with pytest.raises(ConfigError, match="must be set for user"):
        app_with(user={"records": {"u": record}})
