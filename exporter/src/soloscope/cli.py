"""The command line: `soloscope [--config FILE] COMMAND`.

Only the module of the wanted command is imported, and the configuration is read before
it runs. Errors that soloscope raises on purpose are one line on standard error; only an
unexpected one shows a traceback. Exit codes besides the command's own: 74 when standard
output cannot be written (EX_IOERR of sysexits.h), 130 after Ctrl-C, 141 when its reader
left.
"""

from __future__ import annotations

import argparse
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soloscope.commands import COMMANDS
from soloscope.errors import SoloscopeError
from soloscope.terminal import not_written, prepare_output

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

DEFAULT_CONFIG = "/etc/soloscope/soloscope.json"


class _Version(argparse.Action):
    """Looks up the version only when it is requested."""

    def __init__(self, option_strings: Sequence[str], dest: str, **more: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **more)

    def __call__(self, parser: argparse.ArgumentParser, *rest: object) -> None:
        del rest
        from soloscope import version

        print(f"soloscope {version()}")  # noqa: T201
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """Fails when its help cannot be written; newer Pythons' argparse ignores that."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            (file or sys.stderr).write(message)


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS)) + 2
    listed = "\n".join(f"  {name:{width}}{says}" for name, says in COMMANDS.items())
    parser = _Parser(
        prog="soloscope",
        description="Observability for one host and one developer.",
        epilog=f"commands:\n{listed}\n\nsoloscope COMMAND --help says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=DEFAULT_CONFIG,
        help="the configuration (default: %(default)s)",
    )
    parser.add_argument("--version", action=_Version, help="print the version")
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS)
    rest = parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    rest.required = False  # otherwise argparse lists it when COMMAND is missing
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    prepare_output()
    quiet = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        try:
            code = _run(argv)
        except SystemExit as ended:  # argparse has printed help, or an error
            code = int(ended.code or 0)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        return not_written(error)
    finally:
        signal.signal(signal.SIGINT, quiet)
    return code


def _run(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    module = import_module("soloscope.commands." + options.command.replace("-", "_"))
    parser = _Parser(prog=f"soloscope {options.command}")
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=options.config,
        help="the configuration (default: %(default)s)",
    )
    module.add_arguments(parser)
    arguments = parser.parse_args(options.rest)
    try:
        from soloscope.config import load

        return int(module.run(load(Path(arguments.config)), arguments))
    except SoloscopeError as error:
        print(f"soloscope: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
