"""Alertmanager's HTTP API, version 2:
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from soloscope.backends.http import TIMEOUT, ask, base_url, understood
from soloscope.config import Config
from soloscope.errors import OTHER_SHAPE, BackendUnavailable, SoloscopeError

__all__ = ["AFTERMATH", "HELPERS", "WATCHDOG", "Alert", "AlertmanagerApi", "Silence"]

WATCHDOG = "Watchdog"
"""Always fires: something is wrong when it does not."""

AFTERMATH = "Aftermath"
"""Only holds others back."""

HELPERS = (WATCHDOG, AFTERMATH)
"""Rules that tell nobody that something is wrong."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence; `matchers` are the labels that an alert must have."""

    id: str
    matchers: Mapping[str, str]
    by: str
    why: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that fires, since `start`.

    `silenced` are the ids of silences, `inhibited` the fingerprints of the alerts
    from which it follows.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    start: datetime
    fingerprint: str
    silenced: Sequence[str]
    inhibited: Sequence[str]

    @property
    def name(self) -> str:
        """The rule's name."""
        return self.labels.get("alertname", "")


class AlertmanagerApi:
    """Every method raises BackendUnavailable with the server's address and reason."""

    prefix = "/api/v2"

    def __init__(self, base: str, timeout: float = TIMEOUT) -> None:
        self.base = base
        self.timeout = timeout

    @classmethod
    def of(cls, config: Config) -> AlertmanagerApi:
        """The client for the configured Alertmanager.

        Raises SoloscopeError when there is none.
        """
        if not config.alertmanager.enable:
            raise SoloscopeError(
                "no Alertmanager: `alertmanager.enable` is false, so no alert is kept"
            )
        return cls(base_url(config.alertmanager))

    def alerts(self) -> list[Alert]:
        """What fires now, silenced and inhibited alerts too."""
        found = self._ask("alerts")
        with understood(f"{self.base}{self.prefix}/alerts"):
            return [_alert(one) for one in found]

    def fire(
        self,
        labels: Mapping[str, str],
        annotations: Mapping[str, str],
        start: datetime,
        end: datetime,
    ) -> None:
        """An alert from `start` until `end`; it is over when that is past."""
        alert = {
            "labels": dict(labels),
            "annotations": dict(annotations),
            "startsAt": start.isoformat(),
            "endsAt": end.isoformat(),
        }
        self._ask("alerts", "POST", [alert])

    def about(self, app: str) -> list[Alert]:
        """What is wrong with an app now, and nobody has silenced."""
        return [
            alert
            for alert in self.alerts()
            if alert.labels.get("app") == app
            and not alert.silenced
            and alert.name not in HELPERS
        ]

    def silences(self) -> list[Silence]:
        """The silences in force now."""
        found = self._ask("silences")
        with understood(f"{self.base}{self.prefix}/silences"):
            return [
                _silence(one) for one in found if one["status"]["state"] == "active"
            ]

    def silence(
        self, matchers: Mapping[str, str], end: datetime, by: str, why: str
    ) -> str:
        """Silence the alerts with these labels from now until `end`; returns its id."""
        body = {
            "matchers": [
                {"name": name, "value": value, "isRegex": False, "isEqual": True}
                for name, value in matchers.items()
            ],
            "startsAt": datetime.now(UTC).isoformat(),
            "endsAt": end.astimezone(UTC).isoformat(),
            "createdBy": by,
            "comment": why,
        }
        made = self._ask("silences", "POST", body)
        with understood(f"{self.base}{self.prefix}/silences"):
            return str(made["silenceID"])

    def end_silence(self, silence: str) -> None:
        """End a silence, by its id."""
        self._ask(f"silence/{quote(silence, safe='')}", "DELETE")

    def _ask(self, path: str, method: str = "GET", body: object = None) -> Any:
        where = f"{self.base}{self.prefix}/{path}"
        answer = ask(where, self.timeout, method=method, body=body)
        try:
            value = json.loads(answer.body) if answer.body else None
        except OTHER_SHAPE:
            value = None
        if answer.status != 200:
            # It explains a rejected request as a text or as an object.
            said = value.get("message") if isinstance(value, dict) else value
            text = str(said or answer.body[:200].decode("utf-8", "replace")).strip()
            raise BackendUnavailable(f"{where}: answered {answer.status}: {text}")
        if value is None and method == "GET":
            raise BackendUnavailable(f"{where}: answered something else")
        return value


def _alert(one: Any) -> Alert:
    status = one["status"]
    return Alert(
        labels=_texts(one["labels"]),
        annotations=_texts(one["annotations"]),
        start=datetime.fromisoformat(one["startsAt"]),
        fingerprint=str(one["fingerprint"]),
        silenced=[str(id_) for id_ in status["silencedBy"]],
        inhibited=[str(print_) for print_ in status["inhibitedBy"]],
    )


def _silence(one: Any) -> Silence:
    return Silence(
        id=str(one["id"]),
        matchers={str(m["name"]): str(m["value"]) for m in one["matchers"]},
        by=str(one["createdBy"]),
        why=str(one["comment"]),
        start=datetime.fromisoformat(one["startsAt"]),
        end=datetime.fromisoformat(one["endsAt"]),
    )


def _texts(pairs: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in pairs.items()}
