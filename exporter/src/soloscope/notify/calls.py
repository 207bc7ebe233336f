"""The provider's calls: delivery states, and that the user has written.

What the user writes is not read: only that they did, because it opens the window.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl

from soloscope.config import WhatsApp
from soloscope.errors import OTHER_SHAPE
from soloscope.notify.providers import Kind, cloud_api, error_text, twilio
from soloscope.web.application import Request

__all__ = ["Call", "Forged", "challenge", "read"]


class Forged(Exception):  # noqa: N818 (reads as a state)
    """The call is not signed as the provider signs."""


class Call(NamedTuple):
    """The user has written at `replied`; or a message's state has changed.

    `state` is "delivered" or "failed", then with what to do about it.
    """

    replied: float | None = None
    provider_id: str = ""
    state: str = ""
    kind: Kind = "refused"
    error: str = ""


def challenge(options: WhatsApp, request: Request) -> str:
    """The text that Meta wants back when the URL is entered. Raises Forged.

    https://developers.facebook.com/docs/graph-api/webhooks/getting-started
    """
    webhook = options.webhook
    query = parse_qs(request.query)
    given = query.get("hub.verify_token", [""])[0]
    if webhook is None or webhook.verify_token is None:
        raise Forged
    expected = webhook.verify_token.read().encode()
    same = hmac.compare_digest(given.encode(), expected)
    if not same or query.get("hub.mode") != ["subscribe"]:
        raise Forged
    return query.get("hub.challenge", [""])[0]


def read(options: WhatsApp, request: Request, now: float) -> list[Call]:
    """What a call says; nothing when it is about something else. Raises Forged."""
    if options.provider == "cloud-api":
        return list(_of_meta(options, request, now))
    return list(_of_twilio(options, request, now))


def _of_meta(options: WhatsApp, request: Request, now: float) -> Iterator[Call]:
    if options.webhook is None or options.webhook.app_secret is None:
        raise Forged
    secret = options.webhook.app_secret.read().encode()
    proof = "sha256=" + hmac.new(secret, request.body, hashlib.sha256).hexdigest()
    given = request.headers.get("x-hub-signature-256", "")
    if not hmac.compare_digest(proof.encode(), given.encode("latin-1", "replace")):
        raise Forged
    try:
        value = json.loads(request.body)
        parts = [c["value"] for e in value["entry"] for c in e["changes"]]
    except OTHER_SHAPE:
        return
    for part in parts:
        yield from _listed(part, "messages", lambda m: _reply(m, options.to, now))
        yield from _listed(part, "statuses", _status)


def _listed(part: Any, name: str, read_one: Any) -> Iterator[Call]:
    found = part.get(name) if isinstance(part, dict) else None
    for entry in found if isinstance(found, list) else []:
        try:
            call = read_one(entry)
        except OTHER_SHAPE:
            continue
        if call is not None:
            yield call


def _reply(message: Any, to: str, now: float) -> Call | None:
    if str(message["from"]).lstrip("+") != to.lstrip("+"):
        return None
    # Calls are repeated for days; what came late opens nothing later.
    return Call(replied=min(now, float(message["timestamp"])))


def _status(status: Any) -> Call | None:
    state, id_ = status["status"], str(status["id"])
    if state in ("delivered", "read"):
        return Call(provider_id=id_, state="delivered")
    if state != "failed":
        return None
    errors = status.get("errors") or [{}]
    code = int(errors[0].get("code", 0))
    details = (errors[0].get("error_data") or {}).get("details")
    error = error_text(f"error {code}:", details or errors[0].get("title"))
    return Call(None, id_, "failed", cloud_api.kind_of(code), error)


def _of_twilio(options: WhatsApp, request: Request, now: float) -> Iterator[Call]:
    """https://www.twilio.com/docs/usage/security#validating-requests"""
    if options.webhook is None:
        raise Forged
    form = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    signed = options.webhook.url + "".join(k + v for k, v in sorted(form))
    key = options.token.read().encode()
    mac = hmac.new(key, signed.encode("utf-8", "replace"), hashlib.sha1).digest()
    given = request.headers.get("x-twilio-signature", "")
    proof = base64.b64encode(mac)
    if not hmac.compare_digest(proof, given.encode("latin-1", "replace")):
        raise Forged
    fields = dict(form)
    state = fields.get("MessageStatus") or fields.get("SmsStatus", "")
    id_ = fields.get("MessageSid", "")
    if state == "received":
        if fields.get("From") == f"whatsapp:{options.to}":
            yield Call(replied=now)
    elif state in ("delivered", "read"):
        yield Call(provider_id=id_, state="delivered")
    elif state in ("failed", "undelivered"):
        code = fields.get("ErrorCode", "")
        number = int(code) if code.isascii() and code.isdigit() else 0
        error = error_text(f"error {number}")
        yield Call(None, id_, "failed", twilio.kind_of(number), error)
