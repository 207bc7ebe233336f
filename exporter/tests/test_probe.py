"""`soloscope probe`: the key goes to its own URL and nowhere else."""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from exporting import parse
from running import Request, free_port, standin
from soloscope.checks import results
from soloscope.checks.model import CheckFailed
from soloscope.checks.probe import probe
from soloscope.checks.results import Probed, probed
from soloscope.commands import probe as command
from soloscope.config import Config

KEY = "sk-test-0123456789abcdef"


def config(tmp_path: Path, checks: dict[str, dict[str, Any]]) -> Config:
    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    full = {
        name: {"kind": "api", "keyFile": {"file": str(key)}, **given}
        for name, given in checks.items()
    }
    return parse(
        {
            "probe": {"resultFile": str(tmp_path / "results.json")},
            "apps": {"shop": {"checks": full}},
        }
    )


def api(request: Request) -> tuple[int, dict[str, str], bytes]:
    """What WhatsApp's Graph API, OpenAI and Stripe have in common."""
    if request.headers.get("authorization") != f"Bearer {KEY}":
        # OpenAI quotes the key in this answer.
        told = request.headers.get("authorization", "")
        return 401, {}, f"Incorrect API key provided: {told}".encode()
    if request.path == "/moved":
        return 307, {"Location": "http://127.0.0.1:1/elsewhere"}, b""
    return 200, {}, b'{"object": "list"}'


def test_the_key_is_sent_and_never_kept(tmp_path: Path) -> None:
    with standin(api) as server:
        made = config(
            tmp_path,
            {
                "openai": {"url": f"{server.url}/v1/models", "body": '"list"'},
                "moved": {"url": f"{server.url}/moved"},
                "wrong": {
                    "url": f"{server.url}/v1/models",
                    "keyFile": {"file": str(tmp_path / "other")},
                },
                "missing": {
                    "url": f"{server.url}/v1/models",
                    "keyFile": {"file": str(tmp_path / "nowhere")},
                },
                "away": {"url": f"http://127.0.0.1:{free_port()}/"},
            },
        )
        (tmp_path / "other").write_text("sk-wrong\n")
        found = probe(made)["shop"]
    told = {name: (one.ok, one.detail) for name, one in found.items()}
    assert told == {
        "openai": (True, "answered 200"),
        "moved": (
            False,
            "answered 307, expected 200, to http://127.0.0.1:1/elsewhere",
        ),
        "wrong": (False, "answered 401, expected 200"),
        "missing": (False, f"{tmp_path}/nowhere: No such file or directory"),
        "away": (False, "connection refused"),
    }
    sent = [(r.method, r.path, r.headers["authorization"]) for r in server.requests]
    assert sorted(sent) == [
        ("GET", "/moved", f"Bearer {KEY}"),
        ("GET", "/v1/models", f"Bearer {KEY}"),
        ("GET", "/v1/models", "Bearer sk-wrong"),
    ]
    kept = (tmp_path / "results.json").read_text()
    assert "sk-" not in kept
    assert set(json.loads(kept)["results"]["shop"]) == set(told)


def test_a_key_that_is_no_header_is_not_told(tmp_path: Path) -> None:
    with standin(api) as server:
        made = config(tmp_path, {"openai": {"url": server.url}})
        (tmp_path / "key").write_text("sk-first\nsk-second\n")
        one = probe(made)["shop"]["openai"]
    assert not one.ok
    assert one.detail == "not an HTTP answer (InvalidHeader)"
    assert server.requests == []


def test_each_check_has_its_own_interval(tmp_path: Path) -> None:
    clock = [1000.0]
    with standin(api) as server:
        made = config(
            tmp_path,
            {
                "often": {"url": f"{server.url}/often", "interval": "30s"},
                "seldom": {"url": f"{server.url}/seldom", "interval": "5m"},
            },
        )
        for _ in range(11):
            probe(made, now=lambda: clock[0])
            clock[0] += 30
        paths = [request.path for request in server.requests]
        assert (paths.count("/often"), paths.count("/seldom")) == (11, 2)
        probe(made, everything=True, now=lambda: clock[0])
        assert len(server.requests) == 15


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    with standin(api) as server:
        made = config(tmp_path, {"openai": {"url": server.url}})
        path = tmp_path / "results.json"
        for damage in ("", "{", "[]", '{"version": 9, "results": {}}', '{"version":1}'):
            path.write_text(damage)
            with pytest.raises(CheckFailed, match="not a file of results"):
                probed(path, "shop", "openai")(1)
            assert probe(made)["shop"]["openai"].ok
            assert probed(path, "shop", "openai")(1).detail == "answered 200"
    assert path.stat().st_mode & 0o777 == 0o644
    left = sorted(p.name for p in tmp_path.iterdir())
    assert left == ["key", "results.json"]


def test_what_serve_makes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with pytest.raises(CheckFailed, match=r"soloscope-probe\.timer"):
        probed(path, "shop", "openai")(1)
    results.write(path, {"shop": {"openai": Probed(True, "answered 200", 1000.0, 0.2)}})
    fresh = probed(path, "shop", "openai", now=lambda: 1010.0)(1)
    assert (fresh.age, fresh.seconds) == (10.0, 0.2)
    # A clock that was set back does not make an old result valid for ever.
    assert probed(path, "shop", "openai", now=lambda: 10.0)(1).age == 990.0
    with pytest.raises(CheckFailed, match=r"not asked yet.*soloscope-probe\.timer"):
        probed(path, "shop", "stripe")(1)
    results.write(path, {"shop": {"openai": Probed(False, "answered 401", 1000.0)}})
    with pytest.raises(CheckFailed, match="answered 401") as failed:
        probed(path, "shop", "openai", now=lambda: 1100.0)(1)
    assert failed.value.age == 100.0


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    many = {f"check{n}": Probed(True, "x" * 200, float(n)) for n in range(200)}
    results.write(path, {"shop": many})
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            results.write(path, {"shop": many})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert len(results.read(path)["shop"]) == 200
    finally:
        stop.set()
        writer.join()


def test_nothing_to_ask_is_still_json(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = argparse.Namespace(all=False, json=True)
    assert command.run(parse({}), arguments) == 0
    assert json.loads(capsys.readouterr().out) == {}
