"""`soloscope notify` as a process for the tests, its configuration and webhooks."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import requests
from soloscope_demo.stack import free_ports
from soloscope_demo.stack.render import evaluate

T = TypeVar("T")

TO = "+4915123456789"
TOKEN = "notify-token"


@cache
def _rendered() -> str:
    options = {
        "provider": "cloud-api",
        "to": TO,
        "tokenFile": "/x/whatsapp-token",
        "phoneNumberId": "106540352242922",
    }
    overrides = {"notify": {"whatsapp": options}, "prometheus": {"enable": False}}
    return json.dumps(evaluate(Path("/x"), overrides)["soloscope.json"])


class Notifier:
    """The process of a folder. `start` it; `options` may be changed before."""

    def __init__(self, folder: Path, api: int, provider: str = "cloud-api") -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.configuration: dict[str, Any] = json.loads(_rendered())
        self.options: dict[str, Any] = self.configuration["notify"]
        self.options["port"] = self.port
        self.options["stateDirectory"] = str(folder / "state")
        (folder / "state").mkdir(exist_ok=True)
        self.options["tokenFile"] = self.secret("token", TOKEN)
        whatsapp = self.options["whatsapp"]
        if provider == "cloud-api":
            whatsapp["apiUrl"] = f"http://127.0.0.1:{api}/v25.0"
            whatsapp["tokenFile"] = self.secret("whatsapp", "EAAtoken")
        else:
            del whatsapp["phoneNumberId"]
            whatsapp |= {
                "provider": "twilio",
                "apiUrl": f"http://127.0.0.1:{api}/2010-04-01",
                "accountSid": "AC" + "0" * 32,
                "from": "+14155238886",
                "tokenFile": self.secret("whatsapp", "auth-token"),
                "templates": {
                    "language": "en",
                    "alert": "HX" + "a" * 32,
                    "digest": "HX" + "b" * 32,
                },
            }

    def secret(self, name: str, value: str) -> dict[str, str]:
        path = self.folder / f"{name}.secret"
        path.write_text(value)
        return {"file": str(path)}

    def with_calls(self) -> None:
        """The provider can reach it."""
        self.options["whatsapp"]["webhook"] = {
            "url": "https://example.org/soloscope/whatsapp",
            "verifyTokenFile": self.secret("verify", "verify-token"),
            "appSecretFile": self.secret("app", "app-secret"),
        }

    def start(
        self, *, crash: str = "", wait: bool = True, before: str = ""
    ) -> subprocess.Popen[bytes]:
        """Start it. `crash` names a method of Outbox at which it kills itself, as
        `-NAME` before and `+NAME` after; `before` is Python to run first."""
        file = self.folder / "soloscope.json"
        file.write_text(json.dumps(self.configuration))
        code = f"CRASH = {crash!r}\n{_CRASH}\n{before}\n{_RUN}"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, "--config", str(file), "notify"],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if wait:
            until("it listens", self.is_ready)
        return self.process

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=5).ok
        except requests.RequestException:
            return False

    def kill(self) -> None:
        """Kill it as by kill -9."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """Stop it in order; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(15)

    @contextlib.contextmanager
    def running(self, **how: Any) -> Iterator[None]:
        """Run it for the block."""
        self.start(**how)
        try:
            yield
        finally:
            assert self.process is not None
            if self.process.poll() is None:
                self.stop()

    def post(self, path: str, body: object, **how: Any) -> requests.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {TOKEN}", **how.pop("headers", {})}
        url = f"{self.url}{path}"
        return requests.post(url, data=data, headers=headers, timeout=30, **how)

    def told(self, **by: str) -> dict[str, Any]:
        """What has become of a message."""
        answer = requests.get(
            f"{self.url}/api/v1/messages",
            params=by,
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=10,
        )
        return dict(answer.json())

    def metric(self, line: str) -> float:
        """The value of a series at /metrics."""
        text = requests.get(f"{self.url}/metrics", timeout=10).text
        found = [x for x in text.splitlines() if x.startswith(line + " ")]
        return float(found[0].rpartition(" ")[2]) if found else float("nan")

    def events(self) -> list[dict[str, Any]]:
        """Its log; each line must be JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


_CRASH = """
import os, signal, sys
from soloscope.notify import outbox
def _die(*_): os.kill(os.getpid(), signal.SIGKILL)
if CRASH:
    _usual = getattr(outbox.Outbox, CRASH[1:])
    def _crashing(*given, **named):
        if CRASH[0] == "-": _die()
        found = _usual(*given, **named)
        _die()
        return found
    setattr(outbox.Outbox, CRASH[1:], _crashing)
"""
_RUN = "from soloscope.__main__ import main\nmain()"


def until(what: str, true: Callable[[], T], seconds: float = 15.0) -> T:
    """Wait until it is true; fail with `what` when it does not become so."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.03)
    return found


def alert(name: str = "ServiceDown", **more: Any) -> dict[str, Any]:
    """An alert of a webhook."""
    over = more.pop("over", False)
    labels = {"alertname": name, "app": "languagebuddy", "severity": "critical"}
    labels |= more.pop("labels", {})
    annotations = {
        "summary": "LanguageBuddy does not answer",
        "description": "Its health check failed for two minutes.",
        "dashboard": "https://grafana.example.org/d/soloscope-overview",
        "runbook_url": "https://example.org/runbooks/ServiceDown.md",
        **more.pop("annotations", {}),
    }
    return {
        "status": "resolved" if over else "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": more.pop("starts", "2026-11-18T01:10:00.123456789Z"),
        "endsAt": "2026-11-18T01:45:00Z" if over else "0001-01-01T00:00:00Z",
        "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=up",
        "fingerprint": f"{abs(hash(json.dumps(labels, sort_keys=True))):016x}"[:16],
        **more,
    }


def webhook(*alerts: dict[str, Any], group: str = "", **more: Any) -> dict[str, Any]:
    """A webhook of Alertmanager's with these alerts."""
    firing = any(a.get("status") == "firing" for a in alerts)
    first = deepcopy(alerts[0].get("labels", {})) if alerts else {}
    key = group or f'{{}}:{{alertname="{first.get("alertname")}", app="languagebuddy"}}'
    return {
        "version": "4",
        "groupKey": key,
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": "notify",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://127.0.0.1:9093",
        "alerts": list(alerts),
        **more,
    }


def resident(pid: int) -> float:
    """The resident memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
