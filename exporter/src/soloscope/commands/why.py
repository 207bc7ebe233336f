"""`soloscope why ID`: what happened to a conversation, a user or a request, and why.

One timeline of log lines, checks, alerts and deployments, with the first thing that
went wrong on top.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from soloscope.commands.options import add_since, app_of
from soloscope.config import Config, duration
from soloscope.errors import SoloscopeError
from soloscope.terminal import console, in_ascii, printable

if TYPE_CHECKING:
    from soloscope.timeline.lines import Moment
    from soloscope.timeline.story import Story

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Show what happened to a conversation, a user or a request, in order of time, "
        "and what went wrong first. Exit code 1 when no line has the id."
    )
    parser.add_argument(
        "id",
        metavar="ID",
        help="conversation_id, user, trace_id, or any word of a line",
    )
    parser.add_argument("--app", metavar="NAME", help="one app only")
    add_since(parser, "7d")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(config: Config, args: argparse.Namespace) -> int:
    """0 when the id was found and every source answered."""
    from soloscope.backends.loki import LokiApi
    from soloscope.backends.prometheus import PrometheusApi
    from soloscope.timeline.story import tell

    apps = list(config.apps) if args.app is None else [app_of(config, args.app).name]
    if not args.id.strip() or not apps:
        raise SoloscopeError("there is no app" if not apps else "ID must not be empty")
    now = time.time()
    prometheus = PrometheusApi.of(config) if config.prometheus.enable else None
    story = tell(
        LokiApi.of(config),
        prometheus,
        apps,
        args.id,
        now - (duration(args.since) or 0.0),
        now,
    )
    if story is None:
        raise SoloscopeError(
            f"no line of {', '.join(apps)} has `{args.id}` in the last {args.since}"
        )
    if args.json:
        value = {
            "id": story.id,
            "about": story.about,
            "first_wrong": story.first_wrong and asdict(story.first_wrong),
            "deployed": story.deployed and asdict(story.deployed),
            "moments": [asdict(m) for m in story.moments],
            "unseen": story.unseen,
        }
        print(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        _print(config, story)
    return 1 if story.unseen else 0


def _print(config: Config, story: Story) -> None:
    from rich.table import Table
    from rich.text import Text

    from soloscope.commands.moments import clock, row

    out = console()
    first = story.first_wrong
    out.print(Text(f"{story.about} {printable(story.id)}", "bold"))
    if first is None:
        out.print(Text("Nothing went wrong that the log or a check knows of", "green"))
    else:
        when = clock(first.at, config.zone)
        out.print(Text(f"First wrong: {when} {_words(first)}", "bold red"))
    if story.deployed is not None:
        when = clock(story.deployed.at, config.zone)
        out.print(Text(f"Shortly before: {when} {_words(story.deployed)}", "cyan"))
    out.print()
    table = Table.grid(padding=(0, 2))
    for moment in story.moments:
        cells = row(moment, config.zone, ascii_only=in_ascii(out))
        if moment == first:
            for cell in cells:
                cell.stylize("bold")
        table.add_row(*cells)
    out.print(table)
    for why in story.unseen:
        out.print(Text(f"not read: {printable(why)}", "red"))


def _words(moment: Moment) -> str:
    if moment.kind != "line":
        return printable(f"{moment.kind}: {moment.what}")
    return printable("  ".join(filter(None, (moment.event, moment.what))))
