"""How long the dashboards' queries take on the demo's data: a row per dashboard.

    python tests/dashboards/bench.py                    starts a stack of its own
    python tests/dashboards/bench.py PROMETHEUS LOKI    asks a running one

Prints of each dashboard the number of its queries when it is opened, the slowest of
them and their sum (medians of several rounds), and the size of its file. The goals
are 25 queries, 0.5 s for each and 2 s in all. A bench, not a test: it fails for no
time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

import dashboard_files as files
from asking import ask
from soloscope_demo.stack import Options, running

EACH, ALL, QUERIES = 0.5, 2.0, 25


def measure(name: str, prometheus: str, loki: str, rounds: int) -> None:
    """Ask everything `rounds` times, one after the other, and print the row."""
    dashboard = files.load(name)
    # Folded rows ask nothing until they are opened.
    dashboard["panels"] = [p for p in dashboard["panels"] if not p.get("collapsed")]
    times: dict[str, list[float]] = defaultdict(list)
    sums = []
    for _ in range(rounds):
        found = list(ask(dashboard, prometheus, loki, who="u_000"))
        sums.append(sum(answer.seconds for answer in found))
        for answer in found:
            times[f"{answer.panel} [{answer.index}]"].append(answer.seconds)
    slowest = max(times, key=lambda panel: statistics.median(times[panel]))
    each, whole = statistics.median(times[slowest]), statistics.median(sums)
    size = (files.FOLDER / name).stat().st_size
    over = len(times) > QUERIES or each > EACH or whole > ALL
    print(
        f"{name:34} {len(times):7} {1000 * each:9.0f} {1000 * whole:7.0f} {size:7}"
        f"  {slowest}{'  OVER THE GOAL' if over else ''}",
        flush=True,
    )


def table(prometheus: str, loki: str, rounds: int, names: list[str]) -> None:
    """A row for each file."""
    columns = f"{'queries':>7} {'slowest':>9} {'sum':>7} {'bytes':>7}"
    print(f"{'milliseconds, median':34} {columns}  the slowest is")
    for name in names:
        measure(name, prometheus, loki, rounds)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prometheus", nargs="?", help="address of a running one")
    parser.add_argument("loki", nargs="?", help="address of a running one")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument(
        "--hours", type=float, default=168, help="of the app's metrics; %(default)s"
    )
    parser.add_argument(
        "--dashboards",
        nargs="*",
        default=[listed.file for listed in files.LISTED if "/" not in listed.file],
        metavar="FILE",
    )
    given = parser.parse_args()
    if given.loki:
        table(given.prometheus, given.loki, given.rounds, given.dashboards)
        return
    with tempfile.TemporaryDirectory() as folder:
        options = Options(
            Path(folder),
            free_ports=True,
            visit_every=0,
            metrics_history=given.hours,
        )
        with running(options) as stack:
            stack.loki.flush()
            stack.until(
                "recorded series",
                lambda: stack.prometheus.values("app:http_requests:rate3d"),
                180,
            )
            urls = stack.url("prometheus"), stack.url("loki")
            table(*urls, given.rounds, given.dashboards)


if __name__ == "__main__":
    main()
