"""What `just test` says was not shown."""

from __future__ import annotations

from pathlib import Path

from soloscope_demo.tools.checks import Part, run_part, skipped
from soloscope_demo.tools.nixos import lacking


def test_skips_are_gathered_by_reason() -> None:
    output = """
SKIPPED [2] tests/a.py:1: not shown: no alloy on PATH
SKIPPED [1] tests/b.py:7: not shown: no alloy on PATH
not shown: no alloy on PATH (3 tests)
not shown: nixfmt (no `nixfmt` on PATH)
"""
    assert skipped([output]) == [
        "not shown: nixfmt (no `nixfmt` on PATH)",
        "not shown: no alloy on PATH [3 tests]",
    ]


def test_a_missing_tool_is_not_shown_and_a_failing_one_fails(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin"}
    missing = run_part(Part("tool", ["no-such-tool"], tmp_path), environment)
    assert missing.code == 0
    assert missing.output == "not shown: tool (no `no-such-tool` on PATH)\n"
    failing = run_part(
        Part("fails", ["sh", "-c", "echo no; exit 3"], tmp_path), environment
    )
    assert (failing.code, failing.output) == (3, "no\n")


def test_what_nspawn_tests_root_lacks_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/python3/dist-packages"
    folder.mkdir(parents=True)
    everything = lacking(tmp_path)
    assert "python3-requests" in everything
    (folder / "requests-2.32.3.dist-info").mkdir()
    assert [name for name in everything if name not in lacking(tmp_path)] == [
        "python3-requests"
    ]
