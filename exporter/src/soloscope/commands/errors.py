"""`soloscope errors`: today's errors in groups, with first and last time.

Repetitions of an error are one line. An error is `new` when it did not occur in the 30
days before today.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from soloscope.commands.options import add_since, app_of
from soloscope.config import Config
from soloscope.terminal import console, printable

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from soloscope.error_groups import Group

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = "Show the errors of the last day in groups, new ones marked."
    parser.add_argument("--app", metavar="NAME", help="one app only")
    add_since(parser, "24h")
    parser.add_argument("--json", action="store_true", help="one JSON object per group")


def run(config: Config, args: argparse.Namespace) -> int:
    """Query Loki and print the groups."""
    from soloscope.error_groups import today

    app = ".+" if args.app is None else app_of(config, args.app).name
    found = today(config, app, args.since)
    if args.json:
        for group in found:
            print(json.dumps(group.as_json(), ensure_ascii=False))
    else:
        _table(found, config.zone, args.since)
    return 0


def _table(found: list[Group], zone: ZoneInfo, since: str) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    if not found:
        out.print(f"no errors in the last {since}")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("times", justify="right")
    for name in ("first", f"last ({zone.key})", "app", "event", "error", "message"):
        # Nothing is cut: every part identifies the group.
        table.add_column(name, overflow="fold")
    for group in found:
        message = Text(printable(group.text))
        if group.new:
            message.append(" ").append("(new)", "bold")
        table.add_row(
            str(group.count),
            f"{group.first.astimezone(zone):%d %b %H:%M}",
            f"{group.last.astimezone(zone):%d %b %H:%M}",
            printable(group.app),
            printable(group.event),
            printable(group.error),
            message,
        )
    out.print(table)
