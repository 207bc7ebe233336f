"""What the exporter can be extended with, besides the counts in Redis.

An extension is a module with `create(config, readers) -> Extension`, listed here and
imported when `soloscope serve` starts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soloscope.config import Config
    from soloscope.exporter.exposition import Format
    from soloscope.exporter.scraper import Reader
    from soloscope.web.server import Routes

__all__ = ["MODULES", "Extension", "load"]

MODULES: tuple[str, ...] = ("soloscope.checks.web",)


class Extension(Protocol):
    """A part of `soloscope serve` with paths and metrics of its own."""

    def routes(self) -> Routes:
        """The paths that it answers, with absolute paths as keys."""
        ...

    def metrics(self, format: Format) -> str:  # noqa: A002
        """Whole families with HELP and TYPE lines, or nothing. Must not wait."""
        ...

    def start(self) -> None:
        """Begin work in the background; the port is bound by then."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


def load(config: Config, readers: Sequence[Reader]) -> list[Extension]:
    """All extensions, made for `config`; none is started yet."""
    return [import_module(name).create(config, readers) for name in MODULES]
