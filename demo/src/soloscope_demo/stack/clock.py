"""A time zone in which it is a chosen time of day.

Prometheus, Loki and Redis use the real time, but a day of the sample app and of
the exporter begins at midnight in the app's time zone. With a generated zone, the
whole stack runs at any time of day and in the night of a clock change.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import struct
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

from ..errors import DemoError

#: The zone's name in the configuration.
NAME = "Chosen"

HOUR = dt.timedelta(hours=1)


def zone_file(at: str, now: dt.datetime | None = None) -> bytes:
    """The compiled zone (RFC 8536, version 2) in which `now` is the time `at`.

    `at` is `HH:MM`, or `HH:MM forward` or `HH:MM back` for the day on which the clock
    goes from 02:00 to 03:00 or from 03:00 to 02:00; of a time that comes twice it is
    the second. `now` is aware. Raises `DemoError` when `at` is none of these.
    """
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)( forward| back)?", at)
    if found is None:
        raise DemoError(
            f"no time of day: {at!r}; give HH:MM, HH:MM forward or HH:MM back"
        )
    utc = (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC)
    wanted = dt.timedelta(hours=int(found[1]), minutes=int(found[2]))
    offset = wanted - dt.timedelta(hours=utc.hour, minutes=utc.minute)
    # A day more or less, to get the nearest date.
    offset -= round(offset / dt.timedelta(1)) * dt.timedelta(1)
    step = {None: 0 * HOUR, " forward": HOUR, " back": -HOUR}[found[3]]
    before = offset - step if wanted >= 2 * HOUR else offset
    midnight = dt.datetime.combine((utc + offset).date(), dt.time(), dt.UTC)
    change = midnight + (3 * HOUR if step < 0 * HOUR else 2 * HOUR) - before
    types = [
        struct.pack(">lBB", round(one.total_seconds()), 0, 0)
        for one in (before, before + step)
    ]
    minutes = round((before + step).total_seconds() / 60)
    # POSIX offsets are added to local time to get UTC.
    after = f"{'-' if minutes > 0 else ''}{abs(minutes) // 60}:{abs(minutes) % 60:02}"
    return b"".join(
        (
            *(b"TZif2" + bytes(39), b"TZif2" + bytes(15)),
            struct.pack(">6l", 0, 0, 0, 1, len(types), 4),
            struct.pack(">qB", round(change.timestamp()), 1),
            *(*types, b"APP\0", f"\nAPP{after}\n".encode()),
        )
    )


def variables(folder: Path) -> dict[str, str]:
    """Environment variables with which Python finds the zone in `folder`."""
    return {"PYTHONTZPATH": ":".join((str(folder), *zoneinfo.TZPATH))}


@contextlib.contextmanager
def known(folder: Path) -> Iterator[None]:
    """Makes the zone in `folder` known to this process and to what it starts."""
    ((name, value),) = variables(folder).items()
    given, places = os.environ.get(name), zoneinfo.TZPATH
    os.environ[name] = value
    zoneinfo.reset_tzpath((str(folder), *places))
    zoneinfo.ZoneInfo.clear_cache(only_keys=[NAME])
    try:
        yield
    finally:
        os.environ.pop(name)
        if given is not None:
            os.environ[name] = given
        zoneinfo.reset_tzpath(places)
        zoneinfo.ZoneInfo.clear_cache(only_keys=[NAME])
