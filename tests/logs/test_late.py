"""A line that comes too late to be joined, and the lines behind it."""

from __future__ import annotations

import time

from harness import Factory

UNIT = "late.service"


def test_lines_behind_a_late_one_have_their_own_time(
    engine: str, paths: Factory
) -> None:
    """What continues a block that was sent is dated by itself, and nothing else."""
    path = paths({"logs": {"joinMilliseconds": 100}}, shipper=engine)
    path.start()
    path.journal.say(UNIT, "starting")
    path.wait_for(f'{{unit="{UNIT}"}}', 1)
    time.sleep(1)
    path.journal.say(UNIT, "    a line that continues one")
    path.wait_for(f'{{unit="{UNIT}"}}', 2)
    time.sleep(1)
    printed = path.journal.say(UNIT, "ready")
    entry = path.wait_for(f'{{unit="{UNIT}"}} |= "ready"', 1)[0]
    assert entry.time // 1000 == printed[0]
