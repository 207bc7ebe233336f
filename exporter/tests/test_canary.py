"""The canary's results and heartbeat; tests/live has its legs on the real stack."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporting import parse, serving
from running import Request, standin
from soloscope.canary import legs, results, run
from soloscope.canary.results import Leg, Results
from soloscope.commands import canary
from soloscope.config import Config
from soloscope.digest import sending
from soloscope.errors import SoloscopeError

WELL = Leg(ok=True, seconds=0.5)
LOST = Leg(ok=False, seconds=5.0, detail="its disk is full")


def config_of(folder: Path, **canary_options: Any) -> Config:
    declared = {"stateFile": str(folder / "last.json"), **canary_options}
    digest = {"enable": True, "stateFile": str(folder / "sent.json")}
    return parse({"canary": declared, "digest": digest})


@pytest.mark.parametrize(
    "content",
    [None, "", "{", "[]", '{"runs": 1}', '{"runs": 1, "at": NaN, "legs": {}}'],
)
def test_a_file_that_is_none_of_ours_is_no_run(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "last.json"
    if content is not None:
        path.write_text(content)
    assert results.read(path) == Results()
    assert sending.read(path) is None


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    made = Results(3, 1.5, 0.0, {"log": WELL, "count": LOST})
    results.write(tmp_path / "last.json", made)
    assert results.read(tmp_path / "last.json") == made


def metrics(config: Config) -> dict[str, float]:
    import urllib.request

    with serving(config) as url, urllib.request.urlopen(f"{url}/metrics") as answer:
        text = answer.read().decode()
    return {
        one.name + (f"/{one.labels['leg']}" if "leg" in one.labels else ""): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name.startswith(("soloscope_canary", "soloscope_digest"))
    }


def test_serve_shows_what_the_timers_left(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    before = metrics(config)
    assert before == {
        "soloscope_digest_last_success_timestamp_seconds": 0,
        "soloscope_canary_runs_total": 0,
        "soloscope_canary_last_run_timestamp_seconds": 0,
    }
    results.write(
        tmp_path / "last.json", Results(3, 1.5, 0.0, {"log": WELL, "count": LOST})
    )
    (tmp_path / "sent.json").write_text('{"morning": "2025-11-19", "at": 1763535601.2}')
    assert metrics(config) == {
        "soloscope_digest_last_success_timestamp_seconds": 1763535601.2,
        "soloscope_canary_runs_total": 3,
        "soloscope_canary_last_run_timestamp_seconds": 1.5,
        "soloscope_canary_success/log": 1,
        "soloscope_canary_success/count": 0,
        "soloscope_canary_seconds/log": 0.5,
        "soloscope_canary_seconds/count": 5,
    }


def test_without_timers_there_are_no_such_metrics() -> None:
    assert metrics(parse({})) == {}


def arrive(_config: Config, _run: legs.Run) -> None:
    pass


def lose(_config: Config, _run: legs.Run) -> None:
    raise legs.Lost("a count made did not reach Prometheus")


def test_the_heartbeat_is_asked_only_when_all_arrived(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(legs, "log_line", arrive)
    monkeypatch.setattr(legs, "flush_failures", lambda _config: 0.0)
    secret = tmp_path / "url"
    with standin(lambda _: (200, {}, b"OK")) as outside:
        secret.write_text(f"{outside.url}/ping/abc\n")
        config = config_of(tmp_path, heartbeatUrlFile={"file": str(secret)})
        monkeypatch.setattr(legs, "count", lose)
        arguments = argparse.Namespace(json=False)
        assert canary.run(config, arguments) == 1
        assert outside.requests == []
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        (lost,) = [one for one in told if one["event"] == "canary_lost"]
        assert lost["leg"] == "count"
        assert lost["message"] == "a count made did not reach Prometheus"
        monkeypatch.setattr(legs, "count", arrive)
        assert canary.run(config, arguments) == 0
        assert [one.path for one in outside.requests] == ["/ping/abc"]
        assert "/ping/abc" not in capsys.readouterr().out
    last = results.read(tmp_path / "last.json")
    assert last.runs == 2
    assert set(last.legs) == {"log", "count", "heartbeat"}


def test_a_heartbeat_that_is_refused_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for leg in ("log_line", "count"):
        monkeypatch.setattr(legs, leg, arrive)
    monkeypatch.setattr(legs, "flush_failures", lambda _config: 0.0)
    secret = tmp_path / "url"
    with standin(lambda _: (404, {}, b"")) as outside:
        secret.write_text(outside.url)
        config = config_of(tmp_path, heartbeatUrlFile={"file": str(secret)})
        assert config.canary is not None
        made = run.canary(config, config.canary)
    assert made.legs["heartbeat"].detail == "the heartbeat's address answered 404"


@pytest.mark.parametrize(
    ("before", "now", "well"),
    [(None, 7.0, True), (3.0, 3.0, True), (3.0, 4.0, False), (9.0, 1.0, True)],
)
def test_chunks_that_cannot_be_flushed_are_lost_lines(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: float | None,
    now: float,
    well: bool,
) -> None:
    for leg in ("log_line", "count"):
        monkeypatch.setattr(legs, leg, arrive)
    monkeypatch.setattr(legs, "flush_failures", lambda _config: now)
    config = config_of(tmp_path)
    assert config.canary is not None
    results.write(config.canary.state_file, Results(1, 1.0, before))
    made = run.canary(config, config.canary)
    assert made.legs["log"].ok is well
    assert made.flush_failures == now


def test_a_loki_that_writes_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows the line, and its counters do not move."""

    def loki(request: Request) -> tuple[int, dict[str, str], bytes]:
        if request.path == "/metrics":
            return 200, {}, b"loki_ingester_wal_records_logged_total 7\n"
        stream = {"stream": {}, "values": [["1", "canary"]]}
        data = {"resultType": "streams", "result": [stream]}
        return 200, {}, json.dumps({"status": "success", "data": data}).encode()

    with standin(loki) as server:
        config = parse({"loki": {"port": urlsplit(server.url).port}})
        with pytest.raises(legs.Lost, match="writes none to its disk"):
            legs.log_line(config, legs.Run("id", 1, time.monotonic() + 5))


def test_it_is_off_by_default() -> None:
    with pytest.raises(SoloscopeError, match=r"services\.soloscope\.canary\.enable"):
        canary.run(parse({}), argparse.Namespace(json=False))
