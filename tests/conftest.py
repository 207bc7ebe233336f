"""What tests of more than one part share: the live stack, and programs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from soloscope_demo.stack import Options, Stack, render, running
from soloscope_demo.tools import programs


def pytest_configure(config: pytest.Config) -> None:
    """Known with and without pytest-xdist."""
    config.addinivalue_line("markers", "xdist_group(name): tests of one worker")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole stack with the sample app and its history, on free ports.

    It visits nothing by itself: what is counted beside the plan is a test's doing.
    """
    options = Options(
        root=tmp_path_factory.mktemp("stack"),
        free_ports=True,
        visit_every=0,
        scrape_interval="1s",
    )
    with running(options) as started:
        yield started


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Where a real program is; it is got into the cache when it is missing."""

    def find(name: str) -> str:
        return str(programs.ensure([name])[name])

    return find


@pytest.fixture
def rendered(
    tmp_path: Path, program: Callable[[str], str]
) -> Callable[..., tuple[Path, dict[str, Any]]]:
    """Render the configuration with overrides; the folder and the files."""

    def write(**overrides: object) -> tuple[Path, dict[str, Any]]:
        program("nix-instantiate")
        folder = tmp_path / "rendered"
        return folder, render.render(folder, json.loads(json.dumps(overrides)))

    return write


@pytest.fixture
def accepted() -> Callable[..., str]:
    """Run a program that checks a file; fail with its words when it refuses."""

    def check(*argv: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{' '.join(argv)}\n{said}"
        return said

    return check
