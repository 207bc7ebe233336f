"""The state between two runs of the disk budget, as a JSON file."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from soloscope import log
from soloscope.errors import OTHER_SHAPE
from soloscope.files import replace_file
from soloscope.loki_budget.budget import Decision

__all__ = ["State", "load", "save"]


@dataclass(frozen=True)
class State:
    """`at` is Unix time; `carried` are hours without an attempt of a longer retention.

    `dropped` are the dropped lines of each unit by then.
    """

    at: float
    decision: Decision | None = None
    carried: float = 0.0
    dropped: dict[str, float] = field(default_factory=dict)


def load(path: Path, now: float) -> State:
    """The state of the last run. An invalid file counts as none, and is logged."""
    try:
        value = json.loads(path.read_bytes())
        until = value["blocked_until"]
        blocked = None if until is None else datetime.fromisoformat(until)
        return State(
            at=_number(value["at"]),
            decision=Decision(int(_number(value["retention"])), blocked),
            carried=_number(value["carried"]),
            dropped={str(u): _number(n) for u, n in value["dropped"].items()},
        )
    except FileNotFoundError:
        pass
    except (OSError, *OTHER_SHAPE) as error:
        log.event(
            "budget_state_broken",
            f"{path} is not what a run leaves ({error}); beginning anew",
            level=logging.WARNING,
        )
    return State(at=now)


def _number(value: float) -> float:
    if isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{value!r} is no number above zero")
    return value


def save(path: Path, state: State) -> None:
    """Write `state` for the next run. Raises SoloscopeError."""
    decision = state.decision
    until = None if decision is None else decision.blocked_until
    value = {
        "at": state.at,
        "carried": state.carried,
        "retention": None if decision is None else decision.retention,
        "blocked_until": None if until is None else until.isoformat(),
        "dropped": state.dropped,
    }
    replace_file(path, json.dumps(value))
