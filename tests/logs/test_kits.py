"""The kits for Python and Node count and print the same: real Redis, real shipper."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from harness import Entry, Factory, LogPath, need
from mirakuru import TCPExecutor
from soloscope_demo.errors import DemoError
from soloscope_demo.stack import free_ports
from soloscope_demo.stack.clients import ADDRESS
from soloscope_demo.tools import node

PYTHON = """
import logging
from soloscope import app

app.set_up_logging()
counts = app.Counts({url!r}, prefix="python:")
with app.context(conversation_id="c_1", user="u_7"):
    app.event("order_placed", "Order placed", total=12)
    with app.context(trace_id="4bf92f3577b34da6a3ce929d0e0e4736"):
        try:
            raise TypeError("no such order")
        except TypeError:
            app.event("order_failed", "Order failed", level=logging.ERROR)
    app.event("slow", "It took long", level=logging.WARNING)
app.event("done")
counts.counter("orders")
counts.counter("orders", 2)
counts.breakdown("refusals", "expired_card", 3)
for member in ("u_1", "u_2", "u_1"):
    counts.unique("buyers", member)
    counts.unique("payers", member, exact=True)
counts.timing("payment", 0.245)
counts.gauge("users_total", 12)
counts.counter("no name!")
assert counts.flush(10)
assert counts.lost == 1, counts.lost
"""

NODE = """
import { Counts, context, createLogger, event, health } from "./dist/index.js";
CLIENT
const log = createLogger();
const counts = new Counts(redis, { prefix: "PREFIX" });
context({ conversation_id: "c_1", user: "u_7" }, () => {
  event(log, "order_placed", { total: 12 }, "Order placed");
  context({ trace_id: "4bf92f3577b34da6a3ce929d0e0e4736" }, () => {
    const err = new TypeError("no such order");
    event(log, "order_failed", { err }, "Order failed", "error");
  });
  event(log, "slow", {}, "It took long", "warn");
});
event(log, "done");
counts.counter("orders");
counts.counter("orders", 2);
counts.breakdown("refusals", "expired_card", 3);
for (const member of ["u_1", "u_2", "u_1"]) {
  counts.unique("buyers", member);
  counts.unique("payers", member, true);
}
counts.timing("payment", 245);
counts.gauge("users_total", 12);
counts.counter("no name!");
await counts.flush();
if (counts.lost !== 1) throw new Error(`${counts.lost} lost`);

// A key of another type loses only its own count.
const today = new Date().toISOString().slice(0, 10);
await redis.set(`PREFIX${today}:busy`, "text");
counts.counter("busy");
counts.counter("orders");
await counts.flush();
if (counts.lost !== 2) throw new Error(`${counts.lost} lost`);
await redis.del(`PREFIX${today}:busy`);

const bad = await health(
  { yes: () => 1, no: () => false, hangs: () => new Promise(() => {}),
    fails: () => { throw new TypeError("secret"); } }, 100);
const late = "no answer within 100 ms";
const expected = { yes: "ok", no: "failed", hangs: late, fails: "TypeError" };
if (bad.status !== 503 || JSON.stringify(bad.body) !== JSON.stringify(expected))
  throw new Error(JSON.stringify(bad));
if ((await health({ yes: () => 1 })).status !== 200) throw new Error("not well");
await redis.quit();
"""

CLIENTS = {
    "ioredis": 'import { Redis } from "ioredis"; const redis = new Redis("URL");',
    "node-redis": (
        'import { createClient } from "redis";'
        ' const redis = createClient({ url: "URL" }); await redis.connect();'
    ),
}

AWAY = """
import { Counts } from "./dist/index.js";
import { Redis } from "ioredis";
const redis = new Redis(PORT, "127.0.0.1", { retryStrategy: () => 50 });
redis.on("error", () => {});
let said = 0;
const onLost = () => { said += 1; throw new Error("mine"); };
const counts = new Counts(redis, { onLost });
const began = performance.now();
for (let n = 0; n < 12000; n += 1) counts.counter("orders");
if (performance.now() - began > 1000) throw new Error("it waited");
if (counts.lost < 2000) throw new Error("the queue has no end");
await new Promise((resolve) => setTimeout(resolve, 1500));
if (counts.lost < 2500) throw new Error(`${counts.lost} lost`);
if (said !== 1) throw new Error(`said ${said} times`);
process.exit(0);
"""


@pytest.fixture(scope="module")
def url(paths: Factory) -> Iterator[str]:
    """A Redis of its own."""
    need("redis-server")
    (port,) = free_ports(1)
    argv = ["redis-server", "--port", str(port), "--save", "", "--bind", ADDRESS]
    folder = paths.folder("redis")
    with TCPExecutor(
        argv, ADDRESS, port, timeout=20, cwd=folder, stdout=subprocess.DEVNULL
    ):
        yield f"redis://{ADDRESS}:{port}"


@pytest.fixture(scope="module")
def path(paths: Factory) -> LogPath:
    """A live Loki and shipper."""
    made = paths()
    made.start()
    return made


@pytest.fixture(scope="module")
def kit() -> Path:
    try:
        return node.kit()
    except DemoError as error:
        return pytest.skip(f"not shown: the kit for Node ({error})")


def printed(argv: list[str], folder: Path | None = None) -> list[str]:
    """What a program prints."""
    done = subprocess.run(
        argv, capture_output=True, text=True, cwd=folder, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if "no name!" not in line]


def counted(db: redis.Redis, prefix: str) -> dict[str, Any]:
    """Each key without its prefix, with its value; each expires as it must."""
    found: dict[str, Any] = {}
    for key in db.scan_iter(f"{prefix}*"):
        name = key.removeprefix(prefix)
        ttl: Any = db.ttl(key)
        if name == "now":
            assert ttl == -1
        else:
            assert 30 * 86400 - 120 <= ttl <= 30 * 86400
        kind: Any = db.type(key)
        value: Any = None
        if kind == "hash":
            value = db.hgetall(key)
        elif kind == "set":
            value = db.smembers(key)
        elif name.endswith("buyers"):
            value = db.pfcount(key)
        else:
            value = db.get(key)
        found[name] = value
    return found


def shipped(path: LogPath, unit: str, lines: list[str]) -> list[Entry]:
    """The lines of a unit, as they are in Loki."""
    path.journal.say(unit, *lines)
    return path.wait_for(f'{{unit="{unit}"}}', len(lines))


def meaning(entry: Entry) -> dict[str, Any]:
    """What of an entry must be the same from both kits."""
    names = ("event", "conversation_id", "user", "trace_id")
    fields = json.loads(entry.line)
    error = fields.get("err", {})
    return {
        "level": entry.labels["level"],
        **{name: entry.metadata.get(name) for name in names},
        "msg": fields["msg"],
        "total": fields.get("total"),
        "err": (error.get("type"), error.get("message")),
        "stack": bool(error.get("stack")),
    }


@pytest.mark.parametrize("client", CLIENTS)
def test_both_kits_are_the_same(
    url: str, path: LogPath, kit: Path, client: str
) -> None:
    db = redis.Redis.from_url(url, decode_responses=True)
    # Not over midnight (UTC), where the days would differ.
    left = 86400 - time.time() % 86400
    if left < 30:
        time.sleep(left)
    prefix = f"{client}:"
    db.delete(*db.keys("python:*"), "none")
    script = NODE.replace("CLIENT", CLIENTS[client]).replace("URL", url)
    script = script.replace("PREFIX", prefix)
    of_node = printed(["node", "--input-type=module", "--eval", script], kit)
    of_python = printed([sys.executable, "-c", PYTHON.format(url=url)])
    ours, theirs = counted(db, "python:"), counted(db, prefix)
    (day,) = {name.partition(":")[0] for name in ours} - {"now"}
    # The one that was counted beside the key of another type.
    assert theirs[f"{day}:orders"] == "4"
    theirs[f"{day}:orders"] = "3"
    assert ours == theirs
    assert ours == {
        f"{day}:orders": "3",
        f"{day}:refusals": {"expired_card": "3"},
        f"{day}:buyers": 2,
        f"{day}:payers": {"u_1", "u_2"},
        f"{day}:payment": {"count": "1", "ms": "245"},
        "now": {"users_total": "12"},
    }
    python = shipped(path, f"{client}-python.service", of_python)
    javascript = shipped(path, f"{client}-node.service", of_node)
    events = [meaning(entry) for entry in python]
    assert events == [meaning(entry) for entry in javascript]
    assert [one["event"] for one in events] == [
        "order_placed",
        "order_failed",
        "slow",
        "done",
    ]
    assert [one["level"] for one in events] == ["info", "error", "warn", "info"]
    assert events[1]["err"] == ("TypeError", "no such order")
    assert events[1]["stack"]
    assert events[1]["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_redis_that_is_away_holds_node_not_up(kit: Path) -> None:
    (port,) = free_ports(1)
    script = AWAY.replace("PORT", str(port))
    printed(["node", "--input-type=module", "--eval", script], kit)
