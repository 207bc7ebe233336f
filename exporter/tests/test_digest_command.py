"""`soloscope digest` with a real Redis; Loki and Prometheus fail in each way."""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import redis

from exporting import declare, parse
from running import Request, free_port, standin
from soloscope import error_groups
from soloscope.commands import digest
from soloscope.config import Config
from soloscope.digest import collect
from soloscope.errors import SoloscopeError

Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[Request], Answer]

TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(1)


def vector(*samples: tuple[dict[str, str], float]) -> Answer:
    rows = [{"metric": labels, "value": [0, str(value)]} for labels, value in samples]
    data = {"resultType": "vector", "result": rows}
    return 200, {}, json.dumps({"status": "success", "data": data}).encode()


def nothing(_: Request) -> Answer:
    return vector()


@dataclass
class Servers:
    """Stand-ins whose answers a test sets; `rooms` is their configuration."""

    rooms: dict[str, Any]
    loki: Handler = nothing
    prometheus: Handler = nothing

    def config(self, apps: dict[str, Any] | None = None, **more: Any) -> Config:
        return parse({"apps": apps or {}, **self.rooms, **more})


@pytest.fixture(scope="module")
def standins() -> Iterator[Servers]:
    made = Servers({})

    def now(name: str) -> Handler:
        def answer(request: Request) -> Answer:
            reply: Answer = getattr(made, name)(request)
            return reply

        return answer

    with standin(now("loki")) as loki, standin(now("prometheus")) as prometheus:
        for name, server in (("loki", loki), ("prometheus", prometheus)):
            made.rooms[name] = {"port": urlsplit(server.url).port}
        yield made


@pytest.fixture
def servers(standins: Servers) -> Servers:
    standins.loki = standins.prometheus = nothing
    return standins


def printed(
    config: Config, capsys: pytest.CaptureFixture[str], *, day: date | None = None
) -> dict[str, Any]:
    arguments = argparse.Namespace(date=day, dry_run=True, json=True)
    assert digest.run(config, arguments) == 0
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    return value


@pytest.fixture
def counted(db: redis.Redis) -> None:
    db.set(f"metrics:{YESTERDAY}:conversations", 23)
    db.set(f"metrics:{YESTERDAY - timedelta(7)}:conversations", 31)
    db.set(f"metrics:{TODAY}:digests_created", 8)
    db.hset(f"metrics:{YESTERDAY}:deficiencies", "past_tense", "5")
    db.pfadd(f"metrics:{YESTERDAY}:active_users", "1", "2")
    db.hset("metrics:now", "users_total", "12")


@pytest.mark.usefixtures("counted")
def test_the_numbers_are_those_of_the_last_full_day(
    redis_socket: Path, servers: Servers, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = {"digest": {"counter": "digests_created", "by": "00:00"}}
    told = printed(servers.config({"shop": declare(redis_socket, jobs=jobs)}), capsys)
    assert told["apps"]["shop"]["day"] == str(YESTERDAY)
    lines = told["text"].splitlines()
    assert "• Started: 23 (a week before: 31)" in lines
    assert "• Active users: ≈ 2 (a week before: 0)" in lines
    assert "• Users total: 12" in lines
    assert "1. Past tense (5)" in lines
    # Before five past midnight the last run is yesterday's.
    if datetime.now(UTC).strftime("%H:%M") > "00:06":
        assert "✅ Digest: 8 today (due 00:00)" in lines
    # A gauge that nobody has set is not zero.
    assert "• Revenue: ?" in lines
    assert told["unread"] == []


@pytest.mark.usefixtures("counted")
def test_another_day_and_none_that_is_to_come(
    redis_socket: Path, servers: Servers, capsys: pytest.CaptureFixture[str]
) -> None:
    def gauges(request: Request) -> Answer:
        query = parse_qs(urlsplit(request.path).query)
        if "soloscope_value" not in query["query"][0]:
            return vector()
        return vector(({"name": "users_total"}, 9))

    servers.prometheus = gauges
    config = servers.config({"shop": declare(redis_socket)})
    told = printed(config, capsys, day=YESTERDAY - timedelta(7))
    assert "• Started: 31" in told["text"]
    assert "• Users total: 9" in told["text"]
    told = printed(config, capsys, day=TODAY)
    assert "Today, " in told["text"]
    assert "• Digests created: 8" in told["text"]
    with pytest.raises(SoloscopeError, match="is in the future"):
        printed(config, capsys, day=TODAY + timedelta(2))


def refuses(_: Request) -> Answer:
    return 401, {}, b"no org id"


def odd(_: Request) -> Answer:
    return 200, {}, b'{"data": {"resultType": "vector", "result": [{"metric": 3}]}}'


@pytest.mark.parametrize("server", ["loki", "prometheus"])
@pytest.mark.parametrize(
    ("fails", "reason"),
    [(refuses, "answered 401: no org id"), (odd, "answered something else")],
)
@pytest.mark.usefixtures("counted")
def test_a_server_that_refuses_is_said(
    redis_socket: Path,
    servers: Servers,
    capsys: pytest.CaptureFixture[str],
    server: str,
    fails: Handler,
    reason: str,
) -> None:
    setattr(servers, server, fails)
    told = printed(servers.config({"shop": declare(redis_socket)}), capsys)
    assert "• Started: 23" in told["text"]
    (unread,) = told["unread"]
    assert unread.startswith("errors: " if server == "loki" else "alerts: ")
    assert reason in unread
    assert reason in told["text"]


@pytest.mark.usefixtures("counted")
def test_servers_that_are_down_or_slow_are_said(
    redis_socket: Path,
    servers: Servers,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slow(_: Request) -> Answer:
        time.sleep(0.5)
        return vector()

    servers.loki = slow
    monkeypatch.setattr(error_groups, "TIMEOUT", 0.1)
    apps = {"shop": declare(redis_socket)}
    config = servers.config(apps, prometheus={"port": free_port()})
    told = printed(config, capsys)
    parts = sorted(one.partition(":")[0] for one in told["unread"])
    assert parts == ["alerts", "errors"]
    assert "connection refused" in told["text"]
    assert "no answer within 0.1 s" in told["text"]
    assert "• Started: 23" in told["text"]


@pytest.mark.usefixtures("counted")
def test_redis_down_or_refusing_is_said(
    redis_socket: Path,
    db: redis.Redis,
    servers: Servers,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    db.acl_setuser(
        "denied",
        enabled=True,
        nopass=True,
        keys=["other:*"],
        commands=["+get", "+hgetall", "+pfcount", "+scard", "+ttl"],
    )
    denied = {"url": f"unix://denied@{redis_socket}", "prefix": "denied:"}
    apps = {
        "one": declare(redis_socket, redis=denied),
        "two": declare(tmp_path / "no.sock"),
        "three": declare(redis_socket),
    }
    told = printed(servers.config(apps), capsys)
    assert "permission" in told["apps"]["one"]["error"]
    assert "No such file" in told["apps"]["two"]["error"]
    assert told["text"].count("❓ The counts could not be read") == 2
    assert "• Started: 23" in told["text"]


def test_a_value_of_another_type_is_said_and_the_rest_is_there(
    redis_socket: Path,
    db: redis.Redis,
    servers: Servers,
    capsys: pytest.CaptureFixture[str],
) -> None:
    db.lpush(f"metrics:{YESTERDAY}:conversations", "x")
    db.set(f"metrics:{YESTERDAY}:digests_created", 8)
    told = printed(servers.config({"shop": declare(redis_socket)}), capsys)
    assert "• Started: ?" in told["text"]
    assert "• Digests created: 8" in told["text"]
    assert any("conversations" in one for one in told["unread"])


def test_alerts_and_when_they_fired(
    servers: Servers, capsys: pytest.CaptureFixture[str]
) -> None:
    def prometheus(request: Request) -> Answer:
        query = parse_qs(urlsplit(request.path).query)["query"][0]
        late = {"alertname": "JobLate", "app": "shop"}
        over = {"alertname": "HighCPUUsage"}
        if query.startswith("min("):
            return vector((late, 1e9), (over, 1e9 + 60))
        if query.startswith("max("):
            return vector((late, 1e9 + 600), (over, 1e9 + 300))
        return vector((late, 1))

    servers.prometheus = prometheus
    late, over = printed(servers.config(), capsys)["alerts"]
    assert (late["name"], late["app"], late["firing"]) == ("JobLate", "shop", True)
    assert (over["name"], over["app"], over["firing"]) == ("HighCPUUsage", "", False)
    assert [late["first"], late["last"]] == [1e9, 1e9 + 600]
    assert [over["first"], over["last"]] == [1e9 + 60, 1e9 + 300]


def test_the_queries_of_alerts_tell_when_each_fired(
    promtool: str, tmp_path: Path
) -> None:
    """One over after a quarter of an hour, one that still fires, one left out."""
    rules = [
        {"alert": "Over", "expr": "max by (app) (x) > 0"},
        {"alert": "Open", "expr": "y > 0"},
        {"alert": "Watchdog", "expr": "vector(1)"},
    ]
    written = {"groups": [{"name": "a", "rules": rules}]}
    (tmp_path / "rules.yml").write_text(json.dumps(written))

    def samples(*found: tuple[str, float]) -> list[dict[str, Any]]:
        return [{"labels": labels, "value": value} for labels, value in found]

    over, still = '{alertname="Over",app="shop"}', '{alertname="Open"}'
    expected = {
        collect.FIRST: samples((over, 300), (still, 1800)),
        collect.LAST: samples((over, 1140), (still, 3600)),
        collect.NOW: samples((still, 1)),
    }
    test = {
        "interval": "1m",
        "input_series": [
            {"series": 'x{app="shop",pod="1"}', "values": "0x4 1x14 0x100"},
            {"series": "y", "values": "0x29 1x100"},
        ],
        "promql_expr_test": [
            {"expr": query, "eval_time": "60m", "exp_samples": found}
            for query, found in expected.items()
        ],
    }
    tests = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]}
    (tmp_path / "tests.yml").write_text(json.dumps(tests))
    argv = [promtool, "test", "rules", str(tmp_path / "tests.yml")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


BUDGET = """\
soloscope_loki_bytes{part="chunks"} 1e+09
soloscope_loki_bytes{part="wal"} 5e+08
soloscope_loki_budget_bytes 1.0737418240e+10
soloscope_loki_days_left 41.2
soloscope_loki_ingestion_blocked 0.0
"""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (BUDGET, "💾 Logs: 1.4 of 10 GiB, room for 41 days"),
        (BUDGET.replace("41.2", "+Inf"), "room for years"),
        (None, "disk budget: "),
        ("x", "is not what `soloscope loki-budget` writes"),
        ("soloscope_loki_bytes{", "is no file of metrics"),
    ],
)
def test_the_disk_budget(
    tmp_path: Path,
    servers: Servers,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    expected: str,
) -> None:
    file = tmp_path / "budget.prom"
    if content is not None:
        file.write_text(content)
    budget = {
        "folder": "/nowhere",
        "overridesFile": "/nowhere/overrides",
        "stateFile": "/nowhere/state",
        "metricsFile": str(file),
        "maxGib": 10,
        "retention": "30d",
        "floor": "24h",
        "streams": [],
    }
    loki = {**servers.rooms["loki"], "budget": budget}
    assert expected in printed(servers.config(loki=loki), capsys)["text"]
