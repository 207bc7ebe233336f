"""Ten staged incidents on the real stack: how soon each is told, and how often.

The stack is the demo's, sixty times as fast: it scrapes and evaluates every second, and
each rule's `for` is a sixtieth. A stand-in takes what Alertmanager sends. What this
machine cannot have (a disk that fills, a unit of systemd's that crashes) is staged: the
node exporter's answer passes through a proxy that changes those series.

`just bench-alerts` runs all of them; test_incidents.py runs two.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import http.server
import os
import re
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import redis
import requests
from soloscope_demo.stack import APP, Options, Stack, free_ports, until
from soloscope_demo.stack.options import merge
from standins import Post, Posts, posts

from soloscope.config import duration

AnyServer = TypeVar("AnyServer", bound=socketserver.BaseServer)

#: Between two messages about one group (seconds), and before the first.
GROUP_INTERVAL, GROUP_WAIT = 3, 2

#: How many times faster than on a host.
FASTER = 60

#: Rules about the machine on which this runs, which may be busy and has no NTP; rules
#: that look back over more hours than the stack has minutes; and the cache, of which a
#: scrape every second counts as lookups.
LEFT_OUT = {
    *("HighCPUUsage", "HighMemoryUsage", "TimeSkew", "DiskFullSoon"),
    *("ErrorBudgetBurn", "ErrorBudgetBurnSlow", "LatencyBudgetBurn"),
    "LowCacheHitRate",
}

#: How much longer consequences are held back, in minutes: rules look
#: back over five minutes, which are no faster here.
AFTERMATH = 6

#: What fires without anything having happened.
ALWAYS = {"Watchdog", "Aftermath"}

#: A unit of no app.
RESTARTS = 'node_systemd_service_restart_total{name="backup.service"}'

#: How long an incident lasts after it was told: a second message would come in it.
LASTS = 2 * GROUP_INTERVAL + 2

#: How long the first message, and the last one, may take. Loki evaluates its rules once
#: a minute, and the longest look back over a quarter of an hour.
SOON, OVER = 240.0, 1200.0


@dataclass
class Lab:
    """A running stack, what it has sent, and what an incident may change."""

    stack: Stack
    web: Posts
    node: NodeProxy
    page: Page
    line: Line
    #: The `for` of the rules, in seconds.
    waits: dict[str, float]

    def told(self, name: str, since: int = 0) -> list[Post]:
        """The messages about one alert, after the first `since` of all."""
        return [post for post in self.web.posts[since:] if post.name == name]


@dataclass(frozen=True)
class Incident:
    """A fault, which lasts as long as its context, and the one alert that tells it."""

    name: str
    alert: str
    fault: Callable[[Lab], contextlib.AbstractContextManager[object]]
    #: How it is staged where the fault itself cannot be had here.
    staged: str = ""


@dataclass(frozen=True)
class Outcome:
    """Seconds from fault to message and from its end to the last one; the messages.

    The rule's own `for` is not in them.
    """

    incident: Incident
    told_after: float
    over_after: float
    messages: list[str]

    @property
    def once(self) -> bool:
        """One message when it fires and one when it is over."""
        return self.messages == ["firing", "resolved"]


# --- stand-ins ------------------------------------------------------------------------


@dataclass
class NodeProxy:
    """The node exporter's metrics, with some series changed and some added."""

    port: int
    #: A pattern of a line's beginning, and what becomes of its value.
    change: dict[str, Callable[[float], float]] = field(default_factory=dict)
    add: dict[str, float] = field(default_factory=dict)

    def apply(self, text: str) -> str:
        """The answer as it is passed on."""
        lines = []
        for line in text.splitlines():
            for pattern, changed in self.change.items():
                if re.match(pattern, line):
                    name, _, value = line.rpartition(" ")
                    line = f"{name} {changed(float(value))}"  # noqa: PLW2901
            lines.append(line)
        lines += [f"{name} {value}" for name, value in self.add.items()]
        return "\n".join(lines) + "\n"


@contextlib.contextmanager
def node_proxy(source: str) -> Iterator[NodeProxy]:
    """Pass `source`, the node exporter's metrics, on from a free port."""
    holder: list[NodeProxy] = []

    class Pass(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            with urllib.request.urlopen(source, timeout=5) as answer:
                body = holder[0].apply(answer.read().decode()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with _served(Pass) as server:
        holder.append(NodeProxy(int(server.server_address[1])))
        yield holder[0]


@dataclass
class Page:
    """A page over TLS, whose certificate can be replaced while it is served."""

    port: int
    folder: Path
    context: ssl.SSLContext

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self.port}/"

    def certificate(self, days: int) -> None:
        """Give new connections a certificate that ends so many days from now."""
        key, made = self.folder / "key.pem", self.folder / "page.pem"
        _openssl(
            *("req", "-new", "-key", str(key), "-subj", "/CN=page"),
            *("-out", str(self.folder / "page.csr")),
        )
        (self.folder / "page.ext").write_text("subjectAltName=IP:127.0.0.1\n")
        _openssl(
            *("x509", "-req", "-in", str(self.folder / "page.csr"), "-days", str(days)),
            *("-CA", str(self.folder / "ca.pem"), "-CAkey", str(key)),
            *("-set_serial", str(time.time_ns()), "-out", str(made)),
            *("-extfile", str(self.folder / "page.ext")),
        )
        self.context.load_cert_chain(made, key)


@contextlib.contextmanager
def page(folder: Path) -> Iterator[Page]:
    """Serve a page over TLS; its authority is `folder`/ca.pem."""
    folder.mkdir(parents=True, exist_ok=True)
    _openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "400"),
        *("-keyout", str(folder / "key.pem"), "-out", str(folder / "ca.pem")),
        *("-subj", "/CN=authority"),
    )

    class Answer(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with _served(Answer) as server:
        served = Page(int(server.server_address[1]), folder, context)
        served.certificate(90)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        yield served


def _openssl(*argv: str) -> None:
    subprocess.run(("openssl", *argv), check=True, capture_output=True)


def _served(
    handler: type[http.server.BaseHTTPRequestHandler],
) -> contextlib.AbstractContextManager[http.server.ThreadingHTTPServer]:
    return _serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))


@contextlib.contextmanager
def _serving(server: AnyServer) -> Iterator[AnyServer]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass
class Line:
    """The app's connections to its Redis, which may be slow."""

    port: int
    #: Seconds before each of the app's requests is passed on.
    delay: float = 0


@contextlib.contextmanager
def line_to(target: int) -> Iterator[Line]:
    """Pass TCP connections on to `target` from a free port."""
    holder: list[Line] = []

    class Pass(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            # Closed when Redis is away, as Redis' own port would be.
            try:
                there = socket.create_connection(("127.0.0.1", target))
            except OSError:
                return
            with there:
                back = (there, self.request)
                threading.Thread(target=copy, args=back, daemon=True).start()
                copy(self.request, there, slow=True)

    def copy(here: socket.socket, there: socket.socket, *, slow: bool = False) -> None:
        with contextlib.suppress(OSError):
            while data := here.recv(65536):
                if slow:
                    time.sleep(holder[0].delay)
                there.sendall(data)
        for end in (here, there):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with _serving(Server(("127.0.0.1", 0), Pass)) as server:
        holder.append(Line(int(server.server_address[1])))
        yield holder[0]


# --- the stack ------------------------------------------------------------------------


class Behind(Stack):
    """The stack, whose app reaches Redis by another way than all others."""

    line: Line

    @property
    def redis_url(self) -> str:
        """The app's way."""
        return f"redis://127.0.0.1:{self.line.port}"


@contextlib.contextmanager
def lab(root: Path, *, visit_every: float = 2) -> Iterator[Lab]:
    """The demo's stack at short intervals, with a receiver of every severity."""
    (node_port,) = free_ports(1)
    source = f"http://127.0.0.1:{node_port}/metrics"
    with contextlib.ExitStack() as stack:
        web = stack.enter_context(posts())
        node = stack.enter_context(node_proxy(source))
        served = stack.enter_context(page(root / "page"))
        stack.enter_context(_trusting(root / "page/ca.pem"))
        options = Options(
            root=root / "stack",
            free_ports=True,
            history=2,
            visit_every=visit_every,
            scrape_interval="1s",
            overrides=_overrides(web, node, served),
        )
        options, waits = _faster(options)
        made = Behind(options)
        line = stack.enter_context(line_to(made.ports["redis-server"]))
        made.line = line
        # The exporter itself is behind the proxy.
        made.ports["node"] = node_port
        argv = made._commands["node"]
        argv[:] = [part.replace(f":{node.port}", f":{node_port}") for part in argv]
        made.start()
        stack.callback(made.stop)
        node.add[RESTARTS] = 0
        with job_late(made):
            pass
        ready = Lab(made, web, node, served, line, waits)
        settle(ready)
        yield ready


def _overrides(web: Posts, node: NodeProxy, served: Page) -> dict[str, Any]:
    severities = ["critical", "warning", "info"]
    hook = {"severities": severities, "webhook": {"url": web.url("/hook")}}
    return {
        "grafana": {"enable": False},
        "alertmanager": {
            "groupWait": f"{GROUP_WAIT}s",
            "groupInterval": f"{GROUP_INTERVAL}s",
            "receivers": {"hook": hook},
        },
        "prometheus": {"exporters": {"node": {"port": node.port}}},
        "apps": {
            APP: {
                "health": {"interval": "10s", "timeout": "10s"},
                "counters": {"nightly": {"help": "Runs of the nightly job"}},
                "jobs": {"nightly": {"counter": "nightly", "by": "00:00"}},
                "checks": {
                    "page": {
                        "kind": "http",
                        "url": served.url,
                        "interval": "1s",
                        "timeout": "1s",
                    }
                },
            }
        },
    }


def _faster(options: Options) -> tuple[Options, dict[str, float]]:
    """The options with the `for` of each rule shortened, and those in seconds."""
    files = Stack(options).files
    rules: dict[str, Any] = {}
    waits: dict[str, float] = {}
    for name, content in files.items():
        if name.startswith(("rules/", "loki/rules/")):
            for rule in (
                rule for group in content["groups"] for rule in group["rules"]
            ):
                if "for" in rule:
                    wait = (duration(rule["for"]) or 0) / FASTER
                    waits[rule["alert"]] = wait
                    rules[rule["alert"]] = {"for": f"{1000 * wait:.0f}ms"}
                if rule.get("alert") in LEFT_OUT:
                    rules[rule["alert"]] = {"enable": False}
    rules["Aftermath"] = {"threshold": AFTERMATH}
    overrides = merge(options.overrides, {"alerts": {"rules": rules}})
    return replace(options, overrides=overrides), waits


@contextlib.contextmanager
def _trusting(authority: Path) -> Iterator[None]:
    """Programs started meanwhile trust this authority, and no other."""
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(authority)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SSL_CERT_FILE"]
        else:
            os.environ["SSL_CERT_FILE"] = before


# --- faults ---------------------------------------------------------------------------


def stopped(program: str) -> Callable[[Lab], contextlib.AbstractContextManager[object]]:
    """A program of the stack is stopped."""
    return lambda lab: lab.stack.without(program)


@contextlib.contextmanager
def error_burst(lab: Lab) -> Iterator[None]:
    """The app logs forty errors."""
    for _ in range(40):
        url = f"{lab.stack.url('app')}/api/do"
        requests.post(url, json={"event": "digest_failed"}, timeout=10)
    yield


@contextlib.contextmanager
def slow(lab: Lab) -> Iterator[None]:
    """Each of the app's requests reaches Redis after more than a second."""
    lab.line.delay = 1.3
    try:
        yield
    finally:
        lab.line.delay = 0


@contextlib.contextmanager
def job_late(stack: Stack) -> Iterator[None]:
    """The counter of the nightly job is back at zero, after its time of day."""
    client = redis.Redis(port=stack.ports["redis-server"])
    day = dt.datetime.now(stack.zone).date()
    key, before = (
        f"{stack.app['redis']['prefix']}{one}:nightly"
        for one in (day, day - dt.timedelta(1))
    )
    client.set(before, 1, ex=30 * 86400)  # a job that never ran is not late
    client.delete(key)
    try:
        yield
    finally:
        client.set(key, 1, ex=30 * 86400)
        client.close()


@contextlib.contextmanager
def certificate_ends(lab: Lab) -> Iterator[None]:
    """The page's certificate ends in five days."""
    lab.page.certificate(5)
    try:
        yield
    finally:
        lab.page.certificate(90)


@contextlib.contextmanager
def disk_fills(lab: Lab) -> Iterator[None]:
    """Every file system has a ten-thousandth left of what it has."""
    pattern = "node_filesystem_avail_bytes"
    lab.node.change[pattern] = lambda value: value * 0.0001
    try:
        yield
    finally:
        del lab.node.change[pattern]


@contextlib.contextmanager
def unit_loops(lab: Lab) -> Iterator[None]:
    """systemd restarts a unit every second."""
    done = threading.Event()

    def crash() -> None:
        while not done.is_set():
            lab.node.add[RESTARTS] += 1
            done.wait(1)

    thread = threading.Thread(target=crash, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


INCIDENTS = (
    Incident("app stopped", "ServiceDown", stopped("app")),
    Incident("Redis stopped", "RedisDown", stopped("redis-server")),
    Incident(
        "disk filling", "DiskFull", disk_fills, "the node exporter's answer is changed"
    ),
    Incident("error burst", "ErrorSpike", error_burst),
    Incident("slow responses", "HighResponseTime", slow),
    Incident("late job", "JobLate", lambda lab: job_late(lab.stack)),
    Incident("exporter killed", "MonitoringDown", stopped("redis")),
    Incident("Loki killed", "MonitoringDown", stopped("loki")),
    Incident("certificate near its end", "CertificateExpiry", certificate_ends),
    Incident(
        "unit crash-looping",
        "UnitCrashLooping",
        unit_loops,
        "the node exporter's answer is added to",
    ),
)


# --- measuring ------------------------------------------------------------------------


def settle(lab: Lab) -> None:
    """Wait until nothing fires, and what was to be told of it is told."""

    def quiet() -> bool:
        url = f"{lab.stack.url('alertmanager')}/api/v2/alerts"
        firing = requests.get(url, timeout=5).json()
        return {alert["labels"]["alertname"] for alert in firing} <= ALWAYS

    until("nothing fires", quiet, OVER, 1)
    time.sleep(GROUP_INTERVAL + 2)


def measure(lab: Lab, incident: Incident) -> Outcome:
    """Let it happen, last and end; what was told of it meanwhile."""
    name, since = incident.alert, len(lab.web.posts)
    start = time.time()
    with incident.fault(lab):
        told = until(f"{name} is told", lambda: lab.told(name, since), SOON)
        time.sleep(LASTS)
    end = time.time()

    def over() -> Post | None:
        found = (post for post in lab.told(name, since) if post.resolved)
        return next(found, None)

    resolved = until(f"{name} is told to be over", over, OVER, 0.5)
    time.sleep(GROUP_INTERVAL + 2)
    return Outcome(
        incident,
        told[0].at - start - lab.waits.get(name, 0),
        resolved.at - end,
        [post.body["status"] for post in lab.told(name, since)],
    )


def unexpected(lab: Lab) -> list[tuple[str, str]]:
    """What was told beside the incidents: alerts and their states."""
    expected = {incident.alert for incident in INCIDENTS}
    return [
        (post.name, post.body["status"])
        for post in lab.web.posts
        if post.name not in expected
    ]


def main() -> int:
    """Run all incidents, and print a table of them."""
    print(
        f"{'incident':<25}{'alert':<19}{'told after':>10}{'over after':>12}  messages"
    )
    known = {incident.name: incident for incident in INCIDENTS}
    once: list[bool] = []

    def run(*names: str) -> None:
        for name in names:
            one = measure(made, known[name])
            print(
                f"{name:<25}{one.incident.alert:<19}{one.told_after:>8.1f} s"
                f"{one.over_after:>10.1f} s  {' '.join(one.messages)}",
                flush=True,
            )
            once.append(one.once)

    def beside(*names: str) -> threading.Thread:
        thread = threading.Thread(target=run, args=names, daemon=True)
        thread.start()
        return thread

    with tempfile.TemporaryDirectory() as folder, lab(Path(folder)) as made:
        # What rules look back on for minutes is over long after the others, and
        # happens beside them. Without Loki nothing would be said of the errors.
        threads = [
            beside("unit crash-looping"),
            beside("error burst", "Loki killed"),
        ]
        time.sleep(15)
        threads.append(beside("slow responses"))
        run("disk filling", "late job", "exporter killed", "certificate near its end")
        for thread in threads[1:]:
            thread.join()
        run("app stopped", "Redis stopped")
        threads[0].join()
        settle(made)
        rest = unexpected(made)
    print(f"told beside them: {rest or 'nothing'}")
    return 0 if once == [True] * len(INCIDENTS) and not rest else 1


if __name__ == "__main__":
    sys.exit(main())
