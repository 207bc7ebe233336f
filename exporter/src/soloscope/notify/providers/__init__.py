"""The providers that carry messages.

cloud_api  WhatsApp by Meta's Cloud API
twilio     WhatsApp by Twilio
apprise    every other channel
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

from soloscope.backends.http import Answer
from soloscope.errors import OTHER_SHAPE
from soloscope.masking import masked
from soloscope.notify.messages import Message
from soloscope.notify.pace import Limit
from soloscope.terminal import printable

__all__ = ["Kind", "Outcome", "Provider", "decoded", "error_text"]

Kind = Literal["sent", "template", "wait", "retry", "refused", "undeliverable"]
"""What to do after an attempt:

sent           it was accepted
template       only a template may be sent now
wait           too fast: the whole channel pauses
retry          try again later
refused        the token, the account or the template is wrong; a person must act
undeliverable  this number does not get this message
"""


class Outcome(NamedTuple):
    """The end of an attempt. `error` has no personal data and no secret.

    `ambiguous`: it may have been sent. `whole`: the fault is the channel's, not the
    message's, so the next message would fail too.
    """

    kind: Kind
    provider_id: str = ""
    error: str = ""
    ambiguous: bool = False
    whole: bool = False


class Provider(Protocol):
    """Carries messages of one channel."""

    limit: Limit
    windowed: bool
    """Whether free text is only for a window after the user's last message."""

    def send(self, message: Message, *, free: bool) -> Outcome:
        """Send it, as `free` text or by a template. Raises SecretUnavailable."""


def decoded(answer: Answer) -> Mapping[str, Any]:
    """The answer's JSON object; empty when it is something else."""
    try:
        value = json.loads(answer.body)
    except OTHER_SHAPE:
        return {}
    return value if isinstance(value, dict) else {}


def error_text(*parts: object) -> str:
    """A provider's words for a log: one masked line."""
    return printable(masked(" ".join(str(part) for part in parts if part)), 300)
