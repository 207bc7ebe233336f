"""`soloscope errors` against a stand-in for Loki; tests/logs has the real one."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from urllib.parse import urlsplit

import pytest

from exporting import parse
from running import Request, free_port, standin
from soloscope.commands import errors
from soloscope.error_groups import GROUP_LABELS
from soloscope.errors import BackendUnavailable

ARGUMENTS = argparse.Namespace(app=None, since="24h", json=False)


def run(url: str, arguments: argparse.Namespace = ARGUMENTS) -> int:
    return errors.run(parse({"loki": {"port": urlsplit(url).port}}), arguments)


def test_what_a_log_line_says_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    labels = dict.fromkeys(GROUP_LABELS, "no [/such] tag \x1b[31m")

    def loki(_: Request) -> tuple[int, dict[str, str], bytes]:
        row = {"metric": labels, "value": [1795334400, "1795334400"]}
        data = {"resultType": "vector", "result": [row]}
        return 200, {}, json.dumps({"status": "success", "data": data}).encode()

    with standin(loki) as server:
        assert run(server.url) == 0
    told = capsys.readouterr().out
    assert "[/such]" in told
    assert "\x1b" not in told


def test_nothing_is_cut_in_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {
        "app": "languagebuddy",
        "event": "conversation_archiver_failed",
        "error": "OpenAIServiceUnavailableError",
        "text": "could not reach the bucket " + "x" * 40,
    }

    def loki(_: Request) -> tuple[int, dict[str, str], bytes]:
        row = {"metric": words, "value": [1795334400, "1795334400"]}
        data = {"resultType": "vector", "result": [row]}
        return 200, {}, json.dumps({"status": "success", "data": data}).encode()

    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    with standin(loki) as server:
        assert run(server.url) == 0
    told = capsys.readouterr().out
    assert "…" not in told
    assert max(map(len, told.splitlines())) <= 80
    # A column is folded: its parts are below each other.
    letters = Counter(told)
    for word in words.values():
        assert not Counter(word.replace(" ", "")) - letters
    assert "(UTC)" in told


def test_a_question_that_loki_refuses() -> None:
    def loki(_: Request) -> tuple[int, dict[str, str], bytes]:
        return 400, {}, b"parse error : not a valid duration"

    with standin(loki) as server, pytest.raises(BackendUnavailable) as told:
        run(server.url)
    assert "not a valid duration" in str(told.value)


def test_the_program_that_does_not_answer_is_named() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(BackendUnavailable) as told:
        run(url)
    assert str(told.value).startswith(f"Loki at {url}/")
