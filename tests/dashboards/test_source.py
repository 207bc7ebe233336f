"""The committed files are what the demo's declaration gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dashboard_files as files
import pytest
from soloscope_demo.stack.render import FORMS, render

from soloscope.dashboards.grafana import Dashboard, Panel, Query, Row


@pytest.mark.parametrize("folder", FORMS)
def test_the_committed_files_are_what_the_demo_declares(
    folder: str, tmp_path: Path, program: Callable[[str], str]
) -> None:
    program("nix-instantiate")
    render(tmp_path, FORMS[folder])
    written = {path.name: path for path in (tmp_path / "dashboards").iterdir()}
    committed = {path.name: path for path in (files.TOP / folder).glob("*.json")}
    assert sorted(written) == sorted(committed)
    old = [n for n in written if written[n].read_text() != committed[n].read_text()]
    assert old == [], "old: run `./justw dashboards`"


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
    with pytest.raises(ValueError, match="9 panels do not fit"):
        Row(3, [panel(key) for key in "abcdefghi"])
    with pytest.raises(ValueError, match=r"2 panels .* \[20, 5\]"):
        Row(3, [panel("a"), panel("b")], widths=(20, 5))
    with pytest.raises(ValueError, match="the keys `a` and `a` give one panel id"):
        places(Row(3, [panel("a")]), Row(3, [panel("a")]))


def test_the_overview_has_the_same_panels_in_both_forms() -> None:
    with_prometheus, without = (
        files.load(listed.file)
        for listed in files.LISTED
        if listed.uid == files.OVERVIEW
    )

    def seen(dashboard: dict[str, Any]) -> list[object]:
        return [
            (panel["id"], panel["title"], panel["type"], panel["gridPos"]["y"])
            for panel in dashboard["panels"]
            # Only Prometheus knows them.
            if panel["title"] != "Open alerts"
        ]

    assert with_prometheus["title"] == without["title"]
    assert seen(with_prometheus) == seen(without)


def test_without_prometheus_nothing_is_asked_of_it() -> None:
    for dashboard in files.in_form("without-prometheus"):
        assert "prometheus" not in json.dumps(dashboard)
