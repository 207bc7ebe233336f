"""Another client of the same Redis, which looks for delays.

    python -m bench.stalls PORT SECONDS

sends a PING every half millisecond and writes when each began and ended to stdout,
as doubles of the monotonic clock. It is a process of its own because a thread would
wait for the interpreter's lock instead of for Redis.
"""

from __future__ import annotations

import bisect
import socket
import subprocess
import sys
from array import array
from collections.abc import Callable
from time import monotonic, sleep

from bench.client import PROMETHEUS, Connection
from bench.results import Stall, quantile

__all__ = ["during_scrapes", "idle"]

_PAUSE = 0.0005
_PING = b"*1\r\n$4\r\nPING\r\n"


def _ping(port: int, seconds: float) -> array[float]:
    marks = array("d")
    with socket.create_connection(("127.0.0.1", port), 60) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        until = monotonic() + seconds
        while True:
            start = monotonic()
            if start > until:
                return marks
            sock.sendall(_PING)
            sock.recv(64)
            marks.append(start)
            marks.append(monotonic())
            sleep(_PAUSE)


def _pings(port: int, seconds: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.stalls", str(port), str(seconds)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )


def _pairs(raw: bytes) -> list[tuple[float, float]]:
    marks = array("d")
    marks.frombytes(raw)
    return list(zip(marks[::2], marks[1::2], strict=True))


def idle(redis_port: int, seconds: float) -> list[float]:
    """Milliseconds of each PING while nobody scrapes."""
    with _pings(redis_port, seconds) as process:
        raw, _ = process.communicate()
    return [(end - start) * 1000 for start, end in _pairs(raw)]


def during_scrapes(
    redis_port: int, port: int, seconds: float, between: Callable[[], None]
) -> list[float]:
    """Milliseconds of each PING that met a scrape of the exporter at `port`.

    `between` is called after each scrape.
    """
    scrapes: list[tuple[float, float]] = []
    with _pings(redis_port, seconds) as process, Connection(port, PROMETHEUS) as client:
        client.scrape()
        until = monotonic() + seconds
        while monotonic() < until:
            start = monotonic()
            client.scrape()
            scrapes.append((start, monotonic()))
            between()
            # Room for the other client: one that never sleeps would measure how
            # the machine shares its cores.
            sleep(0.002)
        raw, _ = process.communicate()
    starts = [start for start, _ in scrapes]
    met = []
    for start, end in _pairs(raw):
        # The last scrape that began before the PING ended.
        i = bisect.bisect_left(starts, end) - 1
        if i >= 0 and scrapes[i][1] > start:
            met.append((end - start) * 1000)
    return met


def stall(samples: list[float]) -> Stall:
    """What another client saw, in milliseconds."""
    return Stall(
        p50=quantile(samples, 0.5),
        p99=quantile(samples, 0.99),
        p999=quantile(samples, 0.999),
        longest=max(samples),
        pings=len(samples),
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(_ping(int(sys.argv[1]), float(sys.argv[2])).tobytes())
