"""Faults: answers of every kind, kill -9 at every step, a full disk, a damaged file."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from pathlib import Path

import pytest
import requests
from graph_api import GraphApi
from notifier import Notifier, alert, until, webhook
from provider_server import Fault, Reply

REPEATED = "(possibly repeated)"


def meta(code: int, status: int = 400) -> Fault:
    """An error of Meta's."""
    error = {"message": f"(#{code}) no", "code": code, "type": "OAuthException"}
    return Fault(Reply(status, {"error": error}))


AGAIN = {
    # What is tried again soon, and whether the message may have been sent.
    "131000": (meta(131000), False),
    "131016": (meta(131016, 503), True),
    "wait: 131056": (meta(131056), False),
    "wait: 130429": (meta(130429, 429), False),
    "500": (Fault(Reply(500, {"error": {"code": 1, "message": "unknown"}})), True),
    "502 HTML": (
        Fault(raw=b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>"),
        True,
    ),
    "200 HTML": (
        Fault(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"),
        True,
    ),
    "200 empty": (Fault(Reply(200, {})), True),
    "200 other": (Fault(Reply(200, {"messages": [{}]})), True),
    "closed": (Fault(raw=b""), True),
    "cut off": (
        Fault(raw=b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"messag', after=True),
        True,
    ),
    "no HTTP": (Fault(raw=b"SSH-2.0-OpenSSH_9.9\r\n"), True),
    "taken, then 500": (Fault(Reply(500, {}), after=True), True),
}


def test_what_may_go_on_goes_on(graph: GraphApi, notifier: Notifier) -> None:
    """One after the other: each message arrives, marked when it may be the second."""
    quick = "import soloscope.notify.sender as s; s.backoff = lambda n: 0.05"
    with notifier.running(before=f"{quick}; s.AGAIN = 0.05"):
        for name, (fault, ambiguous) in AGAIN.items():
            before = len(graph.taken)
            graph.faults.append(fault)
            body = {"text": f"about {name}", "group": name}
            assert notifier.post("/api/v1/messages", body).ok
            twice = 1 + fault.after
            until(name, lambda b=before + twice: len(graph.taken) >= b)  # type: ignore[misc]
            told = graph.taken[-1].parameters
            assert told[1] == f"about {name}"
            assert (REPEATED in told[0]) == ambiguous, name
    assert not graph.refused


@pytest.mark.parametrize("code", [190, 132001])
def test_what_a_person_must_mend_waits_for_a_restart(
    graph: GraphApi, notifier: Notifier, code: int
) -> None:
    graph.faults.append(meta(code))
    with notifier.running():
        assert notifier.post("/api/v1/messages", {"text": "x"}).ok
        up = 'soloscope_notify_channel_up{channel="whatsapp"}'
        until("it is seen", lambda: notifier.metric(up) == 0)
        assert notifier.told(id="1")["state"] == "waiting"
    with notifier.running():
        until("it arrives", lambda: graph.taken)
    assert REPEATED not in graph.taken[0].said


def test_an_undeliverable_message_is_counted(
    graph: GraphApi, notifier: Notifier
) -> None:
    graph.faults.append(meta(131026))
    with notifier.running():
        assert notifier.post("/api/v1/messages", {"text": "x"}).ok
        until("it failed", lambda: notifier.told(id="1")["state"] == "failed")
    assert not graph.taken


def test_a_slow_provider_holds_up_nobody_else(
    graph: GraphApi, notifier: Notifier
) -> None:
    slow = "import soloscope.notify.providers.cloud_api as c; c.TIMEOUT = 1.0"
    graph.faults.append(Fault(delay=2.0))
    with notifier.running(before=slow):
        started = time.monotonic()
        assert notifier.post("/alertmanager", webhook(alert())).ok
        assert notifier.post("/alertmanager", webhook(alert("Other"))).ok
        assert time.monotonic() - started < 1
        until("all of it", lambda: len(graph.taken) == 3, 20)
    # The first one was taken, but too late for us to know.
    assert [REPEATED in t.said for t in graph.taken] == [False, True, False] or [
        REPEATED in t.said for t in graph.taken
    ] == [False, False, True]


#: Every step from the request to the end of the sending.
STEPS = [
    *("-accept", "+accept", "-next", "+next", "-sending", "+sending"),
    *("connected", "read", "taken", "answered", "-sent", "+sent"),
]


@pytest.mark.parametrize("step", STEPS)
def test_kill_9_at_every_step_loses_nothing(
    graph: GraphApi, notifier: Notifier, step: str
) -> None:
    """The alert arrives; a second message says that it may be one."""
    ours = step[0] in "-+"

    def die(at: str) -> None:
        if at == step and notifier.process is not None:
            notifier.process.kill()

    graph.at_step = die
    process = notifier.start(crash=step if ours else "", wait=not ours)
    answered = False
    if step.endswith("next"):
        process.wait(15)  # the loop looks at the outbox before any request
    else:
        until("it listens", notifier.is_ready)
        with contextlib.suppress(requests.RequestException):
            answered = notifier.post("/alertmanager", webhook(alert())).ok
        if step.endswith("accept"):
            answered = False
        process.wait(15)
    assert process.returncode == -9
    graph.at_step = lambda _: None
    with notifier.running():
        if not answered:  # Alertmanager tries again
            assert notifier.post("/alertmanager", webhook(alert())).ok
        until("the message", lambda: graph.taken)
        time.sleep(0.3)
        until("it is noted", lambda: notifier.told(id="1")["state"] == "sent")
    once = {"-accept", "+accept", "-next", "+next", "-sending", "+sent"}
    first, *others = graph.taken
    if step in once:
        assert not others
        assert REPEATED not in first.said
    elif step == "+sending" or (step == "connected" and not others):
        # It was not sent (or the body had not arrived yet), but nobody could know.
        assert not others
        assert REPEATED in first.said
    else:
        assert REPEATED not in first.said
        assert [REPEATED in other.said for other in others] == [True]


def test_nothing_is_sent_before_it_is_noted(
    graph: GraphApi, notifier: Notifier
) -> None:
    """Files may not grow: 503, so that Alertmanager tries again; then it goes on."""
    full = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "import soloscope.notify.outbox as o; o.RESERVE = 0\n"
        "usual = o.Outbox.__init__\n"
        "def limited(*a):\n"
        "    usual(*a)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "o.Outbox.__init__ = limited\n"
        "import logging; logging.raiseExceptions = False\n"
    )
    notifier.log.write_text("")
    with notifier.running(before=full):
        answer = notifier.post("/alertmanager", webhook(alert()))
        assert answer.status_code == 503
        assert "outbox.db" in answer.json()["error"]
        assert notifier.is_ready()
    assert not graph.taken
    with notifier.running():
        assert notifier.post("/alertmanager", webhook(alert())).ok
        until("the message", lambda: graph.taken)


@pytest.mark.skipif(os.geteuid() != 0, reason="not shown: a full disk (needs root)")
def test_a_full_disk_leaves_room_to_tell_it(
    tmp_path: Path, graph: GraphApi, notifier: Notifier
) -> None:
    import subprocess

    state = tmp_path / "state"
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(state)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("not shown: a full disk (may not mount)")
    try:
        with notifier.running():
            with contextlib.suppress(OSError), (state / "ballast").open("wb") as file:
                while True:
                    file.write(b"x" * 65536)
                    file.flush()
            assert os.statvfs(state).f_bavail * 4096 < 65536
            for number in range(20):
                one = webhook(alert(f"Rule{number}"))
                assert notifier.post("/alertmanager", one).status_code == 200
            until("all of them", lambda: len(graph.taken) == 20, 30)
            # More than there is room for: refused, and nothing breaks.
            notes = {"description": "x" * 700}
            answers = set()
            for number in range(60):
                many = [
                    alert(labels={"unit": f"u{n}"}, annotations=notes)
                    for n in range(200)
                ]
                body = webhook(*many, group=f"g{number}")
                answers.add(notifier.post("/alertmanager", body).status_code)
                if 503 in answers:
                    break
            assert answers == {200, 503}
            (state / "ballast").unlink()
            until("it goes on", lambda: notifier.post("/alertmanager", body).ok)
    finally:
        subprocess.run(["umount", "-l", str(state)], check=True)


def _waiting(notifier: Notifier) -> Path:
    """An outbox in which three alerts wait, and its file."""
    api = notifier.options["whatsapp"]["apiUrl"]
    notifier.options["whatsapp"]["apiUrl"] = "http://127.0.0.1:9/v25.0"
    with notifier.running():
        for number in range(3):
            assert notifier.post("/alertmanager", webhook(alert(f"Rule{number}"))).ok
    notifier.options["whatsapp"]["apiUrl"] = api
    return notifier.folder / "state/outbox.db"


@pytest.mark.parametrize("damage", ["overwritten", "cut", "page", "table"])
def test_a_damaged_outbox_is_set_aside_and_told(
    graph: GraphApi, notifier: Notifier, damage: str
) -> None:
    file = _waiting(notifier)
    content = file.read_bytes()
    if damage == "overwritten":
        file.write_bytes(b"not a database, but of some length".ljust(4096))
    elif damage == "cut":
        file.write_bytes(content[: len(content) // 2 // 4096 * 4096 - 100])
    elif damage == "page":
        file.write_bytes(content[:4096] + b"\xff" * 4096 + content[8192:])
    else:
        with contextlib.closing(sqlite3.connect(file)) as db:
            db.execute("ALTER TABLE deliveries DROP COLUMN repeated")
            db.commit()
    damaged = file.read_bytes()
    with notifier.running():
        until(
            "it is told",
            lambda: any(
                "The outbox of soloscope-notify" in t.said for t in graph.taken
            ),
            30,
        )
        assert notifier.metric("soloscope_notify_outbox_set_aside") == 1
        assert notifier.post("/alertmanager", webhook(alert("New"))).ok
        until(
            "it goes on",
            lambda: (
                notifier.metric('soloscope_notify_waiting{channel="whatsapp"}') == 0
            ),
        )
    (aside,) = file.parent.glob("outbox.db.damaged-*[0-9]Z")
    if damage != "table":
        assert aside.read_bytes() == damaged
    assert any(e["event"] == "outbox_damaged" for e in notifier.events())
    if damage == "table":  # all of it could be read
        assert len(graph.taken) == 5


def test_damage_while_it_runs_ends_the_process(
    graph: GraphApi, notifier: Notifier
) -> None:
    """systemd starts it again, and it sets the file aside."""
    with notifier.running():
        file = notifier.folder / "state/outbox.db"
        for number in range(40):
            body = {"text": "x" * 3000, "group": f"g{number}"}
            assert notifier.post("/api/v1/messages", body).ok
        with contextlib.closing(sqlite3.connect(file)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = file.stat().st_size
        with file.open("r+b") as handle:
            handle.seek(4096)
            handle.write(b"\xff" * (size - 4096))
        assert notifier.process is not None
        codes = set()
        end = time.monotonic() + 20
        while notifier.process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(requests.RequestException):
                body = {"text": "y", "key": "k"}
                codes.add(notifier.post("/api/v1/messages", body).status_code)
        assert notifier.process.wait(10) == 1
    assert codes <= {200, 503}
    before = len(graph.taken)
    with notifier.running():
        until("it is told", lambda: len(graph.taken) > before, 30)


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_clock_changes_lose_and_delay_nothing(
    graph: GraphApi, notifier: Notifier, jump: float
) -> None:
    """The clock jumps between a failed attempt and the next one."""
    (notifier.folder / "jump").write_text("0")
    clock = (
        "import time, pathlib\n"
        "usual = time.time\n"
        f"file = pathlib.Path({str(notifier.folder / 'jump')!r})\n"
        "time.time = lambda: usual() + float(file.read_text() or 0)\n"
    )
    graph.faults.extend([meta(131000)])
    with notifier.running(before=clock):
        assert notifier.post("/alertmanager", webhook(alert())).ok
        until("an attempt", lambda: not graph.faults)
        (notifier.folder / "jump").write_text(str(jump))
        assert notifier.post("/alertmanager", webhook(alert("Other"))).ok
        until("both", lambda: len(graph.taken) == 2, 40)
        # A repeat is still recognised.
        assert notifier.post("/alertmanager", webhook(alert("Other"))).json()["repeat"]
    assert json.dumps([t.parameters for t in graph.taken])
