"""`soloscope-demo`: run the stack, render its configuration, check the checkout."""

from __future__ import annotations

import argparse
import json
import socket
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

from .errors import run_main
from .tools.cache import cache_home


def _days(text: str) -> int:
    from .app.server import days

    try:
        return days(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _followed(text: str) -> tuple[str, Path]:
    unit, found, path = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError("not UNIT=FILE")
    return unit, Path(path)


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"no time zone: {text!r}") from error


def _overrides(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("not a JSON object")
    return value


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="soloscope-demo", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, work: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=text,
            description=text,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        command.set_defaults(work=work)
        return command

    run = add("run", ".stack.run:run", "start the whole stack and prove the path")
    run.add_argument("--once", action="store_true", help="prove the path, then stop")
    run.add_argument(
        "--history", type=_days, default=30, help="days to fill, today included"
    )
    run.add_argument(
        "--state",
        dest="root",
        metavar="FOLDER",
        type=Path,
        default=cache_home() / "demo",
        help="the folder of everything the stack writes",
    )
    run.add_argument(
        "--fresh", action="store_true", help="forget what the folder holds first"
    )
    run.add_argument(
        "--free-ports", action="store_true", help="take free ports, not the usual ones"
    )
    run.add_argument(
        "--visit-every",
        type=float,
        default=60,
        help="seconds between visits to the sample app, 0 for none",
    )
    run.add_argument("--seed", type=int, default=7, help="another seed, other days")
    run.add_argument(
        "--overrides",
        type=_overrides,
        default={},
        help="JSON laid over the demo's options of services.soloscope",
    )

    rendering = add(
        "render", ".stack.render:main", "write what each program is told into a folder"
    )
    rendering.add_argument("folder", type=Path, help="where to write")
    rendering.add_argument(
        "--overrides", type=_overrides, default={}, help="JSON laid over the options"
    )

    check = add(
        "check", ".tools.checks:main", "lint and test everything this machine can run"
    )
    check.add_argument(
        "only", nargs="*", help="run only these parts (see --list); all by default"
    )
    check.add_argument(
        "--list", dest="list_only", action="store_true", help="list the parts"
    )

    nixos = add(
        "check-nixos", ".tools.nixos:main", "run the NixOS checks where nspawn-test is"
    )
    nixos.add_argument("only", nargs="*", help="run only these; all by default")

    app = add("app", ".app.server:main", "the sample app alone")
    app.add_argument("--port", type=int, required=True)
    app.add_argument("--redis", required=True, help="its Redis, as a URL")
    app.add_argument("--prefix", default="metrics:", help="of its keys")
    app.add_argument("--zone", type=_zone, default="UTC", help="where its days begin")
    app.add_argument("--truth", type=Path, required=True, help="where it keeps count")
    app.add_argument("--history", type=_days, default=0, help="days to fill")
    app.add_argument("--seed", type=int, default=7)
    app.add_argument("--visit-every", type=float, default=60)
    app.add_argument(
        "--lines-back", type=float, default=7, help="days of history to print"
    )

    bridge = add(
        "bridge", ".app.journal:main", "write what programs print into a journal file"
    )
    bridge.add_argument("--program", required=True, help="systemd-journal-remote")
    bridge.add_argument("--journal", type=Path, required=True, help="the folder")
    bridge.add_argument(
        "--host", default=socket.gethostname(), help="the journal's host name"
    )
    bridge.add_argument(
        "followed", nargs="+", type=_followed, metavar="UNIT=FILE", help="its output"
    )
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command."""
    given = vars(parser().parse_args(argv))
    # Imported when it is known: each command needs little of the others.
    module, _, function = given.pop("work").partition(":")
    work = getattr(import_module(module, __package__), function)
    return int(work(**given))


def entry() -> NoReturn:
    """The console script."""
    run_main(main)


if __name__ == "__main__":
    entry()
