"""What the live stack's tests stand on: a chosen time, waiting, free ports."""

from __future__ import annotations

import datetime as dt
import io
import os
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from soloscope_demo.errors import DemoError
from soloscope_demo.stack import clock, free_ports, until

MOMENTS = [
    dt.datetime(2026, 1, 1, 0, 0, 5, tzinfo=dt.UTC),
    dt.datetime(2026, 11, 27, 16, 30, tzinfo=dt.UTC),
    dt.datetime(2028, 12, 31, 23, 59, 59, tzinfo=dt.UTC),
]


@pytest.mark.parametrize("now", MOMENTS)
@pytest.mark.parametrize(
    ("at", "hours", "second"),
    [
        ("00:00", 24, 0),
        ("00:01", 24, 0),
        ("11:03", 24, 0),
        ("23:59", 24, 0),
        ("01:30 forward", 23, 0),
        ("03:30 forward", 23, 0),
        ("01:59 back", 25, 0),
        ("02:30 back", 25, 1),
        ("23:59 back", 25, 0),
    ],
)
def test_it_is_the_chosen_time(
    now: dt.datetime, at: str, hours: int, second: int
) -> None:
    zone = ZoneInfo.from_file(io.BytesIO(clock.zone_file(at, now)))
    local = now.astimezone(zone)
    assert (f"{local:%H:%M}", local.fold) == (at[:5], second)
    days = [local.date(), local.date() + dt.timedelta(1)]
    begin, end = (dt.datetime.combine(day, dt.time(), zone) for day in days)
    assert end.timestamp() - begin.timestamp() == hours * 3600
    assert abs(local.replace(tzinfo=None) - now.replace(tzinfo=None)) < dt.timedelta(1)


@pytest.mark.parametrize("at", ["noon", "24:00", "9:05", "02:30 again", "11:60"])
def test_no_time_of_day_is_named(at: str) -> None:
    with pytest.raises(DemoError, match=f"no time of day: '{at}'; give HH:MM"):
        clock.zone_file(at)


def test_another_python_finds_the_zone_and_all_others(tmp_path: Path) -> None:
    (tmp_path / clock.NAME).write_bytes(clock.zone_file("23:59"))
    code = (
        "import datetime as dt, zoneinfo; zoneinfo.ZoneInfo('Europe/Berlin'); "
        f"print(dt.datetime.now(zoneinfo.ZoneInfo('{clock.NAME}')).strftime('%H:%M'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **clock.variables(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() in ("23:59", "00:00")


def test_what_did_not_come_is_named_with_the_last_answer() -> None:
    with pytest.raises(DemoError, match=r"not within 0 s: a sign \(.*: 0\)"):
        until("a sign", lambda: 0, within=0.05, every=0.01)

    def refused() -> bool:
        raise ConnectionRefusedError("nobody listens")

    with pytest.raises(DemoError, match=r"a sign .*nobody listens"):
        until("a sign", refused, within=0.05, every=0.01)
    answers = iter([None, "", "here"])
    assert until("a sign", lambda: next(answers), every=0.01) == "here"


def test_free_ports_differ() -> None:
    assert len(set(free_ports(50))) == 50
