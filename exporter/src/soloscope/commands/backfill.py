"""`soloscope backfill`: writes the days that Redis still has into Prometheus.

Run once, as a user who may write Prometheus' data folder (root, or its own user), best
 right after the installation. It asks Prometheus for the labels of its scrape, the
data it already has, its data folder and its retention. `promtool` makes the blocks;
Prometheus loads them without a restart.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from soloscope.commands.options import add_redis_password_file, with_password
from soloscope.config import App, Config
from soloscope.terminal import console, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soloscope.backfill.plan import Plan

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Give Prometheus the closed days that Redis still has, once: as blocks in its "
        "data folder (needs `promtool` and the right to write there), or as text."
    )
    parser.add_argument(
        "--app", metavar="NAME", help="only this app (default: every app with a Redis)"
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="write the OpenMetrics text to FILE, `-` for standard output, "
        "and make no blocks",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="Prometheus' data folder (default: the one that Prometheus names)",
    )
    add_redis_password_file(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be written, and stop"
    )


def run(config: Config, arguments: argparse.Namespace) -> int:
    """0 when the days are written. Raises SoloscopeError when nothing was written."""
    from rich.progress import Progress

    from soloscope.backfill import blocks, days

    # Progress and messages go to standard error: the data may go to standard output.
    out = console(stderr=True)

    def say(text: str) -> None:
        out.print(printable(text), soft_wrap=True)

    config = with_password(config, arguments.redis_password_file)
    apps = _apps(config, arguments.app)
    now = time.time()
    to_file = arguments.output is not None
    server = days.server(config, apps, now, needed=not to_file, say=say)
    plans = days.plans(config, apps, server, now, say)
    if arguments.dry_run:
        return 0
    if to_file:
        _write(plans, arguments.output, say)
        return 0
    folder = blocks.check_folder(arguments.data_dir or server.data)
    with Progress(console=out) as shown:
        task = shown.add_task("Making blocks")
        made = blocks.make(
            plans,
            folder,
            lambda done, total: shown.update(task, completed=done, total=total),
        )
    say(f"{made} blocks are in {folder}. Prometheus shows them within two minutes")
    return 0


def _apps(config: Config, only: str | None) -> list[App]:
    from soloscope.backfill.blocks import Refused

    apps = [app for app in config.apps.values() if app.redis is not None]
    if only is None and not apps:
        raise Refused("no app declares a Redis: there is nothing to take days from")
    if only is not None:
        apps = [app for app in apps if app.name == only]
    if not apps:
        known = ", ".join(f"`{name}`" for name in config.apps) or "none"
        raise Refused(f"--app: `{only}` is no app with a Redis; declared: {known}")
    return apps


def _write(plans: Sequence[Plan], output: str, say: Callable[[str], None]) -> None:
    from soloscope.backfill.blocks import Refused
    from soloscope.backfill.plan import text

    if output == "-":
        sys.stdout.writelines(text(plans))
        return
    try:
        with Path(output).open("w", encoding="utf-8") as file:
            file.writelines(text(plans))
    except OSError as error:
        raise Refused(f"--output: {output}: {error.strerror}") from None
    make = "promtool tsdb create-blocks-from --max-block-duration=24h openmetrics"
    say(f"Written to {output}. `{make} {output} DIR` makes blocks of it")
