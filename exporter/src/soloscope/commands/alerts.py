"""`soloscope alerts`: what fires, since when, and who silenced it until when.

An alert that follows from another one, which fires or did a moment ago, is marked so;
nobody was notified of it. `Watchdog`, which always fires, is shown only by its absence,
and `Aftermath`, which only holds others back, by what it holds back.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from soloscope.terminal import console, printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from soloscope.backends.alertmanager import Alert, Silence
    from soloscope.config import Config

__all__ = ["add_arguments", "moment", "run"]

_ORDER = {"critical": 0, "warning": 1, "info": 2}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Show which alerts fire, since when, and who silenced them. Exit code 0, "
        "whatever fires; 1 when Alertmanager does not answer."
    )
    parser.add_argument("--app", metavar="NAME", help="one app only")
    parser.add_argument("--json", action="store_true", help="one JSON object per alert")


def moment(at: datetime, zone: ZoneInfo) -> str:
    """A time for people, in their time zone."""
    return f"{at.astimezone(zone):%d %b %H:%M}"


def run(config: Config, args: argparse.Namespace) -> int:
    """Ask Alertmanager and print what fires."""
    from soloscope.backends.alertmanager import (
        AFTERMATH,
        HELPERS,
        WATCHDOG,
        AlertmanagerApi,
    )
    from soloscope.commands.options import app_of

    app = None if args.app is None else app_of(config, args.app).name
    api = AlertmanagerApi.of(config)
    every = api.alerts()
    silences = {silence.id: silence for silence in api.silences()}
    names = {
        alert.fingerprint: alert.labels.get("cause", "")
        if alert.name == AFTERMATH
        else alert.name
        for alert in every
    }
    found = sorted(
        (
            alert
            for alert in every
            if alert.name not in HELPERS and app in (None, alert.labels.get("app"))
        ),
        key=lambda alert: (_ORDER.get(_severity(alert), 9), alert.start, alert.name),
    )
    if args.json:
        for alert in found:
            print(json.dumps(_as_json(alert, silences, names), ensure_ascii=False))
    else:
        _table(found, silences, names, config.zone)
    if config.prometheus.enable and WATCHDOG not in names.values():
        print(
            f"soloscope: the alert `{WATCHDOG}`, which always fires, is not here: "
            "Prometheus evaluates no rules, or does not reach Alertmanager",
            file=sys.stderr,
        )
    return 0


def _severity(alert: Alert) -> str:
    return alert.labels.get("severity", "")


def _causes(alert: Alert, names: Mapping[str, str]) -> list[str]:
    """The names of the alerts from which this one follows."""
    return sorted({names[one] for one in alert.inhibited if one in names})


def _as_json(
    alert: Alert, silences: Mapping[str, Silence], names: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "severity": _severity(alert),
        "since": alert.start.isoformat(),
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "silences": [
            {
                "id": silence.id,
                "by": silence.by,
                "until": silence.end.isoformat(),
                "why": silence.why,
            }
            for silence in (silences[id_] for id_ in alert.silenced if id_ in silences)
        ],
        "follows_from": _causes(alert, names),
    }


def _table(
    found: list[Alert],
    silences: Mapping[str, Silence],
    names: Mapping[str, str],
    zone: ZoneInfo,
) -> None:
    from rich.table import Table

    out = console()
    if not found:
        out.print("nothing fires")
    else:
        table = Table(box=None, pad_edge=False)
        for name in ("severity", "alert", "app", "since", "summary", ""):
            table.add_column(name)
        for alert in found:
            notes = [
                f"silenced until {moment(one.end, zone)} by {one.by}: {one.why}"
                for one in (silences[id_] for id_ in alert.silenced if id_ in silences)
            ]
            notes += [f"follows from {cause}" for cause in _causes(alert, names)]
            table.add_row(
                printable(_severity(alert)),
                printable(alert.name),
                printable(alert.labels.get("app", "")),
                moment(alert.start, zone),
                printable(alert.annotations.get("summary", "")),
                printable("; ".join(notes)),
            )
        out.print(table)
    used = {id_ for alert in found for id_ in alert.silenced}
    for silence in silences.values():
        if silence.id not in used:
            what = ", ".join(
                value if name == "alertname" else f"{name} {value}"
                for name, value in silence.matchers.items()
            )
            out.print(
                printable(
                    f"{what} does not fire and is silenced until "
                    f"{moment(silence.end, zone)} by {silence.by}: {silence.why}"
                )
            )
