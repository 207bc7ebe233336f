"""The configuration file: parsing, and how all problems are reported together.

The values of most tests leave out irrelevant keys; `complete` adds them.
"""

from __future__ import annotations

import json
from datetime import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporting import complete, parse
from soloscope import cli, config
from soloscope.errors import ConfigError, SecretUnavailable
from soloscope.secret import Secret

WHOLE: dict[str, Any] = {
    "timeZone": "Europe/Berlin",
    "exporter": {
        "listenAddress": "127.0.0.1",
        "port": 9847,
        "history": 30,
        "maxConnections": 64,
        "logLevel": "info",
        "tokenFile": {"credential": "token"},
    },
    "loki": {
        "listenAddress": "127.0.0.1",
        "port": 3100,
        "budget": {
            "folder": "/var/lib/loki",
            "overridesFile": "/var/lib/loki/overrides.json",
            "stateFile": "/var/lib/budget/state.json",
            "metricsFile": "/var/lib/budget/loki-budget.prom",
            "maxGib": 10,
            "retention": "30d",
            "floor": "24h",
            "streams": [{"selector": '{a="b"}', "period": "7d", "priority": 1}],
        },
    },
    "shipper": {
        "engine": "alloy",
        "listenAddress": "127.0.0.1",
        "port": 12345,
        "floodMetric": "flood_total",
        "lostMetric": "lost_total",
    },
    "prometheus": {"enable": True, "listenAddress": "::1", "port": 9090},
    "grafana": {"enable": True, "rootUrl": "https://grafana.example.org/"},
    "alertmanager": {"enable": False},
    "postgresExporter": {"port": 9187},
    "probe": {"resultFile": "/run/soloscope-probe/results.json"},
    "apps": {
        "languagebuddy": {
            "title": "LanguageBuddy",
            "timeZone": "America/New_York",
            "units": ["languagebuddy-backend.service"],
            "redis": {
                "url": "unix://reader@/run/redis/redis.sock?db=2",
                "prefix": "m:",
                "passwordFile": {"file": "/run/secrets/redis"},
            },
            "counters": {"digests_created": {"help": "Digests", "unit": ""}},
            "breakdowns": {"deficiencies": {"help": "By kind", "limit": 5}},
            "uniques": {"active_users": {"exact": True}},
            "timings": {"openai": {}},
            "gauges": {"users_total": {"help": "Users"}},
            "jobs": {"digest": {"counter": "digests_created", "by": "04:00"}},
            "health": {"url": "http://127.0.0.1:8080/api/health"},
            "metrics": {
                "url": "http://127.0.0.1:8080/metrics",
                "names": {"http_requests_total": "requests_total"},
                "areas": ["http", "realtime"],
                "labels": {"route": "handler"},
            },
            "checks": {
                "openai": {
                    "kind": "api",
                    "url": "https://api.openai.com/v1/models",
                    "interval": "1m30s",
                    "keyFile": {"credential": "openai"},
                    "maxSeconds": 1.5,
                },
                "cache": {"kind": "redis", "url": "redis://127.0.0.1:6379"},
                "smtp": {"kind": "tcp", "url": "tcp://127.0.0.1:25"},
            },
            "postgres": {"socket": "/run/postgresql"},
        }
    },
}


def leaves(value: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of all values in nested objects, the objects' own included."""
    if not isinstance(value, dict):
        return [path]
    return [path] + [p for k, v in value.items() for p in leaves(v, (*path, k))]


DEEP = json.loads("[" * 900 + "]" * 900)


def problems(value: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(value)
    return [str(problem) for problem in caught.value.problems]


def with_app(**changes: object) -> dict[str, Any]:
    app = {"redis": {"url": "redis://127.0.0.1"}, **changes}
    return {"apps": {"shop": app}}


def test_the_whole_schema_is_read() -> None:
    read = parse(WHOLE)
    app = read.apps["languagebuddy"]
    assert str(read.zone) == "Europe/Berlin"
    assert str(app.zone) == "America/New_York"
    assert app.redis is not None
    assert app.redis.url.path == "/run/redis/redis.sock"
    assert (app.redis.url.username, app.redis.url.db) == ("reader", 2)
    assert app.redis.password == Secret(file="/run/secrets/redis")
    assert app.jobs["digest"] == config.Job("digests_created", time(4, 0), 1, "")
    assert app.checks["openai"].interval == 90.0
    assert app.breakdowns["deficiencies"].limit == 5
    assert app.uniques["active_users"].exact
    assert read.loki.budget is not None
    assert read.loki.budget.max_gib == 10.0
    assert read.loki.budget.floor == 86400.0
    assert read.loki.budget.streams == (config.Stream('{a="b"}', 7 * 86400.0, 1),)
    assert read.shipper == config.Shipper(
        "127.0.0.1", 12345, "alloy", "flood_total", "lost_total"
    )
    assert read.postgres_exporter == config.Listener("127.0.0.1", 9187)
    assert app.postgres == config.Postgres(socket=Path("/run/postgresql"))
    assert app.objectives.availability == 0.99
    assert app.metrics is not None
    assert app.metrics.names == {"http_requests_total": "requests_total"}
    assert app.metrics.areas == ("http", "realtime")
    assert app.metrics.labels == {"route": "handler"}


def test_null_is_not_set() -> None:
    read = parse({"apps": {"shop": {"redis": None}}, "probe": None})
    assert read.apps["shop"].redis is None
    assert read.probe is None
    assert problems({"apps": {"shop": {"title": None}}}) == [
        "apps.shop.title: must be set"
    ]


def test_every_problem_is_told_at_once() -> None:
    told = problems(
        {
            "timeZone": "Europe/Berln",
            "exporter": {"port": "9847", "histroy": 3, "history": -1},
            "apps": {
                "shop": {
                    "redis": {"url": "http://127.0.0.1"},
                    "counters": {"a-b": {}, "orders": {"help": 5}},
                    "jobs": {"mail": {"counter": "mails", "by": "4:00", "min": 0}},
                }
            },
        }
    )
    assert told == [
        'apps.shop.counters: "a-b" is not accepted; a name of letters, digits and '
        "underscores, not starting with a digit",
        "apps.shop.counters.orders.help: 5 is not accepted; a string",
        'apps.shop.jobs.mail.by: "4:00" is not accepted; a time of day such as `04:00`',
        'apps.shop.jobs.mail.counter: "mails" is not accepted; '
        "a counter of this app: `orders`",
        "apps.shop.jobs.mail.min: 0 is not accepted; "
        "a whole number from 1 to 9007199254740992",
        'apps.shop.redis.url: "http://127.0.0.1" is not accepted; '
        "`redis://HOST:PORT/DB`, `rediss://HOST:PORT/DB` or `unix:///PATH?db=DB`",
        "exporter.history: -1 is not accepted; a whole number from 0 to 366",
        "exporter.histroy: unknown option; did you mean `history`?",
        'exporter.port: "9847" is not accepted; a whole number from 0 to 65535',
        'timeZone: "Europe/Berln" is not accepted; '
        "a time zone of the IANA database such as `UTC` or `Europe/Berlin`",
    ]


@pytest.mark.parametrize(
    ("value", "path", "said"),
    [
        ([], "the file", "an object"),
        ({"apps": []}, "apps", "an object"),
        ({"apps": {"shop": 3}}, "apps.shop", "an object"),
        ({"apps": {"a b": {}}}, "apps", "dashes"),
        (with_app(redis={}), "apps.shop.redis.url", "must be set"),
        (with_app(redis={"url": "redis://u:p@h"}), "apps.shop.redis.url", "password"),
        (with_app(redis={"url": "redis://h/x"}), "apps.shop.redis.url", "database"),
        (with_app(redis={"url": "redis://h:99999"}), "apps.shop.redis.url", "HOST"),
        (with_app(redis={"url": "unix://run/x"}), "apps.shop.redis.url", "absolute"),
        (with_app(redis=None, gauges={"x": {}}), "apps.shop.redis.url", "gauges"),
        (
            with_app(counters={"x": {}}, timings={"x": {}}),
            "apps.shop.timings.x",
            "apps.shop.counters.x",
        ),
        (
            with_app(redis={"url": "redis://h", "passwordFile": {}}),
            "apps.shop.redis.passwordFile",
            "credential",
        ),
        (
            with_app(redis={"url": "redis://h", "passwordFile": "/x"}),
            "apps.shop.redis.passwordFile",
            "an object",
        ),
        (
            {"exporter": {"tokenFile": {"credential": "../x"}}},
            "exporter.tokenFile.credential",
            "not a path",
        ),
        (
            with_app(checks={"a": {"kind": "ftp", "url": "x"}}),
            "apps.shop.checks.a.kind",
            "`http`, `api`, `tcp`, `redis`",
        ),
        (
            with_app(checks={"a": {"kind": "tcp", "url": "http://h"}}),
            "apps.shop.checks.a.url",
            "tcp://HOST:PORT",
        ),
        (
            with_app(
                checks={
                    "a": {
                        "kind": "http",
                        "url": "http://h",
                        "keyFile": {"credential": "k"},
                    }
                }
            ),
            "apps.shop.checks.a.keyFile",
            "api",
        ),
        (
            with_app(health={"url": "http://h", "interval": "5s"}),
            "apps.shop.health.timeout",
            "no longer than the interval",
        ),
        (
            with_app(health={"url": "http://h", "interval": "0s"}),
            "apps.shop.health.interval",
            "duration",
        ),
        (
            with_app(postgres={"socket": "/a", "url": "postgresql://b"}),
            "apps.shop.postgres",
            "either",
        ),
        ({"exporter": {"listenAddress": "1.2.3.4:80"}}, "exporter.listenAddress", "IP"),
        ({"exporter": {"port": True}}, "exporter.port", "whole number"),
        ({"exporter": {"tokenFile": {"file": "a/b"}}}, "exporter.tokenFile", "/PATH"),
        (with_app(redis={"url": "redis://h:0"}), "apps.shop.redis.url", "HOST:PORT"),
        (with_app(health={"url": "http://h/ü"}), "apps.shop.health.url", "ASCII"),
        (with_app(health={"url": "http://h/\x00"}), "apps.shop.health.url", "a URL"),
        ({"loki": {"budget": {"maxGib": 0}}}, "loki.budget.maxGib", "above zero"),
        ({"loki": {"budget": {"maxGib": 1e400}}}, "loki.budget.maxGib", "above zero"),
        ({"loki": {"budget": {"streams": [1]}}}, "loki.budget.streams[0]", "object"),
        ({"shipper": {"engine": ""}}, "shipper.engine", "not empty"),
        ({"shipper": {"lostMetric": "a{}"}}, "shipper.lostMetric", "a name of letters"),
        (with_app(health={"url": "http://a..b/"}), "apps.shop.health.url", "URL"),
        (with_app(health={"url": "HTTP://h/"}), "apps.shop.health.url", "URL"),
        ({"loki": {"listenAddress": "x" * 64}}, "loki.listenAddress", "host name"),
        (with_app(units=["shop"]), "apps.shop.units[0]", "full unit name"),
        (with_app(units=["\ud800.service"]), "apps.shop.units[0]", "full unit name"),
        (with_app(containers=["/a"]), "apps.shop.containers[0]", "a container's name"),
        ({"exporter": {"tokenFile": {"file": "/\x00"}}}, "exporter.tokenFile", "/PATH"),
        (with_app(postgres={"socket": "/\x00"}), "apps.shop.postgres.socket", "path"),
        (with_app(postgres={"url": "h/x"}), "apps.shop.postgres.url", "postgresql://"),
        (
            with_app(postgres={"url": "postgres://u:p@h"}),
            "apps.shop.postgres.url",
            "without a password",
        ),
        (with_app(postgres={}), "apps.shop.postgres", "either"),
        (with_app(title=DEEP), "apps.shop.title", "a string"),
        (
            with_app(metrics={"url": "http://h", "areas": ["http", "sockets"]}),
            "apps.shop.metrics.areas[1]",
            "one of `cache`, `database`",
        ),
        (
            with_app(metrics={"url": "http://h", "names": {"http-requests": "x"}}),
            "apps.shop.metrics.names",
            "a metric's name",
        ),
        (
            with_app(metrics={"url": "http://h", "names": {"a": "x", "b": "x"}}),
            "apps.shop.metrics.names.b",
            "`a` is that metric already",
        ),
        (
            with_app(metrics={"url": "http://h", "labels": {"path": "route"}}),
            "apps.shop.metrics.labels",
            "`method`, `route` or `status`",
        ),
        (
            with_app(objectives={"availability": 0.9, "latency": {"seconds": 0.5}}),
            "apps.shop.objectives.latency.share",
            "",
        ),
        (
            with_app(objectives={"availability": 1}),
            "apps.shop.objectives.availability",
            "share",
        ),
        (
            {"exporter": {"\x1b[31m\u202e": 1}},
            'exporter."\\x1b[31m\\u202e"',
            "unknown option",
        ),
        (with_app(**{"": 1}), 'apps.shop.""', "unknown option"),
        ({"exporter": {"x" * 3000: 1}}, f'exporter."{"x" * 58}…', "unknown option"),
        # JSON can say half of a surrogate pair; no answer could be written with it.
        (with_app(title="\ud800"), "apps.shop.title", "a string"),
    ],
)
def test_a_problem_names_the_option_and_what_is_accepted(
    value: object, path: str, said: str
) -> None:
    told = problems(value)
    assert any(line.startswith(f"{path}: ") and said in line for line in told), told


@pytest.mark.parametrize(
    "host", ["a..b", ".x", "x" * 70, "-a", "a.-b", "[::g]", "", ".".join("x" * 200)]
)
def test_a_host_that_no_resolver_takes_is_refused(host: str) -> None:
    told = problems(with_app(redis={"url": f"redis://{host}:6379"}))
    assert [line.partition(": ")[0] for line in told] == ["apps.shop.redis.url"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("interval", "9" * 400 + "d"),
        ("interval", "300y"),
        ("interval", "²s"),
        ("interval", ""),
        ("timeout", "2d"),
        ("url", "redis://h/" + "1" * 5000),
        ("maxSeconds", 10**400),
        ("maxSeconds", 86_400),
        ("status", 99),
        ("status", 204),
        ("body", " "),
        ("kind", []),
    ],
)
def test_a_check_takes_no_value_that_fails_later(option: str, value: object) -> None:
    check = {"kind": "redis", "url": "redis://h", "interval": "30d", option: value}
    told = problems(with_app(checks={"a": check}))
    assert [line.partition(": ")[0] for line in told] == [
        f"apps.shop.checks.a.{option}"
    ]
    assert len(told[0]) < 300


def test_a_value_that_is_nested_too_deeply_to_show() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    (told,) = problems(with_app(title=deep))
    assert "nested too deeply is not accepted; a string" in told


def test_durations_are_prometheus() -> None:
    assert config.duration("30d") == 30 * 86400
    assert config.duration("1h30m") == 5400
    assert config.duration("2w") == 14 * 86400
    assert config.duration("1s500ms") == 1.5
    for none in ("5GB", "", "0s", "30", "1m1h", " 1s", "1.5h", "-1s"):
        assert config.duration(none) is None


@pytest.mark.parametrize(
    "value",
    [
        with_app(redis={"url": "redis://u:hunter2@h/0"}),
        with_app(redis={"url": "redis://:hunter2@@/@h"}),
        with_app(health={"url": "https://me:hunter2@h/"}),
        with_app(checks={"a": {"kind": "tcp", "url": "tcp://me:hunter2@h"}}),
        with_app(checks={"a": "http://me:hunter2@h"}),
        {"exporter": {"tokenFile": "hunter2"}},
        {"exporter": {"tokenFile": {"file": "hunter2"}}},
        {"exporter": {"tokenFile": {"file": "/hunter2", "credential": "x"}}},
        with_app(redis={"url": "redis://h", "passwordFile": ["hunter2"]}),
        with_app(
            checks={
                "a": {"kind": "tcp", "url": "tcp://h:1", "keyFile": {"file": "hunter2"}}
            }
        ),
    ],
)
def test_a_problem_never_shows_a_secret(value: object) -> None:
    assert "hunter2" not in "".join(problems(value))


def test_two_apps_may_not_share_a_prefix() -> None:
    one = {"redis": {"url": "redis://127.0.0.1:6379/0"}}
    told = problems({"apps": {"a": one, "b": {"redis": {"url": "redis://127.0.0.1"}}}})
    assert "apps.b.redis.prefix" in told[0]
    assert "apps.a" in told[0]
    other = {"redis": {"url": "redis://127.0.0.1", "prefix": "b:"}}
    assert set(parse({"apps": {"a": one, "b": other}}).apps) == {"a", "b"}
    # The same database, written in another way.
    one, two = ({"redis": {"url": f"unix:///r.sock{db}"}} for db in ("", "?db=0"))
    assert "apps.b.redis.prefix" in problems({"apps": {"a": one, "b": two}})[0]


def test_a_key_that_stands_twice(tmp_path: Path) -> None:
    path = tmp_path / "soloscope.json"
    path.write_text('{"apps": {"a": {}, "a": {}}}')
    with pytest.raises(ConfigError, match="stands twice"):
        config.load(path)


@pytest.mark.parametrize("text", ["", "{", "[1", '{"a": nope}', "\xff", "[" * 9999])
def test_a_file_that_is_not_json(tmp_path: Path, text: str) -> None:
    path = tmp_path / "soloscope.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match="must be JSON"):
        config.load(path)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        config.load(tmp_path / "absent.json")


def test_secrets_are_read_late_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("hunter2\n")
    by_file = Secret(file=str(tmp_path / "token"))
    by_credential = Secret(credential="token")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(SecretUnavailable, match="CREDENTIALS_DIRECTORY"):
        by_credential.read()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert by_credential.read() == by_file.read() == "hunter2"
    (tmp_path / "token").write_text("changed")
    assert by_file.read() == "changed"
    assert "token" not in repr(by_credential)
    (tmp_path / "token").write_text("\n")
    with pytest.raises(SecretUnavailable, match="empty"):
        by_file.read()


def test_a_number_of_more_digits_than_python_reads(tmp_path: Path) -> None:
    path = tmp_path / "soloscope.json"
    text = json.dumps(complete({"exporter": {"port": 9}})).replace(
        "9,", "9" * 5000 + ","
    )
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"exporter\.port: Infinity is not accepted"):
        config.load(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner)
    ),
    max_leaves=10,
)


@given(st.sampled_from(leaves(complete(WHOLE))), json_values)
def test_any_value_anywhere_is_read_or_refused(
    path: tuple[str, ...], value: object
) -> None:
    changed = json.loads(json.dumps(complete(WHOLE)))
    if path:
        node = changed
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value
    else:
        changed = value
    try:
        config.parse(changed)
    except ConfigError as error:
        assert error.problems
        assert str(error)


SECRET = "hunter2"
# Faults of a file by a user, an editor or a disk.
SPOILED: list[Any] = [
    *(None, True, -1, 0, 10**400, 1e308, float("nan"), float("-inf")),
    *("", " ", "9" * 400 + "d", "300y", "\ud800", "\x00", "/\x00", "a" * 3000),
    *("\x1b[31m", "\u202e", "a\nb", "redis://127.0.0.1/" + "1" * 5000),
    f"redis://:{SECRET}@127.0.0.1",
    f"http://me:{SECRET}@127.0.0.1/",
    *([], {}, [[]], DEEP, {"file": "relative"}, {"credential": "../x"}),
]


def spoil(random: Random) -> bytes:
    """WHOLE with one to three faults in its values, keys or bytes."""
    value = json.loads(json.dumps(complete(WHOLE)))
    for _ in range(random.randint(1, 3)):
        path = random.choice([path for path in leaves(value) if path])
        node = value
        for key in path[:-1]:
            node = node[key]
        old = node.pop(path[-1])
        new = random.choice(SPOILED)
        new = dict(new) if isinstance(new, dict) else new  # the next fault may be in it
        if random.random() < 0.2 and isinstance(new, str):
            node[new] = old
        elif random.random() < 0.8:
            node[path[-1]] = new
    data = json.dumps(value).encode()
    if random.random() < 0.2:
        at = random.randrange(len(data))
        data = data[:at] + random.randbytes(random.randint(0, 3)) + data[at + 1 :]
    return data


@pytest.mark.parametrize("seed", range(400))
def test_a_spoiled_file_is_good_or_refused(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "soloscope.json"
    path.write_bytes(spoil(Random(seed)))
    code = cli.main(["--config", str(path), "check-config"])
    said = "".join(capsys.readouterr())
    assert code in {0, 2}, said
    assert SECRET not in said
    assert said.replace("\n", "").isprintable(), said
    assert max(map(len, said.splitlines())) < 600
