"""The kit for apps: what it prints and counts is what soloscope reads."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from prometheus_client import CollectorRegistry, generate_latest

from exporting import Clock, an_app, counted
from soloscope import app
from soloscope.app import counts as counts_module
from soloscope.app.http import by_path


@pytest.fixture
def printed() -> Iterator[io.StringIO]:
    """What the app prints; the logging of the tests comes back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out = io.StringIO()
    app.set_up_logging(stream=out)
    yield out
    root.handlers[:], root.level = handlers, level


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    """The printed lines, each a JSON object."""
    return [json.loads(line) for line in out.getvalue().splitlines()]


# --- events -------------------------------------------------------------------------


def test_an_event_has_its_context(printed: io.StringIO) -> None:
    with app.context(conversation_id="c_1", user="u_7"):
        with app.context(trace_id="t_1"):
            app.event("order_placed", "Order placed", total=12, note="50 %s off")
        app.event("order_paid")
    app.event("idle")
    first, second, third = lines(printed)
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "info",
        "event": "order_placed",
        "conversation_id": "c_1",
        "user": "u_7",
        "trace_id": "t_1",
        "total": 12,
        "note": "50 %s off",
        "msg": "Order placed",
    }
    assert (second["msg"], second["user"]) == ("order_paid", "u_7")
    assert "trace_id" not in second
    assert "user" not in third


def test_an_exception_is_as_pino_writes_it(printed: io.StringIO) -> None:
    try:
        raise TimeoutError("OpenAI did not answer")
    except TimeoutError:
        app.event("digest_failed", "Digest failed", level=logging.ERROR)
    (line,) = lines(printed)
    assert line["level"] == "error"
    assert (line["err"]["type"], line["err"]["message"]) == (
        "TimeoutError",
        "OpenAI did not answer",
    )
    assert line["err"]["stack"].startswith("Traceback (most recent call last):\n")
    assert "exc_info" not in line


def test_any_value_and_any_library_is_printed(printed: io.StringIO) -> None:
    loop: list[Any] = []
    loop.append(loop)
    app.event("odd", "", path=Path("/x"), loop=loop, nan=float("nan"), raw=b"\xff")
    app.event("odd", "", level=logging.CRITICAL, msg="mine", event="mine", time="mine")
    logging.getLogger("urllib3").warning("retry %d", 3, extra={"host": "x"})
    first, second, third = lines(printed)
    assert (first["event"], first["path"]) == ("odd", "/x")
    assert (second["level"], second["event"]) == ("fatal", "odd")
    assert (third["msg"], third["logger"]) == ("retry 3", "urllib3")


def test_context_is_kept_across_await(printed: io.StringIO) -> None:
    async def talk(name: str) -> None:
        with app.context(conversation_id=name):
            await asyncio.sleep(0)
            app.event("said", "", who=name)

    async def both() -> None:
        await asyncio.gather(talk("c_1"), talk("c_2"))

    asyncio.run(both())
    assert all(line["conversation_id"] == line["who"] for line in lines(printed))


# --- counts -------------------------------------------------------------------------


def counting(socket: Path) -> app.Counts:
    return app.Counts(f"unix://{socket}")


def test_every_kind_is_what_the_exporter_reads(
    db: redis.Redis, redis_socket: Path
) -> None:
    counts = counting(redis_socket)
    counts.counter("conversations")
    counts.counter("conversations", 2)
    counts.breakdown("deficiencies", "past_tense", 3)
    for member in ("u_1", "u_2", "u_1"):
        counts.unique("active_users", member)
        counts.unique("payers", member, exact=True)
    counts.timing("openai", 0.245)
    counts.timing("openai", 1.5)
    counts.gauge("users_total", 12)
    assert counts.flush(10)
    assert counts.lost == 0
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    store = counted(an_app(redis_socket), Clock(now)).store
    today = store.read().today
    assert today is not None
    assert today.counters["conversations"] == 3
    assert today.breakdowns == {"deficiencies": {"past_tense": 3}}
    assert today.uniques == {"active_users": 2, "payers": 2}
    assert today.timings == {"openai": (2, 1745)}
    keys = [key for key in db.scan_iter("metrics:*") if key != b"metrics:now"]
    assert len(keys) == 5
    for key in keys:
        ttl: Any = db.ttl(key)
        assert 30 * 86400 - 60 <= ttl <= 30 * 86400
    assert db.ttl("metrics:now") == -1
    assert db.hgetall("metrics:now") == {b"users_total": b"12"}


def test_a_counter_and_its_expiry_are_set_together(redis_socket: Path) -> None:
    """In one transaction, so that no crash leaves a key for ever."""
    client = redis.Redis(unix_socket_path=str(redis_socket))
    with client, client.monitor() as monitor:  # type: ignore[no-untyped-call]
        counts = counting(redis_socket)
        counts.counter("together")
        assert counts.flush(10)
        seen = []
        for command in monitor.listen():
            seen.append(command["command"].split(" ")[0])
            if seen[-1] == "EXEC":
                break
    assert seen[-4:] == ["MULTI", "INCRBY", "EXPIRE", "EXEC"]


def test_a_redis_that_is_away_holds_nobody_up(
    tmp_path: Path, printed: io.StringIO
) -> None:
    counts = counting(tmp_path / "none.sock")
    began = time.perf_counter()
    for _ in range(1000):
        counts.counter("orders")
    assert time.perf_counter() - began < 1
    assert counts.flush(20)
    assert counts.lost == 1000
    (line,) = lines(printed)
    assert line["level"] == "warn"
    assert "counts were lost" in line["msg"]


def test_a_full_queue_loses_and_says_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: io.StringIO
) -> None:
    monkeypatch.setattr(counts_module, "MOST", 10)
    counts = counting(tmp_path / "none.sock")
    stopped = threading.Thread()
    counts._thread = stopped  # as if it hung
    for _ in range(25):
        counts.counter("orders")
    assert counts.lost == 15
    assert not counts.flush(0.05)
    assert len(lines(printed)) == 1


def test_nothing_raises(redis_socket: Path, printed: io.StringIO) -> None:
    counts = counting(redis_socket)
    anything: Any = object()
    counts.counter("no name!")
    counts.counter(anything)
    counts.counter("orders", anything)
    counts.breakdown("orders_by", anything)
    counts.gauge("users", anything)
    with pytest.raises(ZeroDivisionError), counts.timed("work"):
        _ = 1 / 0
    assert counts.flush(10)
    assert counts.lost >= 2
    assert lines(printed)


def test_a_key_of_another_type_loses_only_its_own(
    db: redis.Redis, redis_socket: Path
) -> None:
    counts = counting(redis_socket)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    db.set(f"metrics:{day}:busy", "text")
    counts.counter("busy")
    counts.counter("orders")
    assert counts.flush(10)
    assert counts.lost == 1
    assert db.get(f"metrics:{day}:orders") == b"1"


def test_a_forked_child_counts_too(db: redis.Redis, redis_socket: Path) -> None:
    counts = counting(redis_socket)
    counts.counter("orders")
    assert counts.flush(10)
    child = os.fork()
    if child == 0:
        counts.counter("orders")
        os._exit(0 if counts.flush(10) else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0
    day = time.strftime("%Y-%m-%d", time.gmtime())
    assert db.get(f"metrics:{day}:orders") == b"2"


# --- health and metrics -------------------------------------------------------------


def test_health() -> None:
    def hangs() -> None:
        time.sleep(5)

    def fails() -> None:
        raise ConnectionError("redis://:password@x")

    assert app.health({"redis": lambda: True, "mail": lambda: None}) == (
        200,
        {"redis": "ok", "mail": "ok"},
    )
    status, said = app.health(
        {"hangs": hangs, "fails": fails, "no": lambda: False, "yes": lambda: 1}, 0.2
    )
    assert status == 503
    assert said == {
        "hangs": "no answer within 0.2 s",
        "fails": "ConnectionError",
        "no": "failed",
        "yes": "ok",
    }
    heads: list[str] = []
    answer = app.health_app({"redis": lambda: True})
    body = b"".join(answer({}, lambda status, _: heads.append(status)))  # type: ignore[arg-type]
    assert heads == ["200 OK"]
    assert json.loads(body) == {"redis": "ok"}


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/"),
        ("", "/"),
        ("/api/users/42", "/api/users/:id"),
        ("/api/users/u_7/orders", "/api/users/:id/orders"),
        ("/api/550e8400-e29b-41d4-a716-446655440000", "/api/:id"),
        ("/static/app", "/static/app"),
    ],
)
def test_routes_have_few_values(path: str, route: str) -> None:
    assert by_path(path) == route


def metrics_of(registry: CollectorRegistry) -> list[str]:
    text = generate_latest(registry).decode().splitlines()
    return [line for line in text if line.startswith("http_requests_total")]


def test_wsgi_requests_are_counted() -> None:
    registry = CollectorRegistry()
    requests = app.Requests(registry)

    def shop(environ: Any, start: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/bad":
            raise ValueError
        start("404 Not Found" if "php" in environ["PATH_INFO"] else "200 OK", [])
        return [b"ok"]

    served = requests.wsgi(shop)
    for path in ("/users/1", "/users/2", "/x.php", "/bad"):
        environ: Any = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
        try:
            list(served(environ, lambda *_: lambda _: None))
        except ValueError:
            continue
    assert metrics_of(registry) == [
        'http_requests_total{method="GET",route="/users/:id",status="500"} 0.0',
        'http_requests_total{method="GET",route="/users/:id",status="200"} 2.0',
        'http_requests_total{method="GET",route="other",status="500"} 0.0',
        'http_requests_total{method="GET",route="other",status="404"} 1.0',
        'http_requests_total{method="GET",route="/bad",status="500"} 1.0',
    ]


def test_asgi_requests_are_counted() -> None:
    registry = CollectorRegistry()
    requests = app.Requests(registry)

    async def shop(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        await send({"type": "http.response.start", "status": 201})

    async def unused(*_: Any) -> Any:
        return {}

    served = requests.asgi(shop)
    scope = {"type": "http", "method": "POST", "path": "/orders"}
    asyncio.run(served(scope, unused, unused))  # type: ignore[arg-type]
    asyncio.run(served({"type": "lifespan"}, unused, unused))  # type: ignore[arg-type]
    found = metrics_of(registry)
    assert found[-1] == (
        'http_requests_total{method="POST",route="/orders",status="201"} 1.0'
    )
