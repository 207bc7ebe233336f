"""The loop of a channel: what waits in the outbox goes to its provider."""

from __future__ import annotations

import logging
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from soloscope.backends.http import NoAnswer, base_url, fetch
from soloscope.errors import SecretUnavailable
from soloscope.log import Pauses, event
from soloscope.notify.outbox import Batch, Outbox, OutboxUnavailable
from soloscope.notify.pace import Pace, backoff
from soloscope.notify.providers import Kind, Outcome, Provider

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.notify.messages import Message

__all__ = ["Sender", "prometheus_is_ready"]

WINDOW = 24 * 3600.0 - 600
"""Seconds after the user's message in which free text is sent: 24 hours less a margin
for clocks (https://developers.facebook.com/docs/whatsapp/pricing)."""

LOOK = 30.0
"""Seconds after which the outbox is looked at in any case: clocks may change."""

AGAIN = 3600.0
"""Seconds until a channel that needs a person is tried again."""

SETTLED = 60.0
"""Seconds for which Prometheus must be ready before "resolved" is believed: while it
was away, its alerts ended only for want of news."""


def _unexpected(error: Exception) -> str:
    """Log an error that nobody expected, without its words, which may be personal."""
    name = type(error).__name__
    event(
        "sending_failed",
        f"An unexpected error while sending: {name}",
        level=logging.ERROR,
        traceback="".join(traceback.format_tb(error.__traceback__, limit=20)),
    )
    return f"unexpected {name}"


def prometheus_is_ready(config: Config) -> Callable[[], bool]:
    """Whether Prometheus answers; always true where there is none."""
    if not config.prometheus.enable:
        return lambda: True
    url = f"{base_url(config.prometheus)}/-/ready"

    def ready() -> bool:
        try:
            return fetch(url, 3).status == 200
        except NoAnswer:
            return False

    return ready


class Sender(threading.Thread):
    """Sends until `stop`; `wake` says that there is something new.

    `others` are the channels that get what this one cannot deliver.
    """

    def __init__(
        self,
        channel: str,
        provider: Provider,
        outbox: Outbox,
        *,
        others: Sequence[str],
        written: Callable[[Batch], Message],
        ready: Callable[[], bool],
        now: Callable[[], float],
        calls: bool = False,
        handed_over: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name=f"send-{channel}", daemon=True)
        self.channel = channel
        self.counts: Counter[str] = Counter()
        """How many messages were accepted, delivered, failed."""
        self.up = True
        """Whether the last attempt reached the provider and was not refused."""
        self._provider = provider
        self._outbox = outbox
        self._others = others
        self._written = written
        self._ready = ready
        self._now = now
        self._calls = calls
        self._handed_over = handed_over
        self._pace = Pace(channel, provider.limit, outbox, now)
        self._pauses = Pauses()
        self._news = threading.Event()
        self._stopping = False
        self._paused_until = 0.0
        self._faults = 0
        self._unready_at: float | None = None

    def wake(self) -> None:
        """Something new waits."""
        self._news.set()

    def stop(self) -> None:
        """End the loop; what is being sent is finished first."""
        self._stopping = True
        self.wake()

    def run(self) -> None:
        """The loop."""
        while not self._stopping:
            self._news.clear()
            try:
                wait = self.step()
            except OutboxUnavailable as error:
                if self._pauses.over("outbox", 60):
                    event("outbox_unavailable", str(error), level=logging.ERROR)
                if self._outbox.damaged.is_set():
                    return
                wait = 2.0
            if wait > 0:
                self._news.wait(min(wait, LOOK))

    def step(self) -> float:
        """Do the next thing; seconds until there is another one."""
        batch, _ = self._outbox.next(self.channel, canaries=True)
        if batch is not None:
            self._outbox.passed(batch.ids)
            return 0
        now = self._now()
        if now < self._paused_until <= now + AGAIN:
            return self._paused_until - now
        batch, due = self._outbox.next(self.channel)
        if batch is None:
            return LOOK if due is None else due - now
        if batch.deliveries[-1].notice.resolved and not self._believed(now):
            self._outbox.put_off(batch.ids, now + 5, "Prometheus is not ready")
            return 0
        wait = self._pace.wait()
        if wait > 0:
            return wait
        self._send(batch)
        return 0

    def _believed(self, now: float) -> bool:
        """Whether "resolved" can be believed: Prometheus was not away just now."""
        if not self._ready():
            self._unready_at = now
            return False
        since = self._unready_at
        return since is None or not 0 <= now - since < SETTLED

    def in_window(self) -> bool:
        """Whether free text may be sent; a template always may."""
        if not self._provider.windowed:
            return True
        # Without the provider's calls nobody knows when the user wrote.
        replied = self._outbox.replied(self.channel) if self._calls else None
        return replied is not None and -600 < self._now() - replied < WINDOW

    def _send(self, batch: Batch) -> None:
        try:
            message = self._written(batch)
        except Exception as error:  # noqa: BLE001 (the edge: one must not stop the rest)
            self._outbox.put_off(batch.ids, self._now() + AGAIN, _unexpected(error))
            return
        free = self.in_window()
        self._outbox.sending(batch.ids)
        self._pace.take()
        try:
            outcome = self._provider.send(message, free=free)
        except SecretUnavailable as error:
            outcome = Outcome("refused", error=str(error), whole=True)
        except Exception as error:  # noqa: BLE001 (Apprise's plugins may raise anything)
            said = _unexpected(error)
            outcome = Outcome("retry", error=said, ambiguous=True, whole=True)
        waited = self._now() - batch.deliveries[0].received
        if outcome.kind == "sent":
            self._outbox.sent(batch.ids, outcome.provider_id)
            self._faults = 0
            self.up = True
            self._pauses.end("fault")
            self.counts["accepted"] += 1
            # No id of the provider: WhatsApp's contain the phone number.
            event(
                "message_sent",
                f"Sent by {self.channel}",
                channel=self.channel,
                notices=[d.notice_id for d in batch.deliveries],
                seconds=round(waited, 3),
                free=free,
            )
            return
        self._faulty(batch.ids, batch.attempts, outcome, free=free)

    def failed_later(
        self, ids: Sequence[int], attempts: int, kind: Kind, error: str
    ) -> None:
        """The provider says that what it had accepted was not delivered."""
        outcome = Outcome(kind, error=error)
        self._faulty(ids, attempts, outcome, free=kind == "template")
        self.wake()

    def _faulty(
        self, ids: Sequence[int], attempts: int, outcome: Outcome, *, free: bool
    ) -> None:
        """An attempt that did not succeed."""
        kind, now = outcome.kind, self._now()
        if kind == "template":
            self._outbox.set_replied(self.channel, None)
            if not free:  # it was a template
                kind = "retry"
        delay = 0.0
        if kind == "wait":
            # "wait 4^X seconds": Meta on 131056.
            self._faults += 1
            delay = min(AGAIN, 4.0**self._faults)
            self._paused_until = now + delay
        elif kind == "retry":
            delay = backoff(attempts + 1)
            if outcome.whole:
                self._faults += 1
                delay = backoff(self._faults)
                self._paused_until = now + delay
        gone = kind in ("refused", "undeliverable")
        self.up = not (kind == "refused" or self._faults > 2)
        if gone:
            self.counts["failed"] += 1
        handed = gone and self._outbox.hand_over(ids, self._others, outcome.error)
        if handed:
            self._handed_over()
        elif kind == "undeliverable":
            self._outbox.failed(ids, outcome.error)
        elif kind == "refused":
            # Nobody else can tell it: again when a person may have acted.
            delay = AGAIN
            if outcome.whole:
                self._paused_until = now + delay
            self._outbox.put_off(ids, now + delay, outcome.error)
        else:
            self._outbox.put_off(
                ids, now + delay, outcome.error, repeated=outcome.ambiguous
            )
        if kind != "retry" or self._pauses.over("fault", 300):
            event(
                "message_not_sent",
                f"Not sent by {self.channel}: {outcome.error}",
                level=logging.ERROR if gone else logging.WARNING,
                channel=self.channel,
                outcome=kind,
                handed_over=handed,
                **({"again_in_seconds": delay} if not gone or not handed else {}),
            )

    def delivered(self, ids: Sequence[int]) -> None:
        """The provider says that it is on the phone."""
        with suppress(OutboxUnavailable):
            self._outbox.delivered(ids)
            self.counts["delivered"] += 1
