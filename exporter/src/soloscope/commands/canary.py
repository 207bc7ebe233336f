"""`soloscope canary`: proves that lines, counts and alerts still arrive."""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict

from soloscope import log
from soloscope.config import Config
from soloscope.errors import SoloscopeError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Print a line, make a count and raise an alert, and look for each where it "
        "should arrive. The line is looked for as one of the unit soloscope-canary, so "
        "start that by hand."
    )
    parser.add_argument(
        "--json", action="store_true", help="print the results as well, as JSON"
    )


def run(config: Config, args: argparse.Namespace) -> int:
    """0 when everything arrived, 1 otherwise; the results say what did not."""
    from soloscope.canary.run import canary

    log.set_up(config.exporter.log_level)
    if config.canary is None:
        raise SoloscopeError(
            "the canary is off: set `services.soloscope.canary.enable`"
        )
    made = canary(config, config.canary)
    for name, leg in made.legs.items():
        log.event(
            "canary_arrived" if leg.ok else "canary_lost",
            leg.detail,
            level=logging.INFO if leg.ok else logging.ERROR,
            leg=name,
            seconds=round(leg.seconds, 3),
        )
    if args.json:
        print(json.dumps(asdict(made)))
    return 0 if all(leg.ok for leg in made.legs.values()) else 1
