"""Fixtures of the tests of the log path."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import LogPath, program

ENGINES = ("promtail", "alloy")


def need(*names: str) -> None:
    """Skip, and say what is not shown, when a program is not on PATH."""
    missing = [name for name in names if program(name) is None]
    if missing:
        pytest.skip(f"not shown: no {', '.join(missing)} on PATH")


class Factory:
    """Makes log paths and stops them all."""

    def __init__(self, base: Path) -> None:
        """Folders are made below `base`."""
        self._base = base
        self._made: list[LogPath] = []

    def __call__(
        self,
        overrides: dict[str, Any] | None = None,
        shipper: str = "promtail",
        **more: Any,
    ) -> LogPath:
        """A log path that is not started yet."""
        need("nix-instantiate", "loki", shipper, "systemd-journal-remote")
        root = self._base / f"path{len(self._made)}"
        root.mkdir()
        made = LogPath(root, shipper, overrides or {}, **more)
        self._made.append(made)
        return made

    def folder(self, name: str) -> Path:
        """A new folder for files that programs write."""
        made = self._base / f"{name}{len(self._made)}"
        made.mkdir()
        return made

    def stop(self) -> None:
        """Stop everything that was started."""
        for made in self._made:
            made.stop()


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    """Makes log paths for one module of tests."""
    factory = Factory(tmp_path_factory.mktemp("logs"))
    try:
        yield factory
    finally:
        factory.stop()


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each of the two log shippers."""
    name = str(request.param)
    need(name)
    return name
