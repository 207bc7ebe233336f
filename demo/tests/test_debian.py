"""Reading the system's sources of packages, and what a machine lacks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from soloscope_demo.errors import DemoError
from soloscope_demo.tools import golang, programs
from soloscope_demo.tools.cache import atomic_folder, cache_home
from soloscope_demo.tools.debian import Source, parse_deb822, parse_list, system_sources


def test_one_line_sources() -> None:
    text = """
    # deb http://mirror.example/debian old main
    deb http://mirror.example/debian bookworm main contrib # a comment
    deb-src http://mirror.example/debian bookworm main
    deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/security b/x main
    deb http://vendor.example/apt stable vendor
    """
    assert list(parse_list(text)) == [
        Source("http://mirror.example/debian", "bookworm"),
        Source("http://mirror.example/security", "b/x", "signed-by=/k.gpg"),
    ]


def test_deb822_sources() -> None:
    text = """Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /k.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
    assert list(parse_deb822(text)) == [
        Source("http://mirror.example/debian", "bookworm", "signed-by=/k.gpg"),
        Source("http://mirror.example/debian", "bookworm-updates", "signed-by=/k.gpg"),
    ]


def test_only_the_systems_own_suites_are_taken(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(
        "deb http://mirror.example/debian bookworm main\n"
        "deb http://mirror.example/debian sid main\n"
    )
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "vendor.list").write_text("deb http://vendor.example stable main\n")
    (parts / "debian.list").write_text("deb http://s.example bookworm-security main\n")
    found = [source.suite for source in system_sources("bookworm", tmp_path)]
    assert found == ["bookworm", "bookworm-security"]


def go(folder: Path, version: str) -> None:
    """A `go` that says it is of `version`, to show what is said about it."""
    program = folder / "go"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)


def test_an_old_go_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(tmp_path, "go1.19.8")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(DemoError, match=r"Go 1\.24 or later .* is 1\.19"):
        golang.check_go()


def test_no_go_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DemoError, match="there is no `go` on PATH"):
        golang.check_go()


def test_an_old_python_is_told(tmp_path: Path) -> None:
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        old = tmp_path / name
        old.write_text("#!/bin/sh\nexit 1\n")
        old.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(Path(__file__).parents[2] / "justw")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Python 3.11 or later is needed" in done.stderr


def test_path_comes_before_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("path", "cache/soloscope/bin"):
        (tmp_path / folder).mkdir(parents=True)
        program = tmp_path / folder / "loki"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert programs.find("loki") == tmp_path / "path/loki"
    (tmp_path / "path/loki").unlink()
    assert programs.find("loki") == tmp_path / "cache/soloscope/bin/loki"


def test_an_unknown_program_is_named() -> None:
    with pytest.raises(DemoError, match="no such program: nonesuch"):
        programs.ensure(["nonesuch"])


def test_the_version_of_loki_stands_in_go_mod() -> None:
    assert golang.loki_version() == "3.6.4"


def test_a_failed_installation_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    target = cache_home() / "thing-1"

    def fill(*, fail: bool) -> None:
        with atomic_folder(target) as folder:
            (folder / "half").touch()
            if fail:
                raise DemoError("no network")

    with pytest.raises(DemoError, match="no network"):
        fill(fail=True)
    assert list(cache_home().iterdir()) == []
    fill(fail=False)
    assert (target / "half").exists()
