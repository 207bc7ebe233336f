"""Lines of Loki as moments: who, how bad, and what they say in a few words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from soloscope.backends.loki import Line
from soloscope.errors import OTHER_SHAPE
from soloscope.masking import masked

__all__ = ["BAD", "Moment", "moment", "quoted"]

BAD = ("warn", "error", "fatal")
"""The levels of lines about something that went wrong."""

Kind = Literal["line", "check", "alert", "deploy"]

#: Fields that are labels, metadata, or about the process that printed the line.
_KNOWN = frozenset(
    {
        *("level", "levelname", "severity", "time", "timestamp", "@timestamp", "ts"),
        *(
            "event",
            "user",
            "userId",
            "user_id",
            "phone_last4",
            "msg",
            "message",
            "text",
        ),
        *("conversation_id", "conversationId", "trace_id", "traceId", "reqId"),
        *("err", "error", "stack", "pid", "hostname", "name", "logger", "v"),
    }
)


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened `at` (Unix time); `bad` when it went wrong."""

    at: float
    kind: Kind
    what: str
    level: str = ""
    event: str = ""
    unit: str = ""
    user: str = ""
    conversation: str = ""
    bad: bool = False


def quoted(text: str) -> str:
    """`text` as a string of LogQL, which are those of Go."""
    return json.dumps(text, ensure_ascii=False)


def moment(line: Line) -> Moment:
    """A line of Loki, with phone numbers masked."""
    labels = line.labels
    return Moment(
        at=line.at,
        kind="line",
        what=masked(_said(line.text)),
        level=labels.get("level", ""),
        event=labels.get("event", ""),
        unit=labels.get("unit", ""),
        user=labels.get("user", ""),
        conversation=labels.get("conversation_id", ""),
        bad=labels.get("level") in BAD,
    )


def _said(text: str) -> str:
    """The message of a JSON line, its error, and its other fields; else the text."""
    try:
        fields = json.loads(text) if text[:1] == "{" else None
    except OTHER_SHAPE:
        fields = None
    if not isinstance(fields, dict):
        return text.strip()
    # An annotation has its words in `text`.
    said = (fields.get(key) for key in ("msg", "message", "text"))
    parts = [str(next(filter(None, said), ""))]
    error = fields.get("err") or fields.get("error")
    if isinstance(error, Mapping):
        named = (str(error.get(key) or "") for key in ("type", "message"))
        parts.append(": ".join(filter(None, named)))
    elif error:
        parts.append(str(error))
    parts += _others(fields)
    return "  ".join(filter(None, parts)) or text.strip()


def _others(fields: Mapping[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        if name not in _KNOWN and isinstance(value, str | int | float):
            yield f"{name}={value}"
