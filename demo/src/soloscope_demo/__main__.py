"""`soloscope-demo`: run the stack, render its configuration, check the checkout."""

from __future__ import annotations

import argparse
import json
import socket
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from zoneinfo import ZoneInfo

from .app.plan import days
from .errors import run_main
from .tools.cache import cache_home

T = TypeVar("T")


def _read(what: str, read: Callable[[str], T]) -> Callable[[str], T]:
    """An argument type with an error message that names the expected value."""

    def convert(text: str) -> T:
        try:
            return read(text)
        except (OSError, ValueError, TypeError) as error:
            raise argparse.ArgumentTypeError(f"not {what}: {error}") from error

    return convert


def _followed(text: str) -> tuple[str, Path]:
    unit, path = text.split("=", 1)
    return unit, Path(path)


DAYS = _read("a number of days", days)
OPTIONS = _read("a JSON object", lambda text: dict(json.loads(text)))
FOLLOWED = _read("UNIT=FILE", _followed)
ZONE = _read("a time zone", ZoneInfo)


#: Marks a required argument.
NEEDED = argparse.SUPPRESS

Argument = tuple[str, Any, Any, str]
_OVERRIDES: Argument = ("--overrides", OPTIONS, {}, "JSON laid over the options")
_ONLY: Argument = ("only", str, (), "only these; all by default")

#: Command -> its function, what it does, its arguments: name, type, default, help.
COMMANDS: dict[str, tuple[str, str, tuple[Argument, ...]]] = {
    "run": (
        ".stack.run:run",
        "start the whole stack and prove the path",
        (
            ("--once", bool, False, "prove the path, then stop"),
            ("--history", DAYS, 30, "days to fill, today included"),
            ("--metrics-history", float, 24, "hours of the app's own metrics to fill"),
            ("--state", Path, cache_home() / "demo", "the folder of all it writes"),
            ("--fresh", bool, False, "forget what the folder holds first"),
            ("--free-ports", bool, False, "take free ports, not the usual ones"),
            ("--visit-every", float, 60, "seconds between visits, 0 for none"),
            ("--seed", int, 7, "another seed, other days"),
            ("--defect", str, "", "a fault for the validator of that name to find"),
            _OVERRIDES,
        ),
    ),
    "render": (
        ".stack.render:main",
        "write the configuration of each program into a folder",
        (("folder", Path, NEEDED, "where to write"), _OVERRIDES),
    ),
    "dashboards": (
        ".stack.render:committed",
        "write the dashboards that the repository holds",
        (),
    ),
    "commands": (
        ".tools.reference:main",
        "write docs/commands.md",
        (),
    ),
    "check": (
        ".tools.checks:main",
        "lint and test everything this machine can run",
        (_ONLY, ("--list", bool, False, "list the parts")),
    ),
    "check-nixos": (
        ".tools.nixos:main",
        "run the NixOS checks where nspawn-test is",
        (_ONLY,),
    ),
    "app": (
        ".app.server:main",
        "the sample app alone",
        (
            ("--port", int, NEEDED, "where it listens"),
            ("--redis", str, NEEDED, "its Redis, as a URL"),
            ("--prefix", str, "metrics:", "of its keys"),
            ("--zone", ZONE, "UTC", "the time zone of its days"),
            ("--truth", Path, NEEDED, "where it keeps count"),
            ("--history", DAYS, 0, "days to fill"),
            ("--seed", int, 7, "of what happens"),
            ("--visit-every", float, 60, "seconds between visits, 0 for none"),
            ("--lines-back", float, 7, "days of history to print"),
            ("--since", float, 0, "POSIX seconds from which its own metrics count"),
        ),
    ),
    "bridge": (
        ".app.journal:main",
        "write what programs print into a journal file",
        (
            ("--program", str, NEEDED, "systemd-journal-remote"),
            ("--journal", Path, NEEDED, "the folder"),
            ("--host", str, socket.gethostname(), "the journal's host name"),
            ("followed", FOLLOWED, (), "a unit and the file of its output"),
        ),
    ),
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="soloscope-demo", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for name, (work, text, arguments) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=text,
            description=text,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        command.set_defaults(work=work)
        for argument, kind, default, about in arguments:
            more: dict[str, Any] = {"type": kind}
            if kind is bool:
                more = {"action": "store_true"}
            elif argument.startswith("--"):
                more |= {"default": default, "required": default is NEEDED}
            elif default is not NEEDED:
                more["nargs"] = "*"
            command.add_argument(argument, help=about, **more)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command."""
    given = vars(parser().parse_args(argv))
    # Imported only for this command: commands share few imports.
    module, _, function = given.pop("work").partition(":")
    work = getattr(import_module(module, __package__), function)
    return int(work(**given))


def entry() -> NoReturn:
    """The console script."""
    run_main(main)


if __name__ == "__main__":
    entry()
