"""Reading from a real Redis: days, windows, late writers, and how often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from exporting import Clock, Counted, an_app, counted, monitored
from soloscope.counts.expiries import AT_ONCE as EXPIRIES
from soloscope.counts.model import Number, Snapshot


def key(day: str, name: str) -> str:
    return f"metrics:{day}:{name}"


def read(reader: Counted) -> Snapshot:
    snapshot = reader.store.read()
    assert snapshot.up, snapshot.error
    return snapshot


def counts(snapshot: Snapshot) -> Mapping[str, Number]:
    assert snapshot.today is not None
    return snapshot.today.counters


@pytest.fixture
def noon(redis_socket: Path, db: redis.Redis) -> Counted:
    """The app of `declare`, at noon on 18 November 2026, in an empty Redis."""
    return counted(an_app(redis_socket), Clock("2026-11-18 12:00"))


def test_every_kind_of_today(noon: Counted, db: redis.Redis) -> None:
    db.incrby(key("2026-11-18", "conversations"), 31)
    db.hincrby(key("2026-11-18", "deficiencies"), "past_tense", 4)
    db.pfadd(key("2026-11-18", "active_users"), "a", "b")
    db.sadd(key("2026-11-18", "payers"), "a", "b", "c")
    db.hset(key("2026-11-18", "openai"), mapping={"count": 2, "ms": 745})
    db.hset("metrics:now", mapping={"users_total": 12, "revenue": "40.5", "other": 1})
    snapshot = read(noon)
    today = snapshot.today
    assert today is not None
    assert today.day == date(2026, 11, 18)
    assert today.counters == {"conversations": 31, "digests_created": 0}
    assert today.breakdowns == {"deficiencies": {"past_tense": 4}}
    assert today.uniques == {"active_users": 2, "payers": 3}
    assert today.timings == {"openai": (2, 745)}
    assert snapshot.gauges == {"users_total": 12, "revenue": 40.5}
    assert noon.faults == []


def test_a_gauge_that_is_not_there_has_no_value(noon: Counted) -> None:
    snapshot = read(noon)
    assert snapshot.gauges == {}
    assert counts(snapshot) == {"conversations": 0, "digests_created": 0}
    assert snapshot.windows["30d"]["conversations"] == 0


def test_windows_and_days_are_right_at_the_first_reading(
    noon: Counted, db: redis.Redis
) -> None:
    for age in range(31):
        day = date(2026, 11, 18) - timedelta(days=age)
        db.set(key(str(day), "conversations"), 10**age if age < 9 else 1)
        db.hset(key(str(day), "deficiencies"), mapping={"a": 1, f"b{age % 2}": 2})
        db.pfadd(key(str(day), "active_users"), "always", f"day {age}")
        db.sadd(key(str(day), "payers"), "always", f"day {age // 2}")
        db.hset(key(str(day), "openai"), mapping={"count": 5, "ms": 100})
    snapshot = read(noon)
    assert snapshot.windows["1d"]["conversations"] == 1
    assert snapshot.windows["7d"]["conversations"] == 1111111
    assert snapshot.windows["30d"]["conversations"] == 111111111 + 21
    assert snapshot.windows["7d"]["openai"] == 35
    assert [snapshot.windows[w]["payers"] for w in ("1d", "7d", "30d")] == [2, 5, 16]
    assert [snapshot.windows[w]["active_users"] for w in ("1d", "7d", "30d")] == [
        2,
        pytest.approx(8, abs=1),
        pytest.approx(31, abs=2),
    ]
    assert snapshot.breakdown_windows["7d"]["deficiencies"] == {
        "a": 7,
        "b0": 8,
        "b1": 6,
    }
    assert len(snapshot.days) == 30
    assert snapshot.days[-1].day == date(2026, 10, 20)
    assert [day.counters["conversations"] for day in snapshot.days[:3]] == [1, 10, 100]


def test_without_history_only_today_is_read(
    redis_socket: Path, db: redis.Redis
) -> None:
    db.set(key("2026-11-17", "conversations"), 5)
    reader = counted(an_app(redis_socket), Clock("2026-11-18 12:00"), history=0)
    with monitored(redis_socket) as told:
        snapshot = read(reader)
        commands = told()
    assert (snapshot.windows, snapshot.breakdown_windows) == ({}, {})
    assert snapshot.days == ()
    assert counts(snapshot)["conversations"] == 0
    assert not any("2026-11-17" in word for words in commands for word in words)


@pytest.mark.parametrize(
    ("zone", "before", "after", "old", "new"),
    [
        ("UTC", "2026-11-18 23:59:59", "2026-11-19 00:00:00", "18", "19"),
        ("Asia/Tokyo", "2026-11-18 23:59:59", "2026-11-19 00:00:00", "18", "19"),
        ("Europe/Berlin", "2026-03-29 23:59:59", "2026-03-30 00:00:00", "29", "30"),
        ("Europe/Berlin", "2026-10-25 23:59:59", "2026-10-26 00:00:00", "25", "26"),
        ("UTC", "2028-02-28 23:59:59", "2028-02-29 00:00:00", "28", "29"),
        ("UTC", "2028-02-29 23:59:59", "2028-03-01 00:00:00", "29", "01"),
    ],
)
def test_counters_fall_to_zero_at_the_apps_midnight(
    redis_socket: Path,
    db: redis.Redis,
    zone: str,
    before: str,
    after: str,
    old: str,
    new: str,
) -> None:
    app = an_app(redis_socket, timeZone=zone)
    reader = counted(app, Clock(before, zone))
    db.set(key(before[:10], "conversations"), 31)
    first = read(reader)
    assert counts(first)["conversations"] == 31
    reader.clock.set(after)
    second = read(reader)
    assert counts(second)["conversations"] == 0
    assert second.today is not None
    assert (str(first.days[0].day)[-2:], str(second.today.day)[-2:]) == (old, new)
    assert second.windows["7d"]["conversations"] == 31
    assert second.midnight == reader.clock.at(after)
    assert second.midnight > first.midnight


def test_late_writers_count_to_their_day(noon: Counted, db: redis.Redis) -> None:
    db.set(key("2026-11-18", "conversations"), 31)
    read(noon)
    noon.clock.pass_(12 * 3600 + 60)
    assert counts(read(noon))["conversations"] == 0
    db.incr(key("2026-11-18", "conversations"))
    late = read(noon)
    assert counts(late)["conversations"] == 0
    assert late.days[1].counters["conversations"] == 32
    assert late.windows["7d"]["conversations"] == 32


def test_yesterday_is_read_until_it_has_been_quiet(
    noon: Counted, redis_socket: Path, db: redis.Redis
) -> None:
    read(noon)
    noon.clock.pass_(12 * 3600 + 1)
    with monitored(redis_socket) as told:

        def asks_for_yesterday() -> bool:
            read(noon)
            return ["HGETALL", yesterday] in told()

        yesterday = key("2026-11-18", "deficiencies")
        assert asks_for_yesterday()
        noon.clock.pass_(300)
        db.incr(key("2026-11-18", "conversations"))
        assert asks_for_yesterday()
        noon.clock.pass_(590)
        assert asks_for_yesterday()
        noon.clock.pass_(20)
        # From now on it takes its turn with the 28 other closed days.
        asked = [asks_for_yesterday() for _ in range(29)]
        assert asked.count(True) == 1


def test_an_app_whose_clock_is_ahead(noon: Counted, db: redis.Redis) -> None:
    noon.clock.set("2026-11-18 23:58")
    assert [d.day.day for d in read(noon).days[:2]] == [18, 17]
    db.set(key("2026-11-19", "conversations"), 2)
    early = read(noon)
    assert counts(early)["conversations"] == 0
    assert early.windows["7d"]["conversations"] == 0
    assert early.days[0].day == date(2026, 11, 19)
    assert early.days[0].counters["conversations"] == 2
    noon.clock.set("2026-11-19 00:00")
    after = read(noon)
    assert counts(after)["conversations"] == 2
    assert len(after.days) == 30


def test_a_clock_that_jumps_back(noon: Counted, db: redis.Redis) -> None:
    noon.clock.set("2026-11-19 00:05")
    db.set(key("2026-11-18", "conversations"), 31)
    db.set(key("2026-11-19", "conversations"), 2)
    assert counts(read(noon))["conversations"] == 2
    noon.clock.set("2026-11-18 23:55")
    back = read(noon)
    assert counts(back)["conversations"] == 31
    assert back.windows["30d"]["conversations"] == 31
    noon.clock.set("2026-11-03 12:00")
    far = read(noon)
    assert counts(far)["conversations"] == 0
    assert far.windows["30d"]["conversations"] == 0
    noon.clock.set("2026-11-19 00:06")
    assert read(noon).windows["7d"]["conversations"] == 33


def test_a_change_of_a_closed_day_is_found_in_turn(
    noon: Counted, db: redis.Redis
) -> None:
    read(noon)
    noon.clock.pass_(3600)
    db.set(key("2026-11-02", "conversations"), 7)
    totals = [read(noon).windows["30d"]["conversations"] for _ in range(30)]
    assert totals[0] in {0, 7}
    assert totals[-1] == 7


def test_uniques_follow_additions(noon: Counted, db: redis.Redis) -> None:
    db.sadd(key("2026-11-17", "payers"), "a", "b")
    db.pfadd(key("2026-11-17", "active_users"), "a", "b")
    assert read(noon).windows["7d"]["payers"] == 2
    db.sadd(key("2026-11-18", "payers"), "b", "c")
    db.pfadd(key("2026-11-18", "active_users"), "b", "c")
    after = read(noon)
    assert after.windows["1d"]["payers"] == 2
    assert after.windows["7d"]["payers"] == 3
    assert after.windows["30d"]["active_users"] == 3


def test_a_set_too_large_has_a_size_but_no_window(
    noon: Counted, db: redis.Redis
) -> None:
    db.sadd(key("2026-11-18", "payers"), *range(10_001))
    snapshot = read(noon)
    assert snapshot.windows["1d"]["payers"] == 10_001
    assert "payers" not in snapshot.windows["7d"]
    assert {f.reason for f in noon.faults if f.name == "payers"} == {
        "more than 10000 members; set exact = false"
    }


def test_breakdowns_keep_the_largest_of_the_longest_window(
    noon: Counted, db: redis.Redis
) -> None:
    db.hset(key("2026-11-18", "deficiencies"), mapping={"new": 1, "a": 1})
    db.hset(key("2026-11-01", "deficiencies"), mapping={"a": 9, "b": 8, "c": 7})
    snapshot = read(noon)
    assert snapshot.today is not None
    assert snapshot.today.breakdowns["deficiencies"] == {"a": 1, "b": 0, "c": 0}
    assert snapshot.breakdown_windows["30d"]["deficiencies"] == {
        "a": 10,
        "b": 8,
        "c": 7,
    }
    assert snapshot.breakdown_windows["7d"]["deficiencies"] == {"a": 1, "b": 0, "c": 0}
    assert snapshot.keys_dropped == 1


def test_keys_without_expiry(noon: Counted, db: redis.Redis) -> None:
    db.set(key("2026-11-18", "conversations"), 1, ex=999)
    db.set(key("2026-11-10", "conversations"), 1)
    db.hset(key("2026-11-10", "openai"), mapping={"count": 1, "ms": 1})
    db.hset("metrics:now", "users_total", 1)
    assert read(noon).keys_without_expiry == 2
    db.pfadd(key("2026-11-18", "active_users"), "a")
    # It is new to the first reading, and asked for its expiry by the second.
    read(noon)
    assert read(noon).keys_without_expiry == 3
    db.expire(key("2026-11-18", "active_users"), 999)
    assert [read(noon).keys_without_expiry for _ in range(30)][-1] == 2


# --- jobs --------------------------------------------------------------------------


@pytest.fixture
def digest(redis_socket: Path, db: redis.Redis) -> Counted:
    jobs = {"digest": {"counter": "digests_created", "by": "04:00", "min": 2}}
    app = an_app(redis_socket, jobs=jobs, timeZone="Europe/Berlin")
    return counted(app, Clock("2026-11-18 03:00", "Europe/Berlin"))


def test_a_job_is_late_five_minutes_after_its_time(
    digest: Counted, db: redis.Redis
) -> None:
    day = key("2026-11-18", "digests_created")
    assert not read(digest).jobs["digest"].late
    digest.clock.set("2026-11-18 04:04:59")
    assert not read(digest).jobs["digest"].late
    digest.clock.set("2026-11-18 04:05")
    assert read(digest).jobs["digest"].late
    db.incr(day)
    assert read(digest).jobs["digest"].late
    db.incr(day)
    state = read(digest).jobs["digest"]
    assert not state.late
    assert state.last_success == digest.clock.now
    digest.clock.set("2026-11-19 00:00")
    again = read(digest).jobs["digest"]
    assert (again.late, again.last_success) == (False, state.last_success)


def test_a_success_that_nobody_watched(digest: Counted, db: redis.Redis) -> None:
    assert read(digest).jobs["digest"].last_success is None
    db.set(key("2026-11-16", "digests_created"), 5)
    fresh = counted(digest.store._app, Clock("2026-11-18 12:00", "Europe/Berlin"))
    assert read(fresh).jobs["digest"].last_success == fresh.clock.at("2026-11-16 04:00")
    db.set(key("2026-11-18", "digests_created"), 5)
    other = counted(digest.store._app, Clock("2026-11-18 03:30", "Europe/Berlin"))
    assert read(other).jobs["digest"].last_success == other.clock.now


# --- the commands to Redis ---------------------------------------------------------


def test_the_commands_of_a_scrape(
    noon: Counted, redis_socket: Path, db: redis.Redis
) -> None:
    db.set(key("2026-11-18", "conversations"), 1)
    db.pfadd(key("2026-11-18", "active_users"), "a")
    db.sadd(key("2026-11-18", "payers"), "a")
    read(noon)
    noon.clock.pass_(3600)
    with monitored(redis_socket) as told:
        read(noon)
        commands = told()
    today = [c for c in commands if "2026-11-18" in c[-1] and c[0] != "TTL"]
    assert today == [
        ["GET", key("2026-11-18", "conversations")],
        ["GET", key("2026-11-18", "digests_created")],
        ["HGETALL", key("2026-11-18", "deficiencies")],
        ["HGETALL", key("2026-11-18", "openai")],
        ["PFCOUNT", key("2026-11-18", "active_users")],
        ["SCARD", key("2026-11-18", "payers")],
    ]
    assert ["HGETALL", "metrics:now"] in commands
    older = {
        c[1][8:18]
        for c in commands
        if c[0] not in {"TTL", "PFCOUNT"} and "2026-11-18" not in c[1]
    } - {"now"}
    assert len(older) == 1, "one older day in turn"
    assert sum(c[0] == "TTL" for c in commands) <= EXPIRIES
    assert len(commands) == 6 + 6 + 1 + sum(c[0] == "TTL" for c in commands)


def test_never_keys_or_scan_and_one_older_day_a_scrape(
    noon: Counted, redis_socket: Path, db: redis.Redis
) -> None:
    for age in range(30):
        day = str(date(2026, 11, 18) - timedelta(days=age))
        db.set(key(day, "conversations"), age + 1)
        db.sadd(key(day, "payers"), age)
    with monitored(redis_socket) as told:
        read(noon)
        told()
        noon.clock.pass_(3600)
        turns: list[str] = []
        for n in range(29):
            db.incr(key("2026-11-18", "conversations"))
            if n % 10 == 0:
                db.sadd(key("2026-11-18", "payers"), f"new {n}")
            told()
            read(noon)
            commands = told()
            assert {c[0] for c in commands} <= {
                "GET",
                "HGETALL",
                "PFCOUNT",
                "SCARD",
                "SUNION",
                "TTL",
            }
            asked = {c[1][8:18] for c in commands if c[0] == "HGETALL"} - {"now"}
            older = asked - {"2026-11-18"}
            assert len(older) == 1
            turns += older
    assert len(set(turns)) == 29, "each closed day had its turn"


def test_a_first_reading_is_bounded_too(
    noon: Counted, redis_socket: Path, db: redis.Redis
) -> None:
    with monitored(redis_socket) as told:
        read(noon)
        commands = told()
    per_day = 7 + 7  # a command and a TTL for each of the names
    assert len(commands) <= 30 * per_day + 10
    assert not {c[0] for c in commands} & {"KEYS", "SCAN", "TYPE"}


def test_a_first_reading_is_a_few_round_trips(
    noon: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = noon.store._redis.run
    trips: list[int] = []

    def counting(commands: Sequence[bytes]) -> list[Any]:
        trips.append(len(commands))
        return run(commands)

    monkeypatch.setattr(noon.store._redis, "run", counting)
    read(noon)
    assert len(trips) <= 6, "over a slow line each of them counts"


# --- any history at all ------------------------------------------------------------

day_tables = st.dictionaries(st.integers(-2, 35), st.integers(0, 10**6), max_size=12)


@settings(max_examples=40)
@given(day_tables, st.lists(st.tuples(st.integers(-1, 31), st.integers(1, 99))))
def test_windows_are_the_sums_of_their_days(
    redis_socket: Path, table: dict[int, int], changes: list[tuple[int, int]]
) -> None:
    today = date(2026, 11, 18)

    def truth(days: int) -> int:
        return sum(table.get(age, 0) for age in range(days))

    with redis.Redis(unix_socket_path=str(redis_socket), protocol=2) as client:
        client.flushall()
        pipeline: Any = client.pipeline(transaction=False)
        for age, value in table.items():
            day = str(today - timedelta(days=age))
            pipeline.set(key(day, "conversations"), value)
        pipeline.execute()
        reader = counted(an_app(redis_socket), Clock("2026-11-18 12:00"))
        for age, more in [(0, 1), *changes]:
            client.incrby(key(str(today - timedelta(days=age)), "conversations"), more)
            table[age] = table.get(age, 0) + more
            if age < 1 or reader.store._days == {}:
                snapshot = read(reader)
                assert counts(snapshot)["conversations"] == truth(1)
        for _ in range(30):
            snapshot = read(reader)
        for window in ("1d", "7d", "30d"):
            days = int(window[:-1])
            assert snapshot.windows[window]["conversations"] == truth(days)


# A field of today's or yesterday's hash and what it is set to; None deletes it.
hash_changes = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["a", "b", "c", "d", "e" * 300, "f\n", b"\xff"]),
        st.sampled_from(["0", "7", "99", "2.5", "12345678901234567890", "x", None]),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("history", [0, 1, 30])
@settings(max_examples=40)
@given(hash_changes)
def test_what_is_remembered_changes_nothing(
    redis_socket: Path,
    history: int,
    changes: list[tuple[int, str | bytes, str | None]],
) -> None:
    """A store that has seen all changes returns the same as a new one."""
    with redis.Redis(unix_socket_path=str(redis_socket), protocol=2) as client:
        client.flushall()
        app = an_app(redis_socket, breakdowns={"deficiencies": {"limit": 3}})
        old = counted(app, Clock("2026-11-18 12:00"), history)
        read(old)
        for age, field, value in changes:
            name = key(f"2026-11-{18 - age}", "deficiencies")
            if value is None:
                client.hdel(name, field)
            else:
                client.hset(name, field, value)
            new = counted(app, Clock("2026-11-18 12:00"), history)
            one, other = read(old), read(new)
            new.store.close()
            assert one.today is not None
            assert other.today is not None
            assert one.today.breakdowns == other.today.breakdowns
            assert one.breakdown_windows == other.breakdown_windows
            assert one.keys_dropped == other.keys_dropped
        old.store.close()


def test_an_app_that_declares_nothing_is_asked_whether_it_is_there(
    redis_socket: Path, db: redis.Redis
) -> None:
    nothing: dict[str, Any] = {
        kind: {} for kind in ("counters", "breakdowns", "uniques", "timings", "gauges")
    }
    reader = counted(an_app(redis_socket, **nothing), Clock("2026-11-18 12:00"))
    with monitored(redis_socket) as told:
        snapshot = read(reader)
        assert told() == [["PING"]]
    assert snapshot.windows == {"1d": {}, "7d": {}, "30d": {}}
    assert len(read(reader).days) == 30


def test_a_long_history(redis_socket: Path, db: redis.Redis) -> None:
    db.set(key("2025-11-18", "conversations"), 7)
    reader = counted(an_app(redis_socket), Clock("2026-11-18 12:00"), history=366)
    snapshot = read(reader)
    assert len(snapshot.days) == 366
    assert snapshot.days[-1].day == date(2025, 11, 18)
    assert snapshot.days[-1].counters["conversations"] == 7
    assert snapshot.windows["30d"]["conversations"] == 0
