"""The canary on a stack of its own: all arrives, and each break is caught."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests
from soloscope_demo.stack import Options, Stack, running, until
from soloscope_demo.stack.child import Child

from soloscope.canary.results import Results, read
from soloscope.config import parse
from soloscope.dashboards.registry import dashboards
from soloscope.digest import sending
from soloscope.digest.sending import Sent
from soloscope.digest.sending import read as sent

#: Room for an idle Loki's write-ahead log, and little more (bytes).
DISK = 96 * 1024**2


class Canary:
    """Runs `soloscope canary` as its timer does, its output in the journal."""

    def __init__(self, stack: Stack, heartbeat: Path) -> None:
        self.stack = stack
        self._heartbeat = heartbeat

    def run(self, timeout: str) -> Results:
        """The results of one run that waits so long."""
        told = json.loads(json.dumps(self.stack.files["soloscope.json"]))
        told["canary"] |= {"timeout": timeout}
        config = self.stack.root / "canary.json"
        config.write_text(json.dumps(told))
        argv = [sys.executable, "-m", "soloscope", "--config", str(config), "canary"]
        with self.stack.log_file("canary").open("ab") as output:
            done = subprocess.run(argv, stdout=output, check=False, timeout=120)
        results = read(Path(told["canary"]["stateFile"]))
        assert done.returncode == (not all(leg.ok for leg in results.legs.values()))
        return results

    def lost(self) -> dict[str, str]:
        """What was lost in a short run: leg -> why."""
        legs = self.run("5s").legs
        return {name: leg.detail for name, leg in legs.items() if not leg.ok}

    def well(self) -> None:
        """Everything arrives."""
        legs = self.run("30s").legs
        assert {name: leg.detail for name, leg in legs.items() if not leg.ok} == {}

    def child(self, name: str) -> Child:
        """A program of the stack."""
        (child,) = [one for one in self.stack.children if one.name == name]
        return child

    def replace(self, name: str, argv: list[str]) -> None:
        """End a program of the stack, and start it with this command."""
        child = self.child(name)
        child.end()
        self.stack.children.remove(child)
        self.stack._launch(name, argv)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """A small file system, or None where none may be mounted."""
    folder = tmp_path_factory.mktemp("disk")
    argv = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "soloscope-test", str(folder)]
    mounted = subprocess.run(argv, capture_output=True, check=False).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def canary(
    disk: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Canary]:
    root = tmp_path_factory.mktemp("canary")
    url = root / "phone-url"
    url.write_text("json://127.0.0.1:1/")
    if disk is not None:
        (root / "state").mkdir()
        (root / "state/loki").symlink_to(disk)
    options = Options(
        root=root,
        free_ports=True,
        history=1,
        visit_every=0,
        scrape_interval="1s",
        overrides={
            "canary": {"enable": True},
            "digest": {"enable": True},
            # Nobody listens there: what is sent stays in the outbox.
            "notify": {"channels": {"phone": {"urlFile": str(url)}}},
            "grafana": {"enable": False},
        },
    )
    with running(options) as stack:
        for name in ("canary", "digest"):
            (root / "state" / name).mkdir(exist_ok=True)
        yield Canary(stack, root)


def test_all_arrives_and_is_a_metric(canary: Canary) -> None:
    canary.well()
    stack = canary.stack

    def shown() -> dict[str, float]:
        return {
            labels["leg"]: value
            for labels, value in stack.prometheus.values("soloscope_canary_success")
        }

    until("the results", lambda: shown() == {"log": 1, "count": 1, "alert": 1})
    for labels, value in stack.prometheus.values("soloscope_canary_seconds"):
        assert 0 <= value < 30, labels


def test_the_stack_dashboard_shows_it(canary: Canary) -> None:
    canary.well()
    stack = canary.stack
    config = parse(stack.files["soloscope.json"])
    (made,) = (d for d in dashboards(config) if d.uid == "soloscope-stack")
    asked = {
        panel["title"]: panel["targets"][0]["expr"]
        for row in made.as_json()["panels"]
        for panel in row.get("panels", [])
    }

    def shown(title: str, label: str) -> dict[str, float]:
        found = stack.prometheus.values(asked[title])
        return {labels.get(label, ""): value for labels, value in found}

    legs = {"log": 1, "count": 1, "alert": 1}
    until("the canary", lambda: shown("Canary", "leg") == legs)
    took = shown("The canary takes", "leg")
    assert set(took) == set(legs)
    assert all(0 <= value < 30 for value in took.values())
    until("the outbox", lambda: "phone" in shown("Messages that wait", "channel"))
    assert shown("The oldest waits", "channel")["phone"] >= 0
    results = {
        labels["result"]
        for labels, _ in stack.prometheus.values(asked["Messages per hour"])
    }
    assert results == {"accepted", "delivered", "failed"}
    # The report has not been sent, and that is no age of fifty years.
    state = Path(stack.files["soloscope.json"]["digest"]["stateFile"])
    assert sent(state) is None
    assert shown("Age of the last report", "") == {}
    sending.write(state, Sent(dt.date(2026, 1, 1), time.time() - 3600))
    try:
        until("the age", lambda: shown("Age of the last report", ""))
        assert 3600 <= shown("Age of the last report", "")[""] < 3700
    finally:
        state.unlink()


def test_a_full_disk_of_lokis(canary: Canary, disk: Path | None) -> None:
    if disk is None:
        pytest.skip("not shown: no tmpfs can be mounted")
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 65536)
    # The last block of Loki's file has room for some lines more.
    values = [[str(time.time_ns()), "x" * 20_000]]
    canary.stack.loki.push({"job": "filler"}, values)
    try:
        lost = canary.lost()
    finally:
        ballast.unlink()
    assert "log" in lost
    assert "disk is full" in lost["log"]
    canary.well()


def test_a_shipper_that_may_not_read_the_journal(canary: Canary) -> None:
    """Without its group it starts, and ships nothing."""
    stack = canary.stack
    argv = stack._commands[stack.shipper]
    files = list((stack.root / "state/journal").rglob("*.journal"))
    bound: list[str] = []
    if os.geteuid() == 0:
        # Root without capabilities is bound by the rights of files, as others are.
        bound = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
        for file in files:
            shutil.chown(file, 65534)
    for file in files:
        file.chmod(0)
    canary.replace(stack.shipper, [*bound, *argv])
    try:
        lost = canary.lost()
        assert stack.children[-1].ended() is None
    finally:
        for file in files:
            file.chmod(0o644)
        canary.replace(stack.shipper, argv)
    assert lost == {"log": "a line printed did not reach Loki"}
    canary.well()


def test_a_wrong_password_of_redis(canary: Canary) -> None:
    client = redis.Redis.from_url(canary.stack.redis_url)
    client.config_set("requirepass", "another")
    try:
        client.client_kill_filter(_type="normal", skipme=True)
        lost = canary.lost()
    finally:
        client.config_set("requirepass", "")
        client.close()
    assert lost == {"count": "the Redis of languagebuddy cannot be read"}
    canary.well()


def test_a_stopped_alertmanager(canary: Canary) -> None:
    canary.child("alertmanager").end()
    try:
        lost = canary.lost()
    finally:
        canary.replace("alertmanager", canary.stack._commands["alertmanager"])
    assert list(lost) == ["alert"]
    assert "Alertmanager takes no alert" in lost["alert"]
    canary.well()


def test_a_stuck_notifier(canary: Canary) -> None:
    child = canary.child("notify")
    child.signal_group(signal.SIGSTOP)
    try:
        lost = canary.lost()
    finally:
        child.signal_group(signal.SIGCONT)
    assert list(lost) == ["alert"]
    assert "did not reach the outbox" in lost["alert"]
    canary.well()


def test_a_morning_has_one_message_in_the_outbox(canary: Canary) -> None:
    stack = canary.stack
    config = stack.root / "soloscope.json"
    argv = [sys.executable, "-m", "soloscope", "--config", str(config), "digest"]
    events = []
    for _ in range(2):
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        events += [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert events == ["digest_sent", "digest_already_sent"]
    last = sent(stack.root / "state/digest/sent.json")
    assert last is not None
    # A lost file sends nothing twice.
    (stack.root / "state/digest/sent.json").unlink()
    subprocess.run(argv, capture_output=True, check=True)
    answer = requests.get(
        f"{stack.url('notify')}/api/v1/messages",
        params={"key": f"digest/{last.morning}"},
        headers={"Authorization": f"Bearer {stack.secret('notify-token')}"},
        timeout=10,
    )
    assert answer.json()["state"] in ("waiting", "sending")
    metric = "soloscope_digest_last_success_timestamp_seconds"

    def shown() -> bool:
        return [v for _, v in stack.prometheus.values(metric)] >= [last.at]

    until("the time of the digest", shown)
