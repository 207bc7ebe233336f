"""`soloscope digest`: the report of a day as one message; a timer starts it.

A morning has one message. What cannot be read is said in it, and is no reason not to
send it.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import date
from typing import TYPE_CHECKING, Any

from soloscope import log
from soloscope.config import Config
from soloscope.errors import SoloscopeError

if TYPE_CHECKING:
    from soloscope.digest.report import Report

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Hand the report of each app's last full day to `soloscope notify`, once each "
        "morning."
    )
    parser.add_argument(
        "--date",
        type=_date,
        metavar="DAY",
        help="the report of another day, such as 2025-11-18, or of today until now",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the message and send nothing"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the message, its template's parameters and the numbers as JSON",
    )


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a date such as 2025-11-18") from None


def run(config: Config, args: argparse.Namespace) -> int:
    """0 when the message is in the outbox, now or before, or was only printed.

    Raises SoloscopeError when `soloscope notify` does not take it.
    """
    import sys

    from soloscope.counts.model import today
    from soloscope.digest import collect, sending
    from soloscope.digest.report import parameters, text

    log.set_up(config.exporter.log_level, sys.stderr if args.json else None)
    now = time.time()
    zones = [app.zone for app in config.apps.values()] or [config.zone]
    if args.date is not None and args.date > max(today(now, zone) for zone in zones):
        raise SoloscopeError(f"--date {args.date} is in the future")
    morning = today(now, config.zone)
    # The report of a day that somebody asks for does not stand for the morning's.
    routine = args.date is None
    last = sending.read(config.digest.state_file)
    if routine and not args.dry_run and last is not None and last.morning == morning:
        log.event("digest_already_sent", f"The report of {morning} was sent before")
        return 0
    report = collect.collect(config, args.date, now)
    if args.json:
        print(json.dumps(as_json(report), indent=2, ensure_ascii=False))
    elif args.dry_run:
        print(text(report))
    if args.dry_run:
        return 0
    key = f"digest/{morning}" if routine else f"digest/{args.date}/{now:.0f}"
    from soloscope.notify.client import post

    post(
        config,
        {
            "kind": "digest",
            "key": key,
            "text": text(report),
            "parameters": parameters(report),
        },
    )
    if routine:
        sent = sending.Sent(morning, time.time())
        sending.write(config.digest.state_file, sent)
    log.event("digest_sent", "The report is in the outbox", unread=len(report.unread))
    return 0


def as_json(report: Report) -> dict[str, Any]:
    """The object that `--json` prints."""
    from soloscope.digest.report import parameters, text

    disk = report.disk
    endless = disk is not None and disk.days_left == float("inf")
    return {
        "morning": report.morning.isoformat(),
        "text": text(report),
        "parameters": parameters(report),
        "apps": {
            one.app.name: {
                "day": one.day.isoformat(),
                "numbers": dict(one.numbers),
                "top": {n: [list(item) for item in t] for n, t in one.tables.items()},
                "error": one.error or None,
            }
            for one in report.apps
        },
        "alerts": _listed(report.alerts),
        "errors": None
        if report.errors is None
        else [group.as_json() for group in report.errors],
        "disk": None
        if disk is None
        else {**disk._asdict(), **({"days_left": None} if endless else {})},
        "unread": list(report.unread),
    }


def _listed(alerts: Any) -> Any:
    return None if alerts is None else [one._asdict() for one in alerts]
