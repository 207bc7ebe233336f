"""`soloscope serve` as a process: start, log, events, and the command line."""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

import soloscope
from exporting import complete, configure, declare, get, samples, soloscope_serve
from running import free_port, until
from soloscope.exporter.events import INTERVAL, next_due


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "soloscope", *argv]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=30, check=False
    )


def day(age: int = 0) -> str:
    return (datetime.now(UTC).date() - timedelta(days=age)).isoformat()


def weekday(age: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=age):%a}"


def test_counts_reach_metrics(
    tmp_path: Path, redis_socket: Path, db: redis.Redis
) -> None:
    db.incrby(f"metrics:{day()}:conversations", 31)
    app = declare(redis_socket)
    with soloscope_serve(tmp_path, {"apps": {"shop": app}}) as serve:
        text = get(serve.url + "/metrics")
        assert samples(text, "soloscope_count_total") == [
            'soloscope_count_total{app="shop",name="conversations"} 31.0',
            'soloscope_count_total{app="shop",name="digests_created"} 0.0',
        ]
        db.lpush(f"metrics:{day()}:digests_created", 1)
        get(serve.url + "/metrics")
        left_out = serve.events("metric_left_out")[0]
        assert left_out["level"] == "warn"
        assert left_out["metric"] == "digests_created"
        assert "WRONGTYPE" in left_out["reason"]
        serve.process.send_signal(signal.SIGTERM)
        assert serve.process.wait(10) == 0
        assert serve.events("stopped")


def test_redis_away_and_back_are_logged(tmp_path: Path) -> None:
    app = declare(tmp_path / "absent.sock")
    with soloscope_serve(tmp_path, {"apps": {"shop": app}}) as serve:
        text = get(serve.url + "/metrics")
        assert 'soloscope_up{app="shop"} 0.0' in text
        assert not samples(text, "soloscope_count_total", "soloscope_window")
        get(serve.url + "/metrics")
        told = serve.events("redis_unreachable")
        assert len(told) == 1
        assert "absent.sock" in told[0]["message"]


def test_prometheus_reads_what_serve_writes(
    tmp_path: Path, redis_socket: Path, db: redis.Redis, promtool: str
) -> None:
    db.incrby(f"metrics:{day()}:conversations", 31)
    db.hincrby(f"metrics:{day()}:deficiencies", 'a"b\\c\nd', 1)
    with soloscope_serve(tmp_path, {"apps": {"shop": declare(redis_socket)}}) as serve:
        text = get(serve.url + "/metrics")
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=text.encode(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_systemd_is_told_when_it_is_ready(tmp_path: Path) -> None:
    config = tmp_path / "soloscope.json"
    config.write_text(json.dumps(complete({"exporter": {"port": 0}})))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(20)
        argv = [sys.executable, "-m", "soloscope", "--config", str(config), "serve"]
        environment = os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        process = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL)
        try:
            assert notify.recv(100) == b"READY=1"
        finally:
            process.terminate()
            process.wait(10)
        assert notify.recv(100) == b"STOPPING=1"


def test_a_bad_configuration_is_told_before_a_port_is_bound(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "soloscope.json"
    app = {"redis": {"url": "http://x"}, "jobs": {"a": {"counter": "b", "by": "4"}}}
    value = {"exporter": {"port": port}, "apps": {"shop": app}}
    config.write_text(json.dumps(complete(value)))
    done = run("--config", str(config), "serve")
    assert done.returncode == 2
    assert done.stdout == ""
    for path in ("apps.shop.redis.url", "apps.shop.jobs.a.by", "jobs.a.counter"):
        assert path in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    config = tmp_path / "soloscope.json"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config.write_text(json.dumps(complete({"exporter": {"port": port}})))
        done = run("--config", str(config), "serve")
    assert done.returncode == 1
    told = json.loads(done.stdout.splitlines()[0])
    assert told["event"] == "cannot_listen"
    assert str(port) in told["message"]
    assert "services.soloscope.exporter.port" in told["message"]


def test_check_config(tmp_path: Path) -> None:
    config = tmp_path / "soloscope.json"
    config.write_text(json.dumps(complete({"apps": {"shop": {}}})))
    done = run("check-config", "--config", str(config))
    assert (done.returncode, "shop" in done.stdout) == (0, True)
    config.write_text('{"app": {}}')
    done = run("--config", str(config), "check-config")
    assert done.returncode == 2
    assert "did you mean `apps`?" in done.stderr


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        ([], 2, "required: COMMAND\n"),
        (["--help"], 0, "commands:"),
        (["--version"], 0, "soloscope "),
        ([], 2, "COMMAND"),
        (["brew"], 2, "serve"),
        (["serve", "--help"], 0, "/metrics"),
        (["serve", "--port", "1"], 2, "unrecognized"),
        (["--config", "/absent.json", "serve"], 2, "/absent.json"),
    ],
)
def test_the_command_line(argv: list[str], code: int, said: str) -> None:
    done = run(*argv)
    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_the_installed_one() -> None:
    assert soloscope.version() == importlib.metadata.version("soloscope")


def test_help_imports_nothing_slow() -> None:
    program = (
        "import sys\n"
        "from soloscope.cli import main\n"
        "try:\n"
        "    main(['serve', '--help'])\n"
        "finally:\n"
        "    slow = {'redis', 'requests', 'rich', 'prometheus_client', 'http.server',"
        " 'hiredis', 'asyncio', 'logging', 'pythonjsonlogger'}\n"
        "    print('LOADED', sorted(slow & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "LOADED []" in done.stdout


# --- without Prometheus ------------------------------------------------------------


def test_the_light_shape_logs_what_prometheus_would_be_told(
    tmp_path: Path, redis_socket: Path, db: redis.Redis
) -> None:
    db.incrby(f"metrics:{day()}:conversations", 31)
    db.incrby(f"metrics:{day(3)}:conversations", 4)
    db.hincrby(f"metrics:{day(3)}:deficiencies", "past tense", 2)
    db.hset("metrics:now", "users_total", 12)
    config: dict[str, Any] = {
        "prometheus": {"enable": False},
        "apps": {"shop": declare(redis_socket)},
    }
    with soloscope_serve(tmp_path, config) as serve:
        until("the windows are logged", lambda: bool(serve.events("metrics_window")))
        time.sleep(0.1)
        lines = serve.log.read_text().splitlines()
        common = {"time", "level", "event", "target"}
        days = serve.events("metrics_day")
        windows = serve.events("metrics_window")
    assert len([d for d in days if d["name"] == "conversations"]) == 30
    # The exact bytes that the dashboards' line filters search for.
    mine = [line for line in lines if '"event":"metrics_day"' in line]
    assert any(
        line.endswith(
            '"event":"metrics_day","target":"shop","name":"conversations",'
            f'"day":"{day(3)}","weekday":"{weekday(3)}","ago":259200,"value":4}}'
        )
        for line in mine
    )
    assert any(
        '"event":"metrics_now","target":"shop","name":"users_total","value":12}' in line
        for line in lines
    )
    assert {
        (w["name"], w.get("key"), w["window"]): w["value"] for w in windows
    }.items() >= {
        ("conversations", None, "1d"): 31,
        ("conversations", None, "7d"): 35,
        ("deficiencies", "past tense", "1d"): 0,
        ("deficiencies", "past tense", "30d"): 2,
    }.items()
    assert {frozenset(d) for d in days} == {
        frozenset(common | {"name", "day", "weekday", "ago", "value"})
    }
    # A field named like a stream label would be renamed by Loki.
    for line in lines:
        if '"event":"metrics_' in line:
            assert not {"app", "unit", "job", "host"} & set(json.loads(line))
    snapshot = [json.loads(line) for line in lines if "metrics_snapshot" in line]
    assert (snapshot[0]["up"], snapshot[0]["counters"]["conversations"]) == (True, 31)


def test_the_light_shape_says_when_redis_is_away(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "prometheus": {"enable": False},
        "apps": {"shop": declare(tmp_path / "absent.sock")},
    }
    with soloscope_serve(tmp_path, config) as serve:
        until("a snapshot is logged", lambda: bool(serve.events("metrics_snapshot")))
        assert serve.events("metrics_snapshot")[0]["up"] is False
        assert not serve.events("metrics_day") + serve.events("metrics_window")


def test_with_prometheus_no_such_events_are_logged(
    tmp_path: Path, redis_socket: Path, db: redis.Redis
) -> None:
    with soloscope_serve(tmp_path, {"apps": {"shop": declare(redis_socket)}}) as serve:
        get(serve.url + "/metrics")
        assert not [e for e in serve.events() if e["event"].startswith("metrics_")]


def test_when_the_light_shape_writes_next() -> None:
    berlin = declare("/y", timeZone="Europe/Berlin")
    apps = list(configure(declare("/x"), berlin).apps.values())

    def unix(text: str) -> float:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

    noon = unix("2026-11-18T12:00")
    assert next_due(noon, noon, apps) == noon + INTERVAL
    # Berlin's midnight is an hour before that of UTC; both are written at once.
    late = unix("2026-11-18T22:50")
    assert next_due(late, late, apps) == unix("2026-11-18T23:00:01")
    later = unix("2026-11-18T23:50")
    assert next_due(later, later, apps) == unix("2026-11-19T00:00:01")
    # The clock went back: write now instead of waiting for a wrong time.
    assert next_due(noon - 7200, noon, apps) == noon - 7200
