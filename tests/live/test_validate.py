"""`soloscope validate`: each kind of check, right and wrong, on the live stack.

A made-up app has its lines in the stack's Loki and its keys in the stack's Redis.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from soloscope_demo.app.defects import DEFECTS
from soloscope_demo.stack import Stack, render
from soloscope_demo.stack.run import spoil

HOUR = 3600.0

VALIDATORS: dict[str, Any] = {
    "learning": {
        "events": {"practised": {"event": "practised", "min": 1}},
        "moves": {
            "last_practised": {
                "event": "practised",
                "record": "skills",
                "field": "last_at",
                "entry": "skill",
            }
        },
    },
    "reports": {
        "jobs": ["nightly"],
        "events": {
            "failed": {"event": "report_failed", "of": "report", "maxPercent": 10}
        },
        "records": {
            "dated": {"record": "reports", "fields": ["words"], "times": ["at"]}
        },
    },
    "gaps": {
        "gaps": {
            "computed": {
                "event": "gap",
                "field": "hours",
                "after": "ended",
                "unit": "hours",
            }
        }
    },
    "limits": {
        "limits": {
            "trial": {
                "event": "ended",
                "count": "messages",
                "max": 10,
                "record": "profile",
                "field": "plan",
                "value": "trial",
                "refusal": "refused",
            }
        }
    },
}
RECORDS = ("skills", "reports", "profile")


class Shop:
    """An app of its own name, for one test."""

    def __init__(self, stack: Stack, folder: Path, name: str) -> None:
        self.stack = stack
        self.name = name
        self.db = redis.Redis.from_url(stack.redis_url, decode_responses=True)
        self._sent = 0
        self._lines: list[tuple[float, str, str, dict[str, Any]]] = []
        self._file = folder / "soloscope.json"
        value = json.loads((stack.options.root / "soloscope.json").read_text())
        keys = {key: {"key": f"{name}-{key}:{{id}}"} for key in RECORDS}
        declared = {
            "redis": {"url": stack.redis_url, "prefix": f"{name}:"},
            "counters": {"made": {}},
            "jobs": {"nightly": {"counter": "made", "by": "00:00"}},
            "user": {"records": keys},
            "validators": VALIDATORS,
        }
        files = render.evaluate(folder, {"apps": {name: declared}})
        value["apps"] = {name: files["soloscope.json"]["apps"][name]}
        self._file.write_text(json.dumps(value))

    def say(self, ago: float, event: str, user: str, **fields: Any) -> None:
        """A line of the app, `ago` seconds before now."""
        self._lines.append((time.time() - ago, event, user, fields))

    def push(self) -> None:
        """Send the new lines to Loki, oldest first, and wait until they are found."""
        values = []
        for at, event, user, fields in sorted(self._lines, key=lambda line: line[0]):
            text = json.dumps({"event": event, "user": user, **fields})
            metadata = {"event": event, "user": user}
            values.append([str(int(at * 1e9)), text, metadata])
        self._sent += len(values)
        self._lines.clear()
        self.stack.loki.push({"app": self.name, "level": "info"}, values)
        self.wait(f'{{app="{self.name}"}}', self._sent)

    def wait(self, query: str, count: int) -> None:
        """Wait until a query finds so many lines."""
        start = int((time.time() - 7 * 86400) * 1e9)

        def found() -> bool:
            lines = self.stack.loki.entries(query, start=start, limit=1000)
            return len(lines) == count

        self.stack.until(query, found)

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """The command."""
        return subprocess.run(
            [
                *(sys.executable, "-m", "soloscope", "--config", str(self._file)),
                *("validate", *argv),
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    def verdicts(self, name: str) -> dict[str, tuple[bool | None, str]]:
        """Check -> its verdict and evidence."""
        done = self.run(name, "--json")
        assert not done.stderr, done.stderr
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == (1 if any(v["ok"] is False for v in found) else 0)
        return {v["check"]: (v["ok"], v["evidence"]) for v in found}


@pytest.fixture
def shop(
    stack: Stack, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Shop]:
    made = Shop(stack, tmp_path, request.node.name.removeprefix("test_"))
    yield made
    for key in made.db.scan_iter(f"{made.name}*"):
        made.db.delete(key)


def ago(seconds: float) -> str:
    """A time in ISO 8601."""
    at = dt.datetime.fromtimestamp(time.time() - seconds, dt.UTC)
    return at.isoformat()


def test_a_field_moves_on(shop: Shop) -> None:
    shop.say(2 * HOUR, "practised", "u_1", skill="articles")
    shop.say(1 * HOUR, "practised", "u_1", skill="plural")
    shop.db.hset(
        f"{shop.name}-skills:u_1",
        mapping={
            "articles": json.dumps({"last_at": ago(2 * HOUR)}),
            "plural": json.dumps({"last_at": ago(HOUR)}),
        },
    )
    shop.push()
    assert shop.verdicts("learning") == {
        "practised": (True, "2 `practised` in 7d"),
        "last_practised": (True, "`last_at` is as late as `practised` for 1 user"),
    }
    stuck = json.dumps({"last_at": ago(30 * HOUR)})
    shop.db.hset(f"{shop.name}-skills:u_1", "plural", stuck)
    ok, evidence = shop.verdicts("learning")["last_practised"]
    assert ok is False
    assert evidence.startswith("1 of 2 did not move on, first u_1 at ")
    assert "`last_at` of plural is" in evidence
    shop.db.delete(f"{shop.name}-skills:u_1")
    ok, evidence = shop.verdicts("learning")["last_practised"]
    assert ok is False
    assert evidence.startswith("2 of 2 did not move on")
    assert "is missing" in evidence


def test_nothing_recorded(shop: Shop) -> None:
    shop.say(HOUR, "other", "u_1")
    shop.push()
    found = shop.verdicts("learning")
    assert found["practised"] == (
        False,
        "0 `practised` in 7d, at least 1 are needed",
    )
    assert found["last_practised"][0] is None


def test_jobs_shares_and_records(shop: Shop) -> None:
    today = dt.datetime.now(dt.UTC).date()
    days = [today - dt.timedelta(n) for n in range(5)]
    for day in days:
        shop.db.set(f"{shop.name}:{day}:made", 3)
    for number in range(19):
        shop.say(HOUR + number, "report", f"u_{number}")
    shop.say(HOUR, "report_failed", "u_1")
    key = f"{shop.name}-reports:u_1"
    shop.db.rpush(key, *(json.dumps({"at": ago(n), "words": n}) for n in range(5)))
    shop.push()
    found = shop.verdicts("reports")
    assert found["failed"] == (
        True,
        "1 `report_failed` in 7d beside 19 `report`: 5.0 %, at most 10 %",
    )
    assert found["dated"] == (True, "1 records with 5 entries, all complete")
    assert found["nightly"][0] is True
    shop.db.set(f"{shop.name}:{days[2]}:made", 0)
    shop.db.rpush(key, json.dumps({"words": 1}))
    shop.db.rpush(f"{shop.name}-reports:u_2", json.dumps({"at": ago(-9e5), "words": 1}))
    found = shop.verdicts("reports")
    ok, evidence = found["nightly"]
    assert ok is False
    assert evidence.startswith(
        f"`made` was 0 on {days[2]}, at least 1 is needed (1 of "
    )
    ok, evidence = found["dated"]
    assert ok is False
    assert evidence.startswith("2 of 2 records are wrong, first ")
    for number in range(3):
        shop.stack.loki.push(
            {"app": shop.name, "level": "error"},
            [[str(time.time_ns()), f"{number}", {"event": "report_failed"}]],
        )
    shop.wait(f'{{app="{shop.name}"}} | event="report_failed"', 4)
    assert shop.verdicts("reports")["failed"][0] is False


def test_gaps(shop: Shop) -> None:
    shop.say(30 * HOUR, "ended", "u_1", messages=1)
    shop.say(6 * HOUR, "gap", "u_1", hours=24)
    shop.say(5 * HOUR, "gap", "u_2", hours=99)  # before the span: not looked at
    shop.push()
    assert shop.verdicts("gaps") == {
        "computed": (True, "1 `gap`, each with the right time")
    }
    shop.say(4 * HOUR, "gap", "u_1", hours=3)
    shop.push()
    ok, evidence = shop.verdicts("gaps")["computed"]
    assert ok is False
    assert evidence.endswith("`hours` is 3, but it was 26.0 hours")


def noon(days: int) -> float:
    """Seconds since noon (UTC) of a day before today."""
    now = dt.datetime.now(dt.UTC)
    at = dt.datetime.combine(now.date() - dt.timedelta(days), dt.time(12), dt.UTC)
    return (now - at).total_seconds()


def test_limits(shop: Shop) -> None:
    for user, plan in (("u_1", "trial"), ("u_2", "premium"), ("u_3", "trial")):
        shop.db.hset(f"{shop.name}-profile:{user}", "plan", plan)
    shop.say(noon(3), "ended", "u_3", messages=1)
    shop.say(noon(2) + HOUR, "ended", "u_1", messages=6)
    shop.say(noon(2), "ended", "u_1", messages=4)
    shop.say(noon(2) - 60, "refused", "u_1")
    shop.say(noon(2), "ended", "u_2", messages=90)
    shop.push()
    assert shop.verdicts("limits") == {
        "trial": (
            True,
            "2 users with the limit and 1 without, 1 refused, all as the limit says",
        )
    }
    shop.say(noon(1), "refused", "u_2")
    shop.push()
    ok, evidence = shop.verdicts("limits")["trial"]
    assert ok is False
    assert "first u_2 was refused on" in evidence
    shop.say(noon(1), "refused", "u_3")
    shop.say(noon(1), "ended", "u_1", messages=11)
    shop.push()
    ok, evidence = shop.verdicts("limits")["trial"]
    assert evidence.startswith("3 wrong among")
    assert "u_1 had 11 on" in evidence


def test_what_people_read(shop: Shop) -> None:
    shop.say(HOUR, "practised", "u_1", skill="+49 151 23456789")
    shop.push()
    done = shop.run("learning")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[:2] == ["learning", "  ✓ practised: 1 `practised` in 7d"]
    assert lines[2].startswith("  ✗ last_practised: 1 of 1 did not move on, first u_1")
    assert "***6789" in lines[2]
    assert "3456" not in done.stdout
    assert done.stderr == ""
    every = shop.run("all").stdout.splitlines()
    assert [line for line in every if line[:1] != " "] == sorted(VALIDATORS)
    done = shop.run("sales")
    assert done.returncode == 1
    known = ", ".join(sorted(VALIDATORS))
    assert done.stderr == f"soloscope: no validator `sales`; declared: {known}\n"


def verdicts(stack: Stack) -> dict[str, dict[str, tuple[bool | None, str]]]:
    """Validator -> check -> verdict and evidence, of the sample app."""
    argv = ["--config", str(stack.options.root / "soloscope.json"), "validate", "all"]
    done = subprocess.run(
        [sys.executable, "-m", "soloscope", *argv, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr, done.stderr
    found: dict[str, dict[str, tuple[bool | None, str]]] = {}
    for line in done.stdout.splitlines():
        one = json.loads(line)
        checks = found.setdefault(one["validator"], {})
        checks[one["check"]] = one["ok"], one["evidence"]
    return found


def test_the_checklist(stack: Stack) -> None:
    file = str(stack.options.root / "soloscope.json")
    argv = [sys.executable, "-m", "soloscope", "--config", file, "checklist"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith("# LanguageBuddy, 20")
    titles = [line for line in lines if line.startswith("## ")]
    assert titles == [*(f"## Before: {name}" for name in sorted(DEFECTS)), "## After"]
    assert "- [ ] Chat with a test user: the greeting mentions a deficiency" in lines
    assert any(line.startswith("- [x] trial: ") for line in lines)
    wrong = [line for line in lines if "**FAILED**" in line]
    assert done.returncode == (1 if wrong else 0)
    # Every validator's check is there, and what comes after a deployment.
    for what in (
        "practised",
        "profile",
        "computed",
        "health-check",
        "alerts",
        "errors",
    ):
        assert any(f"] {what}: " in x or f"** {what}: " in x for x in lines), what


def test_each_defect_is_found_by_its_validator(stack: Stack) -> None:
    """One after the other: only the validators of the defects so far say so."""
    well = verdicts(stack)
    assert set(well) == set(DEFECTS)
    # Before a job's first deadline nothing is said of it.
    bad = [v for checks in well.values() for v in checks.values() if v[0] is False]
    assert bad == []
    spoilt: set[str] = set()
    for defect in DEFECTS:
        spoil(stack, defect)
        spoilt.add(defect)

        def failing() -> bool:
            found = verdicts(stack).items()
            bad = {n for n, c in found if any(ok is False for ok, _ in c.values())}
            return bad == spoilt

        stack.until(f"only {spoilt} found wrong", failing)
