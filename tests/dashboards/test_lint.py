"""Every rule holds for every dashboard, and every rule can find what it is for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dashboard_files as files
import pytest
from dashboard_lint import RULES, exclusions, lint, panels

Json = dict[str, Any]


@pytest.mark.parametrize("name", files.FILES)
def test_every_dashboard_keeps_the_rules(name: str) -> None:
    assert lint(files.load(name), exclusions(files.FOLDER / name)) == []


@pytest.mark.parametrize("name", files.FILES)
def test_what_is_left_out_has_a_reason(name: str) -> None:
    left_out = exclusions(files.FOLDER / name)
    assert set(left_out) <= set(RULES)
    folder = (files.FOLDER / name).parent
    known = {
        (dashboard["title"], panel["title"])
        for dashboard in map(files.load, files.FILES)
        if (folder / f"{dashboard['uid']}.json").exists()
        for panel in panels(dashboard)
    }
    for excluded in left_out.values():
        assert len(excluded["reason"]) > 20
        for entry in excluded.get("entries", []):
            assert (entry["dashboard"], entry["panel"]) in known


def panel(dashboard: Json, title: str) -> Json:
    return next(p for p in dashboard["panels"] if p["title"] == title)


def ask(title: str, expr: str) -> Callable[[Json], None]:
    def change(dashboard: Json) -> None:
        panel(dashboard, title)["targets"][0]["expr"] = expr

    return change


def defaults(title: str, key: str, value: object) -> Callable[[Json], None]:
    def change(dashboard: Json) -> None:
        panel(dashboard, title)["fieldConfig"]["defaults"][key] = value

    return change


def query_variable(query: str, refresh: int) -> Callable[[Json], None]:
    def change(dashboard: Json) -> None:
        source = panel(dashboard, "Total users")["datasource"]
        made = {"name": "x", "type": "query", "refresh": refresh, "datasource": source}
        dashboard["templating"]["list"].append({**made, "query": {"query": query}})

    return change


def variable(name: str, key: str, value: object) -> Callable[[Json], None]:
    def change(dashboard: Json) -> None:
        found = dashboard["templating"]["list"]
        next(v for v in found if v["name"] == name)[key] = value

    return change


BREAKS: list[tuple[str, Callable[[Json], None]]] = [
    ("template-datasource-rule", variable("prometheus_datasource", "name", "ds")),
    ("template-datasource-rule", variable("loki_datasource", "label", "Logs")),
    ("template-job-rule", lambda d: None),
    ("template-instance-rule", lambda d: None),
    ("target-job-rule", lambda d: None),
    ("target-instance-rule", lambda d: None),
    (
        "template-label-promql-rule",
        query_variable("label_values(soloscope_up{, app)", 2),
    ),
    (
        "template-on-time-change-reload-rule",
        query_variable("label_values(soloscope_up, app)", 1),
    ),
    (
        "panel-datasource-rule",
        lambda d: panel(d, "Total users").update(datasource={"uid": "prometheus"}),
    ),
    (
        "panel-title-description-rule",
        lambda d: panel(d, "Total users").update(description=" "),
    ),
    ("panel-units-rule", defaults("Total users", "unit", "parsecs")),
    ("panel-units-rule", defaults("Total users", "unit", None)),
    ("panel-no-targets-rule", lambda d: panel(d, "Total users").update(targets=[])),
    ("target-logql-rule", ask("Activity stream", "|= `x`")),
    (
        "target-logql-auto-rule",
        ask("Activity stream", 'sum by (app) (rate({app="$app"} [5m]))'),
    ),
    ("target-promql-rule", ask("Total users", "sum(soloscope_up")),
    ("target-rate-interval-rule", ask("Total users", "rate(x_total[5m])")),
    ("target-counter-agg-rule", ask("Total users", "sum by (app) (x_total)")),
    ("uneditable-dashboard", lambda d: d.update(editable=True)),
    ("grid-rule", lambda d: panel(d, "Total users")["gridPos"].update(w=5)),
    ("grid-rule", lambda d: panel(d, "soloscope")["gridPos"].update(w=5)),
    ("identity-rule", lambda d: d.update(uid="overview")),
    ("identity-rule", lambda d: d.update(id=7)),
    ("identity-rule", lambda d: d.update(__inputs=[])),
    (
        "identity-rule",
        lambda d: panel(d, "Total users").update(id=panel(d, "soloscope")["id"]),
    ),
    ("no-value-rule", defaults("Activity stream", "noValue", "")),
    ("bars-from-zero-rule", defaults("Conversations per day", "min", None)),
    ("bars-from-zero-rule", defaults("Errors and warnings per hour", "min", 1)),
    ("one-name-rule", ask("Total users", 'sum(soloscope_value{app="$app"})')),
    ("one-name-rule", ask("Total users", "sum(soloscope_window)")),
    ("one-name-rule", ask("Total users", 'max(soloscope_day{name=~"a|b"})')),
    (
        "grouped-range-rule",
        ask("Errors, 24 h", 'sum(count_over_time({app="$app"} [24h]))'),
    ),
    (
        "grouped-range-rule",
        ask("Errors, 24 h", 'max_over_time({app="$app"} | unwrap x [24h])'),
    ),
]


@pytest.mark.parametrize(("rule", "change"), BREAKS)
def test_a_rule_finds_what_it_is_for(rule: str, change: Callable[[Json], None]) -> None:
    name = "soloscope-overview.json"
    dashboard = files.load(name)
    before = [f for f in lint(dashboard) if f.rule == rule]
    change(dashboard)
    after = [f for f in lint(dashboard) if f.rule == rule]
    assert after
    # A rule that is left out for the whole file is excluded already.
    left_out = exclusions(files.FOLDER / name).get(rule, {"entries": True})
    if "entries" in left_out:
        assert len(after) > len(before)


def test_every_rule_was_broken_once() -> None:
    assert {rule for rule, _ in BREAKS} == set(RULES)


@pytest.mark.parametrize(
    "expr",
    [
        'sum by (level) (count_over_time({app="x"} |= `a)b` [1h]))',
        'last_over_time({app="x"} | json v="v" | unwrap v [20m]) by (day)',
    ],
)
def test_a_grouped_range_is_fine(expr: str) -> None:
    dashboard = files.load("soloscope-overview.json")
    ask("Errors, 24 h", expr)(dashboard)
    assert [f for f in lint(dashboard) if f.rule == "grouped-range-rule"] == []
