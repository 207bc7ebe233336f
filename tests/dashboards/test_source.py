"""The committed files are what the source writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dashboard_files as files
from soloscope_dashboards.__main__ import outdated, written


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "soloscope_dashboards", *arguments],
        cwd=files.FOLDER / "source",
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_committed_files_are_what_the_source_writes() -> None:
    assert outdated(files.FOLDER) == []


def test_nothing_else_lies_there() -> None:
    assert sorted(written()) == files.FILES


def test_the_command_writes_and_checks(tmp_path: Path) -> None:
    missing = run("--check", str(tmp_path))
    assert missing.returncode == 1
    assert "soloscope-overview.json is not what the source writes" in missing.stderr

    assert run(str(tmp_path)).returncode == 0
    assert run("--check", str(tmp_path)).returncode == 0
    for name, text in written().items():
        assert (tmp_path / name).read_text() == text

    (tmp_path / "soloscope-overview.json").write_text("{}")
    assert run("--check", str(tmp_path)).returncode == 1


def test_both_shapes_have_the_same_panels_in_the_same_places() -> None:
    full, light = (files.load(name) for name in reversed(files.FILES))

    def seen(dashboard: dict[str, object]) -> list[object]:
        assert isinstance(dashboard["panels"], list)
        return [
            (panel["id"], panel["title"], panel["gridPos"], panel["type"])
            for panel in dashboard["panels"]
        ]

    assert (full["uid"], full["title"]) == (light["uid"], light["title"])
    assert seen(full) == seen(light)


def test_the_light_shape_asks_nothing_of_prometheus() -> None:
    text = (files.FOLDER / "light/soloscope-overview.json").read_text()
    assert "prometheus" not in text
