"""`soloscope doctor`: each fault is really created, found, and reported with a fix."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from exporting import complete, parse
from running import (
    answers,
    fake_systemctl,
    free_port,
    loki_server,
    program,
    push_to_loki,
    redis_server,
    running,
    script,
    standin,
    until,
)
from soloscope.backends import systemd
from soloscope.backends.loki import Line
from soloscope.backends.metrics_text import samples
from soloscope.config import App, Config
from soloscope.doctor import app_redis, lines, machine, servers
from soloscope.doctor.finding import Finding
from soloscope.doctor.keys import FOREVER, Key, examine
from soloscope.doctor.scan import COUNT, scan
from soloscope.redis.client import RedisClient

NOW = datetime(2025, 11, 18, 12, tzinfo=UTC).timestamp()
MONTH = 30 * 86400


def config_of(socket: object = "/nowhere", **more: Any) -> Config:
    app = {
        "redis": {"url": f"unix://{socket}"},
        "units": ["shop.service"],
        "counters": {"orders": {}, "rare": {}},
        "breakdowns": {"kinds": {"limit": 3}},
        "uniques": {"users": {}, "payers": {"exact": True}},
        "timings": {"openai": {}},
        "gauges": {"stock": {}, "price": {}},
    }
    return parse({"apps": {"shop": app | more.pop("app", {})}, **more})


def shop(socket: object = "/nowhere", **changes: Any) -> App:
    return config_of(socket, app=changes).apps["shop"]


def told(findings: Any) -> list[tuple[str, str]]:
    return [(f.code, f.what) for f in findings]


def wrongs(findings: list[Finding]) -> list[str]:
    return [f.what for f in findings if f.level == "wrong"]


# --- keys, pure ---------------------------------------------------------------------


def key(name: str, kind: str = "string", ttl: int = MONTH, sample: bytes = b"3") -> Key:
    return Key(f"metrics:{name}", kind, ttl, sample)


GOOD = [
    key("2025-11-18:orders"),
    key("2025-11-17:orders", ttl=MONTH - 86400),
    key("2025-11-18:kinds", "hash"),
    key("2025-11-18:users"),
    key("2025-11-18:payers", "set"),
    key("2025-11-18:openai", "hash"),
    key("now", "hash", FOREVER),
]


def found(*keys: Key, complete: bool = True, **app: Any) -> list[Finding]:
    return list(examine(shop(**app), [*GOOD, *keys], NOW, 30, complete=complete))


def test_what_is_as_declared_is_not_told() -> None:
    (only,) = found()
    assert (only.level, only.code) == ("note", "never-written")
    assert "`rare`" in only.what
    assert found(complete=False) == [], "half a scan says nothing about absence"


@pytest.mark.parametrize(
    ("keys", "code", "what", "fix"),
    [
        (
            [key("2025-11-18:rare", ttl=FOREVER), key("2025-11-17:rare", ttl=FOREVER)],
            "no-expiry",
            "2 keys such as `metrics:2025-11-18:rare` have no expiry",
            "EXPIRE metrics:<day>:rare 2592000",
        ),
        (
            [key("2025-11-18:rare", ttl=86400)],
            "short-expiry",
            "`metrics:2025-11-18:rare` will be gone before the 30 days are over",
            "EXPIRE",
        ),
        (
            [key("2025-11-18:rare", "hash")],
            "other-type",
            "`metrics:2025-11-18:rare`: a hash, but the counter `rare` is a string",
            "declare it under `breakdowns`, or let the app write a counter",
        ),
        (
            [key("2025-11-17:users", "set")],
            "other-type",
            "a set, but the unique `users` is a string",
            "apps.shop.uniques.users.exact = true",
        ),
        (
            [key("2025-11-17:payers")],
            "other-type",
            "a string, but the unique `payers` is a set",
            "apps.shop.uniques.payers.exact = false",
        ),
        (
            [key("2025-11-18:visits")],
            "undeclared",
            "the name `visits` is not declared",
            "declare `apps.shop.counters.visits`",
        ),
        (
            [key("2025-11-18:visitors", sample=b"HYLL\x01")],
            "undeclared",
            "the name `visitors` is not declared",
            "declare `apps.shop.uniques.visitors`",
        ),
        (
            [key("2025-11-18:tags", "hash")],
            "undeclared",
            "the name `tags` is not declared",
            "declare `apps.shop.breakdowns.tags`",
        ),
        (
            [key("2025-13-18:orders"), key("sessions")],
            "undeclared",
            "not of the form `metrics:<yyyy-mm-dd>:<name>`",
            "rename",
        ),
        (
            [key("2025-11-19:rare", ttl=MONTH + 86400)],
            "clock",
            "that day has not begun in UTC",
            "apps.shop.timeZone",
        ),
    ],
)
def test_a_fault_of_keys(keys: list[Key], code: str, what: str, fix: str) -> None:
    (one,) = [f for f in found(*keys) if f.level == "wrong"]
    assert one.code == code
    assert what in one.what
    assert fix in one.fix
    assert "\n" not in one.what + one.fix


def test_many_names_with_the_same_fault_are_told_together() -> None:
    users = [key(f"2025-11-18:user_{n}", ttl=FOREVER) for n in range(1000)]
    assert [f.code for f in found(*users) if f.level == "wrong"].count(
        "undeclared"
    ) == 11
    (many,) = [w for w in wrongs(found(*users)) if "more names" in w and "not" in w]
    assert many == "990 more names such as `user_999`: the same, not declared"
    assert len(wrongs(found(*users))) == 22


def test_a_finding_is_one_line_without_control_characters() -> None:
    (fault,) = [
        f for f in found(key("2025-11-18:a\x1b[31m\nb\x9b")) if f.level == "wrong"
    ]
    assert (fault.what + fault.fix).isprintable()
    assert r"`metrics:2025-11-18:a\x1b[31m\nb\x9b`" in fault.what


def test_the_day_is_the_apps() -> None:
    # It is the 19th in Tokyo from 15:00 UTC on.
    late = NOW + 4 * 3600
    tomorrow = key("2025-11-19:orders", ttl=MONTH + 86400)
    assert "clock" in [f.code for f in examine(shop(), [tomorrow], late, 30)]
    tokyo = shop(timeZone="Asia/Tokyo")
    assert "clock" not in [f.code for f in examine(tokyo, [tomorrow], late, 30)]
    # Ten minutes before midnight a clock may be ahead.
    midnight = datetime(2025, 11, 19, tzinfo=UTC).timestamp()
    for before, expected in ((660, True), (540, False)):
        codes = [f.code for f in examine(shop(), [tomorrow], midnight - before, 30)]
        assert ("clock" in codes) is expected


def test_the_hash_of_the_gauges() -> None:
    app = shop()
    keys = [Key("metrics:now", "string", 60)]
    whats = wrongs(list(examine(app, keys, NOW, 30, complete=False)))
    assert whats == [
        "`metrics:now` expires in 60 s, and the gauges with it",
        "`metrics:now`: a string, but the gauges are a hash",
    ]


# --- a real Redis -------------------------------------------------------------------


def client(socket: Path) -> Any:
    return redis.Redis(unix_socket_path=str(socket), protocol=2)


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def fill(db: Any, **changes: Any) -> None:
    """Today as the app of `config_of` should write it."""
    day = f"metrics:{today()}"
    for name in ("orders", "rare"):
        db.set(f"{day}:{name}", 3, ex=MONTH)
    db.hset(f"{day}:kinds", "a", 1)
    db.pfadd(f"{day}:users", "u")
    db.sadd(f"{day}:payers", "u")
    db.hset(f"{day}:openai", mapping={"count": 1, "ms": 20})
    for name in ("kinds", "users", "payers", "openai"):
        db.expire(f"{day}:{name}", MONTH)
    db.hset("metrics:now", mapping={"stock": 4, "price": "1.5"})


def test_a_redis_as_it_should_be_and_every_fault_in_it(tmp_path: Path) -> None:
    with redis_server(tmp_path) as socket, client(socket) as db:
        fill(db)
        assert list(app_redis.look(shop(socket), 30, 5)) == []
        day = f"metrics:{today()}"
        db.persist(f"{day}:orders")
        db.set(f"{day}:visits", 1, ex=MONTH)
        db.delete(f"{day}:payers")
        db.pfadd(f"{day}:payers", "u")
        db.expire(f"{day}:payers", MONTH)
        db.set(f"{day}:rare", "many", ex=MONTH)
        db.hdel(f"{day}:openai", "ms")
        db.hset(f"{day}:kinds", mapping={f"k{n}": 1 for n in range(9)})
        db.hset("metrics:now", mapping={"price": "cheap", "colour": "red"})
        db.hdel("metrics:now", "stock")
        findings = list(app_redis.look(shop(socket), 30, 5))
        assert sorted(told(findings)) == sorted(
            [
                ("no-expiry", f"`{day}:orders` has no expiry"),
                (
                    "undeclared",
                    f"`{day}:visits`: the name `visits` is not declared, so nothing "
                    "shows it",
                ),
                (
                    "other-type",
                    f"`{day}:payers`: a string, but the unique `payers` is a set",
                ),
                ("no-number", "the counter `rare` holds `many`, which is not a number"),
                ("fields", "the timing `openai` has no field `ms`"),
                (
                    "too-many-keys",
                    "`kinds` has 10 keys today; only the 3 largest are shown",
                ),
                ("no-number", "the gauge `price` holds `cheap`, which is not a number"),
                (
                    "undeclared",
                    "the gauge `colour` is not declared, so nothing shows it",
                ),
                (
                    "never-written",
                    "the gauge `stock` is declared, but `metrics:now` has no such "
                    "field",
                ),
            ]
        )


def test_a_user_who_may_not_read(tmp_path: Path) -> None:
    with redis_server(tmp_path) as socket, client(socket) as db:
        fill(db)
        password = tmp_path / "password"
        password.write_text("geheim\n")

        def looked(*acl: str, at: str = "") -> list[Finding]:
            db.execute_command(
                "ACL", "SETUSER", "soloscope", "reset", "on", ">geheim", *acl
            )
            url = f"unix://soloscope@{socket}{at}"
            app = shop(
                socket, redis={"url": url, "passwordFile": {"file": str(password)}}
            )
            return list(app_redis.look(app, 30, 5))

        full = ["-@all", "+get", "+hgetall", "+pfcount", "+scard"]
        full += ["+sunion", "+ttl", "+ping"]
        # What design.md lists suffices; only the search for keys does not happen.
        (unseen,) = looked("%R~metrics:*", *full)
        assert (unseen.level, unseen.code) == ("unseen", "keys")
        assert unseen.fix.startswith("`ACL SETUSER soloscope +scan +type`")
        assert looked("%R~metrics:*", *full, "+scan", "+type") == []
        (first, *_) = looked("%R~metrics:*", "-@all", "+get", "+ping", "+ttl")
        assert first.what == (
            "the Redis user `soloscope` may not run `hgetall`, `pfcount`, "
            "`scard`, `sunion`"
        )
        assert first.fix == ("`ACL SETUSER soloscope +hgetall +pfcount +scard +sunion`")
        (first, *_) = looked("%R~other:*", *full)
        assert first.what == (
            "the Redis user `soloscope` may not read keys of `metrics:*`"
        )
        assert first.fix == "`ACL SETUSER soloscope %R~metrics:*`"
        (only,) = looked("%R~metrics:*", *full, at="?db=1")
        assert only.fix == "`ACL SETUSER soloscope +select`"
        password.write_text("falsch\n")
        (only,) = looked("%R~metrics:*", *full)
        assert (only.level, only.code) == ("wrong", "redis")
        assert "passwordFile" in only.fix
        assert "falsch" not in only.what


def test_a_password_that_is_for_the_service_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    secret = {"credential": "redis-shop"}
    app = shop(redis={"url": "unix:///nowhere", "passwordFile": secret})
    (only,) = app_redis.look(app, 30, 5)
    assert only.level == "unseen"
    assert "--redis-password-file" in only.fix


FOREIGN = "for i = ARGV[1], ARGV[2] do redis.call('set', 'other:' .. i, 1) end"


def test_a_million_foreign_keys_stay_within_the_budget(tmp_path: Path) -> None:
    with redis_server(tmp_path) as socket, client(socket) as db:
        fill(db)
        for first in range(0, 1_000_000, 100_000):
            db.eval(FOREIGN, 0, first, first + 99_999)
        app = shop(socket)
        assert app.redis is not None
        link = RedisClient(app.redis)
        try:
            start = time.monotonic()
            whole = scan(link, "metrics:", 60)
            assert whole.complete
            assert len(whole.keys) == 7
            assert time.monotonic() - start < 30
            part = scan(link, "metrics:", 0.0)
            assert (part.complete, part.walked) == (False, COUNT)
            # A prefix is a text, not a pattern.
            assert scan(link, "metric?:", 60).keys == []
        finally:
            link.close()
        codes = [f.code for f in app_redis.look(app, 30, 1e-9)]
        assert codes == ["keys"], "no name is called absent after half a scan"


def test_a_redis_that_is_away(tmp_path: Path) -> None:
    (only,) = app_redis.look(shop(tmp_path / "none.sock"), 30, 5)
    assert (only.level, only.code) == ("wrong", "redis")
    assert str(tmp_path) in only.what


# --- lines, pure --------------------------------------------------------------------


def line(at: float = NOW, **fields: Any) -> Line:
    base = {"event": "paid", "level": 30, "time": int(at * 1000), "msg": "Paid"}
    value = {k: v for k, v in {**base, **fields}.items() if v is not None}
    return Line({}, at, json.dumps(value))


def whats(*given: Line) -> list[str]:
    return [f.what for f in lines.examine("shop", given)]


def test_events_of_pino_and_of_python_json_logger_are_fine() -> None:
    stamp = "2025-11-18T12:00:00.123Z"
    python: dict[str, Any] = {
        "level": None,
        "levelname": "INFO",
        "msg": None,
        "message": "Paid",
    }
    assert (
        whats(
            line(),
            line(**python, time=None, timestamp=stamp),
            line(event=None, msg=None),
            Line({}, NOW, "plain text"),
        )
        == []
    )


def test_events_that_lack_their_fields() -> None:
    assert whats(
        line(level=None),
        line(msg=None),
        line(time=None),
        line(),
        line(event="conversation_started"),
        line(event="throttled", conversation_id="c1"),
        line(event="throttled", conversation_id="c2"),
        line(event="throttled"),
        line(event="trial_warning", phone_last4="***1234"),
    ) == [
        "`conversation_started` without `conversation_id` in 1 of 1 lines",
        "`paid` without a level in 1 of 4 lines",
        "`paid` without a message in 1 of 4 lines",
        "`paid` without a time in 1 of 4 lines",
        "`throttled` without `conversation_id` in 1 of 3 lines",
        "`phone_last4` of `trial_warning` is not four digits in 1 lines",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"event":"paid","time":1' + "0" * 400 + "}",
        '{"event":"p","time":',
        '{"event":"p","time":Infinity}',
        '{"event":"p","time":"0001-01-01T00:00+14:00"}',
    ],
)
def test_lines_that_no_app_should_write(text: str) -> None:
    assert isinstance(whats(Line({}, NOW, text), line()), list)


def test_an_app_whose_clock_or_zone_is_off() -> None:
    ahead = line(time=int((NOW + 3600) * 1000))
    (what,) = whats(ahead, ahead, line())
    assert what == "the events' own time is 3600 s ahead of the journal's"
    assert whats(ahead, line(), line()) == []


def test_lines_that_are_not_json() -> None:
    (what,) = whats(Line({}, NOW, "a"), Line({}, NOW, "[1]"), line())
    assert what.startswith("2 of 3 lines are not JSON")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1763467200000, 1763467200.0),
        (1763467200.5, 1763467200.5),
        ("2025-11-18T13:00:00+01:00", 1763467200.0),
        ("2025-11-18T12:00:00Z", 1763467200.0),
        ("2025-11-18 12:00:00,123", None),
        ("yesterday", None),
        (True, None),
        (None, None),
    ],
)
def test_event_time(value: object, expected: float | None) -> None:
    assert lines.event_time(value) == expected


# --- a real Loki --------------------------------------------------------------------


def test_loki_that_gets_nothing_refuses_and_shows_what_events_lack(
    tmp_path: Path,
) -> None:
    with loki_server(tmp_path) as url:
        config = config_of(loki={"port": int(url.rpartition(":")[2])})
        (only,) = servers.loki(config)
        assert (only.code, only.what) == (
            "shipper",
            "no line has reached Loki for an hour",
        )
        now = time.time()
        labels = {"app": "shop", "job": "shop", "unit": "shop.service"}
        sent = [(now - n, line(now - n).text) for n in range(60, 0, -1)]
        assert push_to_loki(url, labels, sent) == 204
        until("the lines are there", lambda: list(servers.loki(config)) == [])
        bad = [(now, line(now, event="conversation_ended", level=None).text)]
        assert push_to_loki(url, labels, bad) == 204
        old = [(now - 30 * 86400, line().text)]
        assert push_to_loki(url, {"app": "old", "job": "old"}, old) == 400
        expected = [
            "Loki has refused 1 lines since it started: greater_than_max_sample_age",
            "`conversation_ended` without `conversation_id` in 1 of 1 lines",
            "`conversation_ended` without a level in 1 of 1 lines",
        ]
        until(
            "all faults are found",
            lambda: [f.what for f in servers.loki(config)] == expected,
        )
    (away,) = servers.loki(config)
    assert away.code == "loki"


def test_what_loki_lost_on_a_full_disk() -> None:
    text = (
        "loki_ingester_wal_disk_full_failures_total 60\n"
        'loki_discarded_samples_total{reason="rate_limited",tenant="fake"} 2\n'
        'loki_discarded_samples_total{reason="rate_limited",tenant="x"} 3\n'
        'loki_discarded_samples_total{reason="new_reason",tenant="fake"} 1\n'
        "loki_ingester_chunks_flush_failures_total 0\n"
    )
    assert told(servers.refused(samples(text, *servers.METRICS))) == [
        ("loki-refuses", "Loki has refused 1 lines since it started: new_reason"),
        ("loki-refuses", "Loki has refused 5 lines since it started: rate_limited"),
        (
            "loki-disk",
            "Loki could not write its log to disk 60 times; those lines are gone at a "
            "restart",
        ),
    ]


def test_a_real_prometheus_that_cannot_scrape(tmp_path: Path) -> None:
    binary = program("prometheus")
    port, gone = free_port(), free_port()
    lost = (
        "# TYPE promtail_dropped_entries_total counter\n"
        'promtail_dropped_entries_total{{reason="ingester_error"}} {}\n'
        "# TYPE node_timex_offset_seconds gauge\n"
        "node_timex_offset_seconds -3.5\n"
    )
    count = iter(range(100, 100_000, 50))
    plain = {"Content-Type": "text/plain; version=0.0.4"}
    with standin(lambda _: (200, plain, lost.format(next(count)).encode())) as shipper:
        jobs = [
            ("soloscope", f"127.0.0.1:{gone}"),
            ("promtail", shipper.url.removeprefix("http://")),
        ]
        settings = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [
                {"job_name": name, "static_configs": [{"targets": [target]}]}
                for name, target in jobs
            ],
        }
        (tmp_path / "p.yml").write_text(json.dumps(settings))
        argv = [
            binary,
            f"--config.file={tmp_path / 'p.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        config = config_of(prometheus={"port": port})
        with running(argv, tmp_path / "p.log"):
            until("ready", lambda: answers(f"http://127.0.0.1:{port}/-/ready"))
            until(
                "all three are found",
                lambda: (
                    [f.code for f in servers.prometheus(config)]
                    == ["target-down", "shipper", "clock"]
                ),
            )
            findings = list(servers.prometheus(config))
    assert findings[0].what == (
        f"Prometheus cannot scrape `soloscope` at 127.0.0.1:{gone}"
    )
    assert findings[2].what == "the machine's clock is off by 3.5 s"
    (away,) = servers.prometheus(config)
    assert away.code == "prometheus"
    assert list(servers.prometheus(parse({"prometheus": {"enable": False}}))) == []


# --- the machine --------------------------------------------------------------------

SYSTEMCTL = """#!/bin/sh
# In place of systemctl, which needs systemd as process 1: answers in its words.
if [ "$1" = list-units ]; then
  echo "soloscope-digest.service loaded failed failed The morning report"
  exit 0
fi
shift 3
for unit; do
  case $unit in
    shop.service) echo "Id=$unit
LoadState=not-found
ActiveState=inactive
SubState=dead
Result=success
" ;;
    loki.service) echo "Id=$unit
LoadState=loaded
ActiveState=failed
SubState=failed
Result=exit-code
" ;;
    soloscope-digest.service) echo "Id=$unit
LoadState=loaded
ActiveState=failed
" ;;
    grafana.service) echo "Id=$unit
LoadState=loaded
ActiveState=inactive
SubState=dead
Result=success
" ;;
    *) echo "Id=$unit
LoadState=loaded
ActiveState=active
SubState=running
Result=success
" ;;
  esac
done
"""


def test_units_that_do_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, "systemctl", SYSTEMCTL)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert told(machine.units(config_of())) == [
        ("unit", "`shop.service` is not there"),
        ("unit", "`loki.service` has failed (exit-code)"),
        ("unit", "`grafana.service` is inactive"),
        ("unit", "`soloscope-digest.service` has failed"),
    ]


STATES = {
    # A timer starts these: well when their last run succeeded; never started by hand.
    "nightly.service": {"Type": "oneshot", "ActiveState": "inactive"},
    "report.service": {"ActiveState": "inactive", "TriggeredBy": "report.timer"},
    "broken.service": {"Type": "oneshot", "ActiveState": "failed", "Result": "signal"},
    "sour.service": {
        "ActiveState": "inactive",
        "Result": "exit-code",
        "TriggeredBy": "sour.timer",
    },
    "loop.service": {
        "ActiveState": "activating",
        "SubState": "auto-restart",
        "Result": "exit-code",
    },
    "stopped.service": {"ActiveState": "inactive"},
    "worker@1.service": {"ActiveState": "failed", "Result": "exit-code"},
}


def test_what_a_timer_starts_is_judged_by_its_last_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_systemctl(tmp_path, STATES)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    findings = list(machine.units(config_of(app={"units": list(STATES)})))
    assert [f.what for f in findings] == [
        "`broken.service` has failed (signal)",
        "`sour.service` has failed (exit-code)",
        "`loop.service` fails and is started again and again (exit-code)",
        "`stopped.service` is inactive",
        "`worker@1.service` has failed (exit-code)",
    ]
    assert [f.fix for f in findings] == [
        "`journalctl -u broken.service -n 50` says why",
        "`journalctl -u sour.service -n 50` says why",
        "`journalctl -u loop.service -n 50` says why; then `systemctl restart "
        "loop.service`",
        "`systemctl start stopped.service`",
        "`journalctl -u worker@1.service -n 50` says why; then `systemctl restart "
        "worker@1.service`",
    ]
    # A template means its instances, and may have none.
    units = ["worker@.service", "worker@*.service", "other@.service"]
    findings = list(machine.units(config_of(app={"units": units})))
    assert [f.what for f in findings] == ["`worker@1.service` has failed (exit-code)"]


def test_without_systemd_the_units_are_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (only,) = machine.units(config_of())
    assert only.level == "unseen"
    assert list(machine.clock()) == []
    assert systemd.journal_has_lines(["shop.service"], 60) is None
    # A systemctl that finds no systemd fails, too.
    script(tmp_path, "systemctl", "#!/bin/sh\nexit 1\n")
    script(tmp_path, "timedatectl", "#!/bin/sh\necho no\n")
    (only,) = machine.units(config_of())
    assert only.level == "unseen"
    (clock,) = machine.clock()
    assert (clock.level, clock.code) == ("note", "clock")


def test_lines_in_the_journal_but_not_in_loki(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with loki_server(tmp_path) as url:
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        config = config_of(loki={"port": int(url.rpartition(":")[2])})
        other = {"app": "other", "job": "other"}
        assert push_to_loki(url, other, [(time.time(), "x")]) == 204
        # In place of journalctl: the real one has no such unit here.
        for journal, expected in (
            ("echo a line", ("wrong", "shipper")),
            ("true", ("note", "silent")),
            ("exit 1", ("note", "silent")),
        ):
            script(tmp_path, "journalctl", f"#!/bin/sh\n{journal}\n")
            until(
                f"`{journal}` is understood",
                lambda expected=expected: (
                    [  # type: ignore[misc]
                        (f.level, f.code) for f in servers.loki(config)
                    ]
                    == [expected]
                ),
            )


# --- the command --------------------------------------------------------------------


def doctor(folder: Path, config: dict[str, Any], *arguments: str) -> Any:
    path = folder / "soloscope.json"
    path.write_text(json.dumps(complete(config)))
    argv = [sys.executable, "-m", "soloscope", "--config", str(path), "doctor"]
    return subprocess.run(
        [*argv, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_command_tells_one_line_each(tmp_path: Path) -> None:
    with redis_server(tmp_path) as socket, client(socket) as db:
        old = (datetime.now(UTC) - timedelta(days=2)).date()
        db.set(f"metrics:{old}:orders", 5)
        value = {
            "exporter": {"port": free_port()},
            "loki": {"port": free_port()},
            "prometheus": {"enable": False},
            "apps": {
                "shop": {
                    "redis": {"url": f"unix://{socket}"},
                    "counters": {"orders": {}},
                }
            },
        }
        done = doctor(tmp_path, value)
        assert done.returncode == 1, done.stderr
        *rows, last = done.stdout.splitlines()
        key = f"metrics:{old}:orders"
        assert (
            f"✗ shop: `{key}` has no expiry → after each write, "
            "`EXPIRE metrics:<day>:orders 2592000`" in rows
        )
        assert all(row[0] in "✗•?" and " → " in row for row in rows)
        assert last.endswith("things are wrong")
        done = doctor(tmp_path, value, "--json")
        assert done.returncode == 1
        report = json.loads(done.stdout)
        codes = {f["code"] for f in report["findings"] if f["level"] == "wrong"}
        assert {"no-expiry", "serve", "loki"} <= codes
        assert report["wrong"] == sum(f["level"] == "wrong" for f in report["findings"])
    assert doctor(tmp_path, value, "--budget", "0").returncode == 2
