"""WhatsApp by Meta's Cloud API.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from soloscope.backends.http import NoAnswer, fetch
from soloscope.config import WhatsApp
from soloscope.notify.messages import Message
from soloscope.notify.pace import Limit
from soloscope.notify.providers import Kind, Outcome, decoded, error_text
from soloscope.notify.texts import cut

__all__ = ["CloudApi", "kind_of"]

TIMEOUT = 30.0
TEXT_LIMIT = 4096

_CODES: Mapping[Kind, frozenset[int]] = {
    "template": frozenset({131047}),
    "wait": frozenset({4, 80007, 130429, 131048, 131056, 368}),
    "retry": frozenset({1, 2, 131000, 131016}),
    "undeliverable": frozenset({131026, 131049, 130472}),
}
"""https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes; every
other code is a fault of the configuration, which no later attempt repairs."""

_OF_MESSAGE = frozenset({131000, 131047, 132005, 132012, 100, 131008, 131009})
"""Codes that say nothing about the next message."""


def kind_of(code: int) -> Kind:
    """What to do after an error with this code."""
    return next((kind for kind, codes in _CODES.items() if code in codes), "refused")


class CloudApi:
    """Sends to the developer's number."""

    # One message every 6 s to one number, 45 at once borrowed from it:
    # https://developers.facebook.com/docs/whatsapp/cloud-api/overview#pair-rate-limits
    # A few less, because the way to Meta takes now longer, now shorter.
    limit = Limit(40, 6.0)
    windowed = True

    def __init__(self, options: WhatsApp) -> None:
        self._options = options

    def send(self, message: Message, *, free: bool) -> Outcome:
        """POST it to the sender's `messages`."""
        options = self._options
        name = getattr(options.templates, message.template)
        if not free and name is None:
            return Outcome(
                "refused", error=f"no template `{message.template}` is configured"
            )
        body: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": options.to,
        }
        if free:
            text = cut(message.text, TEXT_LIMIT)
            body |= {"type": "text", "text": {"preview_url": False, "body": text}}
        else:
            parameters = [{"type": "text", "text": p} for p in message.parameters]
            body |= {
                "type": "template",
                "template": {
                    "name": name,
                    "language": {"code": options.templates.language},
                    "components": [{"type": "body", "parameters": parameters}],
                },
            }
        headers = {"Authorization": f"Bearer {options.token.read()}"}
        try:
            answer = fetch(
                f"{options.api_url}/{options.phone_number_id}/messages",
                TIMEOUT,
                headers,
                method="POST",
                body=body,
            )
        except NoAnswer as failed:
            return Outcome(
                "retry", error=str(failed), ambiguous=not failed.unsent, whole=True
            )
        value = decoded(answer)
        try:
            if answer.status == 200:
                return Outcome("sent", str(value["messages"][0]["id"]))
            error = value["error"]
            code = int(error["code"])
            details = (error.get("error_data") or {}).get("details")
        except (LookupError, TypeError, ValueError, AttributeError):
            # A proxy's page, or an answer cut off: nobody knows what happened.
            said = f"answered {answer.status} without a message's id or an error's code"
            odd = answer.status < 400 or answer.status >= 500
            return Outcome("retry", error=said, ambiguous=odd, whole=True)
        text = error_text(f"error {code}:", details or error.get("message"))
        kind = kind_of(code)
        if kind == "refused" and answer.status >= 500:
            kind = "retry"
        return Outcome(
            kind,
            error=text,
            ambiguous=answer.status >= 500,
            whole=kind != "undeliverable" and code not in _OF_MESSAGE,
        )
