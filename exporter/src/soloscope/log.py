"""Our own log: one JSON object per line, each with `time`, `level` and `event`.

    {"time":"2026-11-18T08:00:00.123Z","level":"info","event":"listening","port":9847,…}

Lines have no space after a colon, because Loki's line filters search for
`"target":"x"`. No line contains text of a user, a phone number, or a secret.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from pythonjsonlogger.json import JsonFormatter

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Pauses", "event", "get", "level_of", "set_up", "time_text"]

_LEVELS = {"WARNING": "warn", "CRITICAL": "fatal"}


def time_text(at: datetime) -> str:
    """A UTC time as lines have it: 2026-11-18T08:00:00.123Z."""
    return at.isoformat(timespec="milliseconds")[:-6] + "Z"


def level_of(record: logging.LogRecord) -> str:
    """The level as lines have it."""
    return _LEVELS.get(record.levelname, record.levelname.lower())


class _Formatter(JsonFormatter):
    """The fields in a fixed order, then those of the event."""

    def __init__(self) -> None:
        super().__init__(
            json_serializer=partial(json.dumps, separators=(",", ":")),
            json_ensure_ascii=False,
        )

    def add_fields(
        self,
        log_data: dict[str, Any],
        record: logging.LogRecord,
        message_dict: dict[str, Any],
    ) -> None:
        """Fill `log_data`; called by the library for each record."""
        log_data["time"] = time_text(datetime.fromtimestamp(record.created, UTC))
        log_data["level"] = level_of(record)
        log_data["event"] = "log"
        if not isinstance(record.msg, dict):
            log_data["message"] = record.getMessage()
        log_data.update(message_dict)
        if record.name != "soloscope":
            log_data["logger"] = record.name


def get() -> logging.Logger:
    """The logger of soloscope."""
    return logging.getLogger("soloscope")


def event(
    name: str, message: str = "", /, *, level: int = logging.INFO, **fields: Any
) -> None:
    """Log one event. A field may be called `name`, which `extra` would refuse."""
    logger = get()
    if logger.isEnabledFor(level):
        text = {"message": message} if message else {}
        logger.log(level, {"event": name, **text, **fields})


class Pauses:
    """Whether a persistent fault may be logged again."""

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._logged: dict[Hashable, float] = {}

    def over(self, fault: Hashable, seconds: float) -> bool:
        """Whether `fault` was not logged in the last `seconds`; counts as logging."""
        now = self._ticks()
        if fault in self._logged and now - self._logged[fault] < seconds:
            return False
        if len(self._logged) > 1000:
            self._logged.clear()
        self._logged[fault] = now
        return True

    def end(self, fault: Hashable) -> None:
        """The fault is gone; the next one is logged at once."""
        self._logged.pop(fault, None)


def set_up(level: str, stream: IO[str] | None = None) -> None:
    """Send everything at `level` or above to `stream` (standard output)."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_Formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    get().setLevel(level.upper())
