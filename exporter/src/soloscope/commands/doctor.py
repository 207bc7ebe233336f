"""`soloscope doctor`: what is wrong, one line each, with the fix."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from soloscope.config import App, Config
from soloscope.doctor import backends, machine, rights
from soloscope.doctor.finding import Finding
from soloscope.secret import Secret

__all__ = ["add_arguments", "examine", "run"]

_MARKS = {"wrong": ("✗", "red"), "note": ("•", "yellow"), "unseen": ("?", "cyan")}
_PLAIN = {"wrong": "WRONG", "note": "note", "unseen": "unseen"}
_ORDER = ("wrong", "unseen", "note")


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
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="how long each app's Redis may be searched (default: %(default)g)",
    )
    parser.add_argument(
        "--redis-password-file",
        metavar="FILE",
        help="a file with the Redis password, when the configured one is a credential "
        "of the service",
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise ValueError(text)
    return value


def examine(
    config: Config, budget: float, password: str | None = None
) -> Iterator[Finding]:
    """All findings, in the order in which they are found."""
    hidden: dict[str, App] = {}
    for app in config.apps.values():
        if app.redis is None:
            continue
        shown = app
        if password is not None:
            file = Secret(file=str(Path(password).absolute()))
            shown = replace(app, redis=replace(app.redis, password=file))
        elif app.redis.password is not None and not app.redis.password.in_reach():
            # What is looked at here needs no second opinion from `serve`.
            hidden[app.name] = app
        yield from rights.look(shown, config.exporter.history, budget)
    yield from backends.serve(config, hidden)
    yield from backends.loki(config)
    yield from backends.prometheus(config)
    yield from machine.units(config)
    yield from machine.clock()


def run(config: Config, args: argparse.Namespace) -> int:
    """0 when nothing is wrong; notes and what was not seen do not count."""
    found = list(examine(config, args.budget, args.redis_password_file))
    found.sort(key=lambda finding: (_ORDER.index(finding.level), finding.app))
    wrong = sum(finding.level == "wrong" for finding in found)
    if args.json:
        value = {"wrong": wrong, "findings": [asdict(finding) for finding in found]}
        print(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        _print(found, wrong)
    return 1 if wrong else 0


def _print(found: list[Finding], wrong: int) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    plain = not (console.encoding or "").lower().startswith("utf")
    arrow = "->" if plain else "→"
    for finding in found:
        mark, style = _MARKS[finding.level]
        line = Text(_PLAIN[finding.level] if plain else mark, style)
        where = f" {finding.app}:" if finding.app else ""
        line.append(f"{where} {finding.what} ", "default")
        line.append(f"{arrow} {finding.fix}", "dim")
        console.print(line)
    if wrong:
        things = "1 thing is" if wrong == 1 else f"{wrong} things are"
        console.print(Text(f"{things} wrong", "bold red"))
    else:
        console.print(Text("Nothing is wrong", "bold green"))
