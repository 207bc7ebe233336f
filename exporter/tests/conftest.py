"""Fixtures: a real Redis for each worker, and a list of what was not shown."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, settings

from exporting import close_stores
from running import redis_server

# A machine shared with other work must not fail a property for being slow.
settings.register_profile(
    "shared", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """No test begins in the last minute of a UTC day: many count on today's key."""
    left = 86400 - time.time() % 86400
    if left < 60:
        time.sleep(left)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """No connection outlives its test."""
    yield
    close_stores()


@pytest.fixture(scope="session")
def redis_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Redis on a unix socket, for all tests of this worker."""
    with redis_server(tmp_path_factory.mktemp("redis")) as socket:
        yield socket


@pytest.fixture
def db(redis_socket: Path) -> Iterator[redis.Redis]:
    """A client of that Redis, which is empty."""
    client = redis.Redis(unix_socket_path=str(redis_socket), protocol=2)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def promtool() -> str:
    """The path of promtool, or a skip that the summary repeats."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("not shown: what promtool says, for it is not on PATH")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Repeat at the end what could not be shown, each reason once."""
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        at = reason.find("not shown: ")
        if at >= 0:
            reasons[reason[at:]] = reasons.get(reason[at:], 0) + 1
    for reason, count in reasons.items():
        tests = "1 test" if count == 1 else f"{count} tests"
        terminalreporter.write_line(f"{reason} ({tests})")
