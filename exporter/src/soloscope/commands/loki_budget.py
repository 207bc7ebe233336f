"""soloscope loki-budget: keep Loki's folder under its budget.

    {"event":"loki_budget","bytes":812345678,"budget":10737418240,"bytes_per_day":…,
     "days_left":41.2,"retention_hours":720,"blocked":false}

A timer runs it every few minutes. It measures the folder, writes Loki's file of
overrides, says what it found as an event and as a file for the node exporter, and tells
what the shipper dropped of a flood.
"""

from __future__ import annotations

import json
import logging
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soloscope import log
from soloscope.errors import BackendUnavailable, SoloscopeError
from soloscope.loki_budget import budget

if TYPE_CHECKING:
    import argparse

    from soloscope.config import Config

__all__ = ["add_arguments", "run"]

_GIB = 1024**3

# Promtail's name and Alloy's.
_DROPPED = re.compile(
    r"^(?:logentry|loki_process)_dropped_lines_by_label_total"
    r'\{[^}]*label_value="((?:[^"\\]|\\.)*)"[^}]*\} ([0-9.e+]+)$',
    re.MULTILINE,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the unit gives."""
    need = parser.add_argument_group("what the unit gives")
    need.add_argument("--folder", type=Path, required=True, help="Loki's folder")
    need.add_argument(
        "--overrides", type=Path, required=True, help="the file that Loki reads"
    )
    need.add_argument("--state", type=Path, required=True, help="what it remembers")
    need.add_argument("--max-gib", type=float, required=True, help="the budget")
    need.add_argument("--retention", required=True, help="hours or days at most")
    need.add_argument(
        "--floor", default="24h", help="hours or days at least (default: %(default)s)"
    )
    need.add_argument(
        "--streams", default="[]", help="Loki's retention_stream, as JSON"
    )
    need.add_argument("--shipper", help="where the shipper's metrics are (URL)")
    need.add_argument(
        "--metrics", type=Path, help="the file for the node exporter's textfile"
    )


def _write(path: Path, text: str) -> None:
    """Replace a file at once: Loki reads it whenever it likes."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise SoloscopeError(f"cannot write `{path}`: {error.strerror}") from None


def _remembered(path: Path) -> dict[str, Any]:
    """What the last run left; nothing when there was none or it is broken."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _dropped(url: str) -> dict[str, float]:
    """Lines that the shipper has dropped since it started, by unit."""
    import requests

    try:
        answer = requests.get(url, timeout=10)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise BackendUnavailable(f"the shipper does not answer at {url}") from error
    return {unit: float(count) for unit, count in _DROPPED.findall(answer.text)}


def _tell_dropped(url: str, before: dict[str, Any]) -> dict[str, float]:
    """Say what was dropped since the last run; gives the counts of now."""
    try:
        counts = _dropped(url)
    except BackendUnavailable as error:
        log.event("shipper_unreachable", str(error), level=logging.WARNING)
        return {unit: float(count) for unit, count in before.items()}
    for unit, count in sorted(counts.items()):
        # A counter that went back was started again.
        last = float(before.get(unit, 0.0))
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


def _exposition(values: dict[str, tuple[str, list[tuple[str, float]]]]) -> str:
    lines = []
    for name, (text, samples) in values.items():
        lines.append(f"# HELP {name} {text}")
        lines.append(f"# TYPE {name} gauge")
        lines.extend(f"{name}{labels} {value:.10g}" for labels, value in samples)
    return "\n".join(lines) + "\n"


def run(config: Config, args: argparse.Namespace) -> int:
    """Measure, decide, write, tell."""
    log.set_up(config.exporter.log_level)
    try:
        limits = budget.Limits(
            budget=int(args.max_gib * _GIB),
            retention=budget.hours(args.retention),
            floor=budget.hours(args.floor),
        )
    except ValueError as error:
        raise SoloscopeError(str(error)) from None
    now = time.time()
    usage = budget.measure(args.folder, now)
    remembered = _remembered(args.state)
    before = None
    if "retention" in remembered:
        until = remembered.get("blocked_until")
        before = budget.Decision(
            int(remembered["retention"]),
            None if until is None else datetime.fromisoformat(until),
        )
    elapsed = (now - float(remembered.get("at", now))) / 3600
    carried = float(remembered.get("carried", 0.0)) + elapsed
    decision = budget.decide(
        usage, limits, before, carried, datetime.fromtimestamp(now, UTC)
    )
    if before is None or decision.retention != before.retention:
        carried = 0.0
    streams = json.loads(args.streams)
    _write(args.overrides, json.dumps(budget.overrides(decision, streams)))

    counts: dict[str, float] = dict(remembered.get("dropped", {}))
    if args.shipper:
        counts = _tell_dropped(args.shipper, counts)
    blocked = decision.blocked_until
    _write(
        args.state,
        json.dumps(
            {
                "at": now,
                "carried": carried,
                "retention": decision.retention,
                "blocked_until": None if blocked is None else blocked.isoformat(),
                "dropped": counts,
            }
        ),
    )

    per_day = usage.bytes_per_day
    free = max(0.0, limits.budget * budget.TARGET - usage.total)
    days_left = free / per_day if per_day else float("inf")
    if args.metrics is not None:
        _write(args.metrics, _metrics(usage, limits, decision, per_day, days_left))
    fields: dict[str, Any] = {"days_left": round(days_left, 1)} if per_day else {}
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
        blocked=blocked is not None,
        **fields,
    )
    return 0


def _metrics(
    usage: budget.Usage,
    limits: budget.Limits,
    decision: budget.Decision,
    per_day: float,
    days_left: float,
) -> str:
    return _exposition(
        {
            "soloscope_loki_bytes": (
                "Bytes on disk by part of Loki's folder.",
                [
                    (f'{{part="{part}"}}', float(size))
                    for part, size in sorted(usage.parts.items())
                ],
            ),
            "soloscope_loki_budget_bytes": (
                "Bytes that Loki's folder may have.",
                [("", float(limits.budget))],
            ),
            "soloscope_loki_bytes_per_day": (
                "Bytes of chunks written in a day.",
                [("", per_day)],
            ),
            "soloscope_loki_days_left": (
                "Days until the budget shortens the retention.",
                [("", days_left)],
            ),
            "soloscope_loki_retention_seconds": (
                "How long lines are kept, as the budget allows.",
                [("", decision.retention * 3600.0)],
            ),
            "soloscope_loki_ingestion_blocked": (
                "1 while Loki takes nothing because the budget is used up.",
                [("", float(decision.blocked_until is not None))],
            ),
        }
    ).replace(" inf\n", " +Inf\n")
