"""The program: `soloscope`, or `python -m soloscope`."""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command of the command line, and exit with its code."""
    # Ctrl-C while Python loads or ends the program: no output, as in `cli.main`.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    from soloscope.cli import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
