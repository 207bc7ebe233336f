"""Once a day: what was sent, and when.

{"morning": "2025-11-19", "at": 1763535601.2}

`morning` is the developer's date of the last message, `at` the Unix time at which
`soloscope notify` had it on disk.
"""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path
from typing import NamedTuple

from soloscope.errors import OTHER_SHAPE
from soloscope.files import replace_file

__all__ = ["Sent", "read", "write"]


class Sent(NamedTuple):
    """The last message: its date, and the Unix time at which it was handed over."""

    morning: date
    at: float


def read(path: Path) -> Sent | None:
    """The last message; None when there was none, or the file is not one of ours.

    `soloscope notify` knows the key, so a lost file sends nothing twice.
    """
    try:
        value = json.loads(path.read_bytes())
        morning, at = date.fromisoformat(value["morning"]), float(value["at"])
    except (OSError, *OTHER_SHAPE):
        return None
    return Sent(morning, at) if math.isfinite(at) else None


def write(path: Path, sent: Sent) -> None:
    """Replace the file. Raises SoloscopeError."""
    value = {"morning": sent.morning.isoformat(), "at": sent.at}
    replace_file(path, json.dumps(value) + "\n")
