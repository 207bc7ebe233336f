"""`python -m bench`: measure, and write docs/benchmarks.md with its plot."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from bench.data import noon_zone
from bench.page import page
from bench.plot import growth
from bench.results import Results

_DOCS = Path(__file__).resolve().parents[2] / "docs"


def _arguments() -> argparse.Namespace:
    from bench.run import PARTS

    parser = argparse.ArgumentParser(
        prog="just bench",
        description="Measure soloscope's exporter against redis_exporter. "
        "The result never depends on a time: it ends with 0 when it has measured.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds, to see that it works"
    )
    parser.add_argument(
        "--part",
        action="append",
        choices=PARTS,
        help="measure only this (may be repeated; no page is written)",
    )
    parser.add_argument("--seed", type=int, default=1, help="draws the order")
    parser.add_argument(
        "--redis-exporter", type=Path, metavar="FILE", help="run this redis_exporter"
    )
    parser.add_argument(
        "--docs", type=Path, default=_DOCS, metavar="DIR", help="where the page goes"
    )
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="also write the results as JSON"
    )
    parser.add_argument(
        "--load", type=Path, metavar="FILE", help="measure nothing: read such results"
    )
    return parser.parse_args()


def main() -> int:
    """The command."""
    arguments = _arguments()
    if arguments.load:
        text = arguments.load.read_text(encoding="utf-8")
        results = Results.from_json(json.loads(text))
    else:
        from bench.run import PARTS, Plan, run

        zone = noon_zone()
        plan = Plan.quick() if arguments.quick else Plan()
        with tempfile.TemporaryDirectory(prefix="soloscope-bench-") as folder:
            results = run(
                plan,
                arguments.part or PARTS,
                Path(folder),
                arguments.redis_exporter,
                arguments.seed,
                str(zone),
                datetime.now(zone).date(),
            )
    if arguments.save:
        saved = json.dumps(results.to_json(), indent=1)
        arguments.save.write_text(saved + "\n", encoding="utf-8")
    if arguments.quick or arguments.part:
        json.dump(results.to_json(), sys.stdout, indent=1)
        print()
        return 0
    text = page(results)
    (arguments.docs / "benchmarks.md").write_text(text, encoding="utf-8")
    plot = growth(results.growth)
    (arguments.docs / "benchmarks-growth.svg").write_text(plot, encoding="utf-8")
    print(text)
    print(f"written to {arguments.docs}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
