"""The programs under test: started, watched, stopped."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirakuru import TCPExecutor
from soloscope_demo.tools.programs import bin_folder, ensure

__all__ = [
    "Process",
    "cpu_seconds",
    "free_port",
    "memory",
    "redis_exporter_command",
    "redis_exporter_program",
    "redis_server",
    "running",
    "soloscope_command",
]

#: "rex min": the least that redis_exporter can be told to do.
MINIMAL = ("-redis-only-metrics", "-exclude-latency-histogram-metrics")
NEEDED = (1, 86)
#: MAX_ARG_STRLEN of Linux: the most that one argument can hold, in bytes.
LONGEST_ARGUMENT = 128 * 1024


@dataclass(frozen=True)
class Process:
    """A running program: where it listens, and its process id."""

    pid: int
    port: int


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, ended threads included, in nanosecond steps.

    The clock's number is what clock_getcpuclockid(3) gives: in Linux'
    include/linux/posix-timers_types.h, the process id inverted and shifted by three
    with CPUCLOCK_SCHED (2). /proc/PID/stat has the same sum in steps of 10 ms.
    """
    return time.clock_gettime((~pid << 3) | 2)


def memory(pid: int) -> int:
    """Resident memory of a process in bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    match = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    if match is None:
        raise ProcessLookupError(f"process {pid} has ended")
    return int(match[1]) * 1024


@contextmanager
def running(
    command: Sequence[str], port: int, environment: dict[str, str] | None = None
) -> Iterator[Process]:
    """Run `command` until the block ends. It listens on `port` when this enters."""
    executor = TCPExecutor(
        list(command),
        "127.0.0.1",
        port,
        timeout=60,
        sleep=0.02,
        envvars={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with executor:
        process = executor.process
        if process is None:
            raise ProcessLookupError(f"{command[0]} is not running")
        yield Process(process.pid, port)


@contextmanager
def redis_server(folder: Path) -> Iterator[Process]:
    """An empty Redis that writes nothing to disk."""
    port = free_port()
    program = ensure(["redis-server"])["redis-server"]
    command = [
        str(program),
        *("--port", str(port)),
        *("--bind", "127.0.0.1"),
        *("--save", ""),
        *("--appendonly", "no"),
        *("--dir", str(folder)),
    ]
    with running(command, port) as process:
        yield process


def soloscope_command(folder: Path, configuration: dict[str, Any]) -> list[str]:
    """`soloscope serve` of this environment, with its configuration in `folder`."""
    path = folder / f"soloscope-{configuration['exporter']['port']}.json"
    path.write_text(json.dumps(configuration), encoding="utf-8")
    program = Path(sys.executable).parent / "soloscope"
    return [str(program), "--config", str(path), "serve"]


def without_hiredis(folder: Path) -> dict[str, str]:
    """The environment in which Python finds no hiredis."""
    hide = folder / "without-hiredis"
    hide.mkdir(exist_ok=True)
    (hide / "hiredis.py").write_text(
        'raise ImportError("hidden by the benchmark")\n', encoding="utf-8"
    )
    return {"PYTHONPATH": str(hide)}


def redis_exporter_command(
    program: Path,
    redis_port: int,
    port: int,
    keys: Sequence[str],
    *,
    stock: bool = False,
) -> list[str]:
    """rex min (or as it comes) on `keys`: options such as `-check-single-keys=…`."""
    return [
        str(program),
        f"-redis.addr=redis://127.0.0.1:{redis_port}",
        f"-web.listen-address=127.0.0.1:{port}",
        *(() if stock else MINIMAL),
        *keys,
    ]


def single_keys(keys: Sequence[str]) -> str:
    """redis_exporter's option for keys that are named one by one."""
    return "-check-single-keys=" + ",".join(f"db0={key}" for key in keys)


def redis_exporter_program(given: Path | None) -> tuple[Path, str]:
    """Which redis_exporter runs, and its version.

    Without `given`: the one on PATH if it is new enough, else the cache's.
    """
    if given is not None:
        return given, _version(given)
    found = ensure(["redis_exporter"])["redis_exporter"]
    version = _version(found)
    cached = bin_folder() / "redis_exporter"
    if too_old(version) and cached.exists():
        return cached, _version(cached)
    return found, version


def too_old(version: str) -> bool:
    """Whether this version is so slow that it would flatter soloscope."""
    numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
    return numbers < NEEDED


def _version(program: Path) -> str:
    done = subprocess.run(
        [str(program), "-version"], capture_output=True, text=True, check=True
    )
    match = re.search(r"Exporter\s+v?(\d\S*)", done.stderr + done.stdout)
    if match is None:
        raise ValueError(f"{program} -version names no version")
    return match[1]


_BARE = """\
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *arguments):
        pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def bare_server_command(port: int) -> list[str]:
    """A server of Python's standard library that says nothing: the least there is."""
    return [sys.executable, "-c", _BARE, str(port)]


def start(command: Sequence[str], port: int) -> tuple[float, float, float]:
    """Start `command`: seconds until it listens, until it answers, and of CPU.

    "Answers" is the last byte of a first, whole /metrics.
    """
    from bench.client import PLAIN, Connection

    begun = time.perf_counter()
    process = subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                with Connection(port, PLAIN) as connection:
                    listens = time.perf_counter() - begun
                    connection.scrape()
                    answers = time.perf_counter() - begun
                    return listens, answers, cpu_seconds(process.pid)
            except ConnectionRefusedError:
                if process.poll() is not None:
                    raise ProcessLookupError(
                        f"{command[0]} ended with {process.returncode}"
                    ) from None
                if time.perf_counter() - begun > 30:
                    raise TimeoutError(f"{command[0]} does not answer") from None
                time.sleep(0.0005)
    finally:
        process.terminate()
        process.wait()
