"""`soloscope debug-user` and `why` on the live stack, with the sample app's users."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from soloscope_demo.stack import APP, Stack, free_ports


def run(
    stack: Stack, *argv: str, config: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A command at the terminal."""
    file = str(config or stack.options.root / "soloscope.json")
    return subprocess.run(
        [sys.executable, "-m", "soloscope", "--config", file, *argv],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def db(stack: Stack) -> redis.Redis:
    return redis.Redis.from_url(stack.redis_url, decode_responses=True)


@pytest.fixture(scope="module")
def user(stack: Stack, db: redis.Redis) -> str:
    """Someone with a finished conversation, digests and lines."""
    for number in range(100):
        found = f"u_{number:03d}"
        if db.exists(f"digests:{found}", f"deficiencies:{found}") == 2:
            done = run(stack, "debug-user", "--id", found, "--json")
            if json.loads(done.stdout)["events"]:
                return found
    raise AssertionError("the sample app has no such user")


def test_all_that_is_known(stack: Stack, db: redis.Redis, user: str) -> None:
    done = run(stack, "debug-user", "--id", user)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert said.startswith(f"{user}, user of LanguageBuddy\n")
    titles = ["Profile and subscription", "Conversation", "Last three digests"]
    more = ["Deficiencies", "Log, last 7d", "Alerts of the app that fire now"]
    places = [said.index(title) for title in [*titles, *more]]
    assert places == sorted(places)
    profile: Any = db.hgetall(f"user:{user}")
    assert re.search(rf"name +{profile['name']}\b", said)
    assert re.search(rf"plan +{profile['plan']}\b", said)
    if profile["plan"] == "trial":
        assert re.search(r"trial_ends_at +\d\d \w{3} \d{4} \d\d:\d\d \(.+\)", said)
    assert re.search(r"\w+\.last_practiced_at +.* (ago|now)\)", said)
    assert profile["phone"] not in said
    assert f"***{profile['phone'][-4:]}" in said


def test_by_phone(stack: Stack, db: redis.Redis, user: str) -> None:
    phone: Any = db.hget(f"user:{user}", "phone")
    done = run(stack, "debug-user", "--phone", phone, "--json")
    value = json.loads(done.stdout)
    assert value["user"] == user
    assert len(value["records"]) == 4
    digests = value["records"][2]["entries"]
    kept: Any = db.lrange(f"digests:{user}", 0, 2)
    assert len(digests) == len(kept)
    assert str(json.loads(kept[0])["new_words"]) == digests[0]["new_words"]
    assert phone not in done.stdout


def test_by_the_last_digits_of_the_log(
    stack: Stack, db: redis.Redis, user: str, tmp_path: Path
) -> None:
    """Without a declaration the log alone answers, and several may fit."""
    config = json.loads((stack.options.root / "soloscope.json").read_text())
    config["apps"][APP] |= {"user": {"records": {}}, "validators": {}}
    file = tmp_path / "soloscope.json"
    file.write_text(json.dumps(config))
    phone: Any = db.hget(f"user:{user}", "phone")
    done = run(stack, "debug-user", "--phone", phone, config=file)
    if "fits" in done.stderr:  # another user has the same digits
        assert f"--id {user} (" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert f"apps.{APP}.user.records" in done.stdout
    assert "Log, last 7d" in done.stdout


def test_several_with_the_same_digits(stack: Stack) -> None:
    for name in ("u_twin1", "u_twin2"):
        stack.loki.push(
            {"app": APP, "level": "info"},
            [[str(time.time_ns()), '{"phone_last4":"0007"}', {"user": name}]],
        )
    query = f'{{app="{APP}"}} |= "0007" | user=~"u_twin.*"'
    stack.until("both", lambda: len(stack.loki.entries(query)) == 2)
    done = run(stack, "debug-user", "--phone", "+49 1555 0000007")
    assert done.returncode == 1
    assert done.stderr == (
        "soloscope: ***0007 fits 2 users: --id u_twin1 (1 lines), "
        "--id u_twin2 (1 lines)\n"
    )


def test_an_unknown_user(stack: Stack) -> None:
    done = run(stack, "debug-user", "--id", "u_nobody\x1b[2J")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("soloscope: nothing is known about the user")
    assert "\x1b" not in done.stderr


def test_what_does_not_answer_is_said(stack: Stack, user: str, tmp_path: Path) -> None:
    config = json.loads((stack.options.root / "soloscope.json").read_text())
    file = tmp_path / "soloscope.json"
    loki, server = free_ports(2)
    config["loki"]["port"] = loki
    file.write_text(json.dumps(config))
    done = run(stack, "debug-user", "--id", user, config=file)
    assert done.returncode == 1
    assert "Profile and subscription" in done.stdout
    assert f"not read: Loki at http://127.0.0.1:{loki}" in done.stdout
    config = json.loads((stack.options.root / "soloscope.json").read_text())
    config["apps"][APP]["redis"]["url"] = f"redis://127.0.0.1:{server}"
    file.write_text(json.dumps(config))
    done = run(stack, "debug-user", "--id", user, config=file)
    assert done.returncode == 1
    assert "Log, last 7d" in done.stdout
    assert "not read: Redis" in done.stdout
    assert "refused" in done.stdout


def test_unmasking_needs_the_journal(stack: Stack, user: str) -> None:
    """Nothing is shown in full when nobody could be told of it later."""
    if Path("/run/systemd/journal/socket").exists():
        pytest.skip("not shown: a machine without a journal (this one has one)")
    done = run(stack, "debug-user", "--id", user, "--unmask")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "no journal at" in done.stderr


def test_following(stack: Stack) -> None:
    file = str(stack.options.root / "soloscope.json")
    stack.loki.push(
        {"app": APP, "level": "info"},
        [[str(time.time_ns()), "came first", {"user": "u_followed"}]],
    )
    first = f'{{app="{APP}"}} | user="u_followed"'
    stack.until("the first line", lambda: stack.loki.entries(first))
    argv = [sys.executable, "-m", "soloscope", "--config", file, "debug-user"]
    with subprocess.Popen(
        [*argv, "--id", "u_followed", "--follow"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "came first" in line:
                break
        time.sleep(0.5)
        stack.loki.push(
            {"app": APP, "level": "warn"},
            [[str(time.time_ns()), "came later", {"user": "u_followed"}]],
        )
        for line in process.stdout:
            if "came later" in line:
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


def test_why(stack: Stack) -> None:
    found = stack.loki.entries(f'{{app="{APP}"}} | event="conversation_ended"')
    conversation = found[-1].labels["conversation_id"]
    done = run(stack, "why", conversation)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"conversation {conversation}"
    told = "\n".join(lines)
    started, ended = (
        told.index("conversation_started"),
        told.index("conversation_ended"),
    )
    assert started < ended
