"""`soloscope notify` as a process, with a provider that checks every request."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from graph_api import GraphApi
from notifier import Notifier, alert, resident, until, webhook
from notifier_templates import ALERT
from twilio_api import TwilioApi


def test_an_alert_becomes_one_message_and_its_end_another(
    graph: GraphApi, notifier: Notifier
) -> None:
    with notifier.running():
        for _ in range(3):  # Alertmanager repeats what it is not sure of
            answer = notifier.post("/alertmanager", webhook(alert()))
            assert answer.status_code == 200
        until("the message", lambda: graph.taken)
        assert notifier.post("/alertmanager", webhook(alert(over=True))).ok
        until("the end", lambda: len(graph.taken) == 2)
        time.sleep(0.3)
    fired, over = graph.taken
    assert ALERT.filled(fired.parameters) == (
        "This is an alert from soloscope on your server: 🚨 Critical Error\n\n"
        "LanguageBuddy does not answer · Its health check failed for two minutes.\n\n"
        "Since: 18 Nov 02:10\n"
        "Open this page for more: https://grafana.example.org/d/soloscope-overview\n\n"
        "Check logs for details."
    )
    assert over.parameters[0] == "✅ Resolved"
    assert over.parameters[2] == "Fired 18 Nov 02:10, resolved 18 Nov 02:45"
    assert not graph.refused


def test_the_apps_message_in_the_wording_of_old(
    graph: GraphApi, notifier: Notifier
) -> None:
    """Free text needs the window, which the user's reply opens."""
    notifier.with_calls()
    with notifier.running():
        assert graph.reply().status_code == 200
        body = {"text": "Payment failed", "user": "+4915198765432"}
        assert notifier.post("/api/v1/messages", body).ok
        (message,) = until("the message", lambda: graph.taken)
    assert message.text == (
        "🚨 Critical Error\n\nPayment failed\n\nUser: ***5432\nCheck logs for details"
    )


def test_a_message_from_the_terminal(graph: GraphApi, notifier: Notifier) -> None:
    with notifier.running():
        done = subprocess.run(
            [
                *(sys.executable, "-m", "soloscope"),
                *("--config", str(notifier.folder / "soloscope.json"), "notify"),
                *("--message", "no backup for 2 days\n(host web1)", "--severity"),
                *("warning", "--app", "languagebuddy"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        (message,) = until("the message", lambda: graph.taken)
    assert message.parameters[:2] == (
        "⚠️ Warning",
        "no backup for 2 days · (host web1)",
    )
    # Nobody takes it now.
    done = subprocess.run(
        [
            *(sys.executable, "-m", "soloscope"),
            *("--config", str(notifier.folder / "soloscope.json"), "notify"),
            *("--message", "x"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "connection refused; does soloscope-notify run?" in done.stderr


def test_500_alerts_are_at_most_a_message_for_each_group(
    graph: GraphApi, notifier: Notifier
) -> None:
    """The phone's limit is kept: more than 45 at once would be refused (131056)."""
    groups = 60
    with notifier.running():
        for group in range(groups):
            many = [
                alert(
                    f"Rule{group}",
                    labels={"unit": f"u{n}"},
                    annotations={"summary": f"Rule {group} fails"},
                )
                for n in range(500 // groups + 1)
            ]
            assert notifier.post("/alertmanager", webhook(*many)).ok
        until("the burst", lambda: len(graph.taken) >= 40, 60)
        # The next one comes after six seconds.
        until("one more", lambda: len(graph.taken) >= 41, 20)
        gap = graph.taken[40].at - graph.taken[0].at
        assert notifier.metric('soloscope_notify_waiting{channel="whatsapp"}') > 0
    assert not graph.refused
    assert len({t.parameters for t in graph.taken}) == len(graph.taken) <= groups
    assert gap > 4
    print(f"500 alerts in {groups} groups: {len(graph.taken)} messages in {gap:.1f} s")


def test_many_alerts_of_one_group_are_one_message(
    graph: GraphApi, notifier: Notifier
) -> None:
    many = [alert(labels={"unit": f"u{n}"}) for n in range(500)]
    with notifier.running():
        assert notifier.post("/alertmanager", webhook(*many, truncatedAlerts=7)).ok
        (message,) = until("the message", lambda: graph.taken)
    assert message.parameters[1] == (
        "507 alerts · • LanguageBuddy does not answer (Since: 18 Nov 02:10), 200 times "
        "· and 307 more"
    )


def test_after_an_outage_one_message_tells_the_whole_story(
    tmp_path: Path, graph: GraphApi, notifier: Notifier
) -> None:
    """Hours without the provider, a restart among them."""
    real = notifier.options["whatsapp"]["apiUrl"]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/v25.0"
        notifier.options["whatsapp"]["apiUrl"] = nobody
        with notifier.running():
            assert notifier.post("/alertmanager", webhook(alert())).ok
            assert notifier.post("/alertmanager", webhook(alert("Other"))).ok
            assert notifier.post("/alertmanager", webhook(alert(over=True))).ok
            up = 'soloscope_notify_channel_up{channel="whatsapp"}'
            until("it is seen", lambda: notifier.metric(up) == 0, 20)
            waiting = 'soloscope_notify_waiting{channel="whatsapp"}'
            assert notifier.metric(waiting) == 3
    notifier.options["whatsapp"]["apiUrl"] = real
    late = "import soloscope.notify.messages as m; m.LATE = 0.0"
    with notifier.running(before=late):
        until("both groups", lambda: len(graph.taken) == 2)
        time.sleep(0.5)
        assert notifier.metric(waiting) == 0
    told = {t.parameters[0]: t.parameters[2] for t in graph.taken}
    assert told == {
        "🚨 Critical Error": "18 Nov 02:10, sent late",
        "✅ Resolved": "Fired 18 Nov 02:10, resolved 18 Nov 02:45, sent late",
    }


def test_it_is_small_and_ready_at_once(graph: GraphApi, notifier: Notifier) -> None:
    """Idle below 40 MB, and 200 ms of CPU until it listens."""
    process = notifier.start()
    ready = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    seconds = (int(ready[11]) + int(ready[12])) / 100
    idle = resident(process.pid)
    assert notifier.post("/api/v1/messages", {"text": "x"}).ok
    until("the message", lambda: graph.taken)
    sent = resident(process.pid)
    print(f"ready: {seconds:.2f} s of CPU; {idle:.1f} MB idle, then {sent:.1f} MB")
    assert idle < 40
    assert seconds < 0.5  # the bound is of an idle machine


def test_canaries_pass_the_loop_and_are_never_sent(
    graph: GraphApi, notifier: Notifier
) -> None:
    with notifier.running():
        canary = alert("SoloscopeCanary", labels={"canary": "c1"})
        assert notifier.post("/alertmanager", webhook(canary)).ok
        until("it passed", lambda: notifier.told(canary="c1").get("state") == "canary")
        assert "error" in notifier.told(canary="other")
    assert not graph.taken


def test_what_is_wrong_with_the_provider_goes_another_way(
    graph: GraphApi, notifier: Notifier
) -> None:
    """A token that is refused: the next channel tells it, and what is wrong is seen."""
    from provider_server import Provider, Reply

    class Ntfy(Provider):
        def answer(self, path: str, headers: object, body: bytes) -> Reply:
            self.take("", path, text=body.decode())
            return Reply(200, {})

    ntfy = Ntfy()
    notifier.options["whatsapp"]["tokenFile"] = notifier.secret("wrong", "expired")
    with ntfy.served():
        url = notifier.secret("ntfy", f"json://127.0.0.1:{ntfy.port}/topic")
        notifier.options["channels"] = {
            "phone": {"urlFile": url, "severities": ["info"]}
        }
        with notifier.running():
            assert notifier.post("/alertmanager", webhook(alert())).ok
            (other,) = until("the other channel", lambda: ntfy.taken)
            about = alert("NotificationsFailing", labels={"component": "notify"})
            assert notifier.post("/alertmanager", webhook(about)).ok
            until("the alert about it", lambda: len(ntfy.taken) == 2)
            up = 'soloscope_notify_channel_up{channel="whatsapp"}'
            assert notifier.metric(up) == 0
            failed = (
                'soloscope_notify_messages_total{channel="whatsapp",result="failed"}'
            )
            assert notifier.metric(failed) == 1
    assert "LanguageBuddy does not answer" in (other.text or "")
    assert "expired" not in notifier.log.read_text()
    assert [reply.body["error"]["code"] for reply in graph.refused] == [190]


def test_the_window_and_a_failure_that_is_told_later(
    graph: GraphApi, notifier: Notifier
) -> None:
    notifier.with_calls()
    with notifier.running():
        # Not known whether it is open: a template.
        assert notifier.post("/api/v1/messages", {"text": "one"}).ok
        until("the template", lambda: graph.taken)
        assert graph.reply().ok
        assert notifier.post("/api/v1/messages", {"text": "two"}).ok
        until("free text", lambda: len(graph.taken) == 2)
        graph.say("wamid.unknown", "failed", 131026)
        graph.say(graph.taken[1].id, "delivered")
        until(
            "the state",
            lambda: notifier.told(id="2")["state"] == "delivered",
        )
        # It is closed by the provider's clock; that is said later.
        graph.window_until = 0
        assert notifier.post("/api/v1/messages", {"text": "three"}).ok
        until("the template", lambda: len(graph.taken) == 3)
        assert graph.reply("4915100000000").ok  # somebody else opens nothing
        graph.window_until = 0
        assert notifier.post("/api/v1/messages", {"text": "four"}).ok
        until("another template", lambda: len(graph.taken) == 4)
    kinds = ["text" if t.text else t.template for t in graph.taken]
    assert kinds == ["soloscope_alert", "text", "soloscope_alert", "soloscope_alert"]


def test_the_calls_must_be_metas(graph: GraphApi, notifier: Notifier) -> None:
    notifier.with_calls()
    where = f"{notifier.url}/whatsapp"
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444"}
    with notifier.running():
        right = {**query, "hub.verify_token": "verify-token"}
        assert requests.get(where, right, timeout=5).text == "1158201444"
        for wrong in (
            {**right, "hub.verify_token": "x"},
            query,
            {**right, "hub.mode": ""},
        ):
            assert requests.get(where, wrong, timeout=5).status_code == 403
        graph.app_secret = "forged"
        assert graph.reply().status_code == 403
        assert requests.post(where, data=b"{}", timeout=5).status_code == 403
        graph.app_secret = "app-secret"
        for odd in ({}, {"messages": [1, {}, {"from": 5}]}, {"statuses": "x"}):
            assert graph.call(odd).status_code == 200


def test_twilio_by_template_and_in_the_window(
    twilio: TwilioApi, by_twilio: Notifier
) -> None:
    by_twilio.options["whatsapp"]["webhook"] = {"url": twilio.public_url}
    with by_twilio.running():
        assert by_twilio.post("/alertmanager", webhook(alert())).ok
        (first,) = until("the template", lambda: twilio.taken)
        assert first.parameters[0] == "🚨 Critical Error"
        assert twilio.reply().status_code == 200
        body = {"text": "words " * 600, "key": "long"}
        assert by_twilio.post("/api/v1/messages", body).ok
        until("free text", lambda: len(twilio.taken) == 2)
        twilio.window_until = 0
        assert by_twilio.post("/api/v1/messages", {"text": "later"}).ok
        until("the template", lambda: len(twilio.taken) == 3)
        twilio.public_url = "https://forged.example.org/"
        assert twilio.reply().status_code == 403
    assert twilio.taken[1].text is not None
    assert twilio.taken[1].text.endswith("…")
    assert twilio.taken[2].template is not None
    assert not twilio.refused


def test_bad_requests_are_refused_with_the_reason(
    graph: GraphApi, notifier: Notifier
) -> None:
    with notifier.running():

        def said(path: str, body: object, **how: object) -> tuple[int, str]:
            answer = notifier.post(path, body, **how)
            return answer.status_code, answer.text

        token = {"headers": {"Authorization": "Bearer wrong"}}
        assert said("/alertmanager", webhook(alert()), **token)[0] == 401
        assert said("/api/v1/messages", {"text": "x"}, **token)[0] == 401
        whole = str(webhook(alert())).encode()
        for bad in (b"", b"{", whole[:100], b"[]", b'{"alerts":[]}', b"[" * 99999):
            assert said("/alertmanager", bad)[0] == 400, bad[:50]
        assert said("/alertmanager?channel=pager", webhook(alert())) == (
            400,
            '{"error":"no channel `pager`; configured: whatsapp"}\n',
        )
        huge = webhook(alert(annotations={"description": "x" * 5_000_000}))
        assert said("/alertmanager", huge)[0] == 413
        for odd, reason in (
            ({"text": ""}, "`text` must be set"),
            ({"text": 5}, "`text` must be a string"),
            ({"text": "x", "sevrity": "info"}, "unknown field 'sevrity'"),
            ({"text": "x", "severity": "bad"}, "`severity` must be one of"),
            ({"text": "x", "parameters": [1]}, "list of strings"),
            ({"text": "x", "kind": "spam"}, "`kind` must be"),
        ):
            status, text = said("/api/v1/messages", odd)
            assert status == 400
            assert reason in text
        # What is odd in an alert loses no alert.
        odds: list[dict[str, Any]] = [
            {},
            {"labels": None, "annotations": 5, "startsAt": "yesterday"},
            {"labels": {"alertname": ["x"]}, "annotations": {"summary": "\ud800 \x00"}},
            {**alert("Odd"), "startsAt": "9999-12-31T23:59:59Z", "unknown": {}},
        ]
        for number, one in enumerate(odds):
            body = webhook(one, group=f"odd {number}", receiver=None)
            assert said("/alertmanager", body)[0] == 200
        until("all of them", lambda: len(graph.taken) == len(odds), 30)
    assert not graph.refused


def test_two_notifiers_do_not_share_an_outbox(
    graph: GraphApi, notifier: Notifier
) -> None:
    with notifier.running():
        done = subprocess.run(
            [
                *(sys.executable, "-m", "soloscope"),
                *("--config", str(notifier.folder / "soloscope.json"), "notify"),
            ],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 1
    assert "another `soloscope notify` uses" in done.stderr


def test_no_log_has_anything_personal(graph: GraphApi, notifier: Notifier) -> None:
    body = {"text": "Anna (anna@example.org) paid", "user": "+4915198765432"}
    from provider_server import Fault, Reply

    words = {"code": 131030, "message": "+4915123456789 is not in the allowed list"}
    graph.faults.append(Fault(Reply(400, {"error": words})))
    with notifier.running():
        assert notifier.post("/api/v1/messages", body).ok
        until("it is refused", lambda: "message_not_sent" in notifier.log.read_text())
        assert notifier.post("/alertmanager", b"+4915198765432").status_code == 400
    with notifier.running():
        until("the message", lambda: graph.taken)
    log = notifier.log.read_text()
    assert notifier.events()
    for personal in ("4915", "Anna", "anna@", "wamid", "EAAtoken", "notify-token"):
        assert personal not in log, personal
    content = b"".join(p.read_bytes() for p in (notifier.folder / "state").iterdir())
    assert b"4915198765432" not in content
    assert b"anna@" not in content


@pytest.mark.parametrize("option", ["whatsapp", "channels"])
def test_a_channel_is_needed(notifier: Notifier, option: str) -> None:
    del notifier.options[option]
    (notifier.folder / "empty").mkdir()
    process = notifier.start(wait=False)
    assert process.wait(15) == 2
    assert "notify" in notifier.log.read_text()
