"""The sample app's plans, and what the app leaves in Redis and prints."""

from __future__ import annotations

import datetime as dt
import io
import json
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import redis
from soloscope_demo.app.ledger import add, nothing
from soloscope_demo.app.plan import days, plan, users
from soloscope_demo.app.server import App, Settings
from soloscope_demo.stack import until
from soloscope_demo.tools import programs

DAY = dt.date(2026, 11, 18)
NOON = dt.datetime(2026, 11, 18, 12, tzinfo=dt.UTC)

EVENTS = {
    "conversation_started",
    "conversation_ended",
    "digest_created",
    "digest_failed",
    "deficiency_practiced",
    "trial_warning",
    "throttled",
    "time_gap",
    "critical_error",
}


def test_a_plan_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    first = plan(7, DAY)
    plan.cache_clear()
    assert plan(7, DAY) == first
    assert plan(7, DAY) != plan(8, DAY)


def test_plans_are_in_order_and_within_their_day() -> None:
    for back in range(40):
        day = DAY - dt.timedelta(back)
        moments = [occurrence.at for occurrence in plan(7, day)]
        assert moments == sorted(moments)
        assert {moment.date() for moment in moments} == {day}


def test_a_month_has_every_event_of_the_contract() -> None:
    found = Counter(
        str(occurrence.fields["event"])
        for back in range(30)
        for occurrence in plan(7, DAY - dt.timedelta(back))
    )
    assert found.keys() >= EVENTS
    assert 0 < found["digest_failed"] < 0.25 * found["digest_created"]


def test_weekends_are_quieter_and_users_grow() -> None:
    def started(day: dt.date) -> int:
        events = [occurrence.fields["event"] for occurrence in plan(7, day)]
        return events.count("conversation_started")

    weeks = range(8)
    wednesdays = sum(started(DAY - dt.timedelta(7 * week)) for week in weeks)
    saturdays = sum(started(DAY - dt.timedelta(7 * week + 4)) for week in weeks)
    assert saturdays < 0.8 * wednesdays
    assert len(users(7, DAY)) > len(users(7, DAY - dt.timedelta(30)))


@pytest.mark.parametrize(("text", "number"), [("30d", 30), ("7", 7), ("0d", 0)])
def test_days_of_history(text: str, number: int) -> None:
    assert days(text) == number


@pytest.mark.parametrize("text", ["31d", "a month", "-1d", ""])
def test_no_days_of_history(text: str) -> None:
    with pytest.raises(ValueError, match="not a number of days"):
        days(text)


@pytest.fixture(scope="module")
def redis_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A real Redis on a socket of its own."""
    folder = tmp_path_factory.mktemp("redis")
    path = folder / "redis.sock"
    server = programs.ensure(["redis-server"])["redis-server"]
    argv = [str(server), "--port", "0", "--unixsocket", str(path)]

    def listens() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(path)) == 0

    with subprocess.Popen([*argv, "--dir", str(folder), "--save", ""]) as process:
        until("Redis listens", listens)
        yield path
        process.terminate()


@pytest.fixture
def store(redis_socket: Path) -> redis.Redis:
    """An empty Redis."""
    client = redis.Redis(unix_socket_path=str(redis_socket), decode_responses=True)
    client.flushall()
    return client


def start(
    socket: Path,
    folder: Path,
    now: dt.datetime,
    history: int = 30,
    zone: dt.tzinfo = dt.UTC,
) -> tuple[App, list[str]]:
    """An app that has filled its history until `now`, and its lines."""
    settings = Settings(
        port=0,
        redis=f"unix://{socket}",
        truth=folder / "truth.json",
        history=history,
        lines_back=7,
        zone=zone,
    )
    app = App(settings)
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", output)
        app.fill(now)
    return app, output.getvalue().splitlines()


def hours(first: str, last: str, zone: ZoneInfo) -> Iterator[dt.datetime]:
    """Every hour from a day's midnight to the end of another, and a minute later."""
    end = dt.datetime.fromisoformat(f"{last}T23:59").replace(tzinfo=zone)
    now = dt.datetime.fromisoformat(first).replace(tzinfo=zone).astimezone(dt.UTC)
    while now < end:
        yield now
        yield now + dt.timedelta(minutes=1)
        now += dt.timedelta(hours=1)


# Years ahead, so that Redis keeps the keys. Each has the first of a month, and the
# night in which the clock changes; the last the new year.
@pytest.mark.parametrize(
    ("first", "last", "length"),
    [
        ("2090-03-25", "2090-04-01", 8 * 24 - 1),
        ("2090-10-28", "2090-11-03", 7 * 24 + 1),
        ("2090-12-30", "2091-01-02", 4 * 24),
    ],
)
def test_at_every_hour_the_truth_is_what_the_plan_had_until_then(
    redis_socket: Path,
    store: redis.Redis,
    tmp_path: Path,
    first: str,
    last: str,
    length: int,
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    moments = list(hours(first, last, zone))
    assert len(moments) == 2 * length
    plans = {}
    for now in moments:
        today = now.astimezone(zone).date()
        start(redis_socket, tmp_path, now, 1, zone)
        if today not in plans:
            plans[today] = plan(7, today, zone)
            assert {o.at.astimezone(zone).date() for o in plans[today]} == {today}
        wanted = nothing()
        for occurrence in plans[today]:
            if occurrence.at <= now:
                add(wanted, occurrence, printed=True)
        truth = json.loads((tmp_path / "truth.json").read_text())["days"]
        assert truth[today.isoformat()] == wanted, now
        assert max(truth) == today.isoformat()
        for name, number in wanted["counters"].items():
            assert store.get(f"metrics:{today}:{name}") == str(number)
        names = {key.split(":")[2] for key in store.scan_iter(f"metrics:{today}:*")}
        assert names == {
            *(*wanted["counters"], *wanted["breakdowns"]),
            *(*wanted["uniques"], *wanted["timings"]),
        }
    for day, whole in plans.items():
        full = nothing()
        for occurrence in whole:
            add(full, occurrence, printed=True)
        if day != today:
            assert truth[day.isoformat()] == full


def test_history_counts_what_the_truth_says(
    redis_socket: Path, store: redis.Redis, tmp_path: Path
) -> None:
    now = dt.datetime.now(dt.UTC)
    start(redis_socket, tmp_path, now)
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert len(truth["days"]) == 30
    for day, counted in truth["days"].items():
        for name, number in counted["counters"].items():
            assert store.get(f"metrics:{day}:{name}") == str(number)
        for name, keys in counted["breakdowns"].items():
            texts = {key: str(number) for key, number in keys.items()}
            assert store.hgetall(f"metrics:{day}:{name}") == texts
        for name, timing in counted["timings"].items():
            texts = {key: str(number) for key, number in timing.items()}
            assert store.hgetall(f"metrics:{day}:{name}") == texts
        for name, members in counted["uniques"].items():
            number = store.pfcount(f"metrics:{day}:{name}")
            assert abs(number - len(members)) <= 2
    gauges = {name: str(value) for name, value in truth["gauges"].items()}
    assert store.hgetall("metrics:now") == gauges


def test_every_day_key_expires_within_thirty_days_and_now_does_not(
    redis_socket: Path, store: redis.Redis, tmp_path: Path
) -> None:
    start(redis_socket, tmp_path, dt.datetime.now(dt.UTC))
    for key in store.scan_iter("metrics:*"):
        left = store.ttl(key)
        if key == "metrics:now":
            assert left == -1
        else:
            assert 0 < left <= 30 * 24 * 3600, key


def test_the_same_state_is_never_filled_twice(
    redis_socket: Path, store: redis.Redis, tmp_path: Path
) -> None:
    now = dt.datetime.now(dt.UTC)
    start(redis_socket, tmp_path, now)
    keys = list(store.scan_iter("metrics:*:conversations"))
    before = {key: store.get(key) for key in keys}
    assert len(before) >= 29
    _, lines = start(redis_socket, tmp_path, now)
    assert lines == []
    assert {key: store.get(key) for key in keys} == before


def test_days_without_the_app_are_filled_at_the_next_start(
    redis_socket: Path, store: redis.Redis, tmp_path: Path
) -> None:
    now = dt.datetime.now(dt.UTC)
    start(redis_socket, tmp_path, now - dt.timedelta(3), history=2)
    _, lines = start(redis_socket, tmp_path, now, history=2)
    truth = json.loads((tmp_path / "truth.json").read_text())
    wanted = {(now.date() - dt.timedelta(back)).isoformat() for back in range(5)}
    assert set(truth["days"]) == wanted
    assert lines


def test_lines_are_oldest_first_as_far_back_as_asked_in_pinos_shape(
    redis_socket: Path, store: redis.Redis, tmp_path: Path
) -> None:
    now = dt.datetime.now(dt.UTC)
    _, lines = start(redis_socket, tmp_path, now)
    entries = [json.loads(line) for line in lines]
    times = [entry["time"] for entry in entries]
    assert times == sorted(times)
    oldest = dt.datetime.fromtimestamp(times[0] / 1000, dt.UTC)
    assert dt.timedelta(6) < now - oldest <= dt.timedelta(7)
    for entry in entries:
        assert {"level", "time", "pid", "hostname", "reqId", "event", "msg"} <= set(
            entry
        )
        assert entry["level"] in (30, 40, 50, 60)
