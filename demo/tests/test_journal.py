"""The journal bridge: files that are followed, times, and the export format."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from soloscope_demo.app.journal import Bridge, Clock, Followed, entry
from soloscope_demo.tools import programs


def test_whole_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "output"
    followed = Followed("a.service", path)
    assert list(followed.lines()) == []
    path.write_bytes(b"one\ntw")
    assert list(followed.lines()) == [b"one"]
    with path.open("ab") as handle:
        handle.write(b"o\n\nthree\n")
    assert list(followed.lines()) == [b"two", b"three"]


def test_history_gets_its_own_time_and_live_lines_the_present() -> None:
    clock = Clock()
    old = round(time.time() * 1000) - 3_600_000
    line = json.dumps({"time": old, "msg": "x"}, separators=(",", ":")).encode()
    first, second = clock.stamp(line), clock.stamp(line)
    assert first == old * 1000
    assert second == first + 1, "Loki drops a line that equals another in its time"
    assert abs(clock.stamp(b"now") - time.time() * 1e6) < 1e6


def test_an_entry_holds_any_bytes() -> None:
    text = entry({"PRIORITY": "6"}, b"\xff\n=", 5)
    assert text == (
        b"__REALTIME_TIMESTAMP=5\n__MONOTONIC_TIMESTAMP=5\nPRIORITY=6\n"
        b"MESSAGE\n\x03\x00\x00\x00\x00\x00\x00\x00\xff\n=\n\n"
    )


def test_the_journal_has_what_was_printed(tmp_path: Path) -> None:
    found_at = programs.ensure(["systemd-journal-remote", "journalctl"])
    program = found_at["systemd-journal-remote"]
    output = tmp_path / "app.log"
    output.write_text('<4>careful\n{"level":30,"msg":"plain"}\n')
    followed = [Followed("app.service", output)]
    bridge = Bridge(str(program), tmp_path / "journal", "host1", followed)
    bridge.step()
    bridge.close()
    (file,) = (tmp_path / "journal").glob("*.journal")
    done = subprocess.run(
        [str(found_at["journalctl"]), "--file", str(file), "-o", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(e["PRIORITY"], e["MESSAGE"]) for e in found] == [
        ("4", "careful"),
        ("6", '{"level":30,"msg":"plain"}'),
    ]
    assert {e["_SYSTEMD_UNIT"] for e in found} == {"app.service"}
    assert {e["SYSLOG_IDENTIFIER"] for e in found} == {"app"}
    assert {e["_HOSTNAME"] for e in found} == {"host1"}
