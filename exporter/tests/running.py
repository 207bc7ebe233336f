"""Real programs and small HTTP servers for the tests: free ports, own folders,
nothing left running. Only processes started here are ended, each by its own id.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(*names: str) -> str:
    """The path of a real program, or a skip that names what was not shown.

    Distributions use different names for some: the first one found is used.
    """
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return found
    return pytest.skip(f"not shown: `{names[0]}` is not on PATH")


def until(what: str, true: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait until `true()`; fail with `what` when it does not happen in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


def listens(path: Path) -> bool:
    """Whether a server accepts connections on this socket, which exists before that."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def answers(url: str) -> bool:
    """Whether `url` answers 2xx now."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(200 <= answer.status < 300)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def running(argv: Sequence[str | Path], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program, ended at the end; its output goes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(a) for a in argv], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[Path]:
    """A Redis on a unix socket without a TCP port; yields the socket's path."""
    path = folder / "r.sock"
    argv = [program("redis-server"), "--port", "0", "--unixsocket", str(path)]
    argv += ["--save", "", "--appendonly", "no", "--dir", str(folder), *options]
    with running(argv, folder / "redis.log"):
        until("redis-server listens", lambda: listens(path))
        yield path


@dataclass
class Request:
    """A request to a stand-in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Standin:
    """A local HTTP server in place of an outside API; it keeps every request."""

    url: str
    requests: list[Request] = field(default_factory=list)


Handler = Callable[[Request], tuple[int, dict[str, str], bytes]]


@contextmanager
def standin(handle: Handler) -> Iterator[Standin]:
    """Serve `handle` on a free port of 127.0.0.1."""
    seen: list[Request] = []

    class Serve(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def _serve(self) -> None:
            size = int(self.headers.get("content-length", 0))
            request = Request(
                self.command,
                self.path,
                {k.lower(): v for k, v in self.headers.items()},
                self.rfile.read(size),
            )
            seen.append(request)
            status, headers, body = handle(request)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _serve  # noqa: N815 (http.server's names)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Serve)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Standin(f"http://127.0.0.1:{server.server_address[1]}", seen)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A TCP server that hands each connection to `talk`; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer, suppress(OSError):
                talk(peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        done.set()
        # Closing alone does not wake accept().
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@contextmanager
def loki_server(folder: Path) -> Iterator[str]:
    """A real Loki that answers queries; yields its URL."""
    binary = program("loki")
    port, grpc = free_port(), free_port()
    settings = {
        "auth_enabled": False,
        "analytics": {"reporting_enabled": False},
        "server": {
            "http_listen_address": "127.0.0.1",
            "http_listen_port": port,
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": grpc,
        },
        "common": {
            "path_prefix": str(folder / "loki"),
            "replication_factor": 1,
            "instance_addr": "127.0.0.1",
            "ring": {"kvstore": {"store": "inmemory"}, "instance_addr": "127.0.0.1"},
            "storage": {
                "filesystem": {
                    "chunks_directory": str(folder / "loki" / "chunks"),
                    "rules_directory": str(folder / "loki" / "rules"),
                }
            },
        },
        "schema_config": {
            "configs": [
                {
                    "from": "2024-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        # Both make it ready in half a second instead of a quarter of a minute.
        "ingester": {"lifecycler": {"min_ready_duration": "0s"}},
        "frontend_worker": {"frontend_address": f"127.0.0.1:{grpc}"},
    }
    path = folder / "loki.json"
    path.write_text(json.dumps(settings))
    with running([binary, f"-config.file={path}"], folder / "loki.log"):
        url = f"http://127.0.0.1:{port}"
        query = f"{url}/loki/api/v1/query?query=vector(1)"
        until("Loki answers a query", lambda: answers(query), seconds=60)
        yield url


def push_to_loki(
    url: str, labels: Mapping[str, str], lines: Sequence[tuple[float, str]]
) -> int:
    """Send lines with their Unix times to Loki; returns the status code."""
    values = [[str(int(at * 1e9)), text] for at, text in lines]
    body = json.dumps({"streams": [{"stream": dict(labels), "values": values}]})
    request = urllib.request.Request(
        f"{url}/loki/api/v1/push",
        body.encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)


def script(folder: Path, name: str, text: str) -> None:
    """A program of that name in `folder`, in place of one that cannot run here."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)


def unit_text(unit: str, **state: str) -> str:
    """A unit as `systemctl show` prints it."""
    base = {"Id": unit, "Type": "simple", "LoadState": "loaded", "Result": "success"}
    return "".join(f"{k}={v}\n" for k, v in {**base, **state}.items())


def fake_systemctl(folder: Path, states: dict[str, dict[str, str]]) -> None:
    """In place of systemctl: these units, and all others of soloscope running."""
    for unit, state in states.items():
        (folder / unit).write_text(unit_text(unit, **state))
    running = unit_text("x", ActiveState="active", SubState="running")
    (folder / "running").write_text(running)
    script(
        folder,
        "systemctl",
        f"""#!/bin/sh
case "$*" in
  list-units*) cd "{folder}"; for last; do :; done; ls -d $last 2>/dev/null; exit 0 ;;
  *) for unit; do :; done
     cat "{folder}/$unit" 2>/dev/null || cat "{folder}/running" ;;
esac
""",
    )
