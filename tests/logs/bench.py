"""How fast the log path is, what it costs, and how long its answers take.

    python tests/logs/bench.py [--engine promtail|alloy] [--lines 200000]

Prints, for each engine on PATH: lines per second from the journal to an answer of
Loki; CPU and memory of shipper and Loki at 100 and 1,000 lines a second; seconds from
printed to found; bytes on disk per million lines; and the time of each query of the
cookbook over seven days. A bench, not a test: it fails for no time.
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


def lines_of_a_day() -> itertools.cycle[str]:
    """LanguageBuddy's lines again and again."""
    return itertools.cycle(story.languagebuddy())


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


def throughput(path: LogPath, number: int) -> None:
    """A full journal, and a shipper that starts."""
    day = lines_of_a_day()
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
        f"  journal to answer: {number / seconds:8.0f} lines/s ({number} lines), "
        f"{each:.0f} µs of CPU a line in the shipper"
    )


def cost(path: LogPath, per_second: int, seconds: int = 15) -> None:
    """CPU and memory while so many lines a second are printed."""
    day = lines_of_a_day()
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
            f"  at {per_second:5} lines/s: {name:9} {share:6.1%} of a core, "
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
    day = lines_of_a_day()
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
        with tempfile.TemporaryDirectory() as folder:
            path = LogPath(Path(folder), engine)
            try:
                throughput(path, 50_000)
                cost(path, 100)
                cost(path, 1000)
                latency(path, "JSON")
                latency(path, "plain")
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
