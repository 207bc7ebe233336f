"""Prometheus' rendered rules do what their tests say, and each rule has a test.

Each `*.yml` beside this file is a test of promtool's; it names the rule files as
they are rendered, `rules/NAME.yml`. Loki's rules are tested on the live path
(tests/logs/test_loki.py).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

Rendered = Callable[..., tuple[Path, dict[str, Any]]]
Program = Callable[[str], str]

TESTS = sorted(Path(__file__).parent.glob("*.yml"))

#: What the demo does not declare, so that every rule is there.
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


def each_rule(folder: Path) -> Iterator[tuple[Path, int, int, dict[str, Any]]]:
    """Each rendered rule with its file and its place in it."""
    for file in sorted((folder / "rules").glob("*.yml")):
        for i, group in enumerate(json.loads(file.read_text())["groups"]):
            for j, rule in enumerate(group["rules"]):
                yield file, i, j, rule


def promtool(program: Program, folder: Path, tests: list[Path]) -> tuple[bool, str]:
    """Whether promtool's tests pass on the rules of `folder`, and its words."""
    copies = [shutil.copy(path, folder / path.name) for path in tests]
    done = subprocess.run(
        [program("promtool"), "test", "rules", *map(str, copies)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout + done.stderr


def each_outcome(program: Program, tests: list[Path]) -> dict[Path, bool]:
    """Whether each file of tests passes, in one run of promtool."""
    done = subprocess.run(
        [program("promtool"), "test", "rules", *map(str, tests)],
        capture_output=True,
        text=True,
        check=False,
    )
    # It says SUCCESS or FAILED after each file, in their order.
    said = done.stdout + done.stderr
    words = re.findall(r"^  (SUCCESS|FAILED:)$", said, re.MULTILINE)
    assert len(words) == len(tests), said
    return {test: word == "SUCCESS" for test, word in zip(tests, words, strict=True)}


def untested(folder: Path, tests: list[Path]) -> list[str]:
    """What no test looks at: files, and alerts that never fire or are never silent.

    Of recording rules it is enough that a test fails without them (see below).
    """
    files: set[str] = set()
    fires: set[str] = set()
    silent: set[str] = set()
    for path in tests:
        content = yaml.safe_load(path.read_text())
        files.update(content["rule_files"])
        for test in content["tests"]:
            for case in test.get("alert_rule_test", []):
                (fires if case.get("exp_alerts") else silent).add(case["alertname"])
    rules = list(each_rule(folder))
    rendered = {str(file.relative_to(folder)) for file, *_ in rules}
    alerts = {rule["alert"] for *_, rule in rules if "alert" in rule}
    return [
        *(f"{name} has no test" for name in sorted(rendered - files)),
        *(f"{name} fires in no test" for name in sorted(alerts - fires)),
        *(f"{name} is silent in no test" for name in sorted(alerts - silent)),
    ]


def test_the_rules_do_what_their_tests_say(
    rendered: Rendered, program: Program
) -> None:
    folder, _ = rendered(**DECLARED)
    assert TESTS
    passed, words = promtool(program, folder, TESTS)
    assert passed, words
    assert untested(folder, TESTS) == []


def about(test: dict[str, Any], records: set[str]) -> bool:
    """Whether a test of promtool's asks for one of these recorded series."""
    asked = " ".join(case["expr"] for case in test.get("promql_expr_test", []))
    return any(record in asked for record in records)


def test_each_recording_rule_is_missed_by_a_test(
    rendered: Rendered, program: Program, tmp_path: Path
) -> None:
    """Without the rule a test fails; only those that need it are run."""
    folder, _ = rendered(**DECLARED)
    whole = json.loads((folder / "rules/soloscope.yml").read_text())
    rules = [rule for group in whole["groups"] for rule in group["rules"]]
    recording = yaml.safe_load(Path(__file__).with_name("recording.yml").read_text())
    assert len(rules) >= 30
    folders = []
    for i, missing in enumerate(rules):
        # What is recorded from it is missing as well.
        records = {missing["record"]}
        while more := {
            rule["record"]
            for rule in rules
            if rule["record"] not in records
            and any(record in rule["expr"] for record in records)
        }:
            records |= more
        tests = [test for test in recording["tests"] if about(test, records)]
        groups = [
            {**group, "rules": [rule for rule in group["rules"] if rule is not missing]}
            for group in whole["groups"]
        ]
        made = tmp_path / str(i)
        (made / "rules").mkdir(parents=True)
        (made / "rules/soloscope.yml").write_text(json.dumps({"groups": groups}))
        (made / "recording.yml").write_text(json.dumps({**recording, "tests": tests}))
        folders.append((missing["record"], made / "recording.yml", bool(tests)))
    assert [record for record, _, tested in folders if not tested] == []
    outcomes = each_outcome(program, [file for _, file, _ in folders])
    assert [record for record, file, _ in folders if outcomes[file]] == []


def case(alerts: list[dict[str, Any]], errors: int) -> dict[str, Any]:
    """A test of the rule OWN: what fires at ten minutes with errors a minute."""
    series = [
        {"series": 'http_requests_total{app="a",status="200"}', "values": "0+100x20"},
        {
            "series": 'http_requests_total{app="a",status="500"}',
            "values": f"0+{errors}x20",
        },
    ]
    expected = {"eval_time": "10m", "alertname": "Fails", "exp_alerts": alerts}
    return {
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": [expected],
    }


def test_a_rule_of_ones_own_is_rendered_and_must_have_a_test(
    rendered: Rendered, program: Program, tmp_path: Path
) -> None:
    folder, _ = rendered(**DECLARED, alerts={"rules": {"Fails": OWN}})
    assert untested(folder, TESTS) == [
        "rules/critical.yml has no test",
        "Fails fires in no test",
        "Fails is silent in no test",
    ]
    fired = {
        "exp_labels": {"app": "a", "severity": "critical"},
        "exp_annotations": {"summary": "a fails"},
    }
    own = tmp_path / "own.yml"
    content = {
        "rule_files": ["rules/soloscope.yml", "rules/critical.yml"],
        "evaluation_interval": "1m",
        "tests": [case([fired], errors=6)],
    }
    own.write_text(json.dumps(content))
    assert untested(folder, [*TESTS, own]) == ["Fails is silent in no test"]
    content["tests"] = [case([fired], errors=6), case([], errors=5)]
    own.write_text(json.dumps(content))
    assert untested(folder, [*TESTS, own]) == []
    passed, words = promtool(program, folder, [*TESTS, own])
    assert passed, words
    # It says so when a rule does not do what its test says.
    content["tests"] = [case([fired], errors=5)]
    own.write_text(json.dumps(content))
    passed, words = promtool(program, folder, [own])
    assert not passed
    assert "Fails" in words


@pytest.mark.parametrize(
    ("change", "file", "expected"),
    [
        ({"CriticalError": {"enable": False}}, "critical.yaml", None),
        ({"ErrorSpike": {"threshold": 7.5}}, "warning.yaml", "> 7.5 *"),
        ({"ErrorSpike": {"for": "10m"}}, "warning.yaml", '"for": "10m"'),
        ({"ErrorSpike": {"severity": "info"}}, "info.yaml", '"severity": "info"'),
    ],
)
def test_a_rule_is_changed_by_its_name(
    rendered: Rendered, change: dict[str, Any], file: str, expected: str | None
) -> None:
    folder, _ = rendered(alerts={"rules": change})
    path = folder / "loki/rules/fake" / file
    if expected is None:
        assert not path.exists()
    else:
        assert expected in path.read_text()
