"""How a check runs and is evaluated, and how the registry does it in background."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporting import parse
from running import (
    answers,
    free_port,
    loki_server,
    program,
    raw_server,
    redis_server,
    running,
    standin,
    until,
)
from soloscope.backends.http import LIMIT, fetch
from soloscope.checks import kinds
from soloscope.checks.declared import Scrape, checks, ping
from soloscope.checks.model import Check, CheckFailed, Outcome, Recorded, Result, judge
from soloscope.checks.registry import Registry
from soloscope.checks.routes import Health
from soloscope.config import Redis, redis_url
from soloscope.exporter.exposition import OPENMETRICS, TEXT
from soloscope.exporter.families import encode


def check(
    name: str,
    run: Callable[[float], Outcome],
    interval: float = 30.0,
    timeout: float = 10.0,
    *,
    passive: bool = False,
) -> Check:
    return Check("app", name, "http", run, interval, timeout, passive=passive)


def fine(_timeout: float) -> Outcome:
    return Outcome("fine")


def broken(_timeout: float) -> Outcome:
    raise CheckFailed("broken")


# --- judging ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "running_since", "now", "ok", "detail"),
    [
        (None, None, 100.0, False, "no answer yet"),
        (None, 95.0, 100.0, False, "no answer yet"),
        (Recorded(True, 90.0, "fine"), None, 100.0, True, "fine"),
        (Recorded(False, 90.0, "refused"), None, 100.0, False, "refused"),
        # Exactly twice the interval is still fresh, a second later it is not.
        (Recorded(True, 40.0, "fine"), None, 100.0, True, "fine"),
        (
            Recorded(True, 39.0, "fine"),
            None,
            100.0,
            False,
            "the last answer is 61 s old, more than twice the interval of 30 s",
        ),
        # Still running: fine within time-out and grace, failed after.
        (Recorded(True, 70.0, "fine"), 89.0, 100.0, True, "fine"),
        (Recorded(True, 70.0, "fine"), 88.0, 100.0, False, "no answer for 12 s"),
    ],
)
def test_judge(
    last: Recorded | None,
    running_since: float | None,
    now: float,
    ok: bool,
    detail: str,
) -> None:
    told = judge(check("one", fine), last, running_since, now)
    assert (told.ok, told.detail) == (ok, detail)


# --- the registry -------------------------------------------------------------------


def by_name(results: tuple[Result, ...]) -> dict[str, Result]:
    return {result.name: result for result in results}


def test_one_that_hangs_delays_nobody_and_is_told() -> None:
    release = threading.Event()

    def hang(_timeout: float) -> Outcome:
        release.wait(30)
        return Outcome()

    registry = Registry([check("hangs", hang, 0.2, 0.1), check("quick", fine, 0.1)])
    registry.start()
    try:
        start = time.monotonic()
        early = by_name(registry.results(wait=0.5))
        assert time.monotonic() - start < 0.8
        assert early["quick"].ok
        assert early["hangs"].detail == "no answer yet"
        until(
            "the hanging one has failed",
            lambda: by_name(registry.results())["hangs"].detail == "no answer for 1 s",
        )
        assert by_name(registry.results())["quick"].ok
    finally:
        start = time.monotonic()
        registry.stop(0.2)
        assert time.monotonic() - start < 1.0
        release.set()


def test_results_do_not_wait_once_all_have_answered() -> None:
    registry = Registry([check("one", fine), check("two", broken)])
    registry.start()
    try:
        told = by_name(registry.results(wait=5))
        assert told["one"].ok
        assert (told["two"].ok, told["two"].detail) == (False, "broken")
        start = time.monotonic()
        registry.results(wait=5)
        assert time.monotonic() - start < 0.1
    finally:
        registry.stop()


def test_each_runs_at_its_own_interval() -> None:
    times: dict[str, list[float]] = {"fast": [], "slow": []}

    def note(name: str) -> Callable[[float], Outcome]:
        def run(_timeout: float) -> Outcome:
            times[name].append(time.monotonic())
            return Outcome()

        return run

    registry = Registry(
        [check("fast", note("fast"), 0.1), check("slow", note("slow"), 30.0)]
    )
    registry.start()
    try:
        until("five runs", lambda: len(times["fast"]) >= 5)
    finally:
        registry.stop()
    gaps = [b - a for a, b in zip(times["fast"], times["fast"][1:], strict=False)]
    assert min(gaps) > 0.09
    assert len(times["slow"]) == 1
    ran = len(times["fast"])
    time.sleep(0.25)
    assert len(times["fast"]) == ran, "a stopped registry runs nothing"


def test_more_checks_than_threads_are_all_run() -> None:
    many = [check(f"c{n}", fine) for n in range(50)]
    registry = Registry(many, workers=3)
    registry.start()
    try:
        assert all(result.ok for result in registry.results(wait=5))
    finally:
        registry.stop()


def test_a_change_is_told_once() -> None:
    well = True
    told: list[tuple[str, bool]] = []

    def wavering(_timeout: float) -> Outcome:
        if not well:
            raise CheckFailed("away")
        return Outcome()

    registry = Registry(
        [check("wavers", wavering, 0.05), check("broken", broken, 0.05)],
        changed=lambda result: told.append((result.name, result.ok)),
    )
    registry.start()
    try:
        registry.results(wait=5)
        time.sleep(0.2)
        assert told == [("broken", False)]
        well = False
        until("the change is told", lambda: ("wavers", False) in told)
        well = True
        until("and the way back", lambda: ("wavers", True) in told)
        time.sleep(0.2)
    finally:
        registry.stop()
    assert told == [("broken", False), ("wavers", False), ("wavers", True)]


def test_an_unforeseen_error_is_a_failure_and_quotes_nothing() -> None:
    def raises(_timeout: float) -> Outcome:
        raise RuntimeError("Bearer sk-secret")

    registry = Registry([check("raises", raises, 0.1)])
    registry.start()
    try:
        (told,) = registry.results(wait=5)
    finally:
        registry.stop()
    assert (told.ok, told.detail) == (False, "could not be asked (RuntimeError)")


def test_a_passive_check_is_asked_when_it_is_shown() -> None:
    asked: list[float] = []

    def run(timeout: float) -> Outcome:
        asked.append(timeout)
        return Outcome("seen", 0.5, age=70.0)

    registry = Registry([check("passive", run, passive=True)])
    registry.start()
    assert asked == []
    (told,) = registry.results(wait=5)
    registry.stop()
    assert len(asked) == 1
    assert not told.ok, "70 s are more than twice the interval"
    assert told.seconds == 0.5


def test_metrics_tell_that_an_answer_has_grown_old() -> None:
    """The lines change without a new result."""
    now = 0.0
    registry = Registry([check("one", fine)], clock=lambda: now)
    health = Health(registry)
    registry.start()
    try:
        registry.results(wait=5)
        registry.stop()
        for moment, up in ((59.0, "1.0"), (60.0, "1.0"), (61.0, "0.0")):
            now = moment
            told = encode(health.families(), TEXT).decode()
            assert f'soloscope_check_up{{app="app",name="one"}} {up}\n' in told
            assert (
                encode(health.families(), OPENMETRICS).decode() == told + "# EOF\n"
            ), "gauges look alike in both"
    finally:
        registry.stop()


# --- http and tcp -------------------------------------------------------------------


def detail_of(run: Callable[[float], Outcome], timeout: float = 2.0) -> str:
    with pytest.raises(CheckFailed) as failed:
        run(timeout)
    return str(failed.value)


def test_http_holds_the_answer_against_what_was_declared() -> None:
    def handle(request: Any) -> tuple[int, dict[str, str], bytes]:
        if request.path == "/slow":
            time.sleep(0.2)
        if request.path == "/moved":
            return 302, {"Location": "https://login.example.org/?next=x"}, b""
        if request.path == "/down":
            return 503, {}, b"maintenance"
        return 200, {}, b'{"status": "ok"}'

    with standin(handle) as server:
        url = server.url
        assert kinds.http(f"{url}/up?a=b")(2).detail == "answered 200"
        assert server.requests[-1].path == "/up?a=b"
        assert kinds.http(f"{url}/up", body='"ok"')(2).detail == "answered 200"
        assert kinds.http(f"{url}/down", status=503)(2).detail == "answered 503"
        assert detail_of(kinds.http(f"{url}/down")) == "answered 503, expected 200"
        assert (
            detail_of(kinds.http(f"{url}/up", body="okay"))
            == "answered 200 without `okay` in the body"
        )
        assert (
            detail_of(kinds.http(f"{url}/moved"))
            == "answered 302, expected 200, to https://login.example.org/"
        )
        slow = detail_of(kinds.http(f"{url}/slow", max_seconds=0.1))
        assert slow.endswith("s, allowed are 0.1 s")


def test_the_time_out_is_for_the_whole_answer() -> None:
    def drip(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            peer.sendall(b"x")
            time.sleep(0.1)

    with raw_server(drip) as port:
        start = time.monotonic()
        detail = detail_of(kinds.http(f"http://127.0.0.1:{port}/"), 0.5)
        assert time.monotonic() - start < 1.0
        assert detail == "no answer within 0.5 s"


def test_what_is_no_http_is_told_without_quoting_it() -> None:
    def talk(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(b"220 secret banner\r\n")

    with raw_server(talk) as port:
        detail = detail_of(kinds.http(f"http://127.0.0.1:{port}/"))
    assert detail == "not an HTTP answer (BadStatusLine)"


def test_a_huge_body_is_not_read_to_its_end() -> None:
    with standin(lambda _: (200, {}, b"y" * (LIMIT + 10))) as server:
        assert len(fetch(server.url, 5).body) == LIMIT


def test_a_refused_connection() -> None:
    port = free_port()
    assert detail_of(kinds.http(f"http://127.0.0.1:{port}/")) == "connection refused"
    assert detail_of(kinds.tcp(f"tcp://127.0.0.1:{port}")) == "connection refused"


def test_tcp_accepts() -> None:
    with raw_server(lambda _: None) as port:
        assert kinds.tcp(f"tcp://127.0.0.1:{port}")(2).detail == "accepts connections"


# --- redis --------------------------------------------------------------------------


def at(path: Path) -> Redis:
    return Redis(redis_url(f"unix://{path}"), "")


def test_redis_answers_hangs_comes_back_and_dies(tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    argv = [
        program("redis-server"),
        "--port",
        "0",
        "--unixsocket",
        str(path),
        "--save",
        "",
    ]

    def pongs() -> bool:
        try:
            return ping(at(path))(3).detail == "PONG"
        except CheckFailed:
            return False

    with running([*argv, "--dir", str(tmp_path)], tmp_path / "log") as server:
        until("redis answers", pongs)
        os.kill(server.pid, signal.SIGSTOP)
        start = time.monotonic()
        assert str(path) in detail_of(ping(at(path)), 3)
        assert time.monotonic() - start < 2.5
        os.kill(server.pid, signal.SIGCONT)
        until("redis answers again", pongs)
    assert str(path) in detail_of(ping(at(path)), 3)


def test_redis_that_wants_a_password(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--requirepass", "geheim") as path:
        detail = detail_of(ping(at(path)), 3)
    assert "Authentication required" in detail
    assert "geheim" not in detail


# --- the checks of a configuration --------------------------------------------------


def test_the_checks_of_a_configuration() -> None:
    config = parse(
        {
            "alertmanager": {"enable": True},
            "postgresExporter": {},
            "probe": {},
            "apps": {
                "shop": {
                    "redis": {"url": "redis://127.0.0.1:6379"},
                    "health": {"url": "http://127.0.0.1/h", "interval": "1m"},
                    "postgres": {"socket": "/run/postgresql"},
                    "checks": {
                        "openai": {"kind": "api", "url": "https://api.example.org/"},
                        "smtp": {"kind": "tcp", "url": "tcp://127.0.0.1:25"},
                        "cache": {"kind": "redis", "url": "redis://127.0.0.1:6380"},
                        "site": {"kind": "http", "url": "https://example.org/"},
                    },
                }
            },
        }
    )
    found = checks(config, lambda _: None)
    table = {(c.app, c.name): (c.kind, c.interval, c.timeout) for c in found}
    assert table == {
        ("", "loki"): ("loki", 30, 10),
        ("", "prometheus"): ("prometheus", 30, 10),
        ("", "grafana"): ("grafana", 30, 10),
        ("", "alertmanager"): ("alertmanager", 30, 10),
        ("shop", "postgres"): ("postgres", 30, 5),
        ("shop", "redis"): ("redis", 10, 3),
        ("shop", "scrape"): ("scrape", 30, 10),
        ("shop", "health"): ("health", 60, 10),
        ("shop", "openai"): ("api", 30, 10),
        ("shop", "smtp"): ("tcp", 30, 10),
        ("shop", "cache"): ("redis", 10, 3),
        ("shop", "site"): ("http", 30, 10),
    }
    assert [c.name for c in found if c.passive] == ["scrape", "openai"]
    light = parse({"prometheus": {"enable": False}, "grafana": {"enable": False}})
    assert [c.name for c in checks(light)] == ["loki"]


def test_a_declared_check_replaces_a_built_in_one_of_its_name() -> None:
    config = parse(
        {
            "apps": {
                "shop": {
                    "redis": {"url": "redis://127.0.0.1:6379"},
                    "checks": {"redis": {"kind": "tcp", "url": "tcp://127.0.0.1:1"}},
                }
            }
        }
    )
    names = [(c.app, c.name) for c in checks(config, lambda _: None)]
    assert len(names) == len(set(names))
    assert [c.kind for c in checks(config) if c.name == "redis"] == ["tcp"]


def test_the_last_scrape_is_a_check() -> None:
    config = parse({"apps": {"shop": {"redis": {"url": "redis://127.0.0.1:6379"}}}})
    last: dict[str, Scrape] = {}
    (scrape,) = [c for c in checks(config, last.get) if c.name == "scrape"]
    assert scrape.run(1).detail == "the last scrape was complete"
    last["shop"] = Scrape(up=False, error="redis away", at=0.0)
    assert detail_of(scrape.run) == "the last scrape failed: redis away"
    names = [f"n{number}" for number in range(12)]
    last["shop"] = Scrape(up=True, error="", at=0.0, left_out=names[:2])
    assert scrape.run(1).detail == "complete but for 2 metrics: n0, n1"
    last["shop"] = Scrape(up=True, error="", at=0.0, left_out=names)
    assert scrape.run(1).detail.startswith("complete but for 12 metrics: n0, n1, ")
    assert scrape.run(1).detail.endswith("n9, …")


# --- the real servers ---------------------------------------------------------------


def test_a_real_loki_and_a_real_prometheus(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    (tmp_path / "p.yml").write_text("{}")
    argv = [
        program("prometheus"),
        f"--config.file={tmp_path / 'p.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with loki_server(tmp_path) as loki, running(argv, tmp_path / "p.log"):
        assert kinds.loki(loki)(10).detail == "answers queries"
        until("Prometheus listens", lambda: answers(f"{url}/-/ready"))
        assert kinds.ready(url)(10).detail == "ready"
    assert detail_of(kinds.loki(loki)) == "connection refused"
    assert detail_of(kinds.ready(url)) == "connection refused"


def test_grafana_with_and_without_a_path() -> None:
    state: dict[str, Any] = {"database": "ok", "path": "/api/health", "code": 200}

    def handle(request: Any) -> tuple[int, dict[str, str], bytes]:
        if request.path != state["path"]:
            return 404, {}, b"{}"
        body = json.dumps({"database": state["database"], "version": "12.0.0"})
        return int(state["code"]), {}, body.encode()

    with standin(handle) as server:
        plain = kinds.grafana(server.url, "http://127.0.0.1:3000/")
        under = kinds.grafana(server.url, "https://example.org/grafana/")
        assert plain(2).detail == "database ok"
        assert under(2).detail == "database ok", "a proxy may cut the path off"
        state["path"] = "/grafana/api/health"
        assert under(2).detail == "database ok"
        assert detail_of(plain) == "answered 404, expected 200"
        # As Grafana answers when it cannot reach its database.
        state |= {"path": "/api/health", "code": 503, "database": "failing"}
        assert detail_of(plain) == "answered 503, expected 200"
        state |= {"code": 200}
        assert detail_of(plain) == "its database is `failing`"
