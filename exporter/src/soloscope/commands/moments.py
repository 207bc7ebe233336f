"""Moments of a timeline as rows of a table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from soloscope.terminal import printable

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.text import Text

    from soloscope.timeline.lines import Moment

__all__ = ["clock", "row"]

_STYLES = {"warn": "yellow", "error": "red", "fatal": "bold red"}


def clock(at: float, zone: ZoneInfo) -> str:
    """`27 Nov 18:02:01`, in the developer's time zone."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone(zone):%d %b %H:%M:%S}"


def row(moment: Moment, zone: ZoneInfo, *, ascii_only: bool) -> list[Text]:
    """Time, level or kind, event, and what it says."""
    from rich.text import Text

    if moment.kind == "line":
        sign, style = moment.level, _STYLES.get(moment.level, "")
    else:
        mark = ("!" if ascii_only else "✗") if moment.bad else "·"
        sign, style = f"{mark} {moment.kind}", "red" if moment.bad else "cyan"
    return [
        Text(clock(moment.at, zone), "dim"),
        Text(sign, style),
        Text(printable(moment.event, 60)),
        Text(printable(moment.what)),
    ]
