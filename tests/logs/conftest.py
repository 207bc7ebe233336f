"""Fixtures of the tests of the log path."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import ENGINES, Factory, need

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one module share what they start (`--dist loadgroup`)."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.xdist_group(f"logs-{item.path.stem}"))


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
