"""What the benchmark shows must be true, however fast the machine is."""

from __future__ import annotations

import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import redis

# `bench` is no part of the package: it stands beside it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bench

from running import program, standin


def test_the_rows_are_as_large_as_the_page_says() -> None:
    counters, breakdowns = bench.Data().keys(1)
    assert (len(counters), len(breakdowns)) == (50, 20)
    assert len(counters) + len(breakdowns) * bench.Data().parts == 450
    assert sum(map(len, bench.MONTH.keys(30))) == 2100
    assert sum(map(len, bench.CASES["10 times the names"][0].keys(1))) == 700
    assert sum(map(len, bench.CASES["20 apps"][0].keys(1))) == 1400


@pytest.mark.parametrize("apps", [1, 2])
def test_between_scrapes_every_key_of_today_is_changed(
    db: redis.Redis, apps: int
) -> None:
    data = bench.Data(3, 2, parts=4, days=2, apps=apps, foreign=7)
    data.fill(db)
    everything = [key for keys in data.keys(2) for key in keys]
    assert len(everything) == apps * 10
    assert db.dbsize() == apps * 10 + 7

    def values() -> dict[str, Any]:
        return {k: db.hgetall(k) if ":by_" in k else db.get(k) for k in everything}

    before = values()
    data.touch(db)
    after = values()
    changed = {key for key in everything if before[key] != after[key]}
    assert changed == {key for keys in data.keys(1) for key in keys}


@pytest.mark.parametrize("status", [200, 503])
def test_what_an_exporter_does_not_show_is_not_measured(status: int) -> None:
    body = b'# TYPE a gauge\na{app="x"} 1\na{app="y"} 2\nab{app="x"} 3\n'
    with standin(lambda _: (status, {}, body)) as server:
        port = int(server.url.rpartition(":")[2])
        one = bench.Exporter(0, HTTPConnection("127.0.0.1", port, timeout=10))
        try:
            if status == 200:
                one.check({"a": 2})
                with pytest.raises(ValueError, match="2 lines of a instead of 3"):
                    one.check({"a": 3})
            else:
                with pytest.raises(ValueError, match="answered 503"):
                    one.check({"a": 2})
        finally:
            one.connection.close()


@pytest.mark.parametrize(("more", "met"), [(0.0, "yes"), (0.01, "**no**")])
def test_a_bound_is_met_up_to_its_number(more: float, met: str) -> None:
    def row(ratio: float) -> list[float]:
        return [1, 1 / 0.24 + more, 0.1, 45 + more, 1, 1, 0.1, 20, ratio + more]

    rows = dict(zip(bench.CASES, map(row, [0.5] * len(bench.CASES)), strict=True))
    rows |= {"30 days": row(0.25), "a million foreign keys": row(0.01)}
    text = bench.tables(rows, [400 + more, 30])
    bounds = text.partition("## Scrapes")[0].splitlines()[4:11]
    assert [line.split(" | ")[-1] for line in bounds] == [f"{met} |"] * 7


def test_a_short_run_fills_every_row(tmp_path: Path) -> None:
    for name in ("nix-instantiate", "redis_exporter", "redis-server"):
        program(name)
    page = tmp_path / "benchmarks.md"
    page.write_text("# By hand\n\n## Bounds\n\nof an earlier run\n")
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--page", str(page)],
        cwd=Path(bench.__file__).parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("# By hand\n\n## Bounds\n\n|")
    assert text.partition("## Bounds")[2] in done.stdout
    assert "earlier run" not in text
    tables = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    rows = {row[0].lstrip("| "): row[1:] for row in tables}
    for case in bench.CASES:
        numbers = [float(cell.rstrip(" |")) for cell in rows[case]]
        assert len(numbers) == 9
        assert min(numbers) > 0
    bounds = [row for row in tables if row[-1] in ("yes |", "**no** |")]
    assert len(bounds) == 7
    for fact in ("redis_exporter: 1", "Redis: ", "libraries: ", "load average: "):
        assert f"\n- {fact}" in text
