"""The health paths of a real `soloscope serve`, and `soloscope health-check` on it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from exporting import complete
from running import (
    Request,
    fake_systemctl,
    free_port,
    raw_server,
    redis_server,
    running,
    standin,
    until,
)

LOKI_ANSWER = b'{"status":"success","data":{"resultType":"vector","result":[]}}'


def asked(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def soloscope(config: Path, *arguments: str, **environment: str) -> Any:
    argv = [sys.executable, "-m", "soloscope", "--config", str(config), *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=60, check=False, env=env
    )


@contextmanager
def served(folder: Path, config: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """`soloscope serve` with `config`; yields the file and the URL."""
    port = free_port()
    path = folder / "soloscope.json"
    value = {**config, "exporter": {"port": port}}
    path.write_text(json.dumps(complete(value)))
    argv = [sys.executable, "-m", "soloscope", "--config", str(path), "serve"]
    with running(argv, folder / "serve.log") as process:
        url = f"http://127.0.0.1:{port}"
        until("serve answers", lambda: is_up(url))
        yield path, url
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def is_up(url: str) -> bool:
    try:
        return asked(f"{url}/health")[0] == 200
    except OSError:
        return False


def stack(request: Request) -> tuple[int, dict[str, str], bytes]:
    """Just enough of Loki and of an app, whose health depends on a file's presence."""
    if request.path.startswith("/loki/"):
        return 200, {}, LOKI_ANSWER
    return 200, {}, b'{"status":"ok"}'


def declaration(socket: Path, loki: str, **app: Any) -> dict[str, Any]:
    return {
        "loki": {"port": int(loki.rpartition(":")[2])},
        "prometheus": {"enable": False},
        "grafana": {"enable": False},
        "apps": {
            "shop": {
                "title": "The Shop",
                "redis": {"url": f"unix://{socket}"},
                "health": {"url": f"{loki}/health"},
                "gauges": {
                    "digests_pending": {"help": "Digests pending"},
                    "revenue": {"help": "Revenue", "unit": "currencyUSD"},
                    "unknown": {},
                },
                **app,
            }
        },
    }


def test_all_well_then_redis_stops(tmp_path: Path) -> None:
    with standin(stack) as server, redis_server(tmp_path) as socket:
        with redis.Redis(unix_socket_path=str(socket), protocol=2) as db:
            db.hset("metrics:now", mapping={"digests_pending": 2, "revenue": 40})
            pid = int(db.info("server")["process_id"])
        with served(tmp_path, declaration(socket, server.url)) as (path, url):
            code, whole = asked(f"{url}/api/health")
            assert (code, whole["status"]) == (200, "healthy")
            names = [(c["app"], c["name"]) for c in whole["checks"]]
            assert names == [
                ("", "loki"),
                ("shop", "redis"),
                ("shop", "scrape"),
                ("shop", "health"),
            ]
            code, overall = asked(f"{url}/health/overall")
            assert code == 200
            assert overall["services"]["redis"] == "healthy"
            assert asked(f"{url}/api/status")[1]["services"] == whole["services"]
            assert asked(f"{url}/health/database")[0] == 404
            assert asked(f"{url}/health/database/performance")[0] == 404
            assert check_metric(url, "shop", "redis") == 1

            told = soloscope(path, "health-check")
            assert told.returncode == 0, told.stderr
            lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
            assert "The Shop" in lines
            assert any(line.startswith("✓ redis PONG (") for line in lines)
            assert "Digests pending 2" in lines
            assert "Revenue 40 USD" in lines
            assert "unknown ?" in lines
            assert lines[-1] == "All 4 checks are well"

            # Redis hangs: requests stay quick, and the checks fail.
            os.kill(pid, signal.SIGSTOP)
            try:
                slowest = 0.0

                def down() -> bool:
                    nonlocal slowest
                    start = time.monotonic()
                    code, _ = asked(f"{url}/health/overall")
                    slowest = max(slowest, time.monotonic() - start)
                    return code == 503

                until("the check fails", down, seconds=25)
                assert slowest < 1.5
                # A scrape fails as well, which is a check of its own.
                assert check_metric(url, "shop", "redis") == 0
                code, whole = asked(f"{url}/api/health")
                failed = [
                    c["name"] for c in whole["checks"] if c["status"] != "healthy"
                ]
                assert (code, failed) == (503, ["redis", "scrape"])
                told = soloscope(path, "health-check", "--json")
                assert told.returncode == 1
                report = json.loads(told.stdout)
                assert report["status"] == "unhealthy"
                assert report["gauges"]["shop"] == {
                    "digests_pending": None,
                    "revenue": None,
                    "unknown": None,
                }
            finally:
                os.kill(pid, signal.SIGCONT)
            until("it recovers", lambda: check_metric(url, "shop", "redis") == 1, 25)
        log = (tmp_path / "serve.log").read_text().splitlines()
        events = [json.loads(line) for line in log]
        turned = [e["event"] for e in events if e.get("check") == "redis"]
        assert turned == ["check_failed", "check_recovered"]


def check_metric(url: str, app: str, name: str) -> float | None:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    for family in text_string_to_metric_families(text):
        if family.name == "soloscope_check_up":
            for sample in family.samples:
                if sample.labels == {"app": app, "name": name}:
                    return float(sample.value)
    return None


def test_right_after_redis_died_all_say_so(tmp_path: Path) -> None:
    with (
        standin(stack) as server,
        redis_server(tmp_path) as socket,
        redis.Redis(unix_socket_path=str(socket), protocol=2) as db,
        served(tmp_path, declaration(socket, server.url)) as (path, url),
    ):
        db.hset("metrics:now", "digests_pending", 2)
        until("all is well", lambda: asked(f"{url}/api/health")[0] == 200)
        assert soloscope(path, "health-check").returncode == 0
        db.shutdown(nosave=True)
        # The check of Redis has its next turn in up to ten seconds.
        told = soloscope(path, "health-check")
        lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
        assert told.returncode == 1
        assert any(line.startswith("✗ redis unix://") for line in lines)
        assert any(line.startswith("✗ scrape the last scrape failed") for line in lines)
        assert "Digests pending ?" in lines
        assert lines[-1] == "2 failed: shop redis, shop scrape"
        assert asked(f"{url}/health/overall")[1]["services"]["redis"] == "unhealthy"


def test_an_old_answer_shows_its_age(tmp_path: Path) -> None:
    with standin(stack) as server, redis_server(tmp_path) as socket:
        health = {"url": f"{server.url}/health", "interval": "1h"}
        config = declaration(socket, server.url, health=health)
        with served(tmp_path, config) as (path, url):
            until("all is well", lambda: asked(f"{url}/api/health")[0] == 200)
            time.sleep(1.6)
            told = soloscope(path, "health-check").stdout
    shown = re.search(r"✓  health +answered 200 \([\d.]+ ms, (\d+) s ago\)", told)
    assert shown is not None
    assert int(shown[1]) >= 2


def test_units_and_the_way_of_the_lines_are_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = 5

    def loki(request: Request) -> tuple[int, dict[str, str], bytes]:
        if "count_over_time" not in request.path:
            return stack(request)
        row = {"metric": {}, "value": [1, str(lines)]}
        data = {"resultType": "vector", "result": [row] if lines else []}
        return 200, {}, json.dumps({"status": "success", "data": data}).encode()

    def shown() -> tuple[int, str, dict[str, str]]:
        told = soloscope(path, "health-check", "--json")
        report = json.loads(told.stdout)
        failed = {
            c["name"]: c["detail"] for c in report["checks"] if c["status"] != "healthy"
        }
        return told.returncode, report.get("unseen", ""), failed

    with (
        standin(loki) as server,
        redis_server(tmp_path) as socket,
        served(tmp_path, declaration(socket, server.url)) as (path, url),
    ):
        until("all is well", lambda: asked(f"{url}/api/health")[0] == 200)
        code, unseen, failed = shown()
        assert (code, failed) == (0, {})
        assert "were not looked at: systemd does not answer" in unseen
        text = soloscope(path, "health-check").stdout
        assert "soloscope's units were not looked at" in text
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        fake_systemctl(tmp_path, {})
        assert shown() == (0, "", {})
        text = soloscope(path, "health-check").stdout
        assert "✓  soloscope-promtail.service" in text
        assert "5 lines in the last hour" in text
        loop = {"ActiveState": "activating", "SubState": "auto-restart"}
        fake_systemctl(tmp_path, {"soloscope-promtail.service": loop})
        lines = 0
        assert shown() == (
            1,
            "",
            {
                "soloscope-promtail.service": "fails and is started again and "
                "again (success)",
                "intake": "no line has reached Loki for an hour: `journalctl -u "
                "soloscope-promtail`",
            },
        )


def test_the_result_of_the_probe_is_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-test\n")

    def api(request: Request) -> tuple[int, dict[str, str], bytes]:
        if request.path != "/v1/models":
            return stack(request)
        right = request.headers.get("authorization") == "Bearer sk-test"
        return (200 if right else 401), {}, b"{}"

    with standin(api) as server, redis_server(tmp_path) as socket:
        config = declaration(
            socket,
            server.url,
            checks={
                "openai": {
                    "kind": "api",
                    "url": f"{server.url}/v1/models",
                    "keyFile": {"file": str(tmp_path / "key")},
                }
            },
        )
        config["probe"] = {"resultFile": str(tmp_path / "results.json")}
        with served(tmp_path, config) as (path, url):
            code, overall = asked(f"{url}/health/overall")
            assert (code, overall["services"]["external_apis"]) == (503, "unhealthy")
            probed = soloscope(path, "probe")
            assert probed.returncode == 0, probed.stderr
            assert "sk-test" not in probed.stdout + probed.stderr
            code, overall = asked(f"{url}/health/overall")
            assert (code, overall["services"]["external_apis"]) == (200, "healthy")
            # The key was revoked: the next probe fails.
            (tmp_path / "key").write_text("sk-revoked\n")
            probed = soloscope(path, "probe", "--all", "--json")
            assert json.loads(probed.stdout)["shop"]["openai"]["ok"] is False
            assert check_metric(url, "shop", "openai") == 0
            told = soloscope(path, "health-check")
            assert told.returncode == 1
            assert "✗  openai" in told.stdout
            assert "answered 401, expected 200" in told.stdout
            # An old result does not count: 30 s interval, 61 s old.
            value = json.loads((tmp_path / "results.json").read_text())
            value["results"]["shop"]["openai"] |= {"ok": True, "at": time.time() - 61}
            (tmp_path / "results.json").write_text(json.dumps(value))
            assert asked(f"{url}/health/overall")[0] == 503
        served_log = (tmp_path / "serve.log").read_text()
        assert "sk-" not in served_log


def test_without_serve_it_asks_what_it_can(tmp_path: Path) -> None:
    with standin(stack) as server, redis_server(tmp_path) as socket:
        with redis.Redis(unix_socket_path=str(socket), protocol=2) as db:
            db.hset("metrics:now", "digests_pending", 2)
        config = declaration(socket, server.url)
        config["exporter"] = {"port": free_port()}
        path = tmp_path / "soloscope.json"
        path.write_text(json.dumps(complete(config)))
        told = soloscope(path, "health-check", "--json")
        assert told.returncode == 1, "serve itself is away"
        report = json.loads(told.stdout)
        assert report["source"] == "direct"
        states = {c["name"]: c["status"] for c in report["checks"]}
        assert states == {
            "serve": "unhealthy",
            "loki": "healthy",
            "redis": "healthy",
            "health": "healthy",
        }
        assert report["gauges"]["shop"]["digests_pending"] == 2
        # With a password that only the service has, Redis is not checked from here.
        config["apps"]["shop"]["redis"]["passwordFile"] = {"credential": "redis-shop"}
        path.write_text(json.dumps(complete(config)))
        report = json.loads(soloscope(path, "health-check", "--json").stdout)
        assert "redis" not in {c["name"] for c in report["checks"]}
        assert report["gauges"]["shop"]["digests_pending"] is None


def test_without_colour_and_without_unicode(tmp_path: Path) -> None:
    path = tmp_path / "soloscope.json"
    value = {"exporter": {"port": free_port()}, "loki": {"port": free_port()}}
    value |= {"prometheus": {"enable": False}, "grafana": {"enable": False}}
    path.write_text(json.dumps(complete(value)))
    told = soloscope(path, "health-check", NO_COLOR="1", FORCE_COLOR="1")
    assert told.returncode == 1
    assert "\x1b[3" not in told.stdout, "no colour"
    assert "✗  loki" in told.stdout
    told = soloscope(path, "health-check", PYTHONIOENCODING="ascii")
    assert "FAILED  loki" in told.stdout


def test_what_hangs_at_the_start_holds_no_request(tmp_path: Path) -> None:
    def hang(peer: socket.socket) -> None:
        peer.recv(4096)
        time.sleep(5)

    with raw_server(hang) as port:
        value = {
            "loki": {"port": port},
            "prometheus": {"enable": False},
            "grafana": {"enable": False},
            "apps": {"shop": {"health": {"url": f"http://127.0.0.1:{port}/"}}},
        }
        with served(tmp_path, value) as (_, url):
            start = time.monotonic()
            code, body = asked(f"{url}/api/health")
            assert time.monotonic() - start < 1.5
            assert code == 503
            details = {c["name"]: c["detail"] for c in body["checks"]}
            assert details == {"loki": "no answer yet", "health": "no answer yet"}


def test_watch_shows_it_again_until_interrupted(tmp_path: Path) -> None:
    with (
        standin(stack) as server,
        redis_server(tmp_path) as socket,
        served(tmp_path, declaration(socket, server.url)) as (path, _),
    ):
        argv = [sys.executable, "-m", "soloscope", "--config", str(path)]
        argv += ["health-check", "--json", "--watch", "0.1"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            shown = [json.loads(process.stdout.readline()) for _ in range(3)]
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
        assert {one["status"] for one in shown} == {"healthy"}
    told = soloscope(path, "health-check", "--watch", "0")
    assert told.returncode == 2


@pytest.mark.parametrize("command", ["health-check", "probe", "backfill", "doctor"])
def test_help_loads_nothing_heavy(command: str, tmp_path: Path) -> None:
    argv = [sys.executable, "-X", "importtime", "-m", "soloscope", command, "--help"]
    told = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30)
    assert told.stdout.startswith(f"usage: soloscope {command}")
    loaded = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert not loaded & {"redis", "requests", "rich"}


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "soloscope.json"
    checks = {f"c{n}": {"kind": "tcp", "url": "tcp://127.0.0.1:1"} for n in range(999)}
    value = {"exporter": {"port": free_port()}, "apps": {"shop": {"checks": checks}}}
    path.write_text(json.dumps(complete(value)))
    argv = [sys.executable, "-m", "soloscope", "--config", str(path)]
    with subprocess.Popen(
        [*argv, "health-check", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 141
