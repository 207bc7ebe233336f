"""The disk budget's decisions: how long to keep, when to stop taking lines."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from soloscope.config import Stream
from soloscope.loki_budget.budget import (
    Decision,
    Limits,
    Usage,
    decide,
    measure,
    overrides,
)

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
LIMITS = Limits(budget=1000, retention=720, floor=24)


def days(*sizes: int) -> list[tuple[float, int]]:
    """Chunks of so many bytes, the first one a day old."""
    return [(24.0 * (day + 1), size) for day, size in enumerate(sizes)]


def test_what_fits_is_kept_as_declared() -> None:
    """Far below the budget nothing is shortened."""
    usage = Usage({"chunks": 300}, days(100, 100, 100))
    assert decide(usage, LIMITS, None, 0, NOW) == Decision(720, None)


def test_the_oldest_go_first() -> None:
    """850 of 1,000 bytes may be used: eight days of 100, and the ninth goes."""
    usage = Usage({"chunks": 900}, days(*[100] * 9))
    assert decide(usage, LIMITS, None, 0, NOW).retention == 9 * 24
    usage = Usage({"chunks": 900, "wal": 90}, days(*[100] * 9))
    assert decide(usage, LIMITS, None, 0, NOW).retention == 8 * 24


def test_never_below_the_floor() -> None:
    """When a single day is too much, that day stays, and nothing is taken."""
    usage = Usage({"chunks": 5000}, [(1.0, 5000)])
    decision = decide(usage, LIMITS, None, 0, NOW)
    assert decision.retention == 24
    assert decision.blocked_until == NOW + timedelta(minutes=15)


def test_up_again_by_an_hour_an_hour() -> None:
    """A longer retention is tried slowly."""
    usage = Usage({"chunks": 100}, days(100))
    before = Decision(48, None)
    assert decide(usage, LIMITS, before, 5.2, NOW).retention == 53
    assert decide(usage, LIMITS, before, 0.1, NOW).retention == 49
    assert decide(usage, LIMITS, Decision(719, None), 99, NOW).retention == 720


def test_blocking_ends_below_where_it_began() -> None:
    """Blocked at 100 %, free again under 95 %."""
    blocked = Decision(24, NOW)
    for total, taken in ((1000, False), (960, False), (940, True)):
        usage = Usage({"chunks": total}, [(1.0, total)])
        assert (decide(usage, LIMITS, blocked, 1, NOW).blocked_until is None) is taken
    usage = Usage({"chunks": 960}, [(1.0, 960)])
    assert decide(usage, LIMITS, Decision(24, None), 1, NOW).blocked_until is None


@given(
    st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 500)), max_size=40),
    st.integers(1, 720),
)
def test_what_is_kept_fits_or_is_the_floor(
    ages: list[tuple[float, int]], before: int
) -> None:
    """Whatever is there: within the bounds, and the kept chunks fit the target."""
    usage = Usage({"chunks": sum(size for _, size in ages)}, ages)
    decision = decide(usage, LIMITS, Decision(before, None), 0, NOW)
    assert LIMITS.floor <= decision.retention <= LIMITS.retention
    kept = sum(size for age, size in ages if age < decision.retention)
    assert kept <= 850 or decision.retention == LIMITS.floor


def test_bytes_per_day() -> None:
    """The last day's chunks; on the first day what the hours so far come to."""
    assert Usage({}, [(1.0, 100), (23.0, 100), (30.0, 700)]).bytes_per_day == 200
    assert Usage({}, [(1.0, 100), (6.0, 100)]).bytes_per_day == 800
    assert Usage({}, []).bytes_per_day == 0


def test_no_stream_outlives_the_rest() -> None:
    """A stream's own retention is shortened with the common one."""
    streams = [Stream('{level="debug"}', 7 * 86400.0, 1)]
    told = overrides(Decision(48, NOW), streams)["overrides"]["fake"]
    assert told == {
        "retention_period": "48h",
        "retention_stream": [
            {"selector": '{level="debug"}', "period": "48h", "priority": 1}
        ],
        "block_ingestion_until": "2026-11-22T08:00:00Z",
        "block_ingestion_status_code": 429,
    }
    assert overrides(Decision(48, None), []) == {
        "overrides": {"fake": {"retention_period": "48h"}}
    }


def test_a_chunk_is_as_old_as_its_last_line(tmp_path: Path) -> None:
    """The name of its file says so; of others the file's own time counts."""
    now = NOW.timestamp()
    chunks = tmp_path / "chunks/fake/1"
    (chunks / "x").parent.mkdir(parents=True)
    (tmp_path / "chunks/index").mkdir()
    newest = int((now - 3600 * 50) * 1000)
    name = base64.b64encode(f"{newest - 5:x}:{newest:x}:51ad6079".encode()).decode()
    (chunks / name).write_bytes(b"x" * 5000)
    (chunks / "other").write_bytes(b"x" * 5000)
    os.utime(chunks / "other", (now - 3600, now - 3600))
    (tmp_path / "chunks/index/tsdb").write_bytes(b"x" * 100)
    (tmp_path / "wal").mkdir()
    (tmp_path / "wal/0").write_bytes(b"x" * 100)
    usage = measure(tmp_path, now)
    assert sorted(round(age) for age, _ in usage.ages) == [1, 50]
    assert usage.parts["index"] >= 100
    assert usage.parts["wal"] >= 100
    assert measure(tmp_path / "none", now).total == 0
