"""What a user can put right ends in a `DemoError`: one clear line, no traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn


class DemoError(Exception):
    """Says what is wrong, where, and what would be right."""


def say(message: str) -> None:
    """One line of progress, on stderr: stdout is for data."""
    print(f"soloscope: {message}", file=sys.stderr, flush=True)


def run_main(main: Callable[[], int]) -> NoReturn:
    """Run a command; a `DemoError` becomes one line and exit code 1."""
    try:
        code = main()
    except DemoError as error:
        say(str(error))
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
