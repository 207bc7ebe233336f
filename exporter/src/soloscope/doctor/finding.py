"""One thing that the doctor found. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Level", "note", "unseen", "wrong"]

Level = Literal["wrong", "note", "unseen"]


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
    return Finding("wrong", code, app, _line(what), _line(fix))


def note(code: str, app: str, what: str, fix: str) -> Finding:
    """Something that may be as it should be."""
    return Finding("note", code, app, _line(what), _line(fix))


def unseen(code: str, app: str, what: str, fix: str) -> Finding:
    """Something that could not be looked at."""
    return Finding("unseen", code, app, _line(what), _line(fix))


def _line(text: str) -> str:
    r"""One line that a terminal only shows: control characters as \x1b or \n.

    Names of keys and errors of servers are quoted, and may hold anything.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
