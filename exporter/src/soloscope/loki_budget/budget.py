"""The disk budget of Loki: its folder's limit, and the retention that keeps it.

Loki's retention is by time only, and it logs nothing when the disk is full. So the
longest retention within the budget is computed here and written to the overrides file,
which Loki reloads every few seconds (`runtime_config`). Everything in this module is
pure except `measure`, which reads a folder.

Sources: Loki's documentation of `runtime_config`, `retention_period`,
`block_ingestion_until` and `block_ingestion_status_code`; the numbers were tried.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from soloscope.config import Stream

__all__ = ["Decision", "Limits", "Usage", "decide", "measure", "overrides"]

#: Loki frees space only after compaction and a delay, about 40 minutes later.
#: Until then new lines need space.
TARGET = 0.85

#: Blocking begins at the budget and ends here.
RESUME = 0.95

#: How long one block lasts (the next run renews it), and its status for the shipper:
#: with 429 it retries, so that the journal keeps the lines that Loki does not accept.
BLOCK = timedelta(minutes=15)
BLOCK_STATUS = 429

_HOUR = 3600.0


@dataclass(frozen=True)
class Limits:
    """The declared limits: bytes, and the maximum and minimum retention in hours."""

    budget: int
    retention: int
    floor: int


@dataclass(frozen=True)
class Usage:
    """The disk usage.

    `parts` are bytes by part of Loki's folder; `ages` is (hours since its last line,
    bytes) of each chunk.
    """

    parts: Mapping[str, int]
    ages: Sequence[tuple[float, int]]

    @property
    def total(self) -> int:
        """All bytes of Loki's folder."""
        return sum(self.parts.values())

    @property
    def bytes_per_day(self) -> float:
        """Bytes of the last day's chunks, extrapolated from a part of a day."""
        if not self.ages:
            return 0.0
        oldest = max(age for age, _ in self.ages)
        span = min(24.0, max(1.0, oldest))
        return sum(size for age, size in self.ages if age <= span) * 24.0 / span

    def within(self, budget: float) -> float:
        """The age up to which chunks fit into `budget` bytes beside the rest."""
        left = budget - (self.total - self.parts.get("chunks", 0))
        for age, size in sorted(self.ages):
            left -= size
            if left < 0:
                return age
        return float("inf")


@dataclass(frozen=True)
class Decision:
    """Hours of retention, and until when Loki accepts no lines."""

    retention: int
    blocked_until: datetime | None


def _newest(file: Path) -> float | None:
    """Unix time of a chunk's last line, from its file name.

    Base64 of `FROM:THROUGH:CHECKSUM`, in hexadecimal milliseconds, as Loki's file
    store names chunks from schema 12 on.
    """
    try:
        _, through, _ = base64.b64decode(file.name, validate=True).split(b":")
        return int(through, 16) / 1000
    except ValueError:
        return None


def measure(folder: Path, now: float) -> Usage:
    """The sizes of Loki's folder; `now` in Unix time.

    Files that are deleted meanwhile are not counted. Raises OSError for files that
    may not be read.
    """
    parts: dict[str, int] = {}
    ages: list[tuple[float, int]] = []

    def unless_deleted(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for at, folders, files in os.walk(folder, onerror=unless_deleted):
        for name in (*folders, *files):
            file = Path(at, name)
            try:
                status = file.lstat()
            except FileNotFoundError:
                continue
            top, *below = file.relative_to(folder).parts
            part = "index" if top == "chunks" and below[:1] == ["index"] else top
            size = status.st_blocks * 512
            parts[part] = parts.get(part, 0) + size
            if part == "chunks" and name in files:
                newest = _newest(file) or status.st_mtime
                ages.append(((now - newest) / _HOUR, size))
    return Usage(parts, ages)


def decide(
    usage: Usage, limits: Limits, before: Decision | None, elapsed: float, now: datetime
) -> Decision:
    """The longest retention under the target, and whether to block.

    Down at once; up again by at most an hour per hour (`elapsed`, hours since
    `before`), because the size of a longer retention is known only when it is full.
    """
    fitting = usage.within(limits.budget * TARGET)
    wanted = limits.retention if fitting == float("inf") else int(fitting)
    retention = max(limits.floor, min(limits.retention, wanted))
    if before is not None and retention > before.retention:
        slowly = before.retention + max(1, int(elapsed))
        retention = max(limits.floor, min(retention, slowly))
    blocking = before is not None and before.blocked_until is not None
    threshold = limits.budget * (RESUME if blocking else 1.0)
    full = usage.total >= threshold
    return Decision(retention, now + BLOCK if full else None)


def overrides(decision: Decision, streams: Sequence[Stream]) -> dict[str, Any]:
    """Loki's overrides for the one tenant; no stream is kept longer than the rest."""
    limits: dict[str, Any] = {"retention_period": f"{decision.retention}h"}
    if streams:
        limits["retention_stream"] = [
            {
                "selector": stream.selector,
                "period": f"{min(int(stream.period // _HOUR), decision.retention)}h",
                "priority": stream.priority,
            }
            for stream in streams
        ]
    if decision.blocked_until is not None:
        until = decision.blocked_until.astimezone(UTC)
        limits["block_ingestion_until"] = until.strftime("%Y-%m-%dT%H:%M:%SZ")
        limits["block_ingestion_status_code"] = BLOCK_STATUS
    return {"overrides": {"fake": limits}}
