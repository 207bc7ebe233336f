"""journald's native protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from datetime import UTC, datetime

from soloscope.errors import BackendUnavailable
from soloscope.log import time_text

__all__ = ["SOCKET", "send"]

SOCKET = "/run/systemd/journal/socket"


def send(identifier: str, fields: Mapping[str, object], to: str = SOCKET) -> None:
    """Write a line of JSON with a time, a level and `fields` to the journal.

    For commands, whose output is not a log. `identifier` is the entry's
    SYSLOG_IDENTIFIER. Raises BackendUnavailable when there is no journal at `to`.
    """
    line = {"time": time_text(datetime.now(UTC)), "level": "info", **fields}
    message = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
    datagram = f"PRIORITY=6\nSYSLOG_IDENTIFIER={identifier}\nMESSAGE={message}\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(datagram.encode(), to)
    except OSError as error:
        raise BackendUnavailable(
            f"no journal at `{to}`: {error.strerror or error}"
        ) from None
