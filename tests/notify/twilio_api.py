"""A stand-in for Twilio's Messages resource, with WhatsApp's rules.

https://www.twilio.com/docs/messaging/api/message-resource
Codes: https://www.twilio.com/docs/api/errors
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import requests
from provider_server import Provider, Reply


class _Refusal(Exception):  # noqa: N818
    def __init__(self, status: int, code: int, message: str) -> None:
        self.status, self.code, self.message = status, code, message


def _need(true: object, status: int, code: int, message: str) -> None:
    if not true:
        raise _Refusal(status, code, message)


@dataclass
class TwilioApi(Provider):
    """The messages of one account."""

    sid: str = "AC" + "0" * 32
    token: str = "auth-token"
    sender: str = "+14155238886"
    contents: dict[str, int] = field(default_factory=dict)
    """Content SID -> the number of its variables."""
    public_url: str = ""
    """The URL that Twilio signs."""
    webhook: str = ""
    """Where the calls really go."""

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            return self._taken(path, headers, body)
        except _Refusal as refusal:
            # "Error and warning dictionary": code, message, more_info, status.
            return Reply(
                refusal.status,
                {
                    "code": refusal.code,
                    "message": refusal.message,
                    "more_info": f"https://www.twilio.com/docs/errors/{refusal.code}",
                    "status": refusal.status,
                },
            )

    def _taken(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        # message-resource: /2010-04-01/Accounts/{AccountSid}/Messages.json
        known = path == f"/2010-04-01/Accounts/{self.sid}/Messages.json"
        _need(known, 404, 20404, "The requested resource was not found")
        # errors/20003: the credentials are wrong (basic authentication).
        login = base64.b64encode(f"{self.sid}:{self.token}".encode()).decode()
        allowed = headers.get("authorization") == f"Basic {login}"
        _need(allowed, 401, 20003, "Authenticate")
        # The API takes forms (usage/requests-to-twilio).
        media = headers.get("content-type", "").partition(";")[0]
        _need(media == "application/x-www-form-urlencoded", 415, 20422, "Not a form")
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        # errors/21603 and 21604: From and To are required.
        _need(form.get("From"), 400, 21603, "A 'From' phone number is required")
        _need(form.get("To"), 400, 21604, "A 'To' phone number is required")
        # errors/63007: no channel with this From address.
        ours = form["From"] == f"whatsapp:{self.sender}"
        _need(ours, 400, 63007, "Could not find a Channel with the From address")
        # errors/21211: To is no phone number.
        whole = re.fullmatch(r"whatsapp:\+[1-9]\d{6,14}", form["To"])
        _need(whole, 400, 21211, "Invalid 'To' Phone Number")
        callback = form.get("StatusCallback", "")
        # errors/21609: the StatusCallback is no URL.
        parts = urlsplit(callback)
        fits = not callback or (parts.scheme in ("http", "https") and parts.netloc)
        _need(fits, 400, 21609, "Invalid 'StatusCallback' url")
        id_, to = f"SM{uuid.uuid4().hex}", form["To"].removeprefix("whatsapp:")
        if "ContentSid" in form:
            content = form["ContentSid"]
            # errors/20404, or 21655 for a SID of another form.
            _need(re.fullmatch("HX[0-9a-f]{32}", content), 400, 21655, "ContentSid")
            _need(content in self.contents, 404, 20404, "Content was not found")
            # errors/21656: ContentVariables is no JSON object of strings.
            try:
                values = json.loads(form.get("ContentVariables", "{}"))
            except ValueError:
                values = None
            texts = isinstance(values, dict) and all(
                isinstance(value, str) for value in values.values()
            )
            _need(texts, 400, 21656, "The ContentVariables parameter is invalid")
            numbers = {str(n) for n in range(1, self.contents[content] + 1)}
            # errors/63028: the number of parameters does not match.
            _need(set(values) == numbers, 400, 63028, "Number of parameters")
            # errors/63040 and WhatsApp's own rule on parameters.
            bad = any(re.search(r"[\n\r\t]| {5,}", v) or not v for v in values.values())
            _need(not bad, 400, 21656, "Content Variables with newlines or empty")
            given = tuple(values[str(n)] for n in range(1, len(values) + 1))
            self.take(id_, to, template=content, parameters=given)
        else:
            # errors/21602: a message needs a body; 21617: at most 1,600 characters.
            text = form.get("Body", "")
            _need(text.strip(), 400, 21602, "Message body is required")
            short = len(text.encode("utf-16-le")) // 2 <= 1600
            _need(short, 400, 21617, "The body exceeds the 1600 character limit")
            if time.time() > self.window_until:
                # errors/63016: outside the window; said by the status callback.
                self.say(id_, "failed", 63016, callback)
            else:
                self.take(id_, to, text=text)
        # message-resource, "Create a Message": 201 with the SID and "queued".
        return Reply(201, {"sid": id_, "status": "queued", "error_code": None})

    # usage/security#validating-requests: HMAC-SHA1 of the URL and the sorted form.

    def call(self, form: Mapping[str, str]) -> requests.Response:
        """One signed call."""
        signed = self.public_url + "".join(k + v for k, v in sorted(form.items()))
        mac = hmac.new(self.token.encode(), signed.encode(), hashlib.sha1)
        signature = base64.b64encode(mac.digest()).decode()
        headers = {"X-Twilio-Signature": signature}
        return requests.post(self.webhook, data=form, headers=headers, timeout=10)

    def say(self, id_: str, status: str, code: int, callback: str) -> None:
        """Say a message's state a moment later, when a callback was given."""
        if not callback or not self.webhook:
            return
        form = {
            "MessageSid": id_,
            "MessageStatus": status,
            "AccountSid": self.sid,
            **({"ErrorCode": str(code)} if code else {}),
        }

        def later() -> None:
            time.sleep(0.3)
            self.call(form)

        threading.Thread(target=later, daemon=True).start()

    def reply(self, sender: str = "+4915123456789") -> requests.Response:
        """The user writes: the window opens."""
        self.window_until = time.time() + 24 * 3600
        return self.call(
            {
                "MessageSid": f"SM{uuid.uuid4().hex}",
                "SmsStatus": "received",
                "From": f"whatsapp:{sender}",
                "To": f"whatsapp:{self.sender}",
                "Body": "thanks",
            }
        )
