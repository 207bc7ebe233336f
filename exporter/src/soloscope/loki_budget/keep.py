"""One run of the disk budget: measure, decide, write, log.

{"event":"loki_budget","bytes":812345678,"budget":10737418240,"bytes_per_day":…,
 "days_left":41.2,"retention_hours":720,"blocked":false}
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from soloscope import log
from soloscope.backends import metrics_text
from soloscope.backends.http import base_url
from soloscope.errors import BackendUnavailable, SoloscopeError
from soloscope.files import replace_file
from soloscope.loki_budget import budget, state

if TYPE_CHECKING:
    from soloscope.config import Config

__all__ = ["keep"]

_GIB = 1024**3
_HOUR = 3600


def keep(config: Config, now: float) -> None:
    """Keep Loki's folder under its budget. Raises SoloscopeError."""
    declared = config.loki.budget
    if declared is None:
        raise SoloscopeError(
            "no budget is declared: set `services.soloscope.loki.maxDiskGiB`"
        )
    limits = budget.Limits(
        budget=int(declared.max_gib * _GIB),
        retention=int(declared.retention // _HOUR),
        floor=int(declared.floor // _HOUR),
    )
    usage = _measure(declared.folder, now)
    before = state.load(declared.state_file, now)
    carried = before.carried + max(0.0, now - before.at) / _HOUR
    decision = budget.decide(
        usage, limits, before.decision, carried, datetime.fromtimestamp(now, UTC)
    )
    if before.decision is None or decision.retention != before.decision.retention:
        carried = 0.0
    overrides = budget.overrides(decision, declared.streams)
    replace_file(declared.overrides_file, json.dumps(overrides))
    dropped = _dropped(config, before.dropped)
    state.save(declared.state_file, state.State(now, decision, carried, dropped))

    per_day = usage.bytes_per_day
    free = max(0.0, limits.budget * budget.TARGET - usage.total)
    days_left = free / per_day if per_day else float("inf")
    _write_metrics(declared.metrics_file, usage, limits, decision, days_left)
    blocked = decision.blocked_until is not None
    log.event(
        "loki_budget",
        "Loki takes nothing until there is room; the journal keeps what is printed"
        if blocked
        else "",
        level=logging.ERROR if blocked else logging.INFO,
        bytes=usage.total,
        budget=limits.budget,
        bytes_per_day=int(per_day),
        retention_hours=decision.retention,
        blocked=blocked,
        **({"days_left": round(days_left, 1)} if per_day else {}),
    )


def _measure(folder: Path, now: float) -> budget.Usage:
    if not folder.is_dir():
        raise SoloscopeError(f"{folder}: no such folder; it must be Loki's data folder")
    try:
        return budget.measure(folder, now)
    except OSError as error:
        raise SoloscopeError(
            f"{error.filename}: {error.strerror}; run this as Loki's user or root"
        ) from None


def _dropped(config: Config, before: dict[str, float]) -> dict[str, float]:
    """Log the lines dropped since the last run; returns the current counts by unit."""
    try:
        shipper = config.shipper
        found = metrics_text.read(base_url(shipper), 10, shipper.flood_metric)
    except BackendUnavailable as error:
        log.event("shipper_unreachable", str(error), level=logging.WARNING)
        return before
    counts = {one.labels.get("label_value", ""): one.value for one in found}
    for unit, count in sorted(counts.items()):
        # A counter that decreased was reset.
        last = before.get(unit, 0.0)
        more = count - last if count >= last else count
        if more > 0:
            log.event(
                "lines_dropped",
                f"{more:.0f} lines of {unit} were dropped: it prints faster than "
                "services.soloscope.logs.flood allows",
                level=logging.WARNING,
                target=unit,
                lines=int(more),
            )
    return counts


def _write_metrics(
    path: Path,
    usage: budget.Usage,
    limits: budget.Limits,
    decision: budget.Decision,
    days_left: float,
) -> None:
    """The file for the node exporter's textfile collector."""
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()
    parts = Gauge(
        "soloscope_loki_bytes",
        "Bytes on disk by part of Loki's folder.",
        ["part"],
        registry=registry,
    )
    for part, size in sorted(usage.parts.items()):
        parts.labels(part).set(size)
    blocked = decision.blocked_until is not None
    for name, says, value in (
        ("budget_bytes", "Bytes that Loki's folder may have.", limits.budget),
        ("bytes_per_day", "Bytes of chunks written in a day.", usage.bytes_per_day),
        ("days_left", "Days until the budget shortens the retention.", days_left),
        (
            "retention_seconds",
            "How long lines are kept, as the budget allows.",
            decision.retention * _HOUR,
        ),
        (
            "ingestion_blocked",
            "1 while Loki takes nothing because the budget is used up.",
            blocked,
        ),
    ):
        Gauge(f"soloscope_loki_{name}", says, registry=registry).set(value)
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise SoloscopeError(f"cannot write {path}: {error.strerror}") from None
