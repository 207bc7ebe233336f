"""Shared by the exporter's tests: apps, settable clocks, and running servers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from running import until
from soloscope import config
from soloscope.config import App, Config
from soloscope.counts.model import Fault, Snapshot
from soloscope.counts.store import Store
from soloscope.exporter.service import Service, scrapers
from soloscope.web.server import HttpServer

UTC = ZoneInfo("UTC")

_HERE = {"listenAddress": "127.0.0.1"}
_ROOMS: dict[str, dict[str, Any]] = {
    "exporter": _HERE
    | {"port": 9847, "history": 30, "maxConnections": 64, "logLevel": "info"},
    "loki": _HERE | {"port": 3100},
    "shipper": _HERE
    | {
        "engine": "promtail",
        "port": 9080,
        "floodMetric": "logentry_dropped_lines_by_label_total",
        "lostMetric": "promtail_dropped_entries_total",
    },
    "prometheus": _HERE | {"enable": True, "port": 9090, "nodeExporter": True},
    "grafana": _HERE
    | {"enable": True, "port": 3000, "rootUrl": "http://127.0.0.1:3000/"},
    "alertmanager": _HERE | {"enable": False, "port": 9093},
    "digest": {
        "enable": False,
        "at": "08:00",
        "stateFile": "/var/lib/soloscope-digest/sent.json",
    },
}
_OPTIONAL_ROOMS: dict[str, dict[str, Any]] = {
    "postgresExporter": _HERE | {"port": 9187},
    "probe": {"resultFile": "/run/soloscope-probe/results.json"},
    "canary": {"timeout": "60s", "stateFile": "/var/lib/soloscope-canary/last.json"},
}
_SHOWN: dict[str, Any] = {"help": "", "group": "", "order": 100}
_TABLES: dict[str, dict[str, Any]] = {
    "counters": _SHOWN | {"unit": ""},
    "breakdowns": _SHOWN | {"limit": 200},
    "uniques": _SHOWN | {"exact": False},
    "timings": _SHOWN,
    "gauges": _SHOWN | {"unit": ""},
    "jobs": {"help": "", "min": 1},
    "checks": {"help": "", "interval": "30s", "timeout": "10s", "status": 200},
}
_PARTS: dict[str, dict[str, Any]] = {
    "redis": {"prefix": "metrics:"},
    "health": {"interval": "30s", "timeout": "10s"},
    "metrics": {"names": {}, "labels": {}, "areas": ["http"]},
    "objectives": {"availability": 0.99},
    "dashboard": {
        "rows": [],
        "hide": [],
        "events": [],
        "thresholds": {},
        "ratios": {},
    },
    "digest": {"lines": [], "limit": 10, "top": {}},
    "user": {"records": {}},
}


def complete(value: Any) -> Any:
    """The file's value, completed with the keys that a test leaves out.

    Values of a wrong type stay unchanged.
    """

    def filled(base: Mapping[str, Any], given: Any) -> Any:
        return {**base, **given} if isinstance(given, dict) else given

    def each(base: Mapping[str, Any], table: Any) -> Any:
        if not isinstance(table, dict):
            return table
        return {name: filled(base, given) for name, given in table.items()}

    def check(given: Any) -> Any:
        redis = isinstance(given, dict) and given.get("kind") == "redis"
        return filled({"interval": "10s", "timeout": "3s"} if redis else {}, given)

    def app(name: str, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        made = {
            "title": name,
            "timeZone": "UTC",
            "units": [],
            "containers": [],
            "objectives": {},
            "dashboard": {},
            "digest": {},
            "user": {},
            "validators": {},
            **given,
        }
        if isinstance(made.get("checks"), dict):
            made["checks"] = {n: check(one) for n, one in made["checks"].items()}
        for kind, base in _TABLES.items():
            made[kind] = each(base, made.get(kind, {}))
        for part, base in _PARTS.items():
            if part in made:
                made[part] = filled(base, made[part])
        if isinstance(made["digest"], dict):
            top = each({"count": 3}, made["digest"]["top"])
            made["digest"] = {**made["digest"], "top": top}
        return made

    if not isinstance(value, dict):
        return value
    whole = {"timeZone": "UTC", "apps": {}, **value}
    for room, base in _ROOMS.items():
        whole[room] = filled(base, whole.get(room, {}))
    for room, base in _OPTIONAL_ROOMS.items():
        if room in whole:
            whole[room] = filled(base, whole[room])
    if isinstance(whole["apps"], dict):
        whole["apps"] = {name: app(name, one) for name, one in whole["apps"].items()}
    return whole


def parse(value: Any) -> Config:
    """The result of `config.parse` for the completed `value`."""
    return config.parse(complete(value))


def declare(socket_path: object, **changes: Any) -> dict[str, Any]:
    """An app with one or two of each kind, as in the configuration file."""
    app: dict[str, Any] = {
        "redis": {"url": f"unix://{socket_path}"},
        "counters": {"conversations": {"help": "Started"}, "digests_created": {}},
        "breakdowns": {"deficiencies": {"limit": 3}},
        "uniques": {"active_users": {}, "payers": {"exact": True}},
        "timings": {"openai": {}},
        "gauges": {"users_total": {}, "revenue": {"unit": "euros"}},
    }
    return app | changes


def configure(*apps: Mapping[str, Any], **more: Any) -> Config:
    """A configuration with the apps `shop`, `shop2`, …"""
    names = ["shop", *(f"shop{n}" for n in range(2, len(apps) + 1))]
    return parse({"apps": dict(zip(names, apps, strict=False)), **more})


def an_app(socket_path: object = "/nowhere", **changes: Any) -> App:
    return configure(declare(socket_path, **changes)).apps["shop"]


class Clock:
    """A clock with a set time, and ticks that only increase."""

    def __init__(self, shows: str, zone: str = "UTC") -> None:
        self.zone = ZoneInfo(zone)
        self.now = self.at(shows)
        self.ticked = 1000.0

    def at(self, shows: str) -> float:
        return datetime.fromisoformat(shows).replace(tzinfo=self.zone).timestamp()

    def set(self, shows: str) -> None:
        """Jump; the ticks do not change."""
        self.now = self.at(shows)

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.ticked += seconds


@dataclass
class Counted:
    """A store with its clock and the faults of its readings."""

    store: Store
    clock: Clock
    faults: list[Fault]


_stores: list[Store] = []


def close_stores() -> None:
    """Close the connections of every store that `counted` has made."""
    while _stores:
        _stores.pop().close()


def counted(app: App, clock: Clock, history: int = 30) -> Counted:
    faults: list[Fault] = []
    assert app.redis is not None
    store = Store(
        app,
        app.redis,
        history,
        clock=lambda: clock.now,
        ticks=lambda: clock.ticked,
    )
    _stores.append(store)
    read = store.read

    def noting() -> Snapshot:
        snapshot = read()
        faults.extend(snapshot.faults)
        return snapshot

    store.read = noting  # type: ignore[method-assign]
    return Counted(store, clock, faults)


@contextmanager
def serving(config: Config) -> Iterator[str]:
    """The whole service in this process; yields its URL."""
    sources = scrapers(config)
    service = Service(config, sources)
    server = HttpServer(
        "127.0.0.1", 0, service.routes(), config.exporter.max_connections
    )
    thread = threading.Thread(target=server.run, daemon=True)
    service.start()
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join(5)
    service.stop()


@dataclass
class Serve:
    """A running `soloscope serve`."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """Its log so far; every line must be JSON with an event."""
        told = [json.loads(line) for line in self.log.read_text().splitlines()]
        assert all({"time", "level", "event"} <= set(one) for one in told)
        return [one for one in told if not name or one["event"] == name]


@contextmanager
def soloscope_serve(folder: Path, config: Mapping[str, Any]) -> Iterator[Serve]:
    """`soloscope serve` as a process on a free port."""
    path = folder / "soloscope.json"
    value = dict(config)
    value["exporter"] = {"port": 0, **value.get("exporter", {})}
    path.write_text(json.dumps(complete(value)))
    log = folder / "serve.log"
    argv = [sys.executable, "-m", "soloscope", "--config", str(path), "serve"]
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)
    running = Serve(process, "", log)
    try:
        until("serve listens", lambda: bool(running.events("listening")))
        port = running.events("listening")[0]["port"]
        running.url = f"http://127.0.0.1:{port}"
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def get(url: str, timeout: float = 10.0, **headers: str) -> str:
    """The body of a 200 answer. Header names with underscores for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, headers=named)
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return str(answer.read().decode())


def samples(text: str, *wanted: str) -> list[str]:
    """The sample lines whose metric is one of `wanted`, in order."""
    return [
        line
        for line in text.splitlines()
        if line and line[0] != "#" and line.partition("{")[0].split()[0] in wanted
    ]


def raw_request(url: str, data: bytes, seconds: float = 5.0) -> bytes:
    """Send bytes, return all that comes back until the server closes."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), seconds) as peer:
        peer.settimeout(seconds)
        received = b""
        try:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            while more := peer.recv(65536):
                received += more
        except OSError:
            pass
        return received


@contextmanager
def monitored(socket_path: Path) -> Iterator[Callable[[], list[list[str]]]]:
    """Every command that Redis gets meanwhile, as lists of words."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(socket_path))
        peer.settimeout(5)
        peer.sendall(b"MONITOR\r\n")
        stream = peer.makefile("rb")
        assert stream.readline() == b"+OK\r\n"
        marks = 0

        def told() -> list[list[str]]:
            nonlocal marks
            marks += 1
            mark = f"mark-{marks}"
            with socket.socket(socket.AF_UNIX) as other:
                other.connect(str(socket_path))
                other.sendall(f"ECHO {mark}\r\n".encode())
                other.recv(100)
            commands: list[list[str]] = []
            while True:
                line = stream.readline().decode("utf-8", "replace")
                words = line.split('"')[1::2]
                if words == ["ECHO", mark]:
                    return commands
                commands.append(words)

        yield told


def stop_signal(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGSTOP)


def continue_signal(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGCONT)
