"""`soloscope check-config`: read the configuration and report what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from soloscope.config import Config

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""
    parser.description = "Read the configuration file and list all that is wrong in it."


def run(config: Config, args: argparse.Namespace) -> int:
    """Print that the file is valid; an invalid one raises an error before."""
    del args
    apps = ", ".join(config.apps) or "none"
    print(f"The configuration is good. Apps: {apps}")
    return 0
