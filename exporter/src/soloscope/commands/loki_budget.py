"""`soloscope loki-budget`: keep Loki's folder under its budget; a timer starts it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from soloscope import log

if TYPE_CHECKING:
    import argparse

    from soloscope.config import Config

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""
    parser.description = (
        "Measure Loki's folder, set the longest retention that `loki.budget` allows, "
        "and log how it stands and what the shipper dropped of a flood."
    )


def run(config: Config, args: argparse.Namespace) -> int:
    """0 when Loki's overrides file is written."""
    del args
    from soloscope.loki_budget.keep import keep

    log.set_up(config.exporter.log_level)
    keep(config, time.time())
    return 0
