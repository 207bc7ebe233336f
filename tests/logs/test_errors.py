"""Errors as groups, on a live Loki: what is the same is one, what is new is marked."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import time

import pytest
from harness import TOP, Factory, LogPath
from soloscope_demo.stack import until

from soloscope.error_groups import Group, groups

UNIT = "languagebuddy-backend.service"


def failed(number: int, user: int) -> str:
    """A pino error: the same but for its numbers."""
    return json.dumps(
        {
            "level": 50,
            "time": 1795334400000 + number,
            "event": "digest_failed",
            "user": user,
            "err": {
                "type": "TimeoutError",
                "message": f"openai took {30000 + number} ms for user '{user}'",
                "stack": "TimeoutError: …\n    at call (/app/openai.js:88:13)",
            },
            "msg": "digest failed",
        }
    )


@pytest.fixture(scope="module")
def path(paths: Factory) -> LogPath:
    """A live Loki with errors of three days ago and of now; it is about noon."""
    # What is new is what was not there before midnight. (The signs of these names
    # are the other way round.)
    offset = 12 - dt.datetime.now(dt.UTC).hour
    made = paths({"timeZone": f"Etc/GMT{-offset:+d}"})
    made.start_loki()
    old = time.time_ns() - 3 * 86_400 * 10**9
    stream = {
        "app": "languagebuddy",
        "unit": UNIT,
        "job": "languagebuddy-backend",
        "service_name": "languagebuddy-backend",
        "level": "error",
    }
    values = [
        [str(old + n), failed(n, 7), {"event": "digest_failed"}] for n in range(4)
    ]
    made.api.push(stream, values)
    # Old lines are looked for on disk only.
    made.flush()
    made.start_shipper()
    made.journal.say(UNIT, *(failed(n, n % 3) for n in range(20)))
    for address in ("10.0.0.5:6379", "10.0.0.6:6379"):
        made.journal.say(
            UNIT,
            "Traceback (most recent call last):",
            '  File "/app/worker.py", line 10, in <module>',
            "    connect()",
            f"redis.exceptions.ConnectionError: Error 111 connecting to {address}.",
        )
        time.sleep(2.5)
    made.journal.say(UNIT, '{"level":60,"msg":"Critical error occurred"}')
    made.journal.say(UNIT, '{"level":30,"msg":"all is well"}')
    made.journal.say("other.service", '{"level":50,"msg":"of no app"}')
    made.wait_for(f'{{unit="{UNIT}"}}', 24)
    return made


def ask(path: LogPath) -> list[Group]:
    """The groups of the last day."""
    midnight = dt.datetime.now(dt.UTC) - dt.timedelta(hours=12)
    return groups(path.number, "24h", "30d", midnight)


def test_the_same_error_is_one(path: LogPath) -> None:
    """Numbers, users and addresses make no new group."""
    found = until(
        "three groups", lambda: [g for g in [ask(path)] if len(g) == 3], within=20
    )[0]
    assert [(g.count, g.event, g.error, g.text) for g in found] == [
        (20, "digest_failed", "TimeoutError", "openai took # ms for user #"),
        (
            2,
            "",
            "redis.exceptions.ConnectionError",
            "redis.exceptions.ConnectionError: Error # connecting to #.",
        ),
        (1, "", "", "Critical error occurred"),
    ]
    assert {g.app for g in found} == {"languagebuddy"}


def test_new_is_what_was_not_there_before(path: LogPath) -> None:
    """The failing digest is known since three days; the others are new."""
    found = ask(path)
    assert [g.new for g in found] == [False, True, True]
    now = dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=2) < now - found[0].first < dt.timedelta(days=4)
    assert now - found[0].last < dt.timedelta(minutes=5)
    assert found[1].first < found[1].last


def test_the_command(path: LogPath) -> None:
    """`soloscope errors` prints them for people and for programs."""
    file = path.root / "soloscope.json"
    file.write_text(json.dumps(path.files["soloscope.json"]))
    command = [sys.executable, "-m", "soloscope", "--config", str(file), "errors"]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [*command, "--json"], capture_output=True, text=True, check=True, cwd=TOP
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["count"], row["new"]) for row in rows] == [
        (20, False),
        (2, True),
        (1, True),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=TOP, env=environment
    )
    assert "openai took # ms for user #" in done.stdout
    assert done.stdout.count("(new)") == 2
    done = subprocess.run(
        [*command, "--app", "nobody"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no app `nobody`; declared: languagebuddy" in done.stderr
