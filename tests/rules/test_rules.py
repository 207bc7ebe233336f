"""The recording rules do what their tests say; rules are changed and added by name.

`recording.yml` is a file of promtool's; test_alerts.py is about the alerts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import promtool
import pytest
import yaml

Rendered = Callable[..., tuple[Path, dict[str, Any]]]
Program = Callable[[str], str]

RECORDING = yaml.safe_load(Path(__file__).with_name("recording.yml").read_text())

#: What the demo does not declare, so that every recording rule is there.
DECLARED = {
    "apps": {"languagebuddy": {"objectives": {"latency": {"seconds": 1}}}},
}

#: A rule as a user adds one.
OWN = {
    "expr": "app:http_request_errors:ratio_rate5m > 0.05",
    "for": "2m",
    "severity": "critical",
    "summary": "{{ $labels.app }} fails",
}


def about(test: dict[str, Any], records: set[str]) -> bool:
    """Whether a test of promtool's asks for one of these recorded series."""
    asked = " ".join(case["expr"] for case in test["promql_expr_test"])
    return any(record in asked for record in records)


def test_each_recording_rule_does_what_its_tests_say(
    rendered: Rendered, program: Program, tmp_path: Path
) -> None:
    """And without the rule a test fails; only those that need it are run."""
    _, files = rendered(**DECLARED)
    groups = files["rules/soloscope.yml"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) >= 30
    interval = RECORDING["evaluation_interval"]
    cases = [(test, interval) for test in RECORDING["tests"]]
    (whole,) = promtool.write(tmp_path / "whole", rules, cases)
    missing: dict[str, Path] = {}
    for i, rule in enumerate(rules):
        # What is recorded from it is missing as well.
        records = {rule["record"]}
        while more := {
            other["record"]
            for other in rules
            if other["record"] not in records
            and any(record in other["expr"] for record in records)
        }:
            records |= more
        tests = [(test, at) for test, at in cases if about(test, records)]
        assert tests, f"no test asks for {rule['record']}"
        asked = json.dumps(tests)
        others = [other for other in promtool.needed(asked, rules) if other is not rule]
        (missing[rule["record"]],) = promtool.write(tmp_path / str(i), others, tests)
    said = promtool.outcomes(program("promtool"), [whole, *missing.values()])
    if said[whole]:
        pytest.fail(said[whole])
    assert [record for record, file in missing.items() if not said[file]] == []


def test_a_rule_of_ones_own_is_rendered(rendered: Rendered) -> None:
    """With the link to a dashboard, and without a runbook of soloscope's."""
    _, files = rendered(alerts={"rules": {"Fails": OWN}})
    rules = files["rules/critical.yml"]["groups"][0]["rules"]
    (own,) = [rule for rule in rules if rule["alert"] == "Fails"]
    assert own["expr"] == OWN["expr"]
    assert own["for"] == "2m"
    assert own["labels"] == {"severity": "critical"}
    assert own["annotations"]["summary"] == "{{ $labels.app }} fails"
    assert "/d/soloscope-overview?" in own["annotations"]["dashboard"]
    assert set(own["annotations"]) == {"summary", "dashboard"}


@pytest.mark.parametrize(
    ("change", "file", "expected"),
    [
        ({"CriticalError": {"threshold": 2}}, "loki/rules/fake/critical.yaml", "> 2"),
        ({"ErrorSpike": {"threshold": 7.5}}, "loki/rules/fake/warning.yaml", "> 7.5 *"),
        ({"ErrorSpike": {"for": "9m"}}, "loki/rules/fake/warning.yaml", '"for": "9m"'),
        ({"DiskFull": {"threshold": 0.9}}, "rules/critical.yml", "limit is 90 % for"),
        ({"DiskFull": {"for": "7m"}}, "rules/critical.yml", "95 % for 7 minutes."),
        ({"DiskFull": {"severity": "info"}}, "rules/info.yml", '"DiskFull"'),
        ({"DiskFull": {"summary": "Full"}}, "rules/critical.yml", '"summary": "Full"'),
        ({"DiskFull": {"interval": "3m"}}, "rules/critical.yml", '"interval": "3m"'),
        ({"DiskFull": {"dashboard": "mine"}}, "rules/critical.yml", "/d/mine?"),
    ],
)
def test_a_rule_is_changed_by_its_name(
    rendered: Rendered, change: dict[str, Any], file: str, expected: str
) -> None:
    _, before = rendered()
    assert expected not in json.dumps(before[file])
    _, files = rendered(alerts={"rules": change})
    assert expected in json.dumps(files[file])


def test_a_rule_is_switched_off_by_its_name(rendered: Rendered) -> None:
    _, files = rendered(alerts={"rules": {"CriticalError": {"enable": False}}})
    assert "loki/rules/fake/critical.yaml" not in files


def test_runbooks_and_grafana_may_be_elsewhere(rendered: Rendered) -> None:
    _, files = rendered(alerts={"runbooks": "https://wiki/r"}, domain="g.example.org")
    (rule, *_) = files["rules/info.yml"]["groups"][0]["rules"]
    annotations = rule["annotations"]
    assert annotations["runbook_url"] == f"https://wiki/r/{rule['alert']}.md"
    assert annotations["dashboard"].startswith("https://g.example.org/d/soloscope-")


def test_without_grafana_no_alert_links_to_it(rendered: Rendered) -> None:
    _, files = rendered(grafana={"enable": False})
    assert '"dashboard"' not in json.dumps(files["rules/warning.yml"])
