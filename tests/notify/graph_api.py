"""A stand-in for the messages of Meta's Graph API (WhatsApp Cloud API).

It checks what the real one checks of the requests that we may send; each check names
its source. Field names and the shape of answers:
https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
Codes: https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from provider_server import Pair, Provider, Reply


@dataclass(frozen=True)
class Template:
    """An approved template; `status` is APPROVED, PAUSED or DISABLED."""

    body: str
    status: str = "APPROVED"

    @property
    def count(self) -> int:
        return len(set(re.findall(r"\{\{(\d+)\}\}", self.body)))

    def filled(self, values: tuple[str, ...]) -> str:
        def value(match: re.Match[str]) -> str:
            return values[int(match[1]) - 1]

        return re.sub(r"\{\{(\d+)\}\}", value, self.body)


class _Refusal(Exception):  # noqa: N818
    def __init__(self, status: int, code: int, details: str) -> None:
        self.status, self.code, self.details = status, code, details


def _need(true: object, status: int, code: int, details: str) -> None:
    if not true:
        raise _Refusal(status, code, details)


@dataclass
class GraphApi(Provider):
    """The messages of one phone number ID."""

    token: str = "EAAtoken"
    phone_number_id: str = "106540352242922"
    registered: frozenset[str] = frozenset({"+4915123456789"})
    templates: dict[tuple[str, str], Template] = field(default_factory=dict)
    late_window: bool = True
    """Whether a closed window is said in the webhook only, as it mostly is."""
    webhook: str = ""
    """Where delivery states go."""
    app_secret: str = "app-secret"
    pair: Pair = field(default_factory=lambda: Pair(45, 6.0))

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            return self._taken(path, headers, body)
        except _Refusal as refusal:
            # The shape of error answers: …/support/error-codes, "error_data.details".
            kind = "OAuthException"
            return Reply(
                refusal.status,
                {
                    "error": {
                        "message": f"(#{refusal.code}) {refusal.details}",
                        "type": kind,
                        "code": refusal.code,
                        "error_data": {
                            "messaging_product": "whatsapp",
                            "details": refusal.details,
                        },
                        "fbtrace_id": "AbCdEf",
                    }
                },
            )

    def _taken(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        # The version and the phone number ID are in the path (reference/messages).
        found = re.fullmatch(r"/v(\d+)\.0/(\d+)/messages", path)
        _need(found, 404, 2500, "Unknown path components")
        assert found is not None
        # error-codes, 100 with subcode 33: an object that does not exist.
        known = found[2] == self.phone_number_id
        _need(known, 400, 100, "Unsupported post request. Object does not exist")
        # error-codes, 190: the access token is invalid or has expired.
        given = headers.get("authorization")
        _need(given == f"Bearer {self.token}", 401, 190, "Invalid OAuth access token")
        # The Graph API takes JSON under its own type only (reference/messages).
        media = headers.get("content-type", "").partition(";")[0]
        _need(media == "application/json", 400, 100, "Content type must be JSON")
        try:
            value = json.loads(body)
        except ValueError:
            raise _Refusal(400, 100, "Invalid parameter: not JSON") from None
        _need(isinstance(value, dict), 400, 100, "Invalid parameter")
        # error-codes, 100: "unsupported or misspelled parameters".
        fields = {"messaging_product", "recipient_type", "to", "type"}
        fields.add(str(value.get("type")))
        odd = sorted(value.keys() - fields)
        _need(not odd, 400, 100, f'Unexpected key "{odd}" on param')
        # reference/messages: required, "whatsapp".
        product = value.get("messaging_product")
        _need(product == "whatsapp", 400, 100, "messaging_product is required")
        kind = value.get("recipient_type", "individual")
        _need(kind == "individual", 400, 100, "recipient_type must be individual")
        # error-codes, 131009: a parameter's value is not valid (phone numbers).
        to = value.get("to")
        whole = isinstance(to, str) and re.fullmatch(r"\+?[1-9]\d{6,14}", to)
        _need(whole, 400, 131009, "to is not a valid phone number")
        # error-codes, 131056: too many messages to this pair
        # (docs/whatsapp/cloud-api/overview#pair-rate-limits: 1 in 6 s, burst 45).
        _need(self.pair.take(), 400, 131056, "Pair rate limit hit")
        id_ = f"wamid.{uuid.uuid4().hex}"
        if value.get("type") == "text":
            text = self._text(value.get("text"))
            closed = time.time() > self.window_until
            if closed and not self.late_window:
                # error-codes, 131047: more than 24 hours since the customer replied.
                raise _Refusal(400, 131047, "Re-engagement message")
            if closed:
                self.say(id_, "failed", 131047)
            elif to not in self.registered:
                # error-codes, 131026: not on WhatsApp; said in the webhook.
                self.say(id_, "failed", 131026)
            else:
                self.take(id_, str(to), text=text)
        elif value.get("type") == "template":
            name, parameters = self._template(value.get("template"))
            if to in self.registered:
                self.take(id_, str(to), template=name, parameters=parameters)
            else:
                self.say(id_, "failed", 131026)
        else:
            # reference/messages: `type` names the kind of message.
            raise _Refusal(400, 131009, "type is not supported")
        # reference/messages, "Successful response".
        return Reply(
            200,
            {
                "messaging_product": "whatsapp",
                "contacts": [{"input": to, "wa_id": str(to).lstrip("+")}],
                "messages": [{"id": id_}],
            },
        )

    def _text(self, value: Any) -> str:
        _need(isinstance(value, dict), 400, 131008, "text is required")
        body = value.get("body")
        # error-codes, 131008: a required parameter is missing.
        filled = isinstance(body, str) and body.strip()
        _need(filled, 400, 131008, "text['body'] is required")
        # reference/messages, text object: "Maximum length: 4096 characters".
        short = len(body.encode("utf-16-le")) // 2 <= 4096
        _need(short, 400, 100, "Param text['body'] must be at most 4096 characters")
        preview = value.get("preview_url", False)
        _need(isinstance(preview, bool), 400, 100, "preview_url must be a boolean")
        odd = value.keys() - {"body", "preview_url"}
        _need(not odd, 400, 100, "Unexpected key on param text")
        return str(body)

    def _template(self, value: Any) -> tuple[str, tuple[str, ...]]:
        _need(isinstance(value, dict), 400, 131008, "template is required")
        name, language = value.get("name"), value.get("language")
        # guides/create-message-templates: lower case, digits and underscores.
        fits = isinstance(name, str) and re.fullmatch("[a-z0-9_]{1,512}", name)
        _need(fits, 400, 100, "template['name'] has wrong characters")
        code = language.get("code") if isinstance(language, dict) else None
        _need(isinstance(code, str), 400, 131008, "template['language'] is required")
        # error-codes, 132001: no such name in this language, or not approved.
        template = self.templates.get((str(name), str(code)))
        _need(template, 404, 132001, "Template name does not exist in the translation")
        assert template is not None
        # error-codes, 132015 and 132016: paused, disabled for low quality.
        _need(template.status != "PAUSED", 400, 132015, "Template is paused")
        _need(template.status != "DISABLED", 400, 132016, "Template is disabled")
        components = value.get("components")
        _need(isinstance(components, list), 400, 100, "components must be a list")
        bodies = [c for c in components if c.get("type") == "body"]
        _need(len(bodies) == len(components) == 1, 400, 132000, "one body component")
        parameters = bodies[0].get("parameters")
        # error-codes, 132000: the number of parameters does not match the template.
        same = isinstance(parameters, list) and len(parameters) == template.count
        _need(same, 400, 132000, "Number of parameters does not match")
        texts = []
        for parameter in parameters:
            # error-codes, 132012: the parameters' format does not match.
            fits = set(parameter) == {"type", "text"} and parameter["type"] == "text"
            _need(fits, 400, 132012, "Parameter format does not match")
            text = parameter["text"]
            _need(isinstance(text, str), 400, 132012, "text must be a string")
            # error-codes, 131008; empty texts count as missing (netflie#201).
            _need(text.strip(), 400, 131008, "Parameter of type text is missing text")
            # The words of the API itself (dimagi/open-chat-studio#4277, frappe#169).
            bad = re.search(r"[\n\r\t]| {5,}", text)
            _need(
                not bad,
                400,
                100,
                "Param text cannot have new-line/tab characters or more than 4 "
                "consecutive spaces",
            )
            texts.append(text)
        # error-codes, 132005: the text with its parameters is too long; the body of a
        # template has 1,024 characters (guides/create-message-templates).
        whole = template.filled(tuple(texts))
        short = len(whole.encode("utf-16-le")) // 2 <= 1024
        _need(short, 400, 132005, "Translated text too long")
        return str(name), tuple(texts)

    # The calls of Meta: docs/graph-api/webhooks/getting-started, and
    # docs/whatsapp/cloud-api/webhooks/components

    def call(self, value: Mapping[str, Any]) -> requests.Response:
        """One signed call."""
        body = json.dumps(
            {
                "object": "whatsapp_business_account",
                "entry": [
                    {
                        "id": "0",
                        "changes": [
                            {
                                "field": "messages",
                                "value": {
                                    "messaging_product": "whatsapp",
                                    "metadata": {
                                        "phone_number_id": self.phone_number_id
                                    },
                                    **value,
                                },
                            }
                        ],
                    }
                ],
            }
        ).encode()
        mac = hmac.new(self.app_secret.encode(), body, hashlib.sha256)
        headers = {
            "X-Hub-Signature-256": f"sha256={mac.hexdigest()}",
            "Content-Type": "application/json",
        }
        return requests.post(self.webhook, data=body, headers=headers, timeout=10)

    def say(self, id_: str, status: str, code: int = 0) -> None:
        """Say a message's state a moment later, when there is somebody to say it to."""
        if not self.webhook:
            return
        errors = {"errors": [{"code": code, "title": "failed"}]} if code else {}
        state = {
            "id": id_,
            "status": status,
            "timestamp": f"{time.time():.0f}",
            "recipient_id": "4915123456789",
            **errors,
        }

        def later() -> None:
            time.sleep(0.3)
            self.call({"statuses": [state]})

        import threading

        threading.Thread(target=later, daemon=True).start()

    def reply(self, sender: str = "4915123456789") -> requests.Response:
        """The user writes: the window opens."""
        self.window_until = time.time() + 24 * 3600
        message = {
            "from": sender,
            "id": f"wamid.{uuid.uuid4().hex}",
            "timestamp": f"{time.time():.0f}",
            "type": "text",
            "text": {"body": "thanks"},
        }
        return self.call({"messages": [message]})
