"""The apps of docs/examples and apps in rare states, with counts, lines and truth.

They run beside the demo's own app in the stack of test_live.py, so they cost no start.
Nobody counts in them while the tests run; they have a Redis of their own.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import redis
from dashboard_lint import Json
from soloscope_demo.stack import Stack, until
from soloscope_demo.stack.render import nix

from soloscope.config import App, Config, parse
from soloscope.dashboards.grafana import Dashboard
from soloscope.dashboards.registry import dashboards

#: The files of docs/examples, and their apps.
EXAMPLES = {"minimal": "myapp", "shop": "shop", "worker": "worker"}

#: Of an app that is in trouble: its counters of today, and of each day before.
TODAY = {"poor_done": 1, "poor_failed": 33, "few_done": 10, "few_failed": 0}
BEFORE = {"poor_done": 30, "few_done": 30, "late_done": 30}


def noon_zone() -> str:
    """A zone in which it is between eleven and one now: the jobs of a day are due."""
    behind = dt.datetime.now(dt.UTC).hour - 12
    return f"Etc/GMT{behind:+d}"


def trouble(zone: str) -> Json:
    """An app whose jobs failed each in its way."""
    jobs = {
        name: {"counter": f"{name}_done", "by": "04:00", "failures": f"{name}_failed"}
        for name in ("poor", "few", "late")
    }
    counters: Json = {
        f"{name}_{end}": {} for name in jobs for end in ("done", "failed")
    }
    # Nothing listens there.
    check = {"kind": "tcp", "url": "tcp://127.0.0.1:9"}
    return {
        "timeZone": zone,
        "units": ["trouble.service"],
        "counters": counters,
        "jobs": jobs,
        "checks": {"queue": check},
    }


def declared(socket: Path) -> Json:
    """Every app, with its Redis there; that of the last cannot be reached."""
    apps = {}
    for file, app in EXAMPLES.items():
        found = nix(f"docs/examples/{file}.nix")["services"]["soloscope"]["apps"]
        apps[app] = found[app]
    apps["trouble"] = trouble(noon_zone())
    for name, app in apps.items():
        if name != "worker":
            app["redis"] = {"url": f"unix://{socket}", "prefix": f"{name}:"}
    nowhere = {"url": f"unix://{socket}.gone"}
    apps["cut_off"] = {"redis": nowhere, "counters": {"orders": {}}}
    return apps


def count(name: str, day: dt.date) -> int:
    """What an example's counter has on a day."""
    return 20 + len(name) + day.toordinal() % 17


def day(app: Json, back: int) -> dt.date:
    """The day that many days ago, in the app's zone."""
    zone = ZoneInfo(app.get("timeZone", "UTC"))
    return dt.datetime.now(zone).date() - dt.timedelta(back)


@contextmanager
def counting(socket: Path, program: str) -> Iterator[redis.Redis]:
    """A Redis on that socket, which ends at the end."""
    argv = [program, "--port", "0", "--unixsocket", str(socket), "--save", ""]
    server = subprocess.Popen(argv, cwd=socket.parent, stdout=subprocess.DEVNULL)
    client = redis.Redis(unix_socket_path=str(socket), protocol=2)
    try:
        until("the examples' Redis", lambda: client.ping() or None, 10)
        yield client
    finally:
        client.close()
        server.terminate()
        server.wait(10)


def fill(client: redis.Redis, apps: Mapping[str, Any]) -> None:
    """Count two weeks of each app, and tomorrow: a test may cross midnight."""
    for name, app in apps.items():
        if name in ("worker", "cut_off"):
            continue
        for back in range(-1, 14):
            _fill_day(client, name, app, back)
        for gauge in app.get("gauges", {}):
            client.hset(f"{name}:now", gauge, len(gauge))


def _fill_day(client: redis.Redis, name: str, app: Json, back: int) -> None:
    date = day(app, back)
    start = f"{name}:{date}"
    for counter in app.get("counters", {}):
        value = count(counter, date)
        if name == "trouble":
            value = (TODAY if back < 1 else BEFORE).get(counter, 0)
        if value:
            client.set(f"{start}:{counter}", value, ex=3600)
    for unique in app.get("uniques", {}):
        client.pfadd(f"{start}:{unique}", *range(count(unique, date)))
    for breakdown in app.get("breakdowns", {}):
        client.hset(f"{start}:{breakdown}", mapping={"expired_card": 3, "limit": 1})
    for timing in app.get("timings", {}):
        client.hset(f"{start}:{timing}", mapping={"count": 8, "ms": 24_000})


def print_lines(stack: Stack, apps: Mapping[str, Any]) -> None:
    """A few lines of each app, as its units print them."""
    now = time.time_ns()
    for app in apps:
        for number, level in enumerate(("info", "warn", "error")):
            labels = {"app": app, "unit": f"{app}.service", "level": level}
            # An hour back, so that its bar is over.
            at = now - (2 * 3600 + number) * 10**9
            stack.loki.push(labels, [[str(at), f"a line of {app}: {level}", {}]])


def alone(config: Config, app: str) -> list[Dashboard]:
    """The dashboards of a host with this app only."""
    one: dict[str, App] = {app: config.apps[app]}
    return list(dashboards(_with(config, one)))


def _with(config: Config, apps: Mapping[str, App]) -> Config:
    from dataclasses import replace

    return replace(config, apps=apps)


def configuration(stack: Stack) -> Config:
    """What the stack's programs read."""
    return parse(json.loads((stack.root / "soloscope.json").read_text()))


def painted(panel: Json, index: int, value: float | None) -> tuple[str, str]:
    """The words and the colour of a stat's value, as Grafana chooses them."""
    config = panel["fieldConfig"]
    found = dict(config["defaults"])
    ref = panel["targets"][index]["refId"]
    for override in config["overrides"]:
        if override["matcher"] == {"id": "byFrameRefID", "options": ref}:
            found |= {one["id"]: one["value"] for one in override["properties"]}
    steps = found["thresholds"]["steps"]
    if value is None:
        return found["noValue"], steps[0]["color"]
    for mapping in found["mappings"]:
        said = mapping["options"].get(f"{value:g}")
        if said:
            return said["text"], said["color"]
    if found["color"]["mode"] == "fixed":
        return f"{value:g}", found["color"]["fixedColor"]
    reached = [s for s in steps if s["value"] is None or s["value"] <= value]
    return f"{value:g}", reached[-1]["color"]
