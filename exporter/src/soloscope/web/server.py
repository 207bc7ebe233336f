"""waitress, with room for a new connection in every state of the open ones."""

from __future__ import annotations

import logging
import select
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from soloscope.web.application import Routes, application

if TYPE_CHECKING:
    from typing import Any

__all__ = ["HttpServer"]

HEAD_LIMIT = 16 * 1024
"""The most bytes of a request's line and headers."""

IDLE_SECONDS = 75
"""How long a connection may wait for its client."""

UNREAD_SECONDS = 5
"""How long a client may read nothing of its answer."""

GRACE_SECONDS = 0.1
"""How old a connection must be to be closed to make room: its request is on the way."""

THREADS = 4
"""Requests that are answered at once. One whose Redis hangs takes three seconds; each
thread takes half a megabyte."""


class HttpServer(TcpWSGIServer):  # type: ignore[misc]
    """Listens when made; `run` answers by `routes` until `shutdown`.

    waitress stops accepting when `max_connections` are open, so that idle clients
    would lock a scrape out until they are timed out. Here the connection that has
    been idle longest is closed instead. Raises OSError when the address
    is taken.
    """

    def __init__(
        self, address: str, port: int, routes: Routes, max_connections: int
    ) -> None:
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._limit = max_connections
        table = list(routes.values())
        settings: Any = Adjustments(
            listen=f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
            threads=THREADS,
            connection_limit=2**31,  # `readable` has the limit
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=5,
            max_request_header_size=HEAD_LIMIT,
            # Closing with unread bytes would discard the response to a client
            # whose request is too large (RFC 9112, 9.6).
            recv_bytes=4 * HEAD_LIMIT,
            max_request_body_size=max(HEAD_LIMIT, *(r.max_body for r in table)),
            # Every event wakes it; every second would be 0.4 s of CPU per hour.
            asyncore_loop_timeout=5,
            asyncore_use_poll=True,  # select fails above 1024 files
            log_socket_errors=False,
            ident=None,
        )
        dispatcher = ThreadedTaskDispatcher()
        super().__init__(
            application(routes),
            dispatcher=dispatcher,
            adj=settings,
            sockinfo=settings.listen[0],
        )
        dispatcher.set_thread_count(THREADS)

    @property
    def port(self) -> int:
        """The listening port, also when 0 (any free one) was requested."""
        return int(self.effective_port)

    def readable(self) -> bool:
        """Whether waitress may accept now: there is room, or it can be made."""
        return super().readable() and (self._has_room() or bool(self._waiting()))

    def handle_accept(self) -> None:
        """Accept a connection, or make room for it first; called by waitress."""
        if self._has_room():
            super().handle_accept()
            return
        limit = time.time() - GRACE_SECONDS
        for channel in sorted(self._waiting(), key=lambda c: float(c.last_activity)):
            asking = channel.readable() and _has_data(channel.socket)
            if channel.creation_time < limit and not asking:
                channel.handle_close()
                return
        time.sleep(0.005)

    def maintenance(self, now: float) -> None:
        """Close what has been idle too long; called by waitress every five seconds.

        A client that reads nothing holds a thread once 16 MB wait for it.
        """
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            unread = channel.total_outbufs_len
            if unread and channel.last_activity < now - UNREAD_SECONDS:
                channel.handle_close()

    def _has_room(self) -> bool:
        return len(self.active_channels) < self._limit

    def _waiting(self) -> list[Any]:
        """The connections without a request that is being answered."""
        return [c for c in self.active_channels.values() if not c.requests]

    def shutdown(self) -> None:
        """End `run`; from any thread."""
        # The loop may be awake, and end before this wakes it.
        with suppress(OSError):
            self.trigger.pull_trigger(lambda: wasyncore.close_all(self._map))

    def run(self) -> None:
        """Answer requests until `shutdown`."""
        super().run()
        self.task_dispatcher.shutdown()


def _has_data(connection: Any) -> bool:
    """Whether a request has arrived that was not read yet."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
