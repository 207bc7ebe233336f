"""The whole path on the real stack: the app stops, a message arrives; it starts, the
next one arrives; nothing else does. Prints how long that takes.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from graph_api import GraphApi
from notifier import TO, until
from notifier_templates import TEMPLATES
from soloscope_demo.stack import APP, Options, Stack, running
from soloscope_demo.stack.commands import own

#: What fires when the app stops, with short times.
RULE = {
    "expr": 'min by (app) (soloscope_check_up{name="health"}) == 0',
    "for": "2s",
    "severity": "critical",
    "summary": "{{ $labels.app }} does not answer",
    "description": "Its health check fails.",
}


@pytest.fixture(scope="module")
def graph() -> Iterator[GraphApi]:
    api = GraphApi(templates=dict(TEMPLATES))
    with api.served():
        yield api


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, graph: GraphApi) -> Iterator[Stack]:
    """The stack with WhatsApp, and Grafana left out."""
    root = tmp_path_factory.mktemp("stack")
    token = root / "whatsapp-token"
    token.write_text(graph.token)
    options = Options(
        root=root,
        free_ports=True,
        history=1,
        visit_every=0,
        scrape_interval="1s",
        overrides={
            "grafana": {"enable": False},
            "apps": {APP: {"health": {"interval": "1s", "timeout": "1s"}}},
            "alertmanager": {"groupWait": "1s", "groupInterval": "2s"},
            "alerts": {
                "rules": {"AppStopped": RULE, "CriticalError": {"interval": "1s"}}
            },
            "notify": {
                "whatsapp": {
                    "provider": "cloud-api",
                    "to": TO,
                    "phoneNumberId": graph.phone_number_id,
                    "tokenFile": str(token),
                    "apiUrl": f"http://127.0.0.1:{graph.port}/v25.0",
                }
            },
        },
    )
    with running(options) as started:
        yield started


def test_a_stopped_app_is_two_messages(stack: Stack, graph: GraphApi) -> None:
    (app,) = (child for child in stack.children if child.name == "app")
    before = len(graph.taken)
    stopped = time.time()
    app.signal_group(signal.SIGSTOP)
    try:
        until("the message", lambda: len(graph.taken) > before, 60)
    finally:
        app.signal_group(signal.SIGCONT)
    started = time.time()
    until("the next one", lambda: len(graph.taken) > before + 1, 60)
    time.sleep(3)
    fired, over = graph.taken[before:]
    assert fired.parameters[0] == "🚨 Critical Error"
    assert fired.parameters[1] == f"{APP} does not answer · Its health check fails."
    assert over.parameters[0] == "✅ Resolved"
    assert over.parameters[1] == fired.parameters[1]
    assert not graph.refused
    sent = [
        float(line.split('"seconds":')[1].split(",")[0])
        for line in stack.log_file("notify").read_text().splitlines()
        if '"message_sent"' in line
    ]
    print(
        f"stopped: told after {fired.at - stopped:.1f} s; started: told after "
        f"{over.at - started:.1f} s; from notification to message sent "
        f"{', '.join(f'{s:.2f}' for s in sent)} s; {len(graph.taken) - before} messages"
    )


def test_a_rehearsal_goes_the_whole_way(stack: Stack, graph: GraphApi) -> None:
    before = len(graph.taken)
    argv = [str(own("soloscope")), "--config", str(stack.root / "soloscope.json")]
    done = subprocess.run(
        [*argv, "rehearse", "AppStopped"], capture_output=True, text=True, check=False
    )
    print(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    steps = [line.split(" s  ", 1)[1] for line in done.stdout.splitlines()]
    assert steps == [
        "AppStopped is a rule of Prometheus",
        "Alertmanager has the alert",
        "soloscope notify has it on disk",
        "whatsapp: sent",
    ]
    time.sleep(4)  # its end is not told
    (message,) = graph.taken[before:]
    assert message.parameters[0] == "Rehearsal 🚨 Critical Error"
    wrong = subprocess.run(
        [*argv, "rehearse", "AppStoped"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 1
    assert "no rule `AppStoped`; there are: " in wrong.stderr


def test_a_critical_line_of_the_log_is_a_message(stack: Stack, graph: GraphApi) -> None:
    """Without a word of code for it in the app, and without its user's number."""
    before = len(graph.taken)
    began = time.time()
    answer = requests.post(
        f"{stack.url('app')}/api/do", json={"event": "critical_error"}, timeout=10
    )
    assert answer.status_code == 200
    until("the message", lambda: len(graph.taken) > before, 60)
    message = graph.taken[before]
    assert message.parameters[0] == "🚨 Critical Error"
    assert message.parameters[1].startswith(f"{APP} logged a critical error")
    assert "+4915550" not in " ".join(message.parameters)
    print(f"printed: told after {message.at - began:.1f} s")


def test_nothing_personal_is_in_its_log(stack: Stack) -> None:
    log = Path(stack.log_file("notify")).read_text()
    assert '"message_sent"' in log
    assert TO.lstrip("+") not in log
