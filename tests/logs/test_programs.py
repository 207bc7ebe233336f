"""Lines that real programs print, on which earlier versions were wrong.

corpus/programs.jsonl: `name`, `lines` (or `hex`), for the journal `unit` and
`fields`, for a file its `format`; `{now:FORMAT}` is the time at which the line
is written. `want` has `level`, `meta`, `labels`, `count` (entries, 1 if absent),
`gone` and `stay` (text that must not and must be there), `same` (the entry is
what was printed) and `json` (the entry is valid JSON).
"""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from harness import Entry, Factory

CORPUS = Path(__file__).parent / "corpus/programs.jsonl"
ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()
]

#: Longer than Loki takes: cut with a mark, and not split.
LONG = [
    "Traceback (most recent call last):",
    *(f'  File "/app/deep/module_{n}.py", line {n}, in function' for n in range(5000)),
    "RecursionError: maximum recursion depth exceeded",
]
ROWS.append(
    {"name": "long", "lines": LONG, "want": {"level": "error", "stay": ["…[cut: "]}}
)


def lines_of(row: dict[str, Any], now: dt.datetime) -> list[bytes]:
    """What the row's program prints at `now`."""
    if "hex" in row:
        return [bytes.fromhex(row["hex"])]
    stamped = (
        re.sub(r"\{now:([^}]*)\}", lambda found: now.strftime(found[1]), line)
        for line in row["lines"]
    )
    return [line.encode() for line in stamped]


@pytest.fixture(scope="module")
def shipped(engine: str, paths: Factory) -> list[list[Entry]]:
    """The entries of each row. Each row of a file has a file of its own."""
    folder = paths.folder("programs")
    files = {n: folder / f"{n}.log" for n, row in enumerate(ROWS) if "format" in row}
    sources = {
        f"row-{n}": {"format": ROWS[n]["format"], "paths": [str(file)]}
        for n, file in files.items()
    }
    for file in files.values():
        file.touch()
    path = paths({"logs": {"sources": sources}}, shipper=engine)
    path.start()
    now = dt.datetime.now(dt.UTC)
    spans: dict[int, tuple[int, int]] = {}
    for number, row in enumerate(ROWS):
        # A thousand units do not print in the same instant: lines wait for each other.
        time.sleep(0.003)
        lines = lines_of(row, now)
        if number in files:
            files[number].write_bytes(b"".join(line + b"\n" for line in lines))
            continue
        unit = row.get("unit", f"row-{number}.service")
        given = {"_PID": str(2000 + number), **row.get("fields", {})}
        times = path.journal.say_as(path.journal.fields(unit, **given), *lines)
        spans[number] = (times[0], times[-1])
    path.wait_for('{job=~".+"}', len(ROWS), within=90)
    for number in files:
        path.wait_for(f'{{job="row-{number}"}}', 1, within=30)
    # What was split, or held back, arrives later.
    time.sleep(4)
    found = path.everything('{job=~".+"}')
    printed = [e for e in found if e.labels["job"] not in sources]
    shipped: list[list[Entry]] = []
    for number in range(len(ROWS)):
        if number in files:
            own = [e for e in found if e.labels["job"] == f"row-{number}"]
        else:
            first, last = spans[number]
            own = [e for e in printed if first <= e.time // 1000 <= last]
        shipped.append(own)
    return shipped


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[r["name"] for r in ROWS])
def test_program(shipped: list[list[Entry]], number: int) -> None:
    """The entries of the row are what it wants."""
    row = ROWS[number]
    want = row["want"]
    entries = shipped[number]
    text = "\n".join(entry.line for entry in entries)
    assert len(entries) == want.get("count", 1), text
    assert [piece for piece in want.get("gone", []) if piece in text] == [], text
    assert [piece for piece in want.get("stay", []) if piece not in text] == [], text
    for entry in entries:
        if "level" in want:
            assert entry.labels["level"] == want["level"], text
        for key, value in want.get("meta", {}).items():
            assert entry.metadata.get(key) == value, text
        for key, value in want.get("labels", {}).items():
            assert entry.labels.get(key) == value, text
        if want.get("json"):
            json.loads(entry.line)
    if want.get("same"):
        assert text == "\n".join(row["lines"])
