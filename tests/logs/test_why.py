"""`soloscope why` finds what went wrong first, in five staged failures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import story
from harness import Factory, LogPath, export, need
from mirakuru import HTTPExecutor
from soloscope_demo.stack import free_ports
from soloscope_demo.stack.clients import ADDRESS

#: Seconds between two of the staged failures, and of each before now.
APART = 1800

Samples = list[tuple[float, float]]

STEP = 15
"""Seconds between two samples of a check."""


@dataclass
class Stage:
    """Five failures at five times, and what Prometheus has seen of them."""

    path: LogPath
    config: Path

    def why(self, id_: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        argv = ["-m", "soloscope", "--config", str(self.config), "why", id_, *more]
        argv.insert(0, sys.executable)
        return subprocess.run(argv, check=False, capture_output=True, text=True)

    def told(self, id_: str) -> dict[str, Any]:
        """Its answer as JSON."""
        done = self.why(id_, "--json")
        assert done.returncode == 0, done.stderr
        value: dict[str, Any] = json.loads(done.stdout)
        return value


def conversation(name: str, user: str, *lines: tuple[float, str]) -> list[Any]:
    """Lines of a conversation: seconds after its start, and pino's line."""
    started = story.pino(
        30,
        "Conversation started",
        event="conversation_started",
        conversation_id=name,
        user=user,
    )
    return [(0.0, started), *lines]


def failed(name: str, kind: str, message: str) -> str:
    """The line of a conversation that failed."""
    error = {"type": kind, "message": message}
    return story.pino(
        50,
        "Reply failed",
        event="conversation_failed",
        conversation_id=name,
        err=error,
    )


def play(path: LogPath, began: float) -> dict[str, Samples]:
    """Write the journal; gives the samples of Prometheus, by series."""
    app = path.journal.fields(story.BACKEND)
    systemd = path.journal.fields(
        "init.scope", UNIT=story.BACKEND, _PID="1", PRIORITY="3"
    )
    annotate = {
        **path.journal.fields("session-4.scope"),
        "SYSLOG_IDENTIFIER": "soloscope-annotate",
    }
    limit = story.pino(
        40, "Daily limit reached", event="throttled", conversation_id="c-limit"
    )
    other = failed("c-other", "TimeoutError", "no answer")
    bug = failed("c-bug", "TypeError", "x is undefined")
    deploy = json.dumps(
        {
            "level": "info",
            "event": "annotation",
            "kind": "deploy",
            "text": "switched to generation 42",
        }
    )
    refused = failed("c-redis", "Error", "connect ECONNREFUSED 127.0.0.1:6379")
    exited = f"{story.BACKEND}: Main process exited, code=killed, status=9/KILL"
    staged: list[tuple[dict[str, str], float, str]] = []
    scenes = [
        conversation("c-api", "u_1", (90, failed("c-api", "TimeoutError", "30 s"))),
        conversation("c-redis", "u_2", (60, refused)),
        conversation("c-limit", "u_3", (30, limit)),
        conversation("c-crash", "u_4", (20, story.pino(30, "asking", user="u_4"))),
        conversation("c-bug", "u_5", (80, bug)),
    ]
    for number, scene in enumerate(scenes):
        at = began + number * APART
        staged += [(app, at + seconds, line) for seconds, line in scene]
    staged += [
        (app, began + 70, other),
        (app, began + 75, other),
        (systemd, began + 3 * APART + 25, exited),
        (annotate, began + 4 * APART + 30, deploy),
    ]
    entries = [
        export(fields, text.encode(), int(at * 1e6))
        for fields, at, text in sorted(staged, key=lambda one: one[1])
    ]
    path.journal.add(entries)
    down = {"api": (45.0, 300.0), "redis": (APART + 30.0, APART + 200.0)}
    series: dict[str, Samples] = {
        'soloscope_check_up{app="languagebuddy",name="openai"}': [],
        'soloscope_up{app="languagebuddy"}': [],
    }
    for (_, samples), (start, end) in zip(series.items(), down.values(), strict=True):
        for offset in range(-600, 5 * APART, STEP):
            samples.append((began + offset, float(not start <= offset < end)))
    return series


def prometheus(
    root: Path, series: dict[str, list[tuple[float, float]]]
) -> HTTPExecutor:
    """Prometheus with these samples, on a free port."""
    need("prometheus", "promtool")
    text = root / "samples.txt"
    text.write_text(
        "".join(
            f"{name} {value} {at:.0f}\n"
            for name, samples in series.items()
            for at, value in samples
        )
        + "# EOF\n"
    )
    data = root / "prometheus"
    argv = [
        "promtool",
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        str(text),
        str(data),
    ]
    subprocess.run(argv, check=True, capture_output=True)
    (root / "empty.yml").write_text("{}")
    (port,) = free_ports(1)
    return HTTPExecutor(
        [
            "prometheus",
            f"--config.file={root / 'empty.yml'}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address={ADDRESS}:{port}",
        ],
        url=f"http://{ADDRESS}:{port}/-/ready",
        timeout=60,
        stderr=subprocess.DEVNULL,
        envvars=dict(os.environ),
    )


@pytest.fixture(scope="module")
def stage(paths: Factory) -> Iterator[Stage]:
    """A live Loki and a live Prometheus that saw the five failures."""
    path = paths({"logs": {"host": "web1"}})
    path.start()
    series = play(path, time.time() - 5 * APART)
    with prometheus(path.root, series) as server:
        config = path.root / "soloscope.json"
        value = path.files["soloscope.json"]
        value["prometheus"]["port"] = server.port
        config.write_text(json.dumps(value))
        path.wait_for('{app="languagebuddy"}', 13)
        path.wait_for('{job="soloscope-annotate"}', 1)
        yield Stage(path, config)


def test_an_outside_api_that_stopped_answering(stage: Stage) -> None:
    told = stage.told("c-api")
    assert told["about"] == "conversation"
    first = told["first_wrong"]
    assert (first["kind"], first["what"]) == ("check", "check openai does not answer")
    events = [m["event"] for m in told["moments"] if m["kind"] == "line"]
    assert events == [
        "conversation_started",
        "conversation_failed",  # those of another user, folded
        "conversation_failed",
    ]
    others = [m["what"] for m in told["moments"] if "1 more of other" in m["what"]]
    assert others == [
        "Reply failed  TimeoutError: no answer (and 1 more of other users)"
    ]


def test_redis_was_gone(stage: Stage) -> None:
    told = stage.told("c-redis")
    first = told["first_wrong"]
    assert first["what"] == "Redis of the counts does not answer"
    said = [m["what"] for m in told["moments"]]
    assert "Redis of the counts answers again" not in said  # later than it matters
    assert any("ECONNREFUSED" in what for what in said)


def test_the_user_was_throttled(stage: Stage) -> None:
    first = stage.told("c-limit")["first_wrong"]
    assert (first["event"], first["what"]) == ("throttled", "Daily limit reached")


def test_the_app_crashed_in_the_middle(stage: Stage) -> None:
    told = stage.told("c-crash")
    first = told["first_wrong"]
    assert "Main process exited, code=killed" in first["what"]
    assert first["unit"] == story.BACKEND


def test_a_deployment_broke_it(stage: Stage) -> None:
    told = stage.told("c-bug")
    assert "TypeError: x is undefined" in told["first_wrong"]["what"]
    assert told["deployed"]["what"].startswith("switched to generation 42")


def test_a_user_and_a_word(stage: Stage) -> None:
    assert stage.told("u_4")["about"] == "user"
    told = stage.told("ECONNREFUSED")
    assert told["about"] == "word"
    assert told["first_wrong"]["what"] == "Redis of the counts does not answer"


def test_what_people_read(stage: Stage) -> None:
    done = stage.why("c-bug")
    assert done.returncode == 0, done.stderr
    head = done.stdout.splitlines()[:3]
    assert head[0] == "conversation c-bug"
    assert head[1].startswith("First wrong: ")
    assert head[1].endswith(
        "conversation_failed  Reply failed  TypeError: x is undefined"
    )
    assert head[2].startswith("Shortly before: ")


def test_an_unknown_id(stage: Stage) -> None:
    done = stage.why("c-nobody")
    assert done.returncode == 1
    assert done.stderr == (
        "soloscope: no line of languagebuddy has `c-nobody` in the last 7d\n"
    )


def test_quotes_and_expressions_in_an_id_are_text(stage: Stage) -> None:
    for bad in ('" or user=~".+', ".*", "c-a.i", "\\", "`", "\x1b[31m", "c-api\n"):
        done = stage.why(bad)
        assert done.returncode == 1, (bad, done.stdout)
        assert "\x1b" not in done.stderr
        assert "no line of" in done.stderr


def test_without_prometheus_the_log_still_speaks(stage: Stage, tmp_path: Path) -> None:
    value = json.loads(stage.config.read_text())
    (value["prometheus"]["port"],) = free_ports(1)
    config = tmp_path / "soloscope.json"
    config.write_text(json.dumps(value))
    done = Stage(stage.path, config).why("c-api")
    assert done.returncode == 1
    assert "First wrong" in done.stdout
    assert "not read: Prometheus at http://127.0.0.1:" in done.stdout
