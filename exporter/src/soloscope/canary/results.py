"""The file that `soloscope canary` writes for `soloscope serve` and for its next run.

{"runs": 812, "at": 1763424000.0, "flush_failures": 0.0,
 "legs": {"log": {"ok": true, "seconds": 1.2, "detail": ""}, …}}

`at` is the Unix time of the last run's begin. `runs` is written before the legs, which
look for it in Prometheus.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from soloscope.errors import OTHER_SHAPE
from soloscope.files import replace_file

__all__ = ["Leg", "Results", "read", "write"]


@dataclass(frozen=True, slots=True)
class Leg:
    """How one leg went: whether all was found, after how many seconds, or why not."""

    ok: bool
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """The last run. `flush_failures` is Loki's counter of them after it."""

    runs: int = 0
    at: float = 0.0
    flush_failures: float | None = None
    legs: Mapping[str, Leg] = field(default_factory=dict)


def write(path: Path, results: Results) -> None:
    """Replace the file. Raises SoloscopeError."""
    replace_file(path, json.dumps(asdict(results)) + "\n")


def read(path: Path) -> Results:
    """The file's results; those of no run when it is missing or not one of ours."""
    try:
        value = json.loads(path.read_bytes())
        flushed = value["flush_failures"]
        return Results(
            int(value["runs"]),
            _finite(value["at"]),
            None if flushed is None else _finite(flushed),
            {str(name): _leg(leg) for name, leg in value["legs"].items()},
        )
    except (OSError, *OTHER_SHAPE):
        return Results()


def _leg(value: Mapping[str, Any]) -> Leg:
    return Leg(bool(value["ok"]), _finite(value["seconds"]), str(value["detail"]))


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("no finite number")
    return number
