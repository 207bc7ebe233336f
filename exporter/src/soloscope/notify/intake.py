"""Requests, read into notices: Alertmanager's webhook, and messages of the apps.

The webhook is version 4 of
https://prometheus.io/docs/alerting/latest/configuration/#webhook_config; Grafana's has
the same skeleton with more fields. What is missing or odd in an alert is left out, so
that no alert is lost for it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from soloscope.errors import OTHER_SHAPE, SoloscopeError
from soloscope.masking import masked
from soloscope.notify.notices import SEVERITIES, Alert, Kind, Notice
from soloscope.notify.texts import clean, cut, one_line

__all__ = ["Refused", "alertmanager", "message"]

TEXT_LIMIT = 4096
ALERT_LIMIT = 200
_LINKS = {"Dashboard": "dashboard", "Logs": "logs", "Runbook": "runbook_url"}
_LINK_LIMIT = 400
# Our rules end so (modules/alerts/settings.nix). The message says it in the developer's
# own time zone.
_SINCE = re.compile(r"\s*Since \d{1,2} [A-Z][a-z]{2} \d\d:\d\d UTC\.$")
_MARKS = ("canary", "rehearsal")


class Refused(SoloscopeError):  # noqa: N818 (reads as a state)
    """The request is not accepted; the message says what would be."""


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("the body must be JSON") from None
    if not isinstance(value, dict):
        raise Refused("the body must be a JSON object")
    return value


def _text(value: object, limit: int) -> str:
    """A value for people: masked, on one line."""
    if value is None or isinstance(value, dict | list):
        return ""
    return cut(masked(one_line(clean(str(value)))), limit)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _time(value: object) -> float | None:
    """Unix time; None for Go's zero time, which means "not yet"."""
    try:
        moment = datetime.fromisoformat(cast("str", value))
    except OTHER_SHAPE:
        return None
    if moment.year < 2000:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _digest(*parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _link(value: object) -> str:
    text = clean(value) if isinstance(value, str) else ""
    whole = text.startswith(("https://", "http://")) and len(text) <= _LINK_LIMIT
    return text if whole and not any(c.isspace() for c in text) else ""


def _severity(value: object) -> Any:
    return value if value in SEVERITIES else "warning"


def _alert(value: Mapping[str, Any], group_status: str) -> Alert:
    labels, notes = _table(value.get("labels")), _table(value.get("annotations"))
    name = _text(labels.get("alertname"), 100)
    links = (
        (what, _link(notes.get(note)))
        for what, note in (*_LINKS.items(), ("Silence", "silence_url"))
    )
    return Alert(
        fingerprint=_text(value.get("fingerprint"), 64) or _digest(labels)[:16],
        firing=(value.get("status") or group_status) != "resolved",
        severity=_severity(labels.get("severity")),
        name=name,
        app=_text(labels.get("app"), 120),
        summary=_text(notes.get("summary"), 300) or name or "An alert without a name",
        description=_SINCE.sub(
            "", _text(notes.get("description") or notes.get("message"), 700)
        ),
        value=_text(notes.get("value") or value.get("valueString"), 200),
        user=_text(labels.get("user") or notes.get("user"), 100),
        starts=_time(value.get("startsAt")),
        ends=_time(value.get("endsAt")),
        links=tuple((what, url) for what, url in links if url),
    )


def alertmanager(body: bytes, only: str = "") -> list[Notice]:
    """The notices of a webhook: its alerts, and each marked one by itself.

    Raises Refused when there is no list of alerts.
    """
    value = _object(body)
    listed = value.get("alerts")
    if not isinstance(listed, list) or not listed:
        raise Refused("`alerts` must be a list of at least one alert")
    status = str(value.get("status"))
    parts: dict[str, list[Mapping[str, Any]]] = {}
    for entry in listed:
        alert = _table(entry)
        labels = _table(alert.get("labels"))
        marks = (f"{m}:{_text(labels[m], 64)}" for m in _MARKS if labels.get(m))
        parts.setdefault(next(marks, ""), []).append(alert)
    group = _text(value.get("groupKey"), 1000) or _digest(value.get("groupLabels"))
    receiver = _text(value.get("receiver"), 200)
    notices = []
    for mark, entries in parts.items():
        alerts = [_alert(entry, status) for entry in entries]
        firing = [alert for alert in alerts if alert.firing]
        if mark and not firing:
            continue  # the end of a canary or of a rehearsal is not told
        alerts.sort(key=lambda a: (not a.firing, SEVERITIES.index(a.severity)))
        whole = "firing" if firing else "resolved"
        labels = _table(entries[0].get("labels"))
        skip = ""
        if labels.get("component") == "notify":
            skip = _text(labels.get("channel"), 120) or "whatsapp"
        truncated = value.get("truncatedAlerts")
        cut_off = truncated if isinstance(truncated, int) and not mark else 0
        notices.append(
            Notice(
                "alerts",
                f"{receiver} {group} {mark}".strip(),
                _digest(
                    receiver,
                    group,
                    whole,
                    mark,
                    sorted((a.fingerprint, a.firing, a.starts or 0) for a in alerts),
                ),
                min((a.severity for a in firing or alerts), key=SEVERITIES.index),
                alerts=tuple(alerts[:ALERT_LIMIT]),
                more=max(0, len(alerts) - ALERT_LIMIT) + max(0, cut_off),
                mark=mark,
                only=only,
                skip=skip,
            )
        )
    return notices


_FIELDS = {"kind", "text", "app", "user", "severity", "key", "group", "parameters"}


def message(body: bytes) -> Notice:
    """A message of an app, of the digest or of a person. Raises Refused.

    {"kind": "error", "text": "payment failed", "app": "shop", "user": "+49…"}
    """
    value = _object(body)
    unknown = sorted(value.keys() - _FIELDS)
    if unknown:
        known = ", ".join(sorted(_FIELDS))
        raise Refused(f"unknown field {unknown[0]!r}; known: {known}")
    for name in _FIELDS - {"parameters"}:
        if not isinstance(value.get(name, ""), str):
            raise Refused(f"`{name}` must be a string")
    kind = value.get("kind", "error")
    if kind not in ("error", "digest"):
        raise Refused("`kind` must be `error` or `digest`")
    text = masked(clean(value.get("text", "")))
    if not text:
        raise Refused("`text` must be set and not be empty")
    severity = value.get("severity", "critical" if kind == "error" else "info")
    if severity not in SEVERITIES:
        raise Refused(f"`severity` must be one of {', '.join(SEVERITIES)}")
    parameters = value.get("parameters", [])
    if not isinstance(parameters, list) or not all(
        isinstance(parameter, str) for parameter in parameters
    ):
        raise Refused("`parameters` must be a list of strings")
    app = _text(value.get("app"), 120)
    return Notice(
        cast("Kind", kind),
        _text(value.get("group"), 1000) or f"{kind} {app}".strip(),
        _text(value.get("key"), 200),
        severity,
        text=cut(text, TEXT_LIMIT),
        app=app,
        user=_text(value.get("user"), 100),
        parameters=tuple(_text(parameter, 100) for parameter in parameters),
    )
