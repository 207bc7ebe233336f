"""Events as JSON lines, each with the context in which it happened.

{"time":"2026-11-18T08:00:00.123Z","level":"info","event":"order_placed",
 "conversation_id":"c_1","user":"u_7","total":12,"msg":"Order placed"}
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import IO, Any

from pythonjsonlogger.json import JsonFormatter

from soloscope.log import level_of, time_text

__all__ = ["context", "event", "set_up_logging"]

_EMPTY: Mapping[str, Any] = {}
_context: ContextVar[Mapping[str, Any]] = ContextVar("soloscope", default=_EMPTY)


def set_up_logging(level: str = "INFO", stream: IO[str] | None = None) -> None:
    """Send all of Python's logging to `stream` (standard output) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_Formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def event(
    name: str, message: str = "", /, *, level: int = logging.INFO, **fields: Any
) -> None:
    """Log that `name` happened. In an `except` block, its exception belongs to it.

    `fields` may have any names and values; what JSON does not know becomes a text.
    """
    raised = sys.exc_info()
    failed = raised if level >= logging.ERROR and raised[0] is not None else None
    extra = {"soloscope_event": name, "soloscope_fields": fields}
    # A percent sign in the message is none of logging's.
    logging.getLogger("app").log(
        level, "%s", message or name, extra=extra, exc_info=failed
    )


@contextmanager
def context(**fields: Any) -> Iterator[None]:
    """Every line of this block has `fields`, also across `await`.

    Use `conversation_id`, `user` (an opaque id) and `trace_id` for what dashboards
    and `soloscope why` join lines by; `job` for a background job.
    """
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


class _Formatter(JsonFormatter):
    """The fixed fields first, then the context, then the event's own."""

    def __init__(self) -> None:
        super().__init__(json_serializer=_dumps)

    def add_fields(
        self,
        log_data: dict[str, Any],
        record: logging.LogRecord,
        message_dict: dict[str, Any],
    ) -> None:
        """Fill `log_data`; called by the library for each record."""
        log_data["time"] = time_text(datetime.fromtimestamp(record.created, UTC))
        log_data["level"] = level_of(record)
        name = getattr(record, "soloscope_event", None)
        if name is not None:
            log_data["event"] = name
        fields = getattr(record, "soloscope_fields", _EMPTY)
        for key, value in {**_context.get(), **message_dict, **fields}.items():
            log_data.setdefault(key, value)
        if record.exc_info and record.exc_info[0] is not None:
            kind, error, trace = record.exc_info
            stack = "".join(traceback.format_exception(kind, error, trace))
            # As pino writes it.
            log_data["err"] = {
                "type": kind.__name__,
                "message": str(error),
                "stack": stack,
            }
        if record.name not in {"app", "root"}:
            log_data["logger"] = record.name
        log_data["msg"] = record.getMessage()

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Without the library's own text of the exception, which `err` has."""
        log_data.pop("exc_info", None)
        return log_data


def _dumps(value: Any, **_: Any) -> str:
    try:
        return _json(value)
    except (TypeError, ValueError, RecursionError):
        # A key or a value that JSON does not know.
        return _json({str(key): str(part) for key, part in value.items()})


def _json(value: Any) -> str:
    return json.dumps(
        value, default=str, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
