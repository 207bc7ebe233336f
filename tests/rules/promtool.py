"""Runs promtool's tests, many files at once."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Rule = dict[str, Any]


def outcomes(promtool: str, tests: list[Path]) -> dict[Path, str]:
    """What promtool says of each file that fails; "" of one that passes."""
    done = subprocess.run(
        [promtool, "test", "rules", *map(str, tests)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    # It says SUCCESS, or FAILED and why, of each file, in their order.
    said = re.split(r"^  (SUCCESS|FAILED:)\n", done.stdout, flags=re.MULTILINE)[1:]
    verdicts, words = said[::2], said[1::2]
    assert len(verdicts) == len(tests), done.stdout
    return {
        test: "" if verdict == "SUCCESS" else f"{verdict}\n{why}"
        for test, verdict, why in zip(tests, verdicts, words, strict=True)
    }


def needed(expr: str, recording: Iterable[Rule]) -> list[Rule]:
    """The recording rules that a query needs, and those that they need."""
    found: list[str] = []
    asked = [expr]
    rules = list(recording)
    while asked:
        text = asked.pop()
        for rule in rules:
            name = rule["record"]
            if name not in found and re.search(rf"{name}\b", text):
                found.append(name)
                asked.append(rule["expr"])
    return [rule for rule in rules if rule["record"] in found]


def write(
    folder: Path, rules: list[Rule], tests: Iterable[tuple[Mapping[str, Any], str]]
) -> list[Path]:
    """Test files of these rules alone, one for each evaluation interval."""
    folder.mkdir(parents=True)
    group = {"name": "tested", "rules": rules}
    (folder / "rules.json").write_text(json.dumps({"groups": [group]}))
    by_interval: dict[str, list[Mapping[str, Any]]] = {}
    for test, interval in tests:
        by_interval.setdefault(interval, []).append(test)
    files = []
    for interval, some in by_interval.items():
        files.append(folder / f"{interval}.json")
        content = {
            "rule_files": ["rules.json"],
            "evaluation_interval": interval,
            "tests": some,
        }
        files[-1].write_text(json.dumps(content))
    return files
