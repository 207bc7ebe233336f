"""How fast the log path is, what it costs, and how long its answers take.

    python tests/logs/bench.py [--engine promtail|alloy] [--lines 200000]

Prints, for each engine on PATH: lines per second from the journal to an answer of
Loki, and the shipper's CPU per line; CPU and memory of shipper and Loki at 100 and
1,000 lines a second; seconds from printed to found; bytes on disk per million lines;
and the time of each query of the cookbook over seven days. The first two with two
kinds of lines: LanguageBuddy's, and short plain ones, of which half have a word of a
secret's name or a number. A bench, not a test: it fails for no time.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import re
import statistics
import tempfile
import threading
import time
from pathlib import Path

import story
from harness import ENGINES, LogPath, export, program
from soloscope_demo.stack import until
from test_cookbook import METRIC, QUERIES

from soloscope.loki_budget.budget import measure

#: Seconds that a query of the cookbook may take.
GOAL = 0.5
WEEK = 6.8 * 86_400


#: Short lines of plain programs.
PLAIN = """\
Started session 4 of user app
GET /api/users/42 200 13ms
listening on 127.0.0.1:8080
cache warmed: 512 entries
password reset requested
invalid token: jwt expired
connection established
worker 3 ready
authentication succeeded for user 17
job digest finished
sending mail batch
Refreshing access token
queue empty, sleeping
POST /api/login 401 22ms
session closed by client
reading configuration from /etc/app/config.toml
2026-11-27 10:00:00 INFO api key rotated
migration 0042 applied
health check ok
no credentials configured, using defaults
processed 1834 rows in 220 ms
checking updates
token bucket refilled
user logged in
2026-11-27 10:00:01,123 - app.sync - INFO - synced 12 items
heartbeat
disk usage 41%
author list refreshed
reloading nginx
flushed buffers
upstream answered in 0.123 s
backup finished
""".splitlines()


def kinds() -> dict[str, list[str]]:
    """The lines of each kind."""
    return {"LanguageBuddy's": story.languagebuddy(), "plain": PLAIN}


def count(path: LogPath, unit: str, hours: int = 1) -> int:
    """How many lines Loki has of a unit."""
    rows = path.number(f'sum(count_over_time({{unit="{unit}"}}[{hours}h]))')
    return int(rows[0][1]) if rows else 0


def usage(pid: int) -> tuple[float, float]:
    """CPU seconds so far, and MiB resident."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def pids(path: LogPath) -> dict[str, int]:
    """The processes of the shipper and of Loki."""
    assert path.ship is not None
    assert path.ship.process is not None
    assert path.loki is not None
    assert path.loki.process is not None
    return {path.shipper: path.ship.process.pid, "loki": path.loki.process.pid}


def throughput(path: LogPath, kind: str, number: int) -> None:
    """A full journal, and a shipper that starts."""
    day = itertools.cycle(kinds()[kind])
    path.journal.say("full.service", *(next(day) for _ in range(number)))
    path.journal.close()
    path.start_loki()
    began = time.monotonic()
    path.start_shipper()
    # Counting costs Loki more than taking: only at the end.
    until("all read", lambda: path.read_lines() >= number, within=300, every=0.2)
    until(
        "all in Loki",
        lambda: count(path, "full.service") >= number,
        within=60,
        every=0.2,
    )
    seconds = time.monotonic() - began
    # On a machine that has other things to do, this says more than the seconds.
    each = 1e6 * usage(pids(path)[path.shipper])[0] / number
    print(
        f"  {kind} lines, journal to answer: {number / seconds:8.0f} lines/s "
        f"({number} lines), {each:.0f} µs of CPU a line in the shipper"
    )


def cost(path: LogPath, kind: str, per_second: int, seconds: int = 15) -> None:
    """CPU and memory while so many lines a second are printed."""
    day = itertools.cycle(kinds()[kind])
    stop = threading.Event()
    printed = 0

    def run() -> None:
        nonlocal printed
        began = time.monotonic()
        while not stop.wait(0.05):
            due = int((time.monotonic() - began) * per_second) - printed
            path.journal.say("busy.service", *(next(day) for _ in range(due)))
            printed += due

    printer = threading.Thread(target=run)
    printer.start()
    time.sleep(3)
    before = {name: usage(pid)[0] for name, pid in pids(path).items()}
    began = time.monotonic()
    time.sleep(seconds)
    for name, pid in pids(path).items():
        used, resident = usage(pid)
        share = (used - before[name]) / (time.monotonic() - began)
        print(
            f"  at {per_second:5} {kind} lines/s: {name:9} {share:6.1%} of a core, "
            f"{resident:4.0f} MiB"
        )
    stop.set()
    printer.join()


def latency(path: LogPath, kind: str, rounds: int = 60) -> None:
    """Seconds from printed to found."""
    # What was printed before is through.
    path.journal.say("settled.service", kind)
    path.wait_for(f'{{unit="settled.service"}} |= "{kind}"', 1, within=120)
    times = []
    for number in range(rounds):
        mark = f"{kind}-{number}-{time.time_ns()}"
        line = f'{{"level":30,"msg":"{mark}"}}' if kind == "JSON" else mark
        began = time.monotonic()
        path.journal.say("found.service", line)
        query = f'{{unit="found.service"}} |= "{mark}"'
        while not path.ask(query, hours=1):
            time.sleep(0.01)
        times.append(time.monotonic() - began)
    ordered = sorted(times)
    worst = ordered[int(len(ordered) * 0.99)]
    print(
        f"  printed to found, {kind:5}: p50 {statistics.median(times):.2f} s, "
        f"p99 {worst:.2f} s"
    )


def week(path: LogPath, number: int) -> None:
    """Seven days of lines, then what they take and how fast the answers are."""
    day = itertools.cycle(story.languagebuddy())
    start = time.time() - WEEK
    fields = path.journal.fields(story.BACKEND)
    for first in range(0, number, 5000):
        path.journal.add(
            export(
                fields,
                next(day).encode(),
                int((start + WEEK * n / number) * 1e6),
            )
            for n in range(first, min(first + 5000, number))
        )
    path.start_loki()
    path.start_shipper()
    until("all read", lambda: path.read_lines() >= number, within=600, every=1)
    time.sleep(3)
    path.flush()
    time.sleep(3)
    found = count(path, story.BACKEND, 24 * 7)
    parts = measure(path.root / "state/loki", time.time()).parts
    megabytes = parts["chunks"] / found * 1e6 / 1e6
    print(f"  {found} of {number} lines of seven days")
    print(f"  chunks: {megabytes:.1f} MB per million lines")
    slow = 0
    for example in QUERIES:
        seconds = answer(path, example.text)
        mark = "" if seconds < GOAL else f"  over the goal of {GOAL} s"
        slow += bool(mark)
        print(f"  {1000 * seconds:7.0f} ms  {example.text[:90]}{mark}")
    print(f"  {len(QUERIES)} queries, {slow} over the goal")


def answer(path: LogPath, text: str, rounds: int = 3) -> float:
    """The median of the seconds that a query over seven days takes."""
    text = re.sub(r"\[\d+[mh]\]", "[7d]", text)
    now = time.time_ns()
    times = []
    for _ in range(rounds):
        began = time.monotonic()
        if METRIC.search(text):
            path.number(text)
        else:
            # As many as Grafana asks for.
            span = {"start": now - int(7 * 86_400e9), "end": now}
            path.api.get("query_range", {"query": text, "limit": 1000, **span})
        times.append(time.monotonic() - began)
    return statistics.median(times)


def main() -> None:
    """Measure each engine, then the queries once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--lines", type=int, default=200_000)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, {platform.machine()}")
    for engine in options.engine or ENGINES:
        if program(engine) is None:
            print(f"not shown: {engine} (not on PATH)")
            continue
        print(engine)
        for kind in kinds():
            with tempfile.TemporaryDirectory() as folder:
                path = LogPath(Path(folder), engine)
                try:
                    throughput(path, kind, 50_000)
                    cost(path, kind, 100)
                    cost(path, kind, 1000)
                    latency(path, "plain" if kind == "plain" else "JSON")
                finally:
                    path.stop()
    print("the cookbook's queries")
    with tempfile.TemporaryDirectory() as folder:
        path = LogPath(Path(folder), "promtail")
        try:
            week(path, options.lines)
        finally:
            path.stop()


if __name__ == "__main__":
    main()
