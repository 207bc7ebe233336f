"""`soloscope validate NAME…|all`: whether declared features work, with evidence."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from soloscope.commands.options import (
    add_redis_password_file,
    add_since,
    one_app,
    seconds,
    with_password,
)
from soloscope.config import App, Config
from soloscope.errors import SoloscopeError
from soloscope.terminal import console, in_ascii, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soloscope.validate.verdict import Verdict

__all__ = ["add_arguments", "run"]

_MARKS = {
    True: ("✓", "ok", "green"),
    False: ("✗", "FAILED", "red"),
    None: ("?", "?", "cyan"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Examine the features that apps.<name>.validators declares. Exit code 1 when "
        "one does not work, or nothing could be looked at because of an error."
    )
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help="a validator's name, or `all`"
    )
    parser.add_argument("--app", metavar="NAME", help="needed if there are several")
    add_since(parser, "7d")
    parser.add_argument(
        "--sample",
        type=int,
        default=1000,
        metavar="N",
        help="how many records or lines a check looks at (default: %(default)s)",
    )
    parser.add_argument(
        "--budget",
        type=seconds(0.001, 3600),
        default=10.0,
        metavar="SECONDS",
        help="how long a check may search Redis for keys (default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per check")
    add_redis_password_file(parser)


def run(config: Config, args: argparse.Namespace) -> int:
    """0 when every check that could look found nothing wrong."""
    config = with_password(config, args.redis_password_file)
    app = one_app(config, args.app)
    known = ", ".join(app.validators) or "none"
    names = list(app.validators) if "all" in args.names else args.names
    for name in names:
        if name not in app.validators:
            raise SoloscopeError(f"no validator `{name}`; declared: {known}")
    if not names:
        raise SoloscopeError(f"apps.{app.name}.validators is empty")
    out = console()
    ascii_only = in_ascii(out)
    failed = 0
    shown = ""
    for name, check, verdict in _verdicts(config, app, names, args):
        failed += verdict.ok is False
        if args.json:
            found = {
                "validator": name,
                "check": check,
                "ok": verdict.ok,
                "evidence": verdict.evidence,
            }
            print(json.dumps(found, ensure_ascii=False), flush=True)
            continue
        if name != shown:
            out.print(name, style="bold")
            shown = name
        sign, plain, style = _MARKS[verdict.ok]
        mark = plain if ascii_only else sign
        evidence = printable(verdict.evidence)
        out.print(f"  {mark} {check}: {evidence}", style=style, soft_wrap=True)
    return 1 if failed else 0


def _verdicts(
    config: Config, app: App, names: list[str], args: argparse.Namespace
) -> Iterator[tuple[str, str, Verdict]]:
    from soloscope.validate.checks import examine
    from soloscope.validate.sources import opened

    wait = console(stderr=True)
    sample = max(1, args.sample)
    with opened(config, app, args.since, sample, args.budget) as sources:
        for name in names:
            with wait.status(f"{name} …") if wait.is_terminal else wait:
                found = list(examine(app.validators[name], sources))
            yield from ((name, check, verdict) for check, verdict in found)
