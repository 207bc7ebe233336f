"""The real programs read every query."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import dashboard_files as files
import pytest
from dashboard_lint import queries


def notes(kind: str, *names: str) -> list[tuple[str, str]]:
    """The annotations of these files (or of all), by their data source: name, query."""
    return [
        (note["name"], note["expr"])
        for name in names or files.FILES
        for note in files.load(name)["annotations"]["list"]
        if note["datasource"]["type"] == kind
    ]


def test_promtool_reads_every_promql_query(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    found = [
        files.filled(expr)
        for name in files.FILES
        for _, _, expr in queries(files.load(name), "prometheus")
    ]
    found += [files.filled(expr) for _, expr in notes("prometheus")]
    assert found
    rules = tmp_path / "queries.yml"
    records = [
        {"record": f"query:{index}", "expr": expr} for index, expr in enumerate(found)
    ]
    rules.write_text(json.dumps({"groups": [{"name": "queries", "rules": records}]}))
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(rules)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(found)} rules found" in done.stdout


@pytest.mark.parametrize("name", files.FILES)
def test_loki_reads_every_logql_query(name: str, program: Callable[[str], str]) -> None:
    found = [
        (panel["title"], files.filled(expr))
        for panel, _, expr in queries(files.load(name), "loki")
    ]
    found += [(title, files.filled(expr)) for title, expr in notes("loki", name)]
    for title, expr in found:
        done = subprocess.run(
            [program("logcli"), "fmt"],
            input=expr,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{title}: {expr}\n{done.stderr}"
