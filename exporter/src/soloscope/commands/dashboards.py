"""`soloscope dashboards`: write Grafana's dashboards from the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from soloscope.dashboards.registry import files
from soloscope.errors import SoloscopeError

if TYPE_CHECKING:
    import argparse

    from soloscope.config import Config

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Write the dashboards that the configuration gives, one JSON file each. "
        "On a host they are made when it is built."
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="the folder, made when it is missing; other files in it stay",
    )


def run(config: Config, arguments: argparse.Namespace) -> int:
    """Write the files and print their names. Raises SoloscopeError."""
    folder: Path = arguments.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files(config).items():
            (folder / name).write_text(text, encoding="utf-8")
            print(folder / name)
    except OSError as error:
        raise SoloscopeError(f"--output: {folder}: {error.strerror}") from None
    return 0
