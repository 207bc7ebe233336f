"""soloscope annotate TEXT: writes an annotation that the dashboards show in graphs.

    {"time":"2026-11-18T08:00:00.123Z","level":"info","event":"annotation",
     "kind":"deploy","text":"switched to generation 42"}

It is a journal entry with its own identifier, so it needs no access to Loki or
Grafana. Dashboards query it with
`{job="soloscope-annotate"} | event="annotation"`.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from soloscope.backends.journal import SOCKET, send
from soloscope.commands.options import app_of, text

if TYPE_CHECKING:
    from soloscope.config import Config

__all__ = ["add_arguments", "run"]

#: The shipper gives entries with this identifier the job of the same name.
IDENTIFIER = "soloscope-annotate"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The text, and what it is about."""
    parser.add_argument("text", type=text, metavar="TEXT", help="what happened")
    parser.add_argument(
        "--kind",
        type=text,
        default="note",
        help="deploy, incident, … (default: %(default)s)",
    )
    parser.add_argument("--app", help="the app that it is about")
    parser.add_argument(
        "--journal",
        metavar="SOCKET",
        default=SOCKET,
        help="the journal's socket (default: %(default)s)",
    )


def run(config: Config, args: argparse.Namespace) -> int:
    """Send the annotation to the journal."""
    mark = {"event": "annotation", "kind": args.kind}
    if args.app is not None:
        # Not `app`, which is a label.
        mark["target"] = app_of(config, args.app).name
    send(IDENTIFIER, {**mark, "text": args.text}, args.journal)
    return 0
