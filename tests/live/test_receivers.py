"""A real Alertmanager with the rendered configuration notifies every kind of receiver.

Stand-ins take what it sends and check it: the secrets from their files, what people
read, and that each incident is one message when it begins and one when it is over.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from soloscope_demo.stack import free_ports, render, until
from soloscope_demo.stack.child import Child
from standins import Mails, Posts, mails, posts

Program = Callable[[str], str]

ZONE = "Asia/Tokyo"

#: When the alerts of these tests began: 10:05 in ZONE.
START = dt.datetime(2026, 11, 18, 1, 5, tzinfo=dt.UTC)

SLACK, PAGERDUTY, HOOK = "/services/T0/secret", "/v2/enqueue", "/hook?a=$b"

NOTIFY = "/alertmanager"

ANNOTATIONS = {
    "summary": "shop is <slow> & $HOME",
    "description": "The 95th percentile is 2.5 s, above 1 s.",
    "dashboard": "http://127.0.0.1:3000/d/x?var-app=shop&from=1",
    "runbook_url": "https://example.org/runbooks/Slow.md",
}


class Alertmanager:
    """A running Alertmanager; alerts are sent to it as Prometheus sends them."""

    def __init__(self, url: str) -> None:
        self.url = url

    def send(
        self,
        name: str,
        *,
        over: bool = False,
        since: dt.datetime = START,
        **labels: str,
    ) -> None:
        """An alert that fires for an hour from now, or is over."""
        now = dt.datetime.now(dt.UTC)
        alert = {
            "labels": {"alertname": name, "severity": "critical", **labels},
            "annotations": ANNOTATIONS,
            "startsAt": since.isoformat(),
            "endsAt": (now if over else now + dt.timedelta(hours=1)).isoformat(),
        }
        requests.post(
            f"{self.url}/api/v2/alerts", json=[alert], timeout=10
        ).raise_for_status()


@contextlib.contextmanager
def alertmanager(
    root: Path, program: Program, options: dict[str, Any], **more: Any
) -> Iterator[Alertmanager]:
    """Run it with these options of `alertmanager`, at short intervals."""
    program("nix-instantiate")
    (port,) = free_ports(1)
    own = {
        "enable": True,
        "port": port,
        "groupWait": "100ms",
        "groupInterval": "500ms",
        **options,
    }
    overrides = json.loads(json.dumps({"alertmanager": own, "timeZone": ZONE, **more}))
    argv = render.render(root, overrides)["programs.json"]["alertmanager"]["argv"]
    url = f"http://127.0.0.1:{port}"
    child = Child(
        "alertmanager",
        [program("alertmanager"), *argv[1:]],
        root / "log",
        lambda: requests.get(f"{url}/-/ready", timeout=2).ok,
    )
    child.start()
    try:
        until("Alertmanager is ready", child.is_ready)
        yield Alertmanager(url)
    finally:
        child.end()


def secret(folder: Path, name: str, text: str) -> str:
    """The path of a file with a secret, which ends with a line break."""
    path = folder / name
    path.write_text(f"{text}\n")
    return str(path)


@pytest.fixture(scope="module")
def web() -> Iterator[Posts]:
    """Slack, PagerDuty, a webhook and the heartbeat's service."""
    with posts() as server:
        yield server


@pytest.fixture(scope="module")
def mail() -> Iterator[Mails]:
    """A mail server."""
    with mails() as server:
        yield server


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory,
    web: Posts,
    mail: Mails,
    program: Program,
) -> Iterator[Alertmanager]:
    """Alertmanager with a receiver of each kind, and one that hears late."""
    root = tmp_path_factory.mktemp("alertmanager")
    receivers = {
        "mail": {
            "email": {
                "to": "me@example.org",
                "from": "alerts@example.org",
                "smarthost": f"127.0.0.1:{mail.port}",
                "username": "alerts",
                "passwordFile": secret(root, "smtp", "smtp-password"),
                "requireTls": False,
            }
        },
        "slack": {
            "slack": {
                "urlFile": secret(root, "slack", web.url(SLACK)),
                "channel": "#ops",
            }
        },
        "pager": {
            "pagerduty": {
                "keyFile": secret(root, "key", "integration-key"),
                "url": web.url(PAGERDUTY),
            }
        },
        "hook": {
            "severities": ["critical", "warning", "info"],
            "webhook": {
                "urlFile": secret(root, "url", web.url(HOOK)),
                "tokenFile": secret(root, "token", "hook-token"),
            },
        },
        "late": {"after": "2s", "webhook": {"url": web.url("/late")}},
    }
    heartbeat = {
        "urlFile": secret(root, "heartbeat", web.url("/ping/uuid")),
        "interval": "1s",
    }
    options = {"receivers": receivers, "heartbeat": heartbeat}
    # In place of `soloscope notify`; its receiver is there by itself.
    notify = {
        "port": web.port,
        "tokenFile": secret(root, "notify", "notify-token"),
        "channels": {"phone": {"urlFile": "/nowhere"}},
    }
    rules = {
        "Down": {"expr": "up == 0", "inhibits": ["Follows"]},
        "HostDown": {"expr": "up == 0", "inhibits": ["FollowsHost"]},
    }
    more = {"alerts": {"rules": rules}, "notify": notify}
    with alertmanager(root, program, options, **more) as started:
        yield started


@pytest.fixture(scope="module")
def incident(server: Alertmanager, web: Posts, mail: Mails) -> None:
    """One critical alert, which fires and is over, and everybody has heard of it."""

    def heard(number: int) -> bool:
        lists = [web.to(path) for path in (SLACK, PAGERDUTY, HOOK, NOTIFY)]
        return {len(mail.mails), *map(len, lists)} == {number}

    server.send("Slow", app="shop")
    until("everybody hears of it", lambda: heard(1))
    server.send("Slow", app="shop", over=True)
    until("everybody hears that it is over", lambda: heard(2))
    time.sleep(1.2)  # two intervals of the group: nobody hears of it again
    assert heard(2)


@pytest.mark.usefixtures("incident")
def test_email(mail: Mails) -> None:
    first, last = mail.mails
    assert first.login == ("alerts", "smtp-password")
    assert "alerts@example.org" in first.sender
    assert first.to == "TO:<me@example.org>"
    assert first.message["Subject"] == "CRITICAL: shop is <slow> & $HOME"
    assert last.message["Subject"] == "RESOLVED: shop is <slow> & $HOME"
    assert first.message.get_body(("html",)) is None
    text = first.message.get_body(("plain",))
    assert text is not None
    assert text.get_content().strip().splitlines() == [
        "shop is <slow> & $HOME",
        "The 95th percentile is 2.5 s, above 1 s.",
        "Since 18 Nov 10:05 JST",
        "Dashboard: http://127.0.0.1:3000/d/x?var-app=shop&from=1",
        "Runbook: https://example.org/runbooks/Slow.md",
    ]
    over = last.message.get_body(("plain",))
    assert over is not None
    assert "Since 18 Nov 10:05 JST, until " in over.get_content()


@pytest.mark.usefixtures("incident")
def test_slack(web: Posts) -> None:
    first, last = (post.body for post in web.to(SLACK))
    assert first["channel"] == "#ops"
    (attachment,) = first["attachments"]
    assert attachment["title"] == "CRITICAL: shop is <slow> & $HOME"
    assert attachment["title_link"] == ANNOTATIONS["dashboard"]
    assert "The 95th percentile is 2.5 s" in attachment["text"]
    assert "Since 18 Nov 10:05 JST" in attachment["text"]
    assert attachment["color"] == "danger"
    (attachment,) = last["attachments"]
    assert attachment["title"].startswith("RESOLVED: ")
    assert attachment["color"] == "good"


@pytest.mark.usefixtures("incident")
def test_pagerduty(web: Posts) -> None:
    first, last = (post.body for post in web.to(PAGERDUTY))
    assert first["routing_key"] == "integration-key"
    assert first["payload"]["severity"] == "critical"
    assert first["payload"]["summary"] == "CRITICAL: shop is <slow> & $HOME"
    assert first["client_url"] == ANNOTATIONS["dashboard"]
    # The same key, or PagerDuty would not resolve what it has opened.
    assert first["dedup_key"] == last["dedup_key"]
    assert (first["event_action"], last["event_action"]) == ("trigger", "resolve")


@pytest.mark.usefixtures("incident")
def test_webhook(web: Posts) -> None:
    first, last = web.to(HOOK)
    assert first.headers["authorization"] == "Bearer hook-token"
    assert (first.body["status"], last.body["status"]) == ("firing", "resolved")
    (alert,) = first.alerts
    assert alert["annotations"] == ANNOTATIONS
    labels = {"alertname": "Slow", "severity": "critical", "app": "shop"}
    assert alert["labels"] == labels


@pytest.mark.usefixtures("incident")
def test_soloscope_notify(web: Posts) -> None:
    first, last = web.to(NOTIFY)
    assert first.headers["authorization"] == "Bearer notify-token"
    assert (first.body["status"], last.body["status"]) == ("firing", "resolved")
    assert first.body["receiver"] == "notify"


def of(web: Posts, path: str, name: str) -> list[tuple[str, str]]:
    """What was posted to `path` of an alert: its state and its app."""
    return [
        (post.body["status"], post.body["groupLabels"].get("app", ""))
        for post in web.to(path)
        if post.body["groupLabels"]["alertname"] == name
    ]


def test_late_receivers_hear_only_of_what_stays_open(
    server: Alertmanager, web: Posts
) -> None:
    now = dt.datetime.now(dt.UTC)
    server.send("Brief", app="shop", since=now)
    server.send("Stays", app="shop", since=now)
    until("it is told at once", lambda: of(web, HOOK, "Brief"))
    server.send("Brief", app="shop", since=now, over=True)
    until("it is told late", lambda: of(web, "/late", "Stays"))
    (late,) = (
        p for p in web.to("/late") if p.alerts[0]["labels"]["alertname"] == "Stays"
    )
    assert late.at - now.timestamp() >= 2
    server.send("Stays", app="shop", since=now, over=True)
    until("it is told to be over", lambda: len(of(web, "/late", "Stays")) == 2)
    assert of(web, "/late", "Stays") == [("firing", "shop"), ("resolved", "shop")]
    assert of(web, "/late", "Brief") == []
    assert of(web, HOOK, "Brief") == [("firing", "shop"), ("resolved", "shop")]


def test_the_heartbeat_beats_as_long_as_alerts_come(
    server: Alertmanager, web: Posts
) -> None:
    server.send("Watchdog", severity="info")
    until("three beats", lambda: len(web.to("/ping/uuid")) >= 3)
    first, second, third = web.to("/ping/uuid")[:3]
    assert third.at - second.at == pytest.approx(1, abs=0.5)
    assert {post.body["status"] for post in (first, second, third)} == {"firing"}
    assert of(web, HOOK, "Watchdog") == []
    server.send("Watchdog", severity="info", over=True)
    time.sleep(1.2)
    beats = len(web.to("/ping/uuid"))
    time.sleep(1.5)
    assert len(web.to("/ping/uuid")) == beats


def test_what_follows_from_another_alert_is_not_told(
    server: Alertmanager, web: Posts
) -> None:
    server.send("Down", app="shop")
    until("the cause is told", lambda: of(web, HOOK, "Down"))
    server.send("Follows", app="shop")
    server.send("Follows", app="other")
    until("another app's is told", lambda: of(web, HOOK, "Follows"))
    # A cause of no app is the cause of every app's.
    server.send("HostDown")
    until("the host's is told", lambda: of(web, HOOK, "HostDown"))
    server.send("FollowsHost", app="shop")
    server.send("Last")
    until("the last one is told", lambda: of(web, HOOK, "Last"))
    time.sleep(0.5)
    assert of(web, HOOK, "Follows") == [("firing", "other")]
    assert of(web, HOOK, "FollowsHost") == []
    for name, app in (("Down", "shop"), ("HostDown", "")):
        server.send(name, over=True, app=app)
    until("it is told when its cause is over", lambda: of(web, HOOK, "FollowsHost"))


@pytest.mark.parametrize("quiet", [True, False])
def test_quiet_hours_hold_warnings_back_in_the_time_zone_of_the_person(
    tmp_path: Path, program: Program, quiet: bool
) -> None:
    # Half a day away in another zone; UTC would be wrong by nine hours.
    now = dt.datetime.now(ZoneInfo(ZONE)) + dt.timedelta(hours=0 if quiet else 12)
    start, end = (now + dt.timedelta(hours=hours) for hours in (-2, 2))
    hours = {"from": f"{start:%H:%M}", "to": f"{end:%H:%M}"}
    with posts() as web:
        options = {
            "receivers": {"me": {"webhook": {"url": web.url("/me")}}},
            "quietHours": hours,
        }
        with alertmanager(tmp_path, program, options) as server:
            server.send("Minor", severity="warning")
            time.sleep(0.3)
            server.send("Major", severity="critical")
            until("the critical one is told", lambda: of(web, "/me", "Major"))
            time.sleep(1)
            assert bool(of(web, "/me", "Minor")) is not quiet
