"""WhatsApp by Twilio: https://www.twilio.com/docs/messaging/api/message-resource"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from urllib.parse import urlencode

from soloscope.backends.http import NoAnswer, fetch
from soloscope.config import WhatsApp
from soloscope.notify.messages import Message
from soloscope.notify.pace import Limit
from soloscope.notify.providers import Kind, Outcome, decoded, error_text
from soloscope.notify.texts import cut

__all__ = ["Twilio", "kind_of"]

TIMEOUT = 30.0
TEXT_LIMIT = 1600
"""https://www.twilio.com/docs/api/errors/21617"""

_CODES: Mapping[Kind, frozenset[int]] = {
    "template": frozenset({63016}),
    "wait": frozenset({20429, 14107, 63018, 63038}),
    "retry": frozenset({20500, 20503, 30001, 30008, 63013}),
    "undeliverable": frozenset(
        {21211, 21610, 21614, 30003, 30005, 30006, 63003, 63024}
    ),
}
"""https://www.twilio.com/docs/api/errors; every other code needs a person."""

_OF_MESSAGE = frozenset({63016, 63013, 30008, 21617, 21656, 63028})


def kind_of(code: int) -> Kind:
    """What to do after an error with this code."""
    return next((kind for kind, codes in _CODES.items() if code in codes), "refused")


class Twilio:
    """Sends to the developer's number."""

    # One message a second to one user is Twilio's advice; Meta's pair limit holds too.
    limit = Limit(40, 6.0)
    windowed = True

    def __init__(self, options: WhatsApp) -> None:
        self._options = options

    def send(self, message: Message, *, free: bool) -> Outcome:
        """POST it to the account's Messages."""
        options = self._options
        content = getattr(options.templates, message.template)
        form = {"From": f"whatsapp:{options.from_}", "To": f"whatsapp:{options.to}"}
        # Without a template only the window is left, or Twilio's sandbox.
        if free or content is None:
            form["Body"] = cut(message.text, TEXT_LIMIT)
        else:
            form["ContentSid"] = content
            numbered = {str(n): p for n, p in enumerate(message.parameters, 1)}
            form["ContentVariables"] = json.dumps(numbered, ensure_ascii=False)
        if options.webhook is not None:
            form["StatusCallback"] = options.webhook.url
        login = f"{options.account_sid}:{options.token.read()}".encode()
        headers = {
            "Authorization": f"Basic {base64.b64encode(login).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        try:
            answer = fetch(
                f"{options.api_url}/Accounts/{options.account_sid}/Messages.json",
                TIMEOUT,
                headers,
                method="POST",
                body=urlencode(form).encode(),
            )
        except NoAnswer as failed:
            return Outcome(
                "retry", error=str(failed), ambiguous=not failed.unsent, whole=True
            )
        value = decoded(answer)
        try:
            if answer.status in (200, 201):
                return Outcome("sent", str(value["sid"]))
            code = int(value["code"])
        except (LookupError, TypeError, ValueError):
            said = (
                f"answered {answer.status} without a message's SID or an error's code"
            )
            odd = answer.status < 400 or answer.status >= 500
            return Outcome("retry", error=said, ambiguous=odd, whole=True)
        kind = kind_of(code)
        if kind == "template" and content is None:
            kind = "refused"
        if kind == "refused" and answer.status >= 500:
            kind = "retry"
        return Outcome(
            kind,
            error=error_text(f"error {code}:", value.get("message")),
            ambiguous=answer.status >= 500,
            whole=kind != "undeliverable" and code not in _OF_MESSAGE,
        )
