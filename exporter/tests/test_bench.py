"""What the benchmark shows must be true, however fast the machine is."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import redis

# `bench` is no part of the package: it stands beside it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import goals, plot, run
from bench.client import Reply
from bench.data import LARGE, SMALL, DataSet, Touch, configuration, noon_zone
from bench.page import page
from bench.results import Answer, Load, Results, Scrape, Stall, Start, quantile

from running import free_port, program, running, until
from soloscope.config import parse

TODAY = date(2026, 11, 18)


def test_the_data_sets_are_as_large_as_they_are_said_to_be() -> None:
    assert len(SMALL.all_keys(TODAY)) == 2100
    assert SMALL.values_per_day * SMALL.days == 13_500
    assert (len(SMALL.keys(TODAY)), SMALL.values_per_day) == (70, 450)
    assert len(LARGE.all_keys(TODAY)) == 10_980
    assert LARGE.values_per_day * LARGE.days == 108_990


@pytest.fixture
def tcp_redis(tmp_path: Path) -> Iterator[redis.Redis]:
    """A Redis on a port, which is where the benchmark's are."""
    port = free_port()
    argv = [program("redis-server"), "--port", str(port), "--save", ""]
    with (
        running([*argv, "--dir", str(tmp_path)], tmp_path / "redis.log"),
        redis.Redis(
            host="127.0.0.1", port=port, protocol=2, decode_responses=True
        ) as client,
    ):
        until("redis-server listens", lambda: answers(client))
        yield client


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.mark.parametrize("apps", [1, 2])
def test_between_scrapes_every_key_of_today_is_changed(
    tcp_redis: redis.Redis, apps: int
) -> None:
    data = DataSet(counters=3, breakdowns=2, fields=4, days=2, apps=apps)
    data.fill(tcp_redis, TODAY)
    assert tcp_redis.dbsize() == len(data.all_keys(TODAY)) == apps * 10
    assert all(int(tcp_redis.ttl(key)) > 0 for key in data.all_keys(TODAY))

    def values() -> dict[str, Any]:
        return {
            key: tcp_redis.hgetall(key) if ":parts" in key else tcp_redis.get(key)
            for key in data.all_keys(TODAY)
        }

    before = values()
    touch = Touch(tcp_redis, data, TODAY)
    touch()
    touch.close()
    after = values()
    changed = {key for key in before if before[key] != after[key]}
    assert changed == set(data.keys(TODAY))


@pytest.mark.parametrize("history", [0, 90, None])
def test_soloscope_accepts_the_configuration(history: int | None) -> None:
    data = replace(SMALL, apps=3)
    config = parse(configuration(data, 6379, 9847, "Etc/GMT+3", history))
    assert len(config.apps) == 3
    assert config.exporter.history == (30 if history is None else history)


@pytest.mark.parametrize("hour", range(24))
def test_no_run_meets_midnight(hour: int) -> None:
    now = datetime(2026, 11, 18, hour, 30, tzinfo=UTC)
    assert now.astimezone(noon_zone(now)).hour == 12


BODY = b'soloscope_up{app="a"} 1.0\n' * 40
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNKED = b"".join(
    b"%x\r\n%s\r\n" % (len(part), part)
    for part in (BODY[:1], BODY[1:700], BODY[700:], b"")
)


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY),
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED,
        HEAD
        + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
        % (len(gzip.compress(BODY, mtime=0)), gzip.compress(BODY, mtime=0)),
    ],
    ids=["length", "chunks", "gzip"],
)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_an_answer_is_read_to_its_last_byte(answer: bytes, step: int) -> None:
    reply = Reply()
    pieces = [answer[i : i + step] for i in range(0, len(answer), step)]
    whole = [reply.feed(piece) for piece in pieces]
    assert whole == [False] * (len(pieces) - 1) + [True]
    assert (reply.status, reply.size, reply.text()) == (200, len(answer), BODY)


def test_an_answer_without_a_length_is_refused() -> None:
    with pytest.raises(ValueError, match="without a length"):
        Reply().feed(HEAD + b"\r\n")


def test_quantiles_are_values_that_occurred() -> None:
    samples = [float(n) for n in range(1, 1001)]
    assert quantile(samples, 0.5) == 500
    assert quantile(samples, 0.999) == 999
    assert quantile([3.0], 0.999) == 3


# --- the page ------------------------------------------------------------------------


def scrape(ms: float) -> Scrape:
    return Scrape(ms, ms, ms, cpu=ms, redis_cpu=ms, size=1000, scrapes=10)


def answer_in(ms: float, memory: int) -> Answer:
    one = scrape(ms)
    return Answer(one, one, one, series=450, memory=memory)


def results(ours: float) -> Results:
    """A run in which redis_exporter takes 1 ms, and the pattern 1000 ms."""
    fast, slow = answer_in(ours, 30_000_000), answer_in(1.0, 20_000_000)
    keys = (run.TODAY, run.TODAY_PURE, run.MONTH, run.MILLION, run.MILLION_NONE)
    return Results(
        machine={"processor": "any"},
        answers={
            **dict.fromkeys((*keys, run.LARGE_MONTH), fast),
            **dict.fromkeys((run.REX_TODAY, run.REX_MONTH, run.REX_STOCK), slow),
            **dict.fromkeys((run.REX_MILLION, run.REX_LARGE), answer_in(1000.0, 1)),
        },
        loads={
            run.TODAY: Load(1000 / ours, 1, 1),
            run.REX_TODAY: Load(1000, 1, 1),
        },
        starts={
            key: Start(listens=100, answers=ours * 1000, cpu=90, starts=3)
            for key in (run.TODAY, run.MONTH)
        },
        stalls={
            key: Stall(0.1, 0.2, ours * 10, 99, 1000)
            for key in (run.TODAY, run.MONTH, run.MILLION)
        },
        growth={"days": {"soloscope": [(1, 0.5), (30, 1.5)], "rex min": [(1, 4)]}},
    )


def test_results_survive_json() -> None:
    assert Results.from_json(results(0.1).to_json()) == results(0.1)


def test_a_fast_run_meets_every_goal() -> None:
    verdicts = goals.judge(results(0.1))
    assert [v.what for v in verdicts if not v.met] == []
    text = page(results(0.1))
    assert f"{len(verdicts)} of {len(verdicts)} are met" in text
    assert "What is missed" not in text


def test_a_slow_run_says_by_how_much_each_goal_is_missed() -> None:
    verdicts = goals.judge(results(0.5))
    missed = {v.what: v.off for v in verdicts if not v.met}
    assert missed["scrape of today, plain"] == pytest.approx(2)
    assert missed["scrape of 30 days, Prometheus' headers"] == pytest.approx(2.5)
    assert missed["requests a second with 8 clients"] == pytest.approx(2.5)
    assert "scrape of today without hiredis, plain" not in missed  # 0.5 is the goal
    text = page(results(0.5))
    assert "| scrape of today, plain | ≤ 0.25 times | 0.500 times |" in text
    assert "**no**, 100 % off" in text
    for what in missed:
        assert f"- **{what}**: " in text


def test_every_goal_that_can_be_missed_has_a_reason_to_give() -> None:
    from bench.page import WHY

    assert {v.why for v in goals.judge(results(0.1))} <= set(WHY)


def test_the_plot_is_an_svg_with_every_line() -> None:
    root = ElementTree.fromstring(plot.growth(results(0.1).growth))
    names = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"soloscope", "rex min", "days"} <= names
    paths = [e for e in root.iter() if e.get("class") == "l"]
    assert len(paths) == 2
