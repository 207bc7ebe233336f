"""Every other channel, by Apprise: https://github.com/caronc/apprise/wiki

Apprise says only whether it worked. Its own log may contain the channel's URL, which
is a secret, so it is silenced.
"""

from __future__ import annotations

import logging
from importlib import util

from soloscope.config import Channel
from soloscope.errors import SoloscopeError
from soloscope.notify.messages import Message
from soloscope.notify.pace import Limit
from soloscope.notify.providers import Outcome

__all__ = ["Apprise", "need"]


def need() -> None:
    """Raise SoloscopeError when Apprise is not installed."""
    if util.find_spec("apprise") is None:
        raise SoloscopeError(
            "notify.channels needs Apprise, which is not installed: install "
            "`soloscope[channels]`, or on NixOS leave services.soloscope.package at "
            "its default"
        )


class Apprise:
    """Sends to one URL."""

    limit = Limit(40, 6.0)
    windowed = False

    def __init__(self, name: str, options: Channel) -> None:
        self._name = name
        self._options = options

    def send(self, message: Message, *, free: bool) -> Outcome:
        """Notify; the first line is the title."""
        del free
        # Takes half a second and 30 MB.
        import apprise

        for name in ("apprise", "urllib3"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        sender = apprise.Apprise()
        if not sender.add(self._options.url.read()):
            return Outcome(
                "refused",
                error=f"the URL of notify.channels.{self._name}.urlFile is none that "
                "Apprise knows",
                whole=True,
            )
        title, _, rest = message.text.partition("\n")
        accepted = sender.notify(
            title=title if rest else "",
            body=rest.strip() or title,
            body_format=apprise.NotifyFormat.TEXT,
        )
        if accepted:
            return Outcome("sent")
        return Outcome(
            "retry", error="Apprise could not send it", ambiguous=True, whole=True
        )
