"""The paths of `soloscope notify`, and the loops behind them."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from soloscope.errors import SecretUnavailable
from soloscope.log import Pauses, event
from soloscope.notify import calls, intake
from soloscope.notify.messages import Message, compose
from soloscope.notify.notices import Notice
from soloscope.notify.outbox import KEEP, Batch, Outbox, OutboxUnavailable
from soloscope.notify.providers.apprise import Apprise
from soloscope.notify.providers.cloud_api import CloudApi
from soloscope.notify.providers.twilio import Twilio
from soloscope.notify.sender import Sender, prometheus_is_ready
from soloscope.web.application import Request, Response, Route, Routes
from soloscope.web.bearer import Bearer

if TYPE_CHECKING:
    from soloscope.config import Config, Notify
    from soloscope.notify.providers import Provider

__all__ = ["WHATSAPP", "Service"]

WHATSAPP = "whatsapp"
"""The channel of that name."""

WEBHOOK_LIMIT = 4 * 1024 * 1024
MESSAGE_LIMIT = 64 * 1024
CALL_LIMIT = 1024 * 1024


class Service:
    """Everything between the requests and the providers. `start` begins to send."""

    def __init__(
        self,
        config: Config,
        notify: Notify,
        outbox: Outbox,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._notify = notify
        self._outbox = outbox
        self._now = now
        self._bearer = Bearer(notify.token)
        self._pauses = Pauses()
        self._titles = {name: app.title for name, app in config.apps.items()}
        self._severities: dict[str, tuple[str, ...]] = {}
        self._cleaned = 0.0
        providers: dict[str, Provider] = {}
        whatsapp = notify.whatsapp
        if whatsapp is not None:
            meta = whatsapp.provider == "cloud-api"
            providers[WHATSAPP] = CloudApi(whatsapp) if meta else Twilio(whatsapp)
            self._severities[WHATSAPP] = whatsapp.severities
        for name, channel in notify.channels.items():
            providers[name] = Apprise(name, channel)
            self._severities[name] = channel.severities
        ready = prometheus_is_ready(config)
        self.senders = {
            name: Sender(
                name,
                provider,
                outbox,
                others=[other for other in providers if other != name],
                written=self._written,
                ready=ready,
                now=now,
                calls=name == WHATSAPP
                and whatsapp is not None
                and whatsapp.webhook is not None,
                handed_over=self._wake,
            )
            for name, provider in providers.items()
        }

    def start(self) -> None:
        """Begin to send."""
        if self._outbox.set_aside is not None:
            self._accept(
                Notice(
                    "error",
                    "soloscope-notify outbox",
                    "",
                    "warning",
                    text="The outbox of soloscope-notify was damaged. It was set "
                    f"aside as {self._outbox.set_aside}; messages that waited in it "
                    "may be lost.",
                )
            )
        for sender in self.senders.values():
            sender.start()

    def stop(self) -> None:
        """End the loops."""
        for sender in self.senders.values():
            sender.stop()
        for sender in self.senders.values():
            if sender.is_alive():
                # A slow provider holds it for the time-out; its message stays marked.
                sender.join(5)

    def _wake(self) -> None:
        for sender in self.senders.values():
            sender.wake()

    def _written(self, batch: Batch) -> Message:
        notices = [(d.received, d.notice) for d in batch.deliveries]
        return compose(
            notices,
            self._now(),
            self._config.zone,
            self._titles,
            repeated=batch.repeated,
        )

    def _channels(self, notice: Notice) -> list[str]:
        """The channels that get a notice; never none."""
        every = list(self.senders)
        if notice.canary:
            return every
        if notice.only:
            return [notice.only]
        wanted = [n for n in every if notice.severity in self._severities[n]]
        if notice.skip:
            wanted = [n for n in every if n != notice.skip]
        return wanted or every[:1]

    def _accept(self, notice: Notice) -> tuple[int, bool]:
        within = KEEP
        if notice.kind == "alerts":
            # Until then Alertmanager does not mean to repeat itself.
            within = 0.9 * getattr(self._notify.repeat, notice.severity)
        id_, repeat = self._outbox.accept(notice, self._channels(notice), within)
        if not repeat:
            self._wake()
        if abs(self._now() - self._cleaned) > 3600:
            self._cleaned = self._now()
            self._outbox.clean_up()
        return id_, repeat

    # Paths

    def routes(self) -> Routes:
        """The table of paths."""
        table = {
            "/alertmanager": Route(
                self._guarded(self._alertmanager), ("POST",), max_body=WEBHOOK_LIMIT
            ),
            "/api/v1/messages": Route(
                self._guarded(self._messages), ("GET", "POST"), max_body=MESSAGE_LIMIT
            ),
            "/metrics": Route(self._metrics),
            "/health": Route(self._health),
        }
        if self._notify.whatsapp is not None and self._notify.whatsapp.webhook:
            table["/whatsapp"] = Route(self._call, ("GET", "POST"), max_body=CALL_LIMIT)
        return table

    def _guarded(
        self, handler: Callable[[Request], Response]
    ) -> Callable[[Request], Response]:
        """The handler for requests with the token, and its errors as answers."""

        def handle(request: Request) -> Response:
            refused = self._bearer.refused(request)
            if refused is not None:
                return refused
            try:
                return handler(request)
            except intake.Refused as error:
                # Alertmanager drops what is answered 4xx, so it is logged.
                event(
                    "request_refused",
                    f"{request.path}: {error}",
                    level=logging.WARNING,
                    path=request.path,
                )
                return _json({"error": str(error)}, 400)
            except OutboxUnavailable as error:
                return self._unavailable(error)

        return handle

    def _unavailable(self, error: OutboxUnavailable) -> Response:
        if self._pauses.over("outbox", 60):
            event("outbox_unavailable", str(error), level=logging.ERROR)
        return _json({"error": str(error)}, 503)

    def _alertmanager(self, request: Request) -> Response:
        only = parse_qs(request.query).get("channel", [""])[0]
        if only and only not in self.senders:
            known = ", ".join(self.senders)
            raise intake.Refused(f"no channel `{only}`; configured: {known}")
        ids = [
            self._accept(notice) for notice in intake.alertmanager(request.body, only)
        ]
        return _json(
            {"ids": [id_ for id_, _ in ids], "repeat": all(again for _, again in ids)}
        )

    def _messages(self, request: Request) -> Response:
        if request.method == "POST":
            id_, repeat = self._accept(intake.message(request.body))
            return _json({"id": id_, "repeat": repeat})
        query = parse_qs(request.query)
        names = {"id", "key", "canary", "rehearsal"}
        if len(query) != 1 or not query.keys() <= names:
            raise intake.Refused("one of ?id=, ?key=, ?canary= or ?rehearsal=")
        ((name, (value, *_)),) = query.items()
        if name in ("id", "key"):
            found = self._outbox.find(name, value)
        else:
            found = self._outbox.find("mark", f"{name}:{value}")
            # A canary counts when every loop has passed it.
            if found and name == "canary" and found["state"] != "canary":
                found = None
        if found is None:
            return _json({"error": f"no message with this {name}"}, 404)
        return _json(found)

    def _call(self, request: Request) -> Response:
        whatsapp = self._notify.whatsapp
        if whatsapp is None:
            return Response(b"Not found.\n", 404)
        try:
            if request.method == "GET":
                return Response(calls.challenge(whatsapp, request).encode())
            found = calls.read(whatsapp, request, self._now())
            for call in found:
                self._take(call)
        except calls.Forged:
            if self._pauses.over("forged", 300):
                event(
                    "call_refused",
                    "A call to the public URL has no valid signature or token; is "
                    "notify.whatsapp.webhook set up with the app's own secrets?",
                    level=logging.WARNING,
                )
            return Response(b"A valid signature is needed.\n", 403)
        except SecretUnavailable as error:
            event("token_unavailable", str(error), level=logging.ERROR)
            return Response(b"Not now.\n", 503)
        except OutboxUnavailable as error:
            return self._unavailable(error)
        return Response(b"")

    def _take(self, call: calls.Call) -> None:
        """Act on a call of the provider; the same call again changes nothing."""
        sender = self.senders[WHATSAPP]
        if call.replied is not None:
            known = self._outbox.replied(WHATSAPP)
            if known is None or call.replied > known:
                self._outbox.set_replied(WHATSAPP, call.replied)
            return
        rows = self._outbox.by_provider_id(call.provider_id) if call.provider_id else []
        mine = [row for row in rows if row[1] == WHATSAPP and row[2] == "sent"]
        ids = [row[0] for row in mine]
        if ids and call.state == "delivered":
            sender.delivered(ids)
        elif ids:
            sender.failed_later(ids, mine[0][3], call.kind, call.error)

    def _metrics(self, request: Request) -> Response:
        del request
        # Slow to import; the notifier is ready before.
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        from soloscope.exporter.exposition import TEXT
        from soloscope.exporter.families import encode

        counts = CounterMetricFamily(
            "soloscope_notify_messages",
            "Messages by what became of them",
            labels=["channel", "result"],
        )
        up = GaugeMetricFamily(
            "soloscope_notify_channel_up",
            "Whether the last attempt reached the provider and was not refused",
            labels=["channel"],
        )
        waiting = GaugeMetricFamily(
            "soloscope_notify_waiting", "Notices that wait", labels=["channel"]
        )
        oldest = GaugeMetricFamily(
            "soloscope_notify_oldest_waiting_seconds",
            "How long the oldest notice has waited",
            labels=["channel"],
        )
        damaged = GaugeMetricFamily(
            "soloscope_notify_outbox_set_aside",
            "Outboxes that were set aside as damaged and are still there",
        )
        metrics = [counts, up, damaged]
        damaged.add_metric([], self._outbox.damaged_files())
        try:
            now, rows = self._now(), self._outbox.waiting()
        except OutboxUnavailable:
            rows = None
        for name, sender in self.senders.items():
            for result in ("accepted", "delivered", "failed"):
                counts.add_metric([name, result], sender.counts[result])
            up.add_metric([name], sender.up)
            if rows is not None:
                count, since = rows.get(name, (0, now))
                waiting.add_metric([name], count)
                oldest.add_metric([name], max(0.0, now - since))
        if rows is not None:
            metrics += [waiting, oldest]
        return Response(encode(metrics, TEXT), content_type=TEXT.content_type)

    def _health(self, request: Request) -> Response:
        """Whether every loop runs; the metrics say how it goes."""
        del request
        dead = [name for name, sender in self.senders.items() if not sender.is_alive()]
        if dead:
            return _json({"status": "failed", "stopped": dead}, 503)
        return _json({"status": "ok"})


def _json(value: Mapping[str, object], status: int = 200) -> Response:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
    return Response(body.encode(), status, "application/json")
