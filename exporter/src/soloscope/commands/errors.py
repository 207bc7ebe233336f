"""soloscope errors: today's errors in groups, with first and last time.

The same error many times is one line. `new` is what did not come in the 30 days before
today.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from soloscope.error_groups import Group, groups
from soloscope.errors import SoloscopeError

if TYPE_CHECKING:
    import argparse
    from zoneinfo import ZoneInfo

    from soloscope.config import Config

__all__ = ["add_arguments", "run"]

TIMEOUT = 30.0
"""Seconds for one question: each looks through days of lines."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a person may want."""
    parser.add_argument("--app", help="one app only")
    parser.add_argument(
        "--since", default="24h", metavar="SPAN", help="how far back (default: 24h)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per group")


def run(config: Config, args: argparse.Namespace) -> int:
    """Ask Loki and print the groups."""
    from soloscope.backends.queries import LokiApi

    if args.app is not None and args.app not in config.apps:
        known = ", ".join(config.apps) or "none"
        raise SoloscopeError(f"no app `{args.app}`; declared: {known}")
    loki = LokiApi.of(config, TIMEOUT)

    def ask(query: str) -> list[tuple[dict[str, str], float]]:
        return [(dict(found.labels), found.value) for found in loki.instant(query)]

    today = datetime.now(config.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    found = groups(ask, args.since, "30d", today.astimezone(UTC), args.app or ".+")
    if args.json:
        for group in found:
            print(json.dumps(group.as_json(), ensure_ascii=False))
    else:
        _table(found, config.zone, args.since)
    return 0


def _table(found: list[Group], zone: ZoneInfo, since: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not found:
        console.print(f"no errors in the last {since}")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("times", "first", "last", "app", "event", "error", "message"):
        table.add_column(name, justify="right" if name == "times" else "left")
    for group in found:
        # As Text, because what a log line says in brackets is no markup.
        text = Text(_shown(group.text))
        if group.new:
            text.append(" ").append("(new)", "bold")
        table.add_row(
            str(group.count),
            f"{group.first.astimezone(zone):%d %b %H:%M}",
            f"{group.last.astimezone(zone):%d %b %H:%M}",
            Text(_shown(group.app)),
            Text(_shown(group.event)),
            Text(_shown(group.error)),
            text,
        )
    console.print(table)


def _shown(text: str) -> str:
    """The text without what a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text)
