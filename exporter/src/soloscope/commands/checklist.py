"""`soloscope checklist`: what to look at before and after a deployment.

Markdown with boxes. What a command can find out is run and ticked; the rest, such as
`apps.<name>.validators.<name>.manual`, stays open.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from soloscope.commands.options import (
    add_redis_password_file,
    add_since,
    one_app,
    with_password,
)
from soloscope.errors import BackendUnavailable, SoloscopeError
from soloscope.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soloscope.config import App, Config

__all__ = ["add_arguments", "run"]

Box = tuple[bool | None, str]
"""Ticked, failed, or open; and what it is about."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Print the list of what to look at before and after a deployment. What can "
        "be found out is ticked. Exit code 1 when something of that is wrong."
    )
    parser.add_argument("--app", metavar="NAME", help="needed if there are several")
    add_since(parser, "24h")
    add_redis_password_file(parser)


def run(config: Config, args: argparse.Namespace) -> int:
    """0 when nothing that could be looked at is wrong."""
    config = with_password(config, args.redis_password_file)
    app = one_app(config, args.app)
    wrong = 0
    print(f"# {printable(app.title)}, {time.strftime('%Y-%m-%d %H:%M')}")
    for title, boxes in _parts(config, app, args.since):
        print(f"\n## {printable(title)}\n")
        for ok, text in boxes:
            wrong += ok is False
            mark = "x" if ok else " "
            failed = "**FAILED** " if ok is False else ""
            print(f"- [{mark}] {failed}{printable(text)}", flush=True)
    return 1 if wrong else 0


def _parts(config: Config, app: App, since: str) -> Iterator[tuple[str, Iterator[Box]]]:
    for name in app.validators:
        yield f"Before: {name}", _validator(config, app, name, since)
    yield "After", _after(config, app)


def _validator(config: Config, app: App, name: str, since: str) -> Iterator[Box]:
    from soloscope.validate.checks import examine
    from soloscope.validate.sources import opened

    with opened(config, app, since) as sources:
        for check, verdict in examine(app.validators[name], sources):
            yield verdict.ok, f"{check}: {verdict.evidence}"
    for step in app.validators[name].manual:
        yield None, step


def _after(config: Config, app: App) -> Iterator[Box]:
    yield _health(config)
    if config.alertmanager.enable:
        yield _alerts(config, app)
    yield _errors(config, app)
    yield None, "Look at two or three conversations: soloscope why ID"
    yield None, "Read the report of the next morning"


def _health(config: Config) -> Box:
    from soloscope.checks.collect import collect

    checks = collect(config).document["checks"]
    failed = [
        f"{c['app']} {c['name']}".strip() for c in checks if c["status"] != "healthy"
    ]
    if failed:
        return False, f"health-check: {', '.join(failed)} failed"
    return True, f"health-check: all {len(checks)} checks are well"


def _alerts(config: Config, app: App) -> Box:
    from soloscope.backends.alertmanager import AlertmanagerApi

    try:
        found = [alert.name for alert in AlertmanagerApi.of(config).about(app.name)]
    except BackendUnavailable as error:
        return False, f"alerts: {error}"
    if found:
        return False, f"alerts: {', '.join(found)}"
    return True, "alerts: none of the app fires"


def _errors(config: Config, app: App) -> Box:
    from soloscope.error_groups import today

    try:
        new = [group for group in today(config, app.name) if group.new]
    except SoloscopeError as error:
        return False, f"errors: {error}"
    if new:
        first = f"{new[0].error} {new[0].text}".strip()
        return False, f"errors: {len(new)} new today, first {first}"
    return True, "errors: none is new today"
