"""`soloscope doctor`: reports what is wrong, one line each, with the fix."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from soloscope.commands.options import add_redis_password_file, seconds, with_password
from soloscope.config import Config
from soloscope.terminal import console, in_ascii

if TYPE_CHECKING:
    from soloscope.doctor.finding import Finding

__all__ = ["add_arguments", "run"]

_MARKS = {"wrong": ("✗", "red"), "note": ("•", "yellow"), "unseen": ("?", "cyan")}
_ASCII = {"wrong": "WRONG", "note": "note", "unseen": "unseen"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Look for what is wrong between what was declared and what is there: in "
        "Redis, in the log, and on the machine. Exit code 1 when something is."
    )
    parser.add_argument(
        "--json", action="store_true", help="print the findings as JSON"
    )
    parser.add_argument(
        "--budget",
        type=seconds(0.001, 3600),
        default=10.0,
        metavar="SECONDS",
        help="how long each app's Redis may be searched (default: %(default)g)",
    )
    add_redis_password_file(parser)


def run(config: Config, args: argparse.Namespace) -> int:
    """0 when nothing is wrong; notes and skipped parts do not count."""
    from soloscope.doctor.examination import examine

    config = with_password(config, args.redis_password_file)
    found = examine(config, args.budget)
    wrong = sum(finding.level == "wrong" for finding in found)
    if args.json:
        value = {"wrong": wrong, "findings": [asdict(finding) for finding in found]}
        print(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        _print(found, wrong)
    return 1 if wrong else 0


def _print(found: list[Finding], wrong: int) -> None:
    from rich.text import Text

    out = console()
    plain = in_ascii(out)
    for finding in found:
        mark, style = _MARKS[finding.level]
        line = Text(_ASCII[finding.level] if plain else mark, style)
        where = f" {finding.app}:" if finding.app else ""
        line.append(f"{where} {finding.what} ", "default")
        line.append(f"{'->' if plain else '→'} {finding.fix}", "dim")
        out.print(line, soft_wrap=True)
    if wrong:
        things = "1 thing is" if wrong == 1 else f"{wrong} things are"
        out.print(Text(f"{things} wrong", "bold red"))
    else:
        out.print(Text("Nothing is wrong", "bold green"))
