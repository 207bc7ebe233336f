"""`soloscope probe`: checks the outside APIs once; a timer starts it."""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict

from soloscope import log
from soloscope.checks.probe import probe
from soloscope.config import Config

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Ask each outside API that a check of kind `api` names, with its key, and "
        "leave the answers in `probe.resultFile` for `soloscope serve`."
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="ask every API, also those whose interval is not over",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the results as well, as JSON"
    )


def run(config: Config, args: argparse.Namespace) -> int:
    """0 once the results are written, also failed ones: `serve` reports them.

    Raises SoloscopeError when the file cannot be written.
    """
    import sys

    log.set_up(config.exporter.log_level, sys.stderr if args.json else None)
    if config.probe is None:
        log.event("nothing_to_probe", "No app declares a check of kind `api`")
        found = {}
    else:
        found = probe(config, everything=args.all)
    for app, mine in found.items():
        for name, one in mine.items():
            log.event(
                "api_probed",
                f"{app} {name}: {one.detail}",
                level=logging.INFO if one.ok else logging.WARNING,
                target=app,
                check=name,
                ok=one.ok,
            )
    if args.json:
        value = {
            app: {name: asdict(one) for name, one in mine.items()}
            for app, mine in found.items()
        }
        print(json.dumps(value, indent=2, ensure_ascii=False))
    return 0
