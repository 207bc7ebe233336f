"""One finding of the doctor. Pure."""

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
    """`wrong` needs a repair, a `note` may be correct, `unseen` could not be checked.

    `code` names the kind of finding for programs; `fix` is what to do, one line.
    """

    level: Level
    code: str
    app: str
    what: str
    fix: str


def wrong(code: str, app: str, what: str, fix: str) -> Finding:
    """A finding that needs a repair."""
    return Finding("wrong", code, app, printable(what), printable(fix))


def note(code: str, app: str, what: str, fix: str) -> Finding:
    """A finding that may be correct."""
    return Finding("note", code, app, printable(what), printable(fix))


def unseen(code: str, app: str, what: str, fix: str) -> Finding:
    """A part that could not be checked."""
    return Finding("unseen", code, app, printable(what), printable(fix))
