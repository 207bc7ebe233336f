"""`soloscope alerts` and `soloscope silence` with a real Alertmanager."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporting import complete
from running import Request, answers, free_port, program, running, standin, until
from soloscope.backends.alertmanager import AlertmanagerApi
from soloscope.backends.http import ask
from soloscope.cli import main

START = datetime(2026, 11, 18, 1, 5, tzinfo=UTC)

#: A critical alert, one that follows from it, one that follows from what is over, one
#: of no app, and the heartbeat.
ALERTS: list[dict[str, dict[str, str]]] = [
    {
        "labels": {"alertname": "Slow", "severity": "warning", "app": "shop"},
        "annotations": {"summary": "shop is slow"},
    },
    {
        "labels": {"alertname": "Down", "severity": "critical", "app": "shop"},
        "annotations": {"summary": "shop is\x1b[31m down"},
    },
    {
        "labels": {"alertname": "DiskFull", "severity": "warning"},
        "annotations": {"summary": "the disk is full"},
    },
    {"labels": {"alertname": "Watchdog", "severity": "info"}, "annotations": {}},
    {
        "labels": {"alertname": "Failing", "severity": "warning", "app": "shop"},
        "annotations": {"summary": "shop fails"},
    },
    {
        "labels": {"alertname": "Aftermath", "cause": "RedisDown", "app": "shop"},
        "annotations": {},
    },
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An Alertmanager in which `Down` inhibits `Slow`."""
    folder = tmp_path_factory.mktemp("alertmanager")
    inhibit = [
        {
            "source_matchers": [f'alertname="{source}"'],
            "target_matchers": [f'alertname="{target}"'],
            "equal": ["app"],
        }
        for source, target in (("Down", "Slow"), ("Aftermath", "Failing"))
    ]
    configuration = {
        "route": {"receiver": "nobody"},
        "receivers": [{"name": "nobody"}],
        "inhibit_rules": inhibit,
    }
    (folder / "alertmanager.yml").write_text(json.dumps(configuration))
    port = free_port()
    argv = [
        *(program("alertmanager", "prometheus-alertmanager"),),
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with running(argv, folder / "log"):
        url = f"http://127.0.0.1:{port}"
        until("Alertmanager is ready", lambda: answers(f"{url}/-/ready"))
        yield url


def fire(server: str, alerts: list[dict[str, Any]]) -> None:
    """Send alerts as Prometheus does."""
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = [{"startsAt": START.isoformat(), "endsAt": end, **one} for one in alerts]
    assert ask(f"{server}/api/v2/alerts", 5, method="POST", body=body).status == 200


@pytest.fixture
def config(server: str, tmp_path: Path) -> Iterator[str]:
    """A configuration file for it; six alerts fire, and nothing is silenced."""
    api = AlertmanagerApi(server)
    fire(server, ALERTS)
    until("the alerts are there", lambda: len(api.alerts()) == len(ALERTS))
    until(
        "what follows is marked",
        lambda: sum(bool(alert.inhibited) for alert in api.alerts()) == 2,
    )
    path = tmp_path / "soloscope.json"
    path.write_text(json.dumps(settings(int(server.rpartition(":")[2]))))
    yield str(path)
    for silence in api.silences():
        api.end_silence(silence.id)


def settings(port: int, **more: Any) -> Any:
    away = {name: {"port": free_port()} for name in ("exporter", "loki", "prometheus")}
    base = {
        "timeZone": "Asia/Tokyo",
        "apps": {"shop": {"title": "Shop"}},
        "alertmanager": {"enable": True, "port": port},
    }
    return complete({**away, **base, **more})


def test_alerts_come_the_most_severe_first_with_what_is_known(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", config, "alerts"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    header, *rows = [" ".join(line.split()) for line in told.out.splitlines()]
    assert header == "severity alert app since summary"
    assert rows == [
        r"critical Down shop 18 Nov 10:05 shop is\x1b[31m down",
        "warning DiskFull 18 Nov 10:05 the disk is full",
        "warning Failing shop 18 Nov 10:05 shop fails follows from RedisDown",
        "warning Slow shop 18 Nov 10:05 shop is slow follows from Down",
    ]


def test_alerts_of_one_app(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", config, "alerts", "--app", "shop", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["alert"] for line in lines] == ["Down", "Failing", "Slow"]
    assert lines[2] == {
        "alert": "Slow",
        "severity": "warning",
        "since": "2026-11-18T01:05:00+00:00",
        "labels": ALERTS[0]["labels"],
        "annotations": ALERTS[0]["annotations"],
        "silences": [],
        "follows_from": ["Down"],
    }
    assert main(["--config", config, "alerts", "--app", "shopp"]) == 1
    assert "no app `shopp`; declared: shop" in capsys.readouterr().err


def test_a_silence_is_made_shown_and_ended(
    config: str,
    server: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SUDO_USER", "ada")
    assert main(["--config", config, "silence", "DiskFull", "2h", "a new disk"]) == 0
    assert capsys.readouterr().out.startswith("DiskFull is silenced until ")
    (silence,) = AlertmanagerApi(server).silences()
    assert silence.matchers == {"alertname": "DiskFull"}
    assert (silence.by, silence.why) == ("ada", "a new disk")
    lasts = (silence.end - silence.start).total_seconds()
    assert lasts == pytest.approx(7200, abs=5)

    def shown() -> str:
        assert main(["--config", config, "alerts"]) == 0
        return capsys.readouterr().out

    until("it is shown", lambda: "by ada: a new disk" in shown())
    assert main(["--config", config, "alerts", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (muted,) = [line for line in lines if line["alert"] == "DiskFull"]
    assert [(one["by"], one["why"]) for one in muted["silences"]] == [
        ("ada", "a new disk")
    ]
    assert main(["--config", config, "silence", "DiskFull", "--end"]) == 0
    assert capsys.readouterr().out == "DiskFull is no longer silenced\n"
    until("it is gone", lambda: "ada" not in shown())
    assert main(["--config", config, "silence", "DiskFull", "--end"]) == 1
    assert "no silence of DiskFull" in capsys.readouterr().err


def test_a_silence_of_one_app_is_ended_with_it_or_by_name(
    config: str, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ["--config", config, "silence", "Slow"]
    for _ in range(2):
        assert main([*said, "1d", "known", "--app", "shop"]) == 0
    matchers = [silence.matchers for silence in AlertmanagerApi(server).silences()]
    assert matchers == [{"alertname": "Slow", "app": "shop"}] * 2
    assert main([*said, "1h", "all"]) == 0
    assert main([*said, "--end", "--app", "shop"]) == 0
    (left,) = AlertmanagerApi(server).silences()
    assert left.why == "all"
    assert main([*said, "1d", "known", "--app", "shop"]) == 0
    assert main([*said, "--end"]) == 0
    assert AlertmanagerApi(server).silences() == []
    capsys.readouterr()


def test_a_silence_of_what_does_not_fire_is_not_forgotten(
    config: str, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    AlertmanagerApi(server).silence({"alertname": "Old", "app": "b"}, end, "me", "x")
    assert main(["--config", config, "alerts"]) == 0
    assert "Old, app b does not fire and is silenced until" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("DiskFull",), 2, "for how long, and why?"),
        (("DiskFull", "2h"), 2, "for how long, and why?"),
        (("DiskFull", "soon", "why"), 2, "must be a duration such as 30m, 2h or 7d"),
        (("DiskFull", "2y", "why"), 2, "is more than a year"),
        (("DiskFull", "2h", " "), 2, "must have 1 to 500 characters"),
        (("DiskFull", "2h", "why", "--end"), 2, "--end takes no time"),
        (("DiskFull", "2h", "why", "--app", "x"), 1, "no app `x`; declared: shop"),
    ],
)
def test_what_is_no_silence(
    config: str,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    assert main(["--config", config, "silence", *arguments]) == code
    assert words in capsys.readouterr().err


def test_a_name_that_no_rule_has_is_refused(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rules(request: Request) -> tuple[int, dict[str, str], bytes]:
        name = "Rare" if request.path.startswith("/api") else "ErrorSpike"
        rule = {"type": "alerting", "name": name}
        data = {"groups": [{"rules": [rule, {"type": "recording", "name": "a:b:c"}]}]}
        return 200, {}, json.dumps({"status": "success", "data": data}).encode()

    with standin(rules) as other:
        at = {"port": int(other.url.rpartition(":")[2])}
        port = int(server.rpartition(":")[2])
        path = tmp_path / "soloscope.json"
        path.write_text(json.dumps(settings(port, loki=at, prometheus=at)))
        argv = ["--config", str(path), "silence"]
        assert main([*argv, "ErorSpike", "1h", "a typo"]) == 2
        assert "no alert `ErorSpike`; there are: ErrorSpike" in capsys.readouterr().err
        assert main([*argv, "a:b:c", "1h", "a recording rule"]) == 2
        for name in ("ErrorSpike", "Rare"):
            assert main([*argv, name, "1h", "ok"]) == 0
            assert main([*argv, name, "--end"]) == 0


@pytest.mark.parametrize("arguments", [["alerts"], ["silence", "Down", "1h", "why"]])
def test_an_alertmanager_that_does_not_answer_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    path = tmp_path / "soloscope.json"
    port = free_port()
    path.write_text(json.dumps(settings(port)))
    assert main(["--config", str(path), *arguments]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert f"http://127.0.0.1:{port}/api/v2/" in told.err
    assert "refused" in told.err
    path.write_text(json.dumps(settings(port, alertmanager={"enable": False})))
    assert main(["--config", str(path), *arguments]) == 1
    assert "`alertmanager.enable` is false" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b"<html>", "answered something else"),
        (200, b'{"a": 1}', "answered something else"),
        (200, b'[{"labels": 1}]', "answered something else"),
        (400, b'"bad matcher"', "answered 400: bad matcher"),
        (422, b'{"code": 601, "message": "no end"}', "answered 422: no end"),
        (500, b"", "answered 500"),
    ],
)
def test_another_answer_is_reported(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    status: int,
    body: bytes,
    words: str,
) -> None:
    with standin(lambda _: (status, {}, body)) as server:
        path = tmp_path / "soloscope.json"
        path.write_text(json.dumps(settings(int(server.url.rpartition(":")[2]))))
        assert main(["--config", str(path), "alerts"]) == 1
    assert words in capsys.readouterr().err


def test_without_the_heartbeat_it_says_that_silence_is_no_health(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with standin(lambda _: (200, {}, b"[]")) as server:
        path = tmp_path / "soloscope.json"
        path.write_text(json.dumps(settings(int(server.url.rpartition(":")[2]))))
        assert main(["--config", str(path), "alerts"]) == 0
    told = capsys.readouterr()
    assert told.out == "nothing fires\n"
    assert "`Watchdog`, which always fires, is not here" in told.err
