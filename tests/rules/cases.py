"""The tests of alerts, `alerts/*.yml`, as tests of promtool's.

A file has, for each alert, what `fires` it and what leaves it `silent`:

    NAME:
      fires: {series, at, since, labels, summary, description, dashboard}
      silent: [{why, series, at}]     # with `fires: true`: it fires there as well

`series` is promtool's input, one value each `interval` (a minute); `at` is when the
alert is looked at and `since` since when it is active, which a rule without `for` does
not say (`now: false`). What all alerts have in common is added here: the dashboard's
link, the runbook's, and the words for `since`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

RUNBOOKS = "https://github.com/OWNER/soloscope/blob/main/docs/runbooks"
GRAFANA = "http://127.0.0.1:3000"

Case = dict[str, Any]


def read(folder: Path) -> dict[str, Case]:
    """Every alert's tests, by its name."""
    return {
        name: tests
        for path in sorted(folder.glob("*.yml"))
        # Every value is text: `0x30` is promtool's, not a hexadecimal number.
        for name, tests in yaml.load(path.read_text(), yaml.BaseLoader).items()
    }


def _minutes(text: str) -> int:
    return int(text.removesuffix("m"))


def expected(name: str, case: Case) -> dict[str, Any]:
    """The alert in full, as promtool expects it."""
    since = _minutes(case["since"])
    active = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=since)
    labels = case["labels"]
    app = case.get("app", labels.get("app", ""))
    start = (since * 60 - 3600) * 1000
    words = f" Since {active.day} {active:%b %H:%M} UTC."
    if case.get("now") == "false":
        words = ""
    query = f"{f'var-app={app}&' if app else ''}from={start}&to=now"
    dashboard = case.get("dashboard", "soloscope-overview")
    return {
        "exp_labels": labels,
        "exp_annotations": {
            "summary": case["summary"],
            "description": f"{case['description']}{words}",
            "dashboard": f"{GRAFANA}/d/{dashboard}?{query}",
            "runbook_url": f"{RUNBOOKS}/{name}.md",
        },
    }


def tests(name: str, cases: Case) -> Iterator[tuple[dict[str, Any], str]]:
    """Tests of promtool's, each with its evaluation interval."""
    for case in (cases["fires"], *cases.get("silent", [])):
        alert: dict[str, Any] = {"eval_time": case["at"], "alertname": name}
        test: dict[str, Any] = {
            "name": f"{name}: {case.get('why', 'fires')}",
            "interval": case.get("interval", "1m"),
            "input_series": [
                {"series": series, "values": values}
                for series, values in case["series"].items()
            ],
        }
        if "labels" in case:
            test["alert_rule_test"] = [alert | {"exp_alerts": [expected(name, case)]}]
        elif case.get("fires") == "true":
            # Its words were compared already.
            count = f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'
            test["promql_expr_test"] = [
                {
                    "expr": count,
                    "eval_time": case["at"],
                    "exp_samples": [{"labels": "{}", "value": 1}],
                }
            ]
        else:
            test["alert_rule_test"] = [alert | {"exp_alerts": []}]
        yield test, test["interval"]


#: A number that a query compares with. What is on or off has 0 or 1.
COMPARED = re.compile(r"[<>]=? (\d+(?:\.\d+)?)(?![\d.]| \*)")
