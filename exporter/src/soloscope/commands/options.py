"""Options that several commands have."""

from __future__ import annotations

import argparse
import getpass
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from soloscope.config import App, Config, duration
from soloscope.errors import SoloscopeError
from soloscope.secret import Secret

__all__ = [
    "add_redis_password_file",
    "add_since",
    "app_of",
    "invoker",
    "one_app",
    "seconds",
    "text",
    "with_password",
]

MOST = 500
"""Characters of what a person says in an argument."""


def seconds(low: float, high: float) -> Callable[[str], float]:
    """An argparse type: a number of seconds from `low` to `high`."""

    def read(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be from {low:g} to {high:g}")
        return value

    read.__name__ = "number"  # argparse names it
    return read


def text(given: str) -> str:
    """An argparse type: words of a person, on one line."""
    words = " ".join(given.split())
    if not words or len(words) > MOST:
        raise argparse.ArgumentTypeError(f"must have 1 to {MOST} characters")
    try:
        words.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("must be UTF-8 text") from None
    return words


def invoker() -> str:
    """Who runs the command: the user before sudo."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def app_of(config: Config, name: str) -> App:
    """The app that an option names. Raises SoloscopeError."""
    if name not in config.apps:
        known = ", ".join(config.apps) or "none"
        raise SoloscopeError(f"no app `{name}`; declared: {known}")
    return config.apps[name]


def one_app(config: Config, name: str | None) -> App:
    """The app that an option names, or the only one. Raises SoloscopeError."""
    if name is not None or len(config.apps) == 1:
        return app_of(config, name or next(iter(config.apps)))
    known = ", ".join(config.apps) or "none"
    raise SoloscopeError(f"choose an app with --app; declared: {known}")


def add_since(parser: argparse.ArgumentParser, default: str) -> None:
    """Declare --since: `args.since` is a duration as LogQL writes it."""
    parser.add_argument(
        "--since",
        type=_span,
        default=default,
        metavar="SPAN",
        help="how far back (default: %(default)s)",
    )


def _span(text: str) -> str:
    if duration(text) is None:
        raise argparse.ArgumentTypeError("must be a duration such as 30m, 24h or 7d")
    return text


def add_redis_password_file(parser: argparse.ArgumentParser) -> None:
    """Declare the option of that name."""
    parser.add_argument(
        "--redis-password-file",
        metavar="FILE",
        help="a file with the Redis password, when the configured one is a credential "
        "of the service",
    )


def with_password(config: Config, file: str | None) -> Config:
    """The configuration with the password of each Redis in `file`, if one is given."""
    if file is None:
        return config
    secret = Secret(file=str(Path(file).absolute()))
    apps = {
        name: replace(app, redis=replace(app.redis, password=secret))
        if app.redis is not None
        else app
        for name, app in config.apps.items()
    }
    return replace(config, apps=apps)
