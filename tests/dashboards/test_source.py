"""The committed files are what the source writes, and the list says which there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dashboard_files as files
import pytest
from dashboard_lint import exclusions, lint
from soloscope_dashboards.__main__ import outdated
from soloscope_dashboards.grafana import Dashboard, Panel, Query, Row


def run(
    *arguments: str, folder: Path = files.FOLDER
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "soloscope_dashboards", *arguments],
        cwd=folder / "source",
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_committed_files_are_what_the_source_writes() -> None:
    assert outdated(files.FOLDER) == []


def test_nothing_else_lies_there() -> None:
    found = [
        path.relative_to(files.FOLDER).as_posix()
        for pattern in ("*.json", "light/*.json")
        for path in files.FOLDER.glob(pattern)
    ]
    assert sorted(found) == sorted(files.FILES)


def test_the_command_writes_and_checks(tmp_path: Path) -> None:
    missing = run("--check", str(tmp_path))
    assert missing.returncode == 1
    assert "soloscope-overview.json is not what the source writes" in missing.stderr

    assert run(str(tmp_path)).returncode == 0
    assert run("--check", str(tmp_path)).returncode == 0
    for listed in files.LISTED:
        assert (tmp_path / listed.file).read_text() == listed.text()

    (tmp_path / "soloscope-overview.json").write_text("{}")
    assert run("--check", str(tmp_path)).returncode == 1


#: A whole dashboard: one file of the source.
SIGN_UPS = """
from .grafana import Panel, Row
from .shared import app_dashboard


def dashboard(source, uid):
    panel = Panel(
        key="signups",
        kind="stat",
        title="Sign-ups today",
        description="Since the app's midnight (counter `signups`).",
        queries=(source.window("signups", "1d"),),
        no_value="not reported",
    )
    return app_dashboard(source, uid, "soloscope sign-ups", "All.", [Row(4, [panel])])
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the folder dashboards/."""
    copy = tmp_path / "dashboards"
    shutil.copytree(
        files.FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__", "*.json")
    )
    return copy


def enter(checkout: Path, text: str) -> None:
    with (checkout / "dashboards.toml").open("a") as handle:
        handle.write(f"\n{text}\n")


def test_another_dashboard_is_one_file_and_one_entry(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "source/soloscope_dashboards/sign_ups.py").write_text(SIGN_UPS)
    uid = "soloscope-sign-ups"
    enter(checkout, f"[{uid}]\nwith-prometheus = true\nwithout-prometheus = false")
    done = run(folder=checkout)
    assert done.returncode == 0, done.stderr
    written = sorted(path.name for path in checkout.rglob("*.json"))
    assert written == 2 * ["soloscope-overview.json"] + [f"{uid}.json"]
    file = checkout / f"{uid}.json"
    dashboard: dict[str, Any] = json.loads(file.read_text())
    assert dashboard["uid"] == uid
    (panel,) = dashboard["panels"]
    assert panel["gridPos"] == {"x": 0, "y": 0, "w": 24, "h": 4}
    assert [v["name"] for v in dashboard["templating"]["list"]][-1] == "app"
    monkeypatch.setattr("dashboard_lint.UIDS", {*files.UIDS, uid})
    assert lint(dashboard, exclusions(file)) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[mine]\nwith-prometheus = true", "the uid mine is not soloscope-NAME"),
        ("[soloscope-x]\nwith-prometheus = true", "must set with-prometheus and with"),
        (
            "[soloscope-x]\nwith-prometheus = false\nwithout-prometheus = false",
            "one to true",
        ),
        (
            "[soloscope-x]\nwith-prometheus = true\nwithout-prometheus = true",
            "No module named 'soloscope_dashboards.x'",
        ),
    ],
)
def test_a_faulty_list_is_refused(checkout: Path, text: str, complaint: str) -> None:
    enter(checkout, text)
    done = run(folder=checkout)
    assert done.returncode == 1
    assert complaint in done.stderr.splitlines()[-1]


def panel(key: str) -> Panel:
    return Panel(key, "stat", key, key, (Query("loki", "x"),), "nothing")


def places(*rows: Row) -> dict[int, dict[str, int]]:
    made = Dashboard("soloscope-x", "x", "x", (), (), rows).as_json()
    return {panel["id"]: panel["gridPos"] for panel in made["panels"]}


def test_rows_stand_below_each_other_and_share_the_columns() -> None:
    a, b, c, d = map(panel, "abcd")
    assert places(Row(3, [a, b]), Row(6, [c, d], widths=(16, 8))) == {
        a.id: {"x": 0, "y": 0, "w": 12, "h": 3},
        b.id: {"x": 12, "y": 0, "w": 12, "h": 3},
        c.id: {"x": 0, "y": 3, "w": 16, "h": 6},
        d.id: {"x": 16, "y": 3, "w": 8, "h": 6},
    }


def test_a_panel_that_moves_keeps_its_id() -> None:
    a, b, c = map(panel, "abc")
    assert set(places(Row(3, [a, b]))) < set(places(Row(3, [c]), Row(3, [b, a])))


def test_what_is_no_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="a, b, c, d, e: 5 panels do not fit"):
        Row(3, [panel(key) for key in "abcde"])
    with pytest.raises(ValueError, match=r"2 panels .* \[20, 5\]"):
        Row(3, [panel("a"), panel("b")], widths=(20, 5))
    with pytest.raises(ValueError, match="the keys `a` and `a` give one panel id"):
        places(Row(3, [panel("a")]), Row(3, [panel("a")]))


def test_the_overview_has_the_same_panels_in_the_same_places_in_both_forms() -> None:
    with_prometheus, without = (
        files.load(listed.file)
        for listed in files.LISTED
        if listed.uid == files.OVERVIEW
    )

    def seen(dashboard: dict[str, Any]) -> list[object]:
        return [
            (panel["id"], panel["title"], panel["gridPos"], panel["type"])
            for panel in dashboard["panels"]
        ]

    assert with_prometheus["title"] == without["title"]
    assert seen(with_prometheus) == seen(without)


def test_without_prometheus_nothing_is_asked_of_it() -> None:
    for dashboard in files.in_form("without-prometheus"):
        assert "prometheus" not in json.dumps(dashboard)


def test_the_readme_names_the_panels_that_every_app_sees() -> None:
    (overview,) = files.in_form("with-prometheus", files.OVERVIEW)
    of_any_app = {
        panel["title"].removesuffix(", 24 h")
        for panel in overview["panels"]
        if not any('name="' in target["expr"] for target in panel["targets"])
    }
    said = (files.TOP / "README.md").read_text().split("What you see:")[1]
    named = re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", said.split("**The other")[0])
    assert of_any_app == set(named)
    assert len(named) == 6  # the number that the text says
