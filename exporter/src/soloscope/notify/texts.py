"""Limits of texts: characters, one line, and the direction of writing."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["clean", "cut", "isolated", "one_line", "units"]

_LINES = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
# Characters that only steer the direction of writing (Unicode TR9): one left open would
# turn the rest of the message round.
_STEERING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_JOINER = "\u200d"


def clean(text: str) -> str:
    """Text as it may be stored and sent: whole characters, no controls but \\n."""
    text = text.encode("utf-8", "replace").decode()
    text = _LINES.sub("\n", text).replace("\t", " ")
    text = "".join(c for c in text if c == "\n" or unicodedata.category(c) != "Cc")
    return _STEERING.sub("", text).strip()


def one_line(text: str) -> str:
    """Every run of white space as one space."""
    return " ".join(text.split())


def units(text: str) -> int:
    """The length in UTF-16 code units, the strictest count of "characters"."""
    return len(text) + sum(c > "\uffff" for c in text)


def cut(text: str, limit: int) -> str:
    """At most `limit` units, with "…" when cut, and no character in halves."""
    if units(text) <= limit:
        return text
    end = min(len(text), limit - 1)
    while units(text[:end]) > limit - 1:
        end -= 1
    while end > 0 and _joined(text[end - 1], text[end]):
        end -= 1
    return text[:end].rstrip() + "…"


def _joined(left: str, right: str) -> bool:
    """Whether two code points are parts of one visible character."""
    return (
        _JOINER in (left, right)
        or unicodedata.category(right) in {"Mn", "Me", "Mc"}
        or "\U0001f3fb" <= right <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= right <= "\U000e007f"  # tags of flags
        # Two letters make a flag; a row of flags is cut before its first.
        or all("\U0001f1e6" <= c <= "\U0001f1ff" for c in (left, right))
    )


def isolated(text: str) -> str:
    """The text so that its direction does not reach what stands beside it (TR9)."""
    if any(unicodedata.bidirectional(c) in {"R", "AL", "AN"} for c in text):
        return f"\u2068{text}\u2069"
    return text
