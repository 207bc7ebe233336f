"""How long the overview's queries take on seven days of the demo's data.

    python tests/dashboards/bench.py                    starts a stack of its own
    python tests/dashboards/bench.py PROMETHEUS LOKI    asks a running one

Prints the median of each target over several rounds, and of their sum; the goals
are 0.5 s for each and 2 s in all. A bench, not a test: it fails for no time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

import dashboard_files as files
from asking import ask

EACH, ALL = 0.5, 2.0


def measure(name: str, prometheus: str, loki: str, rounds: int) -> None:
    """Ask everything `rounds` times, one after the other, and print the times."""
    times: dict[str, list[float]] = defaultdict(list)
    sums = []
    for _ in range(rounds):
        found = list(ask(files.load(name), prometheus, loki))
        sums.append(sum(answer.seconds for answer in found))
        for answer in found:
            times[f"{answer.panel} [{answer.index}]"].append(answer.seconds)
    print(f"{name}, {rounds} rounds: median, slowest (ms)")
    for panel, seconds in times.items():
        middle, worst = 1000 * statistics.median(seconds), 1000 * max(seconds)
        mark = "" if middle < 1000 * EACH else f"  over the goal of {EACH} s"
        print(f"  {middle:8.1f} {worst:8.1f}  {panel}{mark}")
    middle = statistics.median(sums)
    mark = "within" if middle < ALL else "OVER"
    print(f"  {1000 * middle:8.1f} {1000 * max(sums):8.1f}  all, {mark} {ALL} s")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prometheus", nargs="?", help="address of a running one")
    parser.add_argument("loki", nargs="?", help="address of a running one")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument(
        "--dashboard", default="soloscope-overview.json", help="default: %(default)s"
    )
    arguments = parser.parse_args()
    if arguments.loki:
        measure(
            arguments.dashboard, arguments.prometheus, arguments.loki, arguments.rounds
        )
        return
    from soloscope_demo.stack import Options, running

    with tempfile.TemporaryDirectory() as folder:
        options = Options(Path(folder), free_ports=True, visit_every=0)
        with running(options) as stack:
            stack.loki.flush()
            measure(
                arguments.dashboard,
                stack.url("prometheus"),
                stack.url("loki"),
                arguments.rounds,
            )


if __name__ == "__main__":
    main()
