"""How fast a channel may send: a token bucket, and pauses after faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from soloscope.notify.outbox import Outbox

__all__ = ["Limit", "Pace", "backoff"]

LONGEST = 300.0


class Limit(NamedTuple):
    """At most `burst` messages at once, and one more every `seconds`."""

    burst: int
    seconds: float


def backoff(attempts: int) -> float:
    """Seconds until the next attempt: 2, 4, 8 … 300."""
    return float(min(LONGEST, 2.0 ** min(attempts, 16)))


class Pace:
    """The pace of one channel, which a restart keeps."""

    def __init__(
        self, channel: str, limit: Limit, outbox: Outbox, now: Callable[[], float]
    ) -> None:
        self._channel = channel
        self._limit = limit
        self._outbox = outbox
        self._now = now

    def _tokens(self) -> float:
        known = self._outbox.tokens(self._channel)
        if known is None:
            return self._limit.burst
        tokens, at = known
        # A clock that went back earns nothing.
        earned = max(0.0, self._now() - at) / self._limit.seconds
        return min(self._limit.burst, tokens + earned)

    def wait(self) -> float:
        """Seconds until a message may be sent; 0 for now."""
        return max(0.0, (1 - self._tokens()) * self._limit.seconds)

    def take(self) -> None:
        """A message is being sent."""
        self._outbox.set_tokens(self._channel, self._tokens() - 1, self._now())
