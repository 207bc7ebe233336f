"""`python -m bench`: the cost of a scrape of `soloscope serve` and of redis_exporter.

Both run as processes with the same keys of a real Redis on a unix socket, and are
scraped over HTTP in turns. The result is printed and written to docs/benchmarks.md; no
measured time makes this fail.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import importlib.metadata
import json
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import redis

TOP = Path(__file__).resolve().parents[1]
#: What Prometheus 3.5 asks for.
HEADERS = {
    "Accept": "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    "Accept-Encoding": "gzip",
}
# Scripts, because a client's own commands would take minutes for a million keys.
# ARGV: the number of counters, the counters, the breakdowns.
TOUCH = """
for i = 2, ARGV[1] + 1 do redis.call('INCR', ARGV[i]) end
for i = ARGV[1] + 2, #ARGV do redis.call('HINCRBY', ARGV[i], 'kind_0', 1) end"""
FOREIGN = "for i = ARGV[1], ARGV[2] do redis.call('SET', 'session:' .. i, 'x') end"
AHEAD = 12 - datetime.now(UTC).hour
#: Where it is about noon, so that no run meets midnight. POSIX turns the sign round.
ZONE = ZoneInfo(f"Etc/GMT{-AHEAD:+d}" if AHEAD else "Etc/GMT")
NOW = datetime.now(ZONE)


@dataclass(frozen=True)
class Data:
    """What is in Redis: with these defaults 70 keys and 450 values of one day."""

    counters: int = 50
    breakdowns: int = 20
    parts: int = 20
    days: int = 1
    apps: int = 1
    foreign: int = 0  # keys that are nobody's counts

    def keys(self, days: int) -> tuple[list[str], list[str]]:
        """The keys of counters and of breakdowns over the last `days`."""
        prefixes = [
            f"metrics:app{app}:{(NOW - timedelta(age)).date()}:"
            for app in range(self.apps)
            for age in range(days)
        ]
        return (
            [f"{prefix}count_{i}" for prefix in prefixes for i in range(self.counters)],
            [f"{prefix}by_{i}" for prefix in prefixes for i in range(self.breakdowns)],
        )

    def fill(self, client: redis.Redis) -> None:
        """Replace everything in this Redis."""
        client.flushall()
        counters, breakdowns = self.keys(self.days)
        parts = [text for i in range(self.parts) for text in (f"kind_{i}", str(7 * i))]
        pipe = client.pipeline(transaction=False)
        for key in counters:
            pipe.set(key, 1234)
        for key in breakdowns:
            pipe.hset(key, items=parts)
        pipe.execute()
        for first in range(0, self.foreign, 20_000):
            last = min(first + 20_000, self.foreign) - 1
            client.register_script(FOREIGN)(args=[first, last])

    def touch(self, client: redis.Redis) -> None:
        """Change every key of today, as a busy app does between two scrapes."""
        counters, breakdowns = self.keys(1)
        client.register_script(TOUCH)(args=[len(counters), *counters, *breakdowns])


MONTH = Data(days=30)
#: What is in Redis, how often each program is scraped, and seconds between scrapes.
CASES = {
    "today": (Data(), 300, 0),
    "10 times the names": (Data(counters=500, breakdowns=200), 60, 0),
    "7 days": (Data(days=7), 100, 0),
    "30 days": (MONTH, 100, 0),
    "5 apps": (Data(apps=5), 100, 0),
    "20 apps": (Data(apps=20), 60, 0),
    "a million foreign keys": (Data(foreign=1_000_000), 15, 0),
    "today, every 15 s": (Data(), 10, 15),
    "30 days, every 15 s": (MONTH, 10, 15),
}


def cpu_ms(pid: int) -> float:
    """CPU time of a process, ended threads included.

    The clock's number is that of clock_getcpuclockid(3); /proc/PID/stat has the same
    sum in steps of 10 ms.
    """
    return time.clock_gettime((~pid << 3) | 2) * 1000


@dataclass
class Exporter:
    """A running program, and the cost of its scrapes."""

    pid: int
    connection: http.client.HTTPConnection
    times: list[float] = field(default_factory=list)  # ms
    redis: list[float] = field(default_factory=list)  # CPU ms of Redis

    def scrape(self) -> bytes:
        """One scrape. Raises ValueError unless the answer is 200."""
        self.connection.request("GET", "/metrics", headers=HEADERS)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise ValueError(f"process {self.pid} answered {answer.status}: {body!r}")
        return body

    def check(self, expected: dict[str, int]) -> None:
        """Raise ValueError if it shows less: unread values would cost nothing."""
        body = self.scrape()
        zipped = body.startswith(b"\x1f\x8b")
        lines = (gzip.decompress(body) if zipped else body).decode().splitlines()
        for name, count in expected.items():
            found = sum(line.startswith(name + "{") for line in lines)
            if found < count:
                raise ValueError(f"{found} lines of {name} instead of {count}")

    def memory(self) -> float:
        """Resident MB (a million bytes)."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[Exporter]:
    """Run `command` until the block ends. It has answered when this enters."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        exporter, end = Exporter(process.pid, connection), time.monotonic() + 60
        try:
            while True:
                try:
                    connection.connect()
                    break
                except ConnectionRefusedError:
                    if process.poll() is not None or time.monotonic() > end:
                        raise
                    time.sleep(0.005)
            exporter.scrape()
            yield exporter
        finally:
            connection.close()
            process.terminate()


def nix(file: str, *arguments: str) -> dict[str, Any]:
    """The set that a file of the modules has."""
    flags = ("--store", "dummy://", "--eval", "--strict", "--json")
    path = str(TOP / "modules" / file)
    return dict(
        json.loads(
            subprocess.check_output(["nix-instantiate", *flags, path, *arguments])
        )
    )


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Bench:
    """A Redis, and the programs that read it."""

    folder: Path
    client: redis.Redis
    redis_pid: int
    redis_exporter: str

    def soloscope(self, data: Data) -> tuple[list[str], int]:
        """The command that serves `data`, and its port.

        The modules' own Nix makes the configuration. It names the other programs of the
        stack at port 1, so that none is asked.
        """
        port, url = free_port(), f"unix://{self.folder}/redis.sock"
        app = {
            "timeZone": ZONE.key,
            "counters": {f"count_{i}": {} for i in range(data.counters)},
            "breakdowns": {f"by_{i}": {} for i in range(data.breakdowns)},
        }
        overrides = {
            "enable": True,
            "timeZone": ZONE.key,
            "exporter": {"port": port, "history": 0 if data.days == 1 else data.days},
            "loki": {"port": 1},
            "prometheus": {"port": 1},
            "grafana": {"enable": False},
            "apps": {
                f"app{i}": {**app, "redis": {"url": url, "prefix": f"metrics:app{i}:"}}
                for i in range(data.apps)
            },
        }
        files = nix(
            "render.nix",
            *("--arg", "declaration", "{}", "--argstr", "root", str(self.folder)),
            *("--argstr", "overrides", json.dumps(overrides)),
        )
        path = self.folder / "soloscope.json"
        path.write_text(json.dumps(files["soloscope.json"]))
        program = str(Path(sys.executable).parent / "soloscope")
        environment = [f"{k}={v}" for k, v in nix("exporter/environment.nix").items()]
        return ["env", *environment, program, "--config", str(path), "serve"], port

    def peer(self, data: Data) -> tuple[list[str], int]:
        """redis_exporter for the same keys, or for their pattern; and its port."""
        port, (counters, breakdowns) = free_port(), data.keys(data.days)
        keys = ",".join(f"db0={key}" for key in [*counters, *breakdowns])
        option = f"-check-single-keys={keys}"
        if data.foreign:
            option = f"-check-keys=db0=metrics:app0:{NOW.date()}:*"
        flags = f"""-redis.addr=unix://{self.folder}/redis.sock
            -web.listen-address=127.0.0.1:{port}
            -redis-only-metrics -exclude-latency-histogram-metrics"""
        return [self.redis_exporter, *flags.split(), option], port

    def scrapes(self, data: Data, count: int, pause: float = 0) -> list[float]:
        """Scrape both in turns: ms, CPU, Redis CPU and MB of each, and the ratio.

        CPU is all that the process uses by the number of scrapes, pauses included.
        """
        data.fill(self.client)
        counters, breakdowns = data.keys(1)
        shown = {
            "soloscope_count_total": len(counters),
            "soloscope_breakdown_total": len(breakdowns) * data.parts,
            "soloscope_day": len(counters) * (data.days if data.days > 1 else 0),
        }
        keys = sum(map(len, data.keys(data.days)))
        with running(*self.soloscope(data)) as ours, running(*self.peer(data)) as peer:
            ours.check(shown)
            peer.check({"redis_key_size": keys})
            pair = ours, peer
            begun = [cpu_ms(one.pid) for one in pair]
            for _ in range(count):
                time.sleep(pause)
                for one in pair:
                    data.touch(self.client)
                    redis_cpu, start = cpu_ms(self.redis_pid), time.perf_counter()
                    one.scrape()
                    one.times.append((time.perf_counter() - start) * 1000)
                    one.redis.append(cpu_ms(self.redis_pid) - redis_cpu)
            row = []
            for one, before in zip(pair, begun, strict=True):
                cpu = (cpu_ms(one.pid) - before) / count
                row += [median(one.times), cpu, median(one.redis), one.memory()]
        turns = zip(ours.times, peer.times, strict=True)
        return [*row, median(mine / other for mine, other in turns)]

    def starts(self, data: Data, count: int) -> list[float]:
        """CPU ms of both from the start of the process to its first answer."""
        data.fill(self.client)
        used: list[list[float]] = [[], []]
        for _ in range(count):
            for times, make in zip(used, (self.soloscope, self.peer), strict=True):
                with running(*make(data)) as one:
                    times.append(cpu_ms(one.pid))
        return [median(times) for times in used]


def table(*rows: Sequence[object]) -> str:
    """A table of Markdown with the first row as its head; three digits of numbers."""
    cells = [[f"{c:.3g}" if isinstance(c, float) else str(c) for c in r] for r in rows]
    cells.insert(1, ["---", *["---:"] * (len(rows[0]) - 1)])
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def tables(rows: dict[str, list[float]], starts: Sequence[float]) -> str:
    """The measured part of the page: values with their bounds, and growth."""
    month = rows["30 days"]

    def hour(name: str) -> tuple[float, float]:
        ours, peer = rows[f"{name}, every 15 s"][1::4]
        return ours * 0.24, peer * 0.24  # 240 scrapes, ms to seconds

    bounds: list[tuple[str, float, float, float]] = [
        ("a scrape of today, ratio", 0.5, rows["today"][-1], 1),
        ("a scrape of 30 days, ratio", 0.25, month[-1], 1),
        ("a million foreign keys, ratio", 0.01, rows["a million foreign keys"][-1], 1),
        ("an hour of today, scraped every 15 s, CPU s", 1, *hour("today")),
        ("an hour of 30 days, scraped every 15 s, CPU s", 1, *hour("30 days")),
        ("resident with 30 days, MB", 45, month[3], month[7]),
        ("from start to first answer with 30 days, CPU ms", 400, starts[0], starts[1]),
    ]
    met = [[*row, "yes" if row[2] <= row[1] else "**no**"] for row in bounds]
    units = ("ms", "CPU ms", "Redis CPU ms", "MB")
    head = ("", *units, *(f"redis_exporter {unit}" for unit in units), "ratio")
    return (
        "## Bounds\n\n"
        + table(("", "at most", "soloscope", "redis_exporter", "met"), *met)
        + "\n## Scrapes and growth\n\n"
        + table(head, *([name, *row] for name, row in rows.items()))
    )


def machine(bench: Bench) -> dict[str, str]:
    """What was measured, and where."""

    def output(*command: str) -> str:
        done = subprocess.run(command, cwd=TOP, stdout=-1, stderr=-2, check=False)
        return done.stdout.decode().strip()

    peer = re.search(r"Exporter v?(\d\S+)", output(bench.redis_exporter, "-version"))
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    installed = {d.name.lower(): d.version for d in importlib.metadata.distributions()}
    wanted = ("redis", "hiredis", "prometheus_client", "waitress")
    changed = output("git", "status", "--porcelain", "--", "exporter/src")
    commit = output("git", "rev-parse", "--short=12", "HEAD")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{cpu[1] if cpu else '?'}, {os.cpu_count()} cores",
        "system": f"Linux {platform.release()}, Python {platform.python_version()}",
        "soloscope": commit + (" with changes" if changed else ""),
        "libraries": ", ".join(f"{k} {installed[k]}" for k in wanted if k in installed),
        "redis_exporter": peer[1] if peer else "?",
        "Redis": str(bench.client.info("server")["redis_version"]),
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only show that it works")
    parser.add_argument("--page", type=Path, default=TOP / "docs/benchmarks.md")
    parser.add_argument("--redis-exporter", default="redis_exporter", metavar="PROGRAM")
    options = parser.parse_args()
    quick, load = options.quick, os.getloadavg()[0]
    rows: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        socket_path = Path(name, "redis.sock")
        redis_server = f"redis-server --port 0 --unixsocket {socket_path} --dir {name}"
        with (
            subprocess.Popen(
                [*redis_server.split(), "--save", ""], stdout=-3
            ) as server,
            redis.Redis(unix_socket_path=str(socket_path)) as client,
        ):
            try:
                while not socket_path.exists() and server.poll() is None:
                    time.sleep(0.01)
                bench = Bench(Path(name), client, server.pid, options.redis_exporter)
                facts = machine(bench)
                for case, (data, count, pause) in CASES.items():
                    print(f"{datetime.now(UTC):%H:%M:%S} {case}", file=sys.stderr)
                    effort = (2, pause / 30) if quick else (count, pause)
                    rows[case] = bench.scrapes(data, *effort)
                starts = bench.starts(MONTH, 2 if quick else 15)
            finally:
                server.terminate()
    facts["load average"] = f"{load:.1f} before, {os.getloadavg()[0]:.1f} after"
    if quick:
        facts["effort"] = "a shortened run, which says nothing about times"
    lines = "".join(f"- {what}: {value}\n" for what, value in facts.items())
    result = f"{tables(rows, starts)}\n## Machine and versions\n\n{lines}"
    print(result)
    # What stands above the tables is written by hand.
    page = options.page.read_text(encoding="utf-8") if options.page.exists() else ""
    page = page.partition("## Bounds\n")[0] + result
    options.page.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
