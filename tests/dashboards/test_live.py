"""On the real stack with the demo's data, every panel shows the demo's own truth."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import dashboard_files as files
import examples
import pytest
from asking import Answer, ask
from dashboard_lint import targets
from soloscope_demo.errors import DemoError
from soloscope_demo.stack import Options, Stack, running, until
from soloscope_demo.tools import programs
from truth import CHECKS, PATIENCE, Truth, estimate
from truth_host import MAY_BE_SILENT, traveller

from soloscope.dashboards.registry import dashboards

#: Recording rules of the groups that are evaluated least often.
RECORDED = ("app:http_requests:rate3d", "app:socket_latency_seconds:p95_1h")

#: A form of the dashboards -> the options of the stack that shows it.
FORMS: dict[str, dict[str, Any]] = {
    "with-prometheus": {},
    "without-prometheus": {"prometheus": {"enable": False}},
}


@pytest.fixture(scope="module", params=FORMS)
def shape(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Stack]]:
    """A form of the dashboards and its stack, full of the demo's data.

    The apps of examples.py are beside the demo's own.
    """
    root = tmp_path_factory.mktemp("stack")
    socket = tmp_path_factory.mktemp("r") / "r.sock"
    apps = examples.declared(socket)
    options = Options(
        root=root,
        free_ports=True,
        visit_every=0,  # what happens outside the plans is not in the plans
        metrics_history=25,
        overrides={
            "grafana": {"enable": False},
            "apps": apps,
            **FORMS[request.param],
        },
    )
    server = str(programs.ensure(["redis-server"])["redis-server"])
    with examples.counting(socket, server) as client:
        examples.fill(client, apps)
        with running(options) as stack:
            examples.print_lines(stack, apps)
            stack.loki.flush()
            until(
                "the examples' counts",
                lambda: not asked(stack, "myapp")["Sign-ups today", 0].empty() or None,
                PATIENCE,
                1,
            )
            if stack.has("prometheus"):
                stack.until(
                    "recorded series",
                    lambda: all(map(stack.prometheus.values, RECORDED)),
                    120,
                )
            yield request.param, stack


def answers(form: str, stack: Stack) -> dict[tuple[str, str, int], Answer]:
    who = traveller(Truth.of(stack))
    return {
        answer.key: answer
        for dashboard in files.in_form(form)
        for answer in ask(
            dashboard, stack.url("prometheus"), stack.url("loki"), who=who
        )
    }


def wrong(form: str, stack: Stack) -> str:
    """What each target shows that differs from the truth, "" when nothing does."""
    truth = Truth.of(stack)
    found = []
    for key, answer in answers(form, stack).items():
        try:
            if key not in MAY_BE_SILENT:
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
    assert not last, last


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
    assert found["Errors, 24 h"].number() == len(ERRORS)
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
    note = overview["annotations"]["list"][0]
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
    # Some panels are about the whole host; that no alert is open is an answer.
    of_app = [answer for answer in found if "nobody" in answer.expr]
    seen = [answer.key for answer in of_app if not answer.empty()]
    assert [key for key in seen if key[1] != "Open alerts"] == []


#: What these show depends on what went wrong: each panel says what nothing means.
OF_LOGS_AND_HOST = {
    f"soloscope-{name}"
    for name in ("errors", "logs", "stack", "system", "user-journey")
}


def asked(stack: Stack, app: str) -> dict[tuple[str, int], Answer]:
    """Every answer of the overview of a host with this app only, by panel and query."""
    (overview,) = (
        made.as_json()
        for made in examples.alone(examples.configuration(stack), app)
        if made.uid == files.OVERVIEW
    )
    return {
        (answer.panel, answer.index): answer
        for answer in ask(overview, stack.url("prometheus"), stack.url("loki"), app=app)
    }


def test_an_example_has_no_panel_without_data(shape: tuple[str, Stack]) -> None:
    _, stack = shape
    for app in examples.EXAMPLES.values():
        for made in examples.alone(examples.configuration(stack), app):
            if made.uid in OF_LOGS_AND_HOST:
                continue
            found = list(
                ask(made.as_json(), stack.url("prometheus"), stack.url("loki"), app=app)
            )
            shown = {answer.panel for answer in found if not answer.empty()}
            empty = {answer.panel for answer in found} - shown
            assert empty == set(), (made.uid, app)
            assert made.uid != files.OVERVIEW or len(shown) >= 5, app


def test_the_readmes_ten_lines_show_seven_days_of_sign_ups(
    shape: tuple[str, Stack],
) -> None:
    form, stack = shape
    found = asked(stack, "myapp")
    now, *before = (examples.day({}, back) for back in range(8))
    days = {
        f"{day:%a %Y-%m-%d}": examples.count("signups", day)
        for day in (now, *before[:6])
    }
    over, today = (found["Sign-ups per day", index].by("date") for index in (0, 1))
    assert {**over, **today} == days
    assert list(today) == [f"{now:%a %Y-%m-%d}"]
    assert found["Sign-ups today", 1].number() == examples.count("signups", before[6])
    if form == "with-prometheus":
        said = (files.TOP / "README.md").read_text().split("What you see:")[1]
        named = re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", said.split("Declare more")[0])
        assert set(named) == {panel for panel, _ in found}


def test_the_shop_shows_what_it_counted(shape: tuple[str, Stack]) -> None:
    _, stack = shape
    found = asked(stack, "shop")
    # Below its number of calls an average is there, and has no colour.
    title = "Payment service, average today"
    assert found[title, 0].empty()
    assert (found[title, 1].number(), found[title, 2].number()) == (3, 8)
    days = [examples.day({"timeZone": "Europe/Berlin"}, back) for back in range(8)]
    orders, visits = (
        sum(examples.count(name, day) for day in days[:7])
        for name in ("orders", "visits")
    )
    share = found["Visits that buy, 7 days", 0].number()
    assert share == pytest.approx(orders / visits)
    assert found["Payments refused, 7 days", 0].by("key") == {
        "expired_card": 21,
        "limit": 7,
    }
    for index, day in enumerate((days[0], days[7])):
        buyers = found["Buyers today ≈", index].number()
        assert buyers == estimate(examples.count("buyers", day))
    assert found["Items nearly sold out", 0].number() == len("items_low")


#: A panel of the app in trouble, a query of it -> what is painted.
RARE = {
    ("Poor", 0): ("MOST FAILED", "red"),
    ("Poor", 1): ("1", "transparent"),
    ("Poor", 2): ("33", "transparent"),
    ("Poor", 3): ("30", "transparent"),
    ("Few", 0): ("FEW DONE", "red"),
    ("Late", 0): ("LATE", "red"),
    ("Late", 1): ("0", "transparent"),
    ("soloscope", 0): ("reads Redis", "green"),
    ("Errors, 24 h", 0): ("1", "orange"),
}


def paint(stack: Stack, app: str) -> dict[tuple[str, int], tuple[str, str]]:
    """What each query of a stat paints."""
    found = asked(stack, app)
    (overview, *_) = examples.alone(examples.configuration(stack), app)
    return {
        (panel["title"], index): examples.painted(
            panel,
            index,
            None
            if found[panel["title"], index].empty()
            else next(iter(found[panel["title"], index].numbers.values())),
        )
        for panel, index, _ in targets(overview.as_json())
        if panel["type"] == "stat" and panel["title"] != "Checks"
    }


def test_a_bad_night_is_red_at_once(shape: tuple[str, Stack]) -> None:
    _, stack = shape
    shown = paint(stack, "trouble")
    assert {key: shown[key] for key in RARE} == RARE
    checks = asked(stack, "trouble")["Checks", 0].by("name")
    assert checks == {"redis": 1, "queue": 0}


def test_a_redis_that_is_away_is_red_and_nothing_is_green(
    shape: tuple[str, Stack],
) -> None:
    _, stack = shape
    shown = paint(stack, "cut_off")
    assert shown.pop(("soloscope", 0)) == ("NO REDIS", "red")
    shown.pop(("Open alerts", 0), None)
    assert shown == {
        ("Orders today", 0): ("not counted yet", "text"),
        ("Orders today", 1): ("not counted yet", "text"),
    }
    assert asked(stack, "cut_off")["Checks", 0].by("name") == {"redis": 0}


def test_a_host_with_several_apps_has_an_overview_of_each_and_of_all(
    shape: tuple[str, Stack],
) -> None:
    _, stack = shape
    made = {
        one.uid: one.as_json()
        for one in dashboards(examples.configuration(stack))
        if one.uid.startswith(files.OVERVIEW)
    }
    apps = ("cut_off", "languagebuddy", "myapp", "shop", "trouble", "worker")
    assert set(made) == {files.OVERVIEW, *(f"{files.OVERVIEW}-{app}" for app in apps)}
    headings = [
        p["title"] for p in made[files.OVERVIEW]["panels"] if p["type"] == "row"
    ]
    assert sorted(headings) == sorted(
        app.title for app in examples.configuration(stack).apps.values()
    )
    late = [
        answer
        for answer in ask(
            made[files.OVERVIEW], stack.url("prometheus"), stack.url("loki")
        )
        if (answer.panel, answer.index) == ("Late", 0)
    ]
    assert [answer.number() for answer in late] == [4]
