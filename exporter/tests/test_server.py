"""The HTTP server: responses, limits, floods, and invalid requests."""

from __future__ import annotations

import gzip
import io
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporting import configure, declare, get, raw_request, samples, serving
from soloscope.exporter.exposition import accepted_format
from soloscope.log import set_up
from soloscope.web.application import (
    Request,
    Response,
    Route,
    Routes,
    accepts_gzip,
    application,
)
from soloscope.web.server import HttpServer

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TOKEN = "a token nobody guesses"


@pytest.fixture(scope="module")
def url(redis_socket: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis.Redis(unix_socket_path=str(redis_socket), protocol=2) as db:
        db.flushall()
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text(TOKEN + "\n")
    config = configure(
        declare(redis_socket),
        {"title": "No Redis"},
        exporter={"tokenFile": {"file": str(token)}},
    )
    with serving(config) as base:
        yield base


def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, Message, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, headers=named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/html,*/*;q=0.8", PLAIN),
        ("text/plain", PLAIN),
        (PROMETHEUS, OPEN),
        ("application/openmetrics-text", OPEN),
        ("application/openmetrics-text;version=0.0.1", PLAIN),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", PLAIN),
        ("application/openmetrics-text;q=0", PLAIN),
        ("application/openmetrics-text;q=x", PLAIN),
        (";;q=,,", PLAIN),
        ('application/openmetrics-text; version="1.0.0"', OPEN),
        ("application/openmetrics-text;q=nan", PLAIN),
    ],
)
def test_the_format_that_is_asked_for(accept: str, content_type: str) -> None:
    assert accepted_format(accept).content_type == content_type


@pytest.mark.parametrize(
    ("header", "yes"),
    [
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("GZIP", True),
        ("gzip;q=0.001", True),
        ("gzip;q=0", False),
        ("gzip;Q=0", False),
        ("gzip;q=0.", False),
        ("gzip; q=0.0", False),
        ("gzip;q=x", False),
        ("xgzip", False),
        ("", False),
    ],
)
def test_gzip_when_asked_for(header: str, yes: bool) -> None:
    assert accepts_gzip(header) is yes


def test_metrics_in_both_formats_and_both_packings(url: str) -> None:
    status, headers, body = ask(url + "/metrics", Accept=PROMETHEUS)
    assert (status, headers["Content-Type"]) == (200, OPEN)
    parse = openmetrics_parser.text_string_to_metric_families
    assert "soloscope_count" in {f.name for f in parse(body.decode())}  # type: ignore[no-untyped-call]
    status, headers, body = ask(url + "/metrics", Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Content-Type"] == PLAIN
    names = {f.name for f in parse_text(gzip.decompress(body).decode())}
    assert {
        "soloscope_up",
        "soloscope_scrape_duration_seconds",
        "soloscope_build_info",
        "process_resident_memory_bytes",
    } <= names
    assert "Accept" in headers["Vary"]
    assert ask(url + "/metrics")[1].get("Content-Encoding") is None


def test_api_metrics_is_the_same(url: str) -> None:
    names = [
        {line.split()[2] for line in get(url + path).splitlines() if line[0] == "#"}
        for path in ("/metrics", "/api/metrics")
    ]
    assert names[0] == names[1]


def test_an_app_without_redis_is_neither_up_nor_down(url: str) -> None:
    assert samples(get(url + "/metrics"), "soloscope_up") == [
        'soloscope_up{app="shop"} 1.0'
    ]


def test_health_says_that_the_process_lives(url: str) -> None:
    assert json.loads(get(url + "/health"))["status"] == "ok"


def test_the_start_page_has_links(url: str) -> None:
    page = get(url + "/")
    for path in ("/metrics", "/api/metrics", "/api/admin/metrics", "/health"):
        assert f'<a href="{path}">' in page


def test_head_has_no_body(url: str) -> None:
    status, headers, body = ask(url + "/health", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 0


def test_other_paths_and_methods(url: str) -> None:
    assert ask(url + "/metric")[0] == 404
    assert ask(url + "/health/../metrics")[0] == 404
    status, headers, _ = ask(url + "/metrics", "DELETE")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert ask(url + "/%6detrics?x=1")[0] == 200


# --- the token ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "given_",
    ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü"],
)
def test_without_the_token(url: str, given_: str) -> None:
    header = {"Authorization": given_} if given_ else {}
    status, headers, body = ask(url + "/api/admin/metrics", **header)
    assert status == 401
    assert headers["WWW-Authenticate"] == 'Bearer realm="soloscope"'
    assert body == b"A valid token is needed.\n"


def test_with_the_token(url: str) -> None:
    header = f"Bearer {TOKEN}"
    status, headers, body = ask(url + "/api/admin/metrics", Authorization=header)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert headers["Cache-Control"] == "no-store"
    apps = json.loads(body)["apps"]
    assert apps["shop"]["up"] is True
    assert apps["shop"]["counters"] == {"conversations": 0, "digests_created": 0}
    assert apps["shop2"] == {"title": "No Redis"}


def test_a_token_that_is_not_ascii(redis_socket: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("schlüssel\n", encoding="utf-8")
    token = {"tokenFile": {"file": str(tmp_path / "token")}}
    # As curl sends it: the bytes of the file. urllib writes headers as Latin-1.
    header = "Bearer schlüssel".encode().decode("latin-1")
    with serving(configure(declare(redis_socket), exporter=token)) as url:
        assert ask(url + "/api/admin/metrics", Authorization=header)[0] == 200


def test_without_a_token_file_nobody_gets_in(redis_socket: Path) -> None:
    with serving(configure(declare(redis_socket))) as url:
        status, _, body = ask(url + "/api/admin/metrics", Authorization="Bearer ")
        assert (status, b"tokenFile" in body) == (404, True)


def test_a_token_file_that_is_missing_lets_nobody_in(
    redis_socket: Path, tmp_path: Path
) -> None:
    missing = {"tokenFile": {"file": str(tmp_path / "absent")}}
    with serving(configure(declare(redis_socket), exporter=missing)) as url:
        assert ask(url + "/api/admin/metrics", Authorization="Bearer ")[0] == 401
        # An empty secret is no secret.
        (tmp_path / "absent").write_text("\n")
        assert ask(url + "/api/admin/metrics", Authorization="Bearer ")[0] == 401


# --- limits ------------------------------------------------------------------------


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET /health HTTP/1.0\r\n\r\n", 200),
        (b"GET /health\r\n\r\n", 200),
        (b"GET\r\n\r\n", 400),
        (b"GET /health HTTP/9.9\r\n\r\n", 200),
        (b"GET /health HTTP/x\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\n" + b"X: y\r\n" * 150 + b"\r\n", 200),
        (b"GET /health HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"y" * 20_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"POST /health HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde", 400),
        (b"POST /health HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 405),
        (b"PUT /health HTTP/1.1\r\n\r\n", 405),
        (b"", 0),
        (b"GET /health HTTP/1.1\r\nHos", 0),
        # RFC 9112: 3.2.2, 2.2, 6.3 and 5.
        (b"GET http://x:1/health?a=b HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"PUT / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 3\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nno colon\r\nHost: x\r\n\r\n", 400),
    ],
)
def test_requests_and_what_is_none(url: str, request_: bytes, status: int) -> None:
    assert status_of(raw_request(url, request_)) == status


def test_several_requests_on_one_connection(url: str) -> None:
    request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = raw_request(url, request * 3 + last)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 4
    assert answer.count(b"Connection: close") == 1


whole_requests = st.builds(
    lambda line, head, end: line + head + end,
    st.sampled_from(
        [
            b"GET /api/admin/metrics HTTP/1.1\r\n",
            b"PUT /health HTTP/1.1\r\n",
            b"GET /nothing HTTP/1.1\r\n",
        ]
    ),
    st.sampled_from(
        [
            b"",
            b"Host: x\r\n",
            b"Authorization: Bearer wrong\r\n",
            b"Authorization: Bearer " + TOKEN.encode() + b"\r\n",
        ]
    ),
    st.just(b"\r\n"),
)


@settings(max_examples=100)
@given(st.lists(whole_requests, min_size=1, max_size=8))
def test_a_request_is_answered_whatever_came_before_it(
    url: str, requests: list[bytes]
) -> None:
    def statuses(data: bytes) -> list[bytes]:
        lines = raw_request(url, data).split(b"\n")
        return [line[9:12] for line in lines if line.startswith(b"HTTP/1.1 ")]

    alone = [statuses(request) for request in requests]
    assert statuses(b"".join(requests)) == [one for each in alone for one in each]


def test_a_header_that_comes_twice_counts_as_a_list(url: str) -> None:
    answer = raw_request(
        url,
        b"GET /metrics HTTP/1.0\r\nAccept: application/openmetrics-text\r\n"
        b"Accept: text/plain;q=0.1\r\n\r\n",
    )
    assert b"Content-Type: application/openmetrics-text" in answer


fragments = st.sampled_from(
    [
        b"GET /metrics HTTP/1.1\r\n",
        b"GET /health HTTP/1.1\r\n",
        b"HEAD / HTTP/1.0\r\n",
        b"POST /metrics HTTP/1.1\r\n",
        b"Host: x\r\n",
        b"Accept-Encoding: gzip\r\n",
        b"Accept: application/openmetrics-text;q=\xff\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Content-Length: 3\r\n",
        b"Expect: 100-continue\r\n",
        b"Authorization: Bearer \xff\xfe\r\n",
        b"\r\n",
        b"\n",
        b" ",
        b"\x00",
    ]
)


@settings(max_examples=60)
@given(st.lists(fragments | st.binary(max_size=40), max_size=8).map(b"".join))
def test_no_bytes_do_it_harm(url: str, data: bytes) -> None:
    answer = raw_request(url, data)
    for line in answer.split(b"\r\n"):
        if line.startswith(b"HTTP/1.1 "):
            assert int(line.split()[1]) != 500
    assert status_of(raw_request(url, b"GET /health HTTP/1.1\r\n\r\n")) == 200


def test_a_thousand_scrapes_at_once(url: str) -> None:
    def scrape(_: int) -> bool:
        return 'soloscope_up{app="shop"} 1.0' in get(url + "/metrics", timeout=30)

    with ThreadPoolExecutor(100) as pool:
        assert all(pool.map(scrape, range(1000)))


def test_three_hundred_half_open_connections_do_not_stop_a_scrape(url: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    peers = []
    try:
        for n in range(300):
            peer = socket.create_connection((host, int(port)), 5)
            if n % 2:
                peer.sendall(b"GET /metrics HTTP/1.1\r\nHos")
            peers.append(peer)
        begun = time.monotonic()
        assert "soloscope_up" in get(url + "/metrics", timeout=10)
        assert time.monotonic() - begun < 5
        named = [t for t in threading.enumerate() if "waitress" in t.name]
        assert len(named) <= 70
    finally:
        for peer in peers:
            peer.close()


def test_a_client_that_reads_nothing_holds_up_nobody(url: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 5) as peer:
        peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        assert "soloscope_up" in get(url + "/metrics")


@contextmanager
def sixteen() -> Iterator[str]:
    """A server that has 16 connections at most, and answers with 60 kB."""
    routes = {"/metrics": Route(lambda _request: Response(b"x" * 60_000))}
    server = HttpServer("127.0.0.1", 0, routes, max_connections=16)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("count", "sent", "leave"),
    [
        (200, b"", False),
        (100, b"GET /metrics HTTP/1.1\r\nHos", False),
        (30, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50, False),
        (80, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", True),
    ],
    ids=["idle", "half a head", "never read", "leave"],
)
def test_many_clients_at_a_small_limit(count: int, sent: bytes, leave: bool) -> None:
    with sixteen() as url, ExitStack() as peers:
        host, _, port = url.removeprefix("http://").partition(":")
        for _ in range(count):
            peer = socket.create_connection((host, int(port)), 5)
            if sent:
                peer.sendall(sent)
            if leave:
                peer.close()
            else:
                peers.callback(peer.close)
        begun = time.monotonic()
        for _ in range(3):
            assert get(url + "/metrics") == "x" * 60_000
        assert time.monotonic() - begun < 8


def test_clients_that_ask_a_lot_and_read_nothing() -> None:
    """More than there are threads, each with more than waitress buffers for one."""
    with sixteen() as url, ExitStack() as peers:
        host, _, port = url.removeprefix("http://").partition(":")
        for _ in range(8):
            peer = socket.create_connection((host, int(port)), 5)
            peers.callback(peer.close)
            peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
        time.sleep(0.5)
        assert get(url + "/metrics", timeout=40) == "x" * 60_000


def test_heads_that_drip_lock_nobody_out() -> None:
    with sixteen() as url, ExitStack() as stack:
        host, _, port = url.removeprefix("http://").partition(":")
        peers = [socket.create_connection((host, int(port)), 5) for _ in range(40)]
        done = threading.Event()

        def drip() -> None:
            while not done.wait(0.05):
                for peer in peers:
                    with suppress(OSError):
                        peer.send(b"x")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        for peer in peers:
            stack.callback(peer.close)
        stack.callback(thread.join, 5)
        stack.callback(done.set)
        for _ in range(5):
            assert get(url + "/metrics") == "x" * 60_000


# --- the application, without a socket ---------------------------------------------


def call(
    routes: Routes, method: str, path: str, body: bytes = b"", **environ: str
) -> tuple[str, dict[str, str], bytes]:
    told: list[tuple[str, dict[str, str]]] = []

    def start(status: str, headers: list[tuple[str, str]], *_rest: object) -> None:
        told.append((status, dict(headers)))

    given_: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, **environ}
    given_ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    answer: Any = application(routes)
    content = b"".join(answer(given_, start))
    ((status, headers),) = told
    return status, headers, content


def test_a_route_with_a_body() -> None:
    def echo(request: Request) -> Response:
        return Response(request.body + request.headers["x-note"].encode())

    routes = {"/alerts": Route(echo, methods=("POST",), max_body=5)}
    note = {"HTTP_X_NOTE": "!"}
    status, headers, content = call(routes, "POST", "/alerts", b"fire", **note)
    assert (status, content) == ("200 OK", b"fire!")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert call(routes, "POST", "/alerts", b"flames", **note)[0].startswith("413 ")
    status, headers, _ = call(routes, "GET", "/alerts")
    assert (status, headers["Allow"]) == ("405 Method Not Allowed", "POST")
    assert call(routes, "POST", "/other", b"fire")[0] == "400 Bad Request"


def test_a_fault_of_ours_is_logged_and_not_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(_request: Request) -> Response:
        raise RuntimeError("hunter2")

    set_up("info")
    status, _, content = call({"/": Route(broken)}, "GET", "/")
    assert (status, content) == (
        "500 Internal Server Error",
        b"Internal error. The log says more.\n",
    )
    (logged,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (logged["event"], logged["path"]) == ("request_failed", "/")
    assert "hunter2" in logged["traceback"]


def test_a_token_that_stays_missing_is_logged_once(
    redis_socket: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up("info")
    missing = {"tokenFile": {"file": str(tmp_path / "absent")}}
    with serving(configure(declare(redis_socket), exporter=missing)) as url:
        for _ in range(3):
            assert ask(url + "/api/admin/metrics", Authorization="Bearer x")[0] == 401
    assert capsys.readouterr().out.count('"token_unavailable"') == 1
