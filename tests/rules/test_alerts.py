"""Each of Prometheus' alerts fires when it should, and says what it should.

`alerts/*.yml` has the tests (cases.py says how they are read). Those of Loki's alerts
are in tests/logs/test_ruler.py: promtool knows no LogQL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cases
import promtool
import pytest
import table
from soloscope_demo.stack import render
from soloscope_demo.stack.options import merge

HERE = Path(__file__).parent
RUNBOOKS = HERE.parents[1] / "docs/runbooks"
CASES = cases.read(HERE / "alerts")

#: What the demo does not declare, so that every rule has something to be about.
DECLARED = {
    "apps": {
        "languagebuddy": {
            "objectives": {"latency": {"seconds": 1}},
            "postgres": {"socket": "/run/postgresql"},
            "criticalEvents": {"digest_failed": {}},
        }
    },
    "alerts": {"rules": {name: {"enable": True} for name in CASES}},
}

Rules = dict[str, promtool.Rule]


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory, program: Callable[[str], str]
) -> dict[str, Any]:
    """The rendered files, with every rule."""
    program("nix-instantiate")
    return render.render(tmp_path_factory.mktemp("rendered"), DECLARED)


def rules_of(files: dict[str, Any], folder: str) -> list[promtool.Rule]:
    return [
        rule
        for name, content in files.items()
        if name.startswith(folder)
        for group in content["groups"]
        for rule in group["rules"]
    ]


@pytest.fixture(scope="module")
def alerts(files: dict[str, Any]) -> Rules:
    """Prometheus' alerts, by name."""
    rules = rules_of(files, "rules/")
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


@pytest.fixture(scope="module")
def recording(files: dict[str, Any]) -> list[promtool.Rule]:
    return [rule for rule in rules_of(files, "rules/") if "record" in rule]


def test_each_alert_does_what_its_tests_say(
    alerts: Rules,
    recording: list[promtool.Rule],
    program: Callable[[str], str],
    tmp_path: Path,
) -> None:
    tests = []
    for name, rule in alerts.items():
        rules = [*promtool.needed(rule["expr"], recording), rule]
        tests += promtool.write(tmp_path / name, rules, cases.tests(name, CASES[name]))
    said = promtool.outcomes(program("promtool"), tests)
    if failed := "".join(said.values()):
        pytest.fail(failed)


def test_each_alert_fires_and_is_silent_in_a_test(alerts: Rules) -> None:
    assert sorted(CASES) == sorted(alerts)
    # The watchdog is never silent.
    never = [name for name in CASES if not CASES[name].get("silent")]
    assert never == ["Watchdog"]


@pytest.fixture(scope="module")
def moved(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, Any]
) -> list[tuple[str, str, str]]:
    """Each query with its threshold a fifth smaller or larger: alert, change, query."""
    overrides = json.dumps(DECLARED)
    given = render.nix("tests/rules/rules.nix", overrides=overrides)
    made = []
    for factor in (0.8, 1.2):
        thresholds = {
            name: {"threshold": rule["threshold"] * factor}
            for name, rule in given.items()
            if rule["threshold"] and name in CASES
        }
        changed = merge(DECLARED, {"alerts": {"rules": thresholds}})
        others = render.evaluate(tmp_path_factory.mktemp("moved"), changed)
        for rule in rules_of(others, "rules/"):
            if rule.get("alert") in thresholds:
                change = f"threshold * {factor}"
                made.append((rule["alert"], change, rule["expr"]))
    return made


def nudged(expr: str) -> Iterator[tuple[str, str]]:
    """The query with each number that it compares with a fifth smaller and larger."""
    for found in cases.COMPARED.finditer(expr):
        number = float(found[1])
        for factor in (0.8, 1.2) if number else ():
            start, end = found.span(1)
            to = f"{number * factor:g}"
            yield f"{found[0]} -> {to}", f"{expr[:start]}{to}{expr[end:]}"


def test_moving_a_number_by_a_fifth_breaks_a_test(
    alerts: Rules,
    recording: list[promtool.Rule],
    moved: list[tuple[str, str, str]],
    program: Callable[[str], str],
    tmp_path: Path,
) -> None:
    """The thresholds, and what else a query compares with. The words stay."""
    changes = [
        *moved,
        *(
            (name, change, expr)
            for name, rule in alerts.items()
            for change, expr in nudged(rule["expr"])
        ),
    ]
    assert len(changes) >= 120
    made = []
    for i, (name, change, expr) in enumerate(changes):
        rules = [*promtool.needed(expr, recording), {**alerts[name], "expr": expr}]
        written = promtool.write(
            tmp_path / str(i), rules, cases.tests(name, CASES[name])
        )
        made.append((f"{name}: {change}", written))
    every = [file for _, written in made for file in written]
    said = promtool.outcomes(program("promtool"), every)
    survived = [
        change for change, written in made if not any(said[file] for file in written)
    ]
    if survived:
        pytest.fail("\n".join(survived))


def test_each_alert_has_a_runbook(files: dict[str, Any]) -> None:
    """And no runbook is about an alert that does not exist."""
    every = [*rules_of(files, "rules/"), *rules_of(files, "loki/rules/")]
    named = {}
    for rule in every:
        if "alert" in rule:
            url = rule["annotations"]["runbook_url"]
            assert url.startswith(f"{cases.RUNBOOKS}/")
            named[rule["alert"]] = RUNBOOKS / url.removeprefix(f"{cases.RUNBOOKS}/")
    assert [name for name, path in named.items() if not path.is_file()] == []
    there = set(RUNBOOKS.glob("*.md")) - {table.PAGE}
    assert there == set(named.values())
    for name, path in named.items():
        text = path.read_text()
        assert text.startswith(f"# {name}\n")
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == [
            "What it means",
            "What users feel",
            "How to look",
            "How to mend it",
            "When to change it",
        ], name


def test_the_table_of_alerts_is_of_these_rules(program: Callable[[str], str]) -> None:
    program("nix-instantiate")
    assert table.PAGE.read_text() == table.page(), "./justw runbooks writes it"
