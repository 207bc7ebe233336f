"""The disk budget's decisions: the retention, and when to block ingestion."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from exporting import complete
from running import Request, free_port, standin
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
    """When a single day is too large, that day stays, and ingestion is blocked."""
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
    """The last day's chunks; on the first day, the hours so far extrapolated."""
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
    """The time in its file name; for other files the modification time."""
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


# --- the command --------------------------------------------------------------------


class Run:
    """`soloscope loki-budget` on a folder of its own, without a shipper."""

    def __init__(self, folder: Path, **budget: object) -> None:
        self.loki, self.state = folder / "loki", folder / "state.json"
        self.overrides, self.metrics = folder / "overrides.json", folder / "b.prom"
        self.shipper = {"port": free_port()}
        self.config = folder / "soloscope.json"
        self.budget = {
            "folder": str(self.loki),
            "overridesFile": str(self.overrides),
            "stateFile": str(self.state),
            "metricsFile": str(self.metrics),
            "maxGib": 10,
            "retention": "30d",
            "floor": "24h",
            "streams": [],
            **budget,
        }
        self.loki.mkdir()

    def __call__(self) -> tuple[int, list[dict[str, Any]], str]:
        """Exit code, events, and standard error."""
        value = {"loki": {"budget": self.budget}, "shipper": self.shipper}
        self.config.write_text(json.dumps(complete(value)))
        argv = [sys.executable, "-m", "soloscope", "--config", str(self.config)]
        done = subprocess.run(
            [*argv, "loki-budget"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        events = [json.loads(line) for line in done.stdout.splitlines()]
        return done.returncode, events, done.stderr


def test_a_run_reads_the_configuration_and_leaves_its_files(tmp_path: Path) -> None:
    streams = [{"selector": '{level="debug"}', "period": "7d", "priority": 1}]
    run = Run(tmp_path, streams=streams)
    (run.loki / "wal").mkdir()
    (run.loki / "wal/0").write_bytes(b"x" * 5000)
    code, events, _ = run()
    assert code == 0
    assert [e["event"] for e in events] == ["shipper_unreachable", "loki_budget"]
    assert events[-1]["budget"] == 10 * 2**30
    assert events[-1]["retention_hours"] == 720
    told = json.loads(run.overrides.read_text())["overrides"]["fake"]
    assert told["retention_period"] == "720h"
    assert told["retention_stream"][0]["period"] == "168h"
    found = {
        (sample.name, sample.labels.get("part", "")): sample.value
        for family in text_string_to_metric_families(run.metrics.read_text())
        for sample in family.samples
    }
    assert found["soloscope_loki_bytes", "wal"] >= 5000
    assert found["soloscope_loki_budget_bytes", ""] == 10 * 2**30
    assert found["soloscope_loki_days_left", ""] == float("inf")
    assert found["soloscope_loki_retention_seconds", ""] == 720 * 3600
    assert found["soloscope_loki_ingestion_blocked", ""] == 0
    # Nothing but what it should leave, readable for Loki and the node exporter.
    left = {p.name for p in tmp_path.iterdir()} - {"loki", "soloscope.json"}
    assert left == {"state.json", "overrides.json", "b.prom"}
    assert all((tmp_path / name).stat().st_mode & 0o044 for name in left)


@pytest.mark.parametrize("spoil", ["missing", "file", "folder"])
def test_a_folder_that_cannot_be_measured_is_an_error(
    spoil: str, tmp_path: Path
) -> None:
    run = Run(tmp_path)
    if spoil == "folder":
        run.overrides.mkdir()
    else:
        run.loki.rmdir()
    if spoil == "file":
        run.loki.write_text("")
    code, events, error = run()
    assert code == 1
    assert len(error.splitlines()) == 1
    assert str(run.overrides if spoil == "folder" else run.loki) in error
    assert "loki_budget" not in {e["event"] for e in events}


@pytest.mark.parametrize("gib", [9e8, 1e-9])
def test_budgets_of_any_size(gib: float, tmp_path: Path) -> None:
    run = Run(tmp_path, maxGib=gib)
    (run.loki / "wal").write_bytes(b"x")
    code, events, error = run()
    assert (code, error) == (0, "")
    assert events[-1]["blocked"] is (gib < 1)


def test_without_a_budget_there_is_nothing_to_keep(tmp_path: Path) -> None:
    path = tmp_path / "soloscope.json"
    path.write_text(json.dumps(complete({})))
    argv = [sys.executable, "-m", "soloscope", "--config", str(path), "loki-budget"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "loki.maxDiskGiB" in done.stderr


GOOD = '"carried":0,"retention":48,"blocked_until":null,"dropped":{}'


@pytest.mark.parametrize(
    "state",
    [
        "",
        "{",
        "[]",
        "null",
        '{"retention":"abc"}',
        '{"at":null}',
        f'{{"at":null,{GOOD}}}',
        f'{{"at":NaN,{GOOD}}}',
        f'{{"at":1e999,{GOOD}}}',
        f'{{"at":"1",{GOOD}}}',
        f'{{"at":{"9" * 400},{GOOD}}}',
        '{"at":1,"carried":0,"retention":48,"blocked_until":"soon","dropped":{}}',
        '{"at":1,"carried":0,"retention":48,"blocked_until":null,"dropped":[1]}',
        '{"at":1,"carried":0,"retention":48,"blocked_until":null,"dropped":{"a":"b"}}',
        "[" * 100_000,
        "\xff",
    ],
)
def test_a_broken_state_counts_as_none_and_is_told_once(
    state: str, tmp_path: Path
) -> None:
    run = Run(tmp_path)
    run.state.write_bytes(state.encode("latin-1"))
    code, events, error = run()
    assert (code, error) == (0, "")
    names = [e["event"] for e in events]
    assert names == ["budget_state_broken", "shipper_unreachable", "loki_budget"]
    assert str(run.state) in events[0]["message"]
    assert events[-1]["retention_hours"] == 720
    code, events, _ = run()
    assert [e["event"] for e in events] == ["shipper_unreachable", "loki_budget"]


def test_what_one_run_leaves_counts_in_the_next(tmp_path: Path) -> None:
    """A clock that went back makes no time negative."""
    run = Run(tmp_path)
    for at, hours in ((time.time() - 5.5 * 3600, 53), (time.time() + 9e9, 49)):
        run.state.write_text(f'{{"at":{at},{GOOD}}}')
        code, events, _ = run()
        assert (code, events[-1]["retention_hours"]) == (0, hours)
        assert events[-1]["event"] == "loki_budget"


def test_lines_that_the_shipper_dropped_are_told_once(tmp_path: Path) -> None:
    name = "logentry_dropped_lines_by_label_total"
    count = 5

    def metrics(_: Request) -> tuple[int, dict[str, str], bytes]:
        text = (
            f'{name}{{label_name="unit",label_value="a \\"b\\".service"}} {count}\n'
            f'{name}_created{{label_value="x"}} 9\n'
            "go_goroutines 8\n"
        )
        return 200, {}, text.encode()

    run = Run(tmp_path)
    with standin(metrics) as server:
        run.shipper = {"port": int(server.url.rpartition(":")[2])}
        for now, more in ((5, 5), (5, None), (12, 7), (3, 3)):
            count = now
            _, events, _ = run()
            dropped = [(e["target"], e["lines"]) for e in events[:-1]]
            assert dropped == ([] if more is None else [('a "b".service', more)])
