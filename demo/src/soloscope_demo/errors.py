"""`DemoError`, for errors that a user can fix: one clear line, no traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import NoReturn


class DemoError(Exception):
    """The message says what is wrong, where, and what would be right."""


def say(message: str) -> None:
    """One line of progress, on stderr: stdout is for data."""
    print(f"soloscope: {message}", file=sys.stderr, flush=True)


def run_main(main: Callable[[], int]) -> NoReturn:
    """Run a command; a `DemoError` becomes one line and exit code 1.

    SIGTERM and SIGHUP end it like Ctrl-C: with clean-up.
    """

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    try:
        code = main()
    except DemoError as error:
        say(str(error))
        code = 1
    except OSError as error:
        if error.filename is None:
            raise
        say(f"{error.filename}: {error.strerror}")
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
