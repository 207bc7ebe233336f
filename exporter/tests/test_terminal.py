"""The commands' output: into pipes, full disks, old terminals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from exporting import complete
from running import free_port, raw_server, standin
from soloscope.commands import COMMANDS
from soloscope.errors import ConfigError, Problem, SoloscopeError
from soloscope.terminal import printable

NASTY = "a\nb\x1b[31m\u202eevil\x9b"


def config_file(folder: Path, **more: Any) -> Path:
    """A configuration whose servers are all away."""
    path = folder / "soloscope.json"
    away = {name: {"port": free_port()} for name in ("exporter", "loki", "prometheus")}
    value = {**away, "grafana": {"enable": False}, **more}
    path.write_text(json.dumps(complete(value)))
    return path


def argv(config: Path, *arguments: str | bytes) -> list[str | bytes]:
    return [sys.executable, "-m", "soloscope", "--config", str(config), *arguments]


def ran(config: Path, *arguments: str | bytes, **environment: str) -> Any:
    # As users run it: Python's own buffers are part of what fails.
    env = {**os.environ, "PYTHONUNBUFFERED": "", **environment}
    return subprocess.run(
        argv(config, *arguments), capture_output=True, timeout=60, check=False, env=env
    )


# --- text from outside --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü → ✓", "plain ü → ✓"),
        (NASTY, r"a\nb\x1b[31m\u202eevil\x9b"),
        ("half \ud800 of one", r"half \ud800 of one"),
        ("x" * 3000, "x" * 499 + "…"),
        ("", ""),
    ],
)
def test_text_from_outside_is_one_line_that_nothing_obeys(
    text: str, shown: str
) -> None:
    assert printable(text) == shown


def test_errors_quote_safely() -> None:
    assert str(SoloscopeError(NASTY)) == printable(NASTY)
    problems = [Problem(f"apps.{NASTY}", NASTY, "good"), Problem("x" * 3000, "", "b")]
    lines = str(ConfigError("file", problems)).split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() and len(line) < 400 for line in lines)
    assert r"a\nb\x1b[31m" in lines[1]


def test_check_config_prints_unknown_keys_escaped_and_short(tmp_path: Path) -> None:
    path = tmp_path / "soloscope.json"
    path.write_text(json.dumps({NASTY: 1, "k" * 3000: 1, "apps": {NASTY: {}}}))
    done = ran(path, "check-config")
    assert done.returncode == 2
    lines = done.stderr.decode().splitlines()
    assert all(line.isprintable() and len(line) < 400 for line in lines)
    assert any(r"a\nb\x1b[31m\u202eevil" in line for line in lines)


# --- terminals that are not UTF-8 ---------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_in_ascii(command: str, tmp_path: Path) -> None:
    done = ran(tmp_path, command, "--help", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    done.stdout.decode("ascii")


@pytest.mark.parametrize("command", ["errors", "doctor", "health-check", "backfill"])
def test_what_servers_say_in_ascii(command: str, tmp_path: Path) -> None:
    labels = {"app": "shop", "event": "ä", "error": "Ö", "text": f"ü {NASTY} …"}
    answer = vector({"metric": labels, "value": [1795334400, "1795334400"]})
    with standin(lambda _: (200, {}, answer)) as server:
        port = int(server.url.rpartition(":")[2])
        config = config_file(
            tmp_path,
            loki={"port": port},
            apps={"shop": {"title": "Läden", "redis": {"url": "unix:///weg/ü"}}},
        )
        done = ran(config, command, PYTHONIOENCODING="ascii")
    text = (done.stdout + done.stderr).decode("ascii")
    assert "Traceback" not in text
    if command == "errors":
        assert r"\xfc a\nb\x1b[31m\u202eevil\x9b ..." in text


def test_annotate_that_is_no_utf_8(tmp_path: Path) -> None:
    done = ran(config_file(tmp_path), "annotate", b"caf\xe9")
    assert done.returncode == 2
    last = done.stderr.decode().splitlines()[-1]
    assert last == "soloscope annotate: error: argument TEXT: must be UTF-8 text"
    done = ran(config_file(tmp_path), "annotate", "ok", "--app", b"caf\xe9")
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)


# --- pipes and files ----------------------------------------------------------------


def vector(*rows: dict[str, Any]) -> bytes:
    data = {"resultType": "vector", "result": rows}
    return json.dumps({"status": "success", "data": data}).encode()


def test_whole_words_in_a_pipe(tmp_path: Path) -> None:
    long = "conversation_archiver_could_not_reach_the_bucket_named_" + "x" * 80
    labels = dict.fromkeys(("app", "event", "error", "text"), long)
    answer = vector({"metric": labels, "value": [1795334400, "1795334400"]})
    with standin(lambda _: (200, {}, answer)) as server:
        port = int(server.url.rpartition(":")[2])
        config = config_file(tmp_path, loki={"port": port})
        done = ran(config, "errors", COLUMNS="80")
    (row,) = done.stdout.decode().splitlines()[1:]
    assert row.count(long) == 4
    check = {"kind": "tcp", "url": "tcp://127.0.0.1:1"}
    config = config_file(tmp_path, apps={"shop": {"checks": {"c" * 120: check}}})
    assert b"c" * 120 in ran(config, "health-check", COLUMNS="80").stdout


WRITERS = [
    ["check-config"],
    ["doctor"],
    ["doctor", "--json"],
    ["health-check"],
    ["health-check", "--json"],
    ["health-check", "--watch", "60"],
    ["errors"],
    ["--help"],
    ["--version"],
]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", WRITERS, ids=" ".join)
def test_output_that_nobody_takes(
    arguments: list[str], unbuffered: str, tmp_path: Path
) -> None:
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with standin(lambda _: (200, {}, vector())) as server:
        port = int(server.url.rpartition(":")[2])
        command = argv(config_file(tmp_path, loki={"port": port}), *arguments)
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                command, stdout=full, stderr=-1, timeout=60, check=False, env=env
            )
        lines = done.stderr.decode().splitlines()
        assert lines == ["soloscope: cannot write: No space left on device"]
        assert done.returncode == os.EX_IOERR
        # `| head -0`
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            command, stdout=write, stderr=-1, timeout=60, check=False, env=env
        )
        os.close(write)
        assert done.stderr == b""
        assert done.returncode == 141
        if "--watch" not in arguments:
            done = subprocess.run(  # closed, as `>&-` does it
                ["sh", "-c", 'exec "$@" >&-', "sh", *command],
                stderr=-1,
                timeout=60,
                check=False,
                env=env,
            )
            assert done.stderr == b""


def test_ctrl_c_at_any_time_is_silent(tmp_path: Path) -> None:
    """From the moment at which our own program begins."""

    def hang(peer: Any) -> None:
        peer.recv(1000)
        time.sleep(20)

    with raw_server(hang) as port:
        config = config_file(tmp_path, loki={"port": port})
        code = (
            "import os, signal, sys, threading\n"
            "delay = float(sys.argv.pop(1))\n"
            "from soloscope.__main__ import main\n"
            "signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # as main does\n"
            "act = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
            "threading.Timer(delay, act).start()\n"
            "main()\n"
        )
        for delay in (0.0, 0.003, 0.01, 0.03, 0.06, 0.1, 0.3, 0.6):
            done = subprocess.run(
                [sys.executable, "-c", code, str(delay), "--config", config, "errors"],
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert (done.returncode, done.stdout + done.stderr) == (130, b""), delay


def test_ctrl_c_while_it_waits(tmp_path: Path) -> None:
    config = config_file(tmp_path)
    with subprocess.Popen(
        argv(config, "serve"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert b"listening" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


# --- answers of another shape -------------------------------------------------------

NESTED = b"[" * 100_000 + b"]" * 100_000
ODD = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"status":"success","data":null}',
    b'{"status":"success","data":[]}',
    b'{"status":"success","data":{"resultType":"vector","result":null}}',
    vector({"metric": {}}),
    vector({"metric": {}, "value": []}),
    vector({"metric": {}, "value": [1, None]}),
    vector({"metric": None, "value": [1, "1"]}),
    vector({"metric": {}, "value": [float("nan"), "1"]}),
    vector({"metric": {}, "value": [1, "NaN"]}),
    vector({"metric": {}, "value": [1, "+Inf"]}),
    vector({"metric": {}, "value": [1, "1e300"]}),
    b'{"status":"success","data":' + NESTED + b"}",
    NESTED,
    b"\xff\xfe",
]


@pytest.mark.parametrize("command", ["errors", "doctor", "backfill", "health-check"])
def test_servers_that_answer_something_else(command: str, tmp_path: Path) -> None:
    odd = b""
    with standin(lambda _: (200, {}, odd)) as server:
        port = {"port": int(server.url.rpartition(":")[2])}
        app = {"redis": {"url": "redis://127.0.0.1:1"}, "counters": {"orders": {}}}
        servers = dict.fromkeys(("exporter", "loki", "prometheus"), port)
        config = config_file(tmp_path, **servers, apps={"shop": app})
        for odd in ODD:
            done = ran(config, command)
            said = (done.stdout + done.stderr).decode()
            assert "Traceback" not in said, odd[:80]
            if command == "doctor":
                # Other findings are kept.
                assert "shop: Redis does not answer: redis://127.0.0.1:1" in said
            elif command != "health-check" and b"resultType" not in odd:
                assert "answered something else" in said, odd[:80]
            assert done.returncode == 1
