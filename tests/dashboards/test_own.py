"""Dashboards of a user's own: files beside ours, and one edited in the browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import dashboard_files as files
import pytest
import requests
from soloscope_demo.stack import Options, running
from soloscope_demo.stack.commands import own
from soloscope_demo.stack.render import render

MINE: dict[str, Any] = {"uid": "mine", "id": 7, "version": 3, "panels": []}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [str(own("soloscope")), "--config", str(folder / "soloscope.json")]
    return subprocess.run(
        [*argv, "dashboards", "-o", str(folder / "out"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def rendered_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's configuration."""
    folder = tmp_path_factory.mktemp("own")
    render(folder, {})
    return folder


def test_a_file_stands_beside_ours(rendered_once: Path) -> None:
    path = rendered_once / "mine.json"
    path.write_text(json.dumps(MINE))
    done = run(rendered_once, "--extra", str(path))
    assert done.returncode == 0, done.stderr
    found = json.loads((rendered_once / "out/mine.json").read_text())
    assert found == {"uid": "mine", "id": None, "panels": []}
    assert (rendered_once / f"out/{files.OVERVIEW}.json").is_file()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "must be JSON"),
        ("[]", "must be a dashboard"),
        (json.dumps({"title": "x"}), "must be a dashboard"),
        (json.dumps(MINE | {"__inputs": [{}]}), "nobody fills `__inputs`"),
        (json.dumps(MINE | {"uid": None}), "`uid` must be a text"),
        (json.dumps(MINE | {"uid": files.OVERVIEW}), "another dashboard has the uid"),
    ],
)
def test_a_file_that_grafana_could_not_show_is_refused(
    rendered_once: Path, text: str, complaint: str
) -> None:
    path = rendered_once / "wrong.json"
    path.write_text(text)
    done = run(rendered_once, "--extra", str(path))
    assert done.returncode == 1
    assert complaint in done.stderr
    assert str(path) in done.stderr


def test_an_edit_in_the_browser_comes_back_as_a_file(tmp_path: Path) -> None:
    if shutil.which("grafana") is None:
        pytest.skip("not shown: the export of an edited dashboard (no grafana on PATH)")
    options = Options(tmp_path, free_ports=True, history=1, visit_every=0)
    with running(options) as stack:
        login = ("admin", stack.secret("grafana-admin-password"))
        api = f"{stack.url('grafana')}/api/dashboards"

        def save(title: str) -> None:
            copy = files.load(f"{files.OVERVIEW}.json")
            copy |= {"uid": "mine", "title": title, "id": None}
            body = {"dashboard": copy, "overwrite": True}
            requests.post(
                f"{api}/db", json=body, auth=login, timeout=10
            ).raise_for_status()

        key = str(tmp_path / "secrets/grafana-admin-password")
        arguments = ("export", "mine", "--password-file", key)
        absent = run(tmp_path, *arguments)
        assert absent.returncode == 1
        assert "no dashboard with the uid `mine`" in absent.stderr
        save("Before")
        first = run(tmp_path, *arguments)
        assert first.returncode == 0, first.stderr
        save("After")
        second = run(tmp_path, *arguments)
        (tmp_path / "wrong").write_text("no")
        refused = run(
            tmp_path, "export", "mine", "--password-file", str(tmp_path / "wrong")
        )
    assert '-  "title": "Before"' in second.stdout
    assert '+  "title": "After"' in second.stdout
    changed = [x for x in second.stdout.splitlines() if x[:1] in "+-" and x[1:2] == " "]
    assert len(changed) == 2, "only what was edited differs"
    found = json.loads((tmp_path / "out/mine.json").read_text())
    assert (found["id"], found["title"]) == (None, "After")
    assert "version" not in found
    assert refused.returncode == 1
    assert "wrong user or password" in refused.stderr
