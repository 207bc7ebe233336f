"""One thing that the doctor found. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from soloscope.terminal import printable

__all__ = ["LEVELS", "Finding", "Level", "note", "unseen", "wrong"]

Level = Literal["wrong", "unseen", "note"]

LEVELS: tuple[Level, ...] = ("wrong", "unseen", "note")
"""In the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`wrong` needs a repair, a `note` may be as it should, `unseen` was not looked at.

    `code` names the kind of finding for programs; `fix` is what to do, one line.
    """

    level: Level
    code: str
    app: str
    what: str
    fix: str


def wrong(code: str, app: str, what: str, fix: str) -> Finding:
    """Something that needs a repair."""
    return Finding("wrong", code, app, printable(what), printable(fix))


def note(code: str, app: str, what: str, fix: str) -> Finding:
    """Something that may be as it should be."""
    return Finding("note", code, app, printable(what), printable(fix))


def unseen(code: str, app: str, what: str, fix: str) -> Finding:
    """Something that could not be looked at."""
    return Finding("unseen", code, app, printable(what), printable(fix))
