"""`soloscope-demo`: run the stack, render its configuration, check the checkout."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .errors import DemoError, run_main
from .tools.cache import cache_home


def _days(text: str) -> int:
    from .app.server import days

    try:
        return days(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


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
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=text,
            description=text,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )

    run = add("run", "start the whole stack and prove the path")
    run.add_argument("--once", action="store_true", help="prove the path, then stop")
    run.add_argument(
        "--history", type=_days, default=30, help="days to fill, today included"
    )
    run.add_argument(
        "--state",
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

    rendering = add("render", "write what each program is told into a folder")
    rendering.add_argument("folder", type=Path, help="where to write")
    rendering.add_argument(
        "--overrides", type=_overrides, default={}, help="JSON laid over the options"
    )

    check = add("check", "lint and test everything this machine can run")
    check.add_argument(
        "only", nargs="*", help="run only these parts (see --list); all by default"
    )
    check.add_argument("--list", action="store_true", help="list the parts")

    nixos = add("check-nixos", "run the NixOS checks where nspawn-test is")
    nixos.add_argument("only", nargs="*", help="run only these; all by default")

    app = add("app", "the sample app alone")
    app.add_argument("--port", type=int, required=True)
    app.add_argument("--redis", required=True, help="its Redis, as a URL")
    app.add_argument("--prefix", default="metrics:", help="of its keys")
    app.add_argument("--truth", type=Path, required=True, help="where it keeps count")
    app.add_argument("--history", type=_days, default=0, help="days to fill")
    app.add_argument("--seed", type=int, default=7)
    app.add_argument("--visit-every", type=float, default=60)
    app.add_argument(
        "--lines-back", type=float, default=7, help="days of history to print"
    )

    bridge = add("bridge", "write what programs print into a journal file")
    bridge.add_argument("--program", required=True, help="systemd-journal-remote")
    bridge.add_argument("--journal", type=Path, required=True, help="the folder")
    bridge.add_argument("--host", default=None, help="the journal's host name")
    bridge.add_argument("followed", nargs="+", help="UNIT=FILE")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command."""
    arguments = parser().parse_args(argv)
    match arguments.command:
        case "run":
            return _run(arguments)
        case "render":
            return _render(arguments)
        case "check":
            from .tools.checks import main as check

            return check(arguments.only, list_only=arguments.list)
        case "check-nixos":
            from .tools.nixos import main as check_nixos

            return check_nixos(arguments.only)
        case "app":
            return _app(arguments)
        case _:
            return _bridge(arguments)


def _run(arguments: argparse.Namespace) -> int:
    from .stack import Options
    from .stack.run import run

    return run(
        Options(
            root=arguments.state,
            free_ports=arguments.free_ports,
            history=arguments.history,
            visit_every=arguments.visit_every,
            seed=arguments.seed,
            overrides=arguments.overrides,
        ),
        once=arguments.once,
        fresh=arguments.fresh,
    )


def _render(arguments: argparse.Namespace) -> int:
    from .stack.render import render
    from .tools.programs import ensure

    ensure(["nix-instantiate"])
    folder: Path = arguments.folder.absolute()
    for name in sorted(render(folder, arguments.overrides)):
        print(folder / name)
    return 0


def _app(arguments: argparse.Namespace) -> int:
    from .app.server import Settings, serve

    with contextlib.suppress(KeyboardInterrupt):
        serve(
            Settings(
                port=arguments.port,
                redis_url=arguments.redis,
                prefix=arguments.prefix,
                truth_file=arguments.truth,
                history=arguments.history,
                seed=arguments.seed,
                visit_every=arguments.visit_every,
                lines_back=arguments.lines_back,
            )
        )
    return 0


def _bridge(arguments: argparse.Namespace) -> int:
    import socket

    from .app.journal import Bridge, Followed

    followed = []
    for text in arguments.followed:
        unit, found, path = text.partition("=")
        if not found:
            raise DemoError(f"{text!r} is not UNIT=FILE")
        followed.append(Followed(unit, Path(path)))
    host = arguments.host or socket.gethostname()
    return Bridge(arguments.program, arguments.journal, host, followed).run()


def entry() -> NoReturn:
    """The console script."""
    run_main(main)


if __name__ == "__main__":
    entry()
