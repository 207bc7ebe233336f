"""What is told: alerts of a group, a message of an app, or a report."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple, get_args

from soloscope.config.options import Severity

__all__ = ["SEVERITIES", "Alert", "Kind", "Notice", "from_json", "to_json"]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""The worst first."""

Kind = Literal["alerts", "error", "digest"]


class Alert(NamedTuple):
    """An alert of Alertmanager's, as far as a message needs it; times are Unix time."""

    fingerprint: str
    firing: bool
    severity: Severity
    name: str
    app: str
    summary: str
    description: str
    value: str
    user: str
    starts: float | None
    ends: float | None
    links: tuple[tuple[str, str], ...]
    """What each opens, and its URL."""


class Notice(NamedTuple):
    """What one request tells. All text is masked already.

    `key` recognises a repeat; `mark` is "", "canary:ID" or "rehearsal:ID". `only` names
    the one channel to use, `skip` the one that an alert about the notifier is about.
    """

    kind: Kind
    group: str
    key: str
    severity: Severity
    alerts: tuple[Alert, ...] = ()
    more: int = 0
    text: str = ""
    app: str = ""
    user: str = ""
    parameters: tuple[str, ...] = ()
    mark: str = ""
    only: str = ""
    skip: str = ""

    @property
    def canary(self) -> bool:
        """Whether it only proves the way and is never sent."""
        return self.mark.startswith("canary:")

    @property
    def rehearsal(self) -> bool:
        """Whether it is sent as a rehearsal."""
        return self.mark.startswith("rehearsal:")

    @property
    def resolved(self) -> bool:
        """Whether all its alerts are over."""
        return bool(self.alerts) and not any(alert.firing for alert in self.alerts)


def to_json(notice: Notice) -> str:
    """For the outbox."""
    alerts = [alert._asdict() for alert in notice.alerts]
    return json.dumps({**notice._asdict(), "alerts": alerts}, ensure_ascii=False)


def from_json(text: str) -> Notice:
    """The reverse of `to_json`."""
    value: dict[str, Any] = json.loads(text)
    value["alerts"] = tuple(
        Alert(**{**alert, "links": tuple(map(tuple, alert["links"]))})
        for alert in value["alerts"]
    )
    value["parameters"] = tuple(value["parameters"])
    return Notice(**value)
