"""On the real stack with the demo's data, every panel shows the demo's own truth."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import dashboard_files as files
import pytest
from asking import Answer, ask
from dashboard_lint import targets
from soloscope_demo.errors import DemoError
from soloscope_demo.stack import Options, Stack, running, until
from truth import CHECKS, PATIENCE, Truth

#: A form of the dashboards -> the options of the stack that shows it.
FORMS: dict[str, dict[str, Any]] = {
    "with-prometheus": {},
    "without-prometheus": {"prometheus": {"enable": False}},
}


@pytest.fixture(scope="module", params=FORMS)
def shape(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Stack]]:
    """A form of the dashboards and its stack, full of the demo's data."""
    options = Options(
        root=tmp_path_factory.mktemp("stack"),
        free_ports=True,
        visit_every=0,  # what happens outside the plans is not in the plans
        overrides={"grafana": {"enable": False}, **FORMS[request.param]},
    )
    with running(options) as stack:
        stack.loki.flush()
        yield request.param, stack


def answers(form: str, stack: Stack) -> dict[tuple[str, str, int], Answer]:
    return {
        answer.key: answer
        for dashboard in files.in_form(form)
        for answer in ask(dashboard, stack.url("prometheus"), stack.url("loki"))
    }


def wrong(form: str, stack: Stack) -> str:
    """What each target shows that differs from the truth, "" when nothing does."""
    truth = Truth.of(stack)
    found = []
    for key, answer in answers(form, stack).items():
        try:
            assert answer.empty() == truth.silent(*key), "an answer, or none"
            if key in CHECKS and not answer.empty():
                CHECKS[key](answer, truth)
        except AssertionError as error:
            found.append(f"{key}: {answer.expr}\n{error}")
    return "\n\n".join(found)


def test_every_panel_shows_the_truth_and_is_silent_only_where_there_is_none(
    shape: tuple[str, Stack],
) -> None:
    last = ""

    def right() -> bool:
        nonlocal last
        last = wrong(*shape)
        return not last

    with contextlib.suppress(DemoError):  # the difference is reported below
        until("the truth", right, PATIENCE, 1)
    assert last == ""


@pytest.mark.parametrize("name", files.FILES)
def test_every_panel_has_a_value_to_be_held_against(name: str) -> None:
    dashboard = files.load(name)
    without = [
        f"{panel['title']} [{index}]"
        for panel, index, _ in targets(dashboard)
        if (dashboard["uid"], panel["title"], index) not in CHECKS
    ]
    print(f"{name}: panels without a value in the tests: {without or 'none'}")
    assert without == []


TRACEBACK = """Traceback (most recent call last):
  File "/srv/app.py", line 3, in <module>
    read()
TimeoutError: Timeout reading from socket"""
STACK = """TypeError: x is not a function
    at handle (/srv/app.js:3:5)
    at process (/srv/app.js:9:1)"""
#: An error line, its structured metadata -> what the panel says.
ERRORS: list[tuple[str, dict[str, str], str]] = [
    (
        '{"level":50,"msg":"Conversation failed","err":{"message":"No answer"}}',
        {"event": "conversation_failed", "conversation_id": "c_1", "user": "u_1"},
        "conversation_failed: No answer  conversation=c_1",
    ),
    ('{"level":"error","message":"Digest"}', {"user": "u_2"}, "Digest  user=u_2"),
    (TRACEBACK, {}, "TimeoutError: Timeout reading from socket"),
    (STACK, {}, "TypeError: x is not a function"),
    ("disk full", {}, "disk full"),
]


def test_failures_say_what_failed_and_about_whom(shape: tuple[str, Stack]) -> None:
    form, stack = shape
    (overview,) = files.in_form(form, files.OVERVIEW)
    app = f"broken-{time.time_ns()}"
    labels = {"app": app, "unit": "x.service", "level": "error"}
    now = time.time_ns()
    values = [
        [str(now + number), line, metadata]
        for number, (line, metadata, _) in enumerate(ERRORS)
    ]
    stack.loki.push(labels, values)
    found = {
        answer.panel: answer
        for answer in ask(overview, stack.url("prometheus"), stack.url("loki"), app=app)
    }
    failures = [text.strip() for _, _, text in found["Latest failures"].lines]
    assert failures == [said for _, _, said in reversed(ERRORS)]
    stream = [text for _, _, text in found["Activity stream"].lines]
    assert len(stream) == len(ERRORS)
    assert stream[-1].split() == [
        "conversation_failed",
        "No",
        "answer",
        "conversation=c_1",
    ]
    assert stream[0].strip() == "disk full"
    assert found["Error count, 24 h"].number() == len(ERRORS)
    assert not any(
        "__error__" in labels for _, labels, _ in found["Latest failures"].lines
    )


def test_marks_are_those_of_the_app_and_of_the_host(shape: tuple[str, Stack]) -> None:
    form, stack = shape
    # As `soloscope annotate` writes them.
    marks = [
        {"kind": "deploy", "target": "languagebuddy", "text": "v1.7"},
        {"kind": "deploy", "target": "another", "text": "v0.2"},
        {"kind": "note", "text": "moved to a larger disk"},
    ]
    now = time.time_ns()
    values = [
        [str(now + number), json.dumps(mark), {"event": "annotation"}]
        for number, mark in enumerate(marks)
    ]
    stack.loki.push({"job": "soloscope-annotate", "level": "info"}, values)
    (overview,) = files.in_form(form, files.OVERVIEW)
    (note,) = overview["annotations"]["list"]
    found = stack.loki.entries(files.filled(note["expr"]), start=now - 10**9)
    shown = {(entry.labels["kind"], entry.labels["text"]) for entry in found}
    assert shown == {("deploy", "v1.7"), ("note", "moved to a larger disk")}


def test_an_app_that_nobody_declared_shows_nothing(shape: tuple[str, Stack]) -> None:
    form, stack = shape
    found = [
        answer
        for dashboard in files.in_form(form)
        for answer in ask(
            dashboard, stack.url("prometheus"), stack.url("loki"), app="nobody"
        )
    ]
    # That no alert is open is an answer.
    seen = [answer.key for answer in found if not answer.empty()]
    assert [key for key in seen if key[1] != "Open alerts"] == []
