"""Secrets at the terminal: root reads what systemd gave to `soloscope serve`."""

from __future__ import annotations

from pathlib import Path

import pytest

from soloscope import secret
from soloscope.errors import SecretUnavailable
from soloscope.secret import Secret


def test_the_credentials_of_the_running_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    folder = tmp_path / "soloscope-exporter.service"
    monkeypatch.setattr(secret, "SERVICE_CREDENTIALS", (tmp_path, folder))
    wanted = Secret(credential="redis-shop")
    with pytest.raises(SecretUnavailable, match="run this as root"):
        wanted.read()
    assert not wanted.in_reach()
    folder.mkdir()
    (folder / "redis-shop").write_text("hunter2\n")
    assert wanted.in_reach()
    assert wanted.read() == "hunter2"
    # The process's own credentials come first.
    own = tmp_path / "own"
    own.mkdir()
    (own / "redis-shop").write_text("mine\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(own))
    assert wanted.read() == "mine"
