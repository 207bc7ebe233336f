"""A server as a process: it takes its port, and runs until a signal."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

from soloscope.log import event, get
from soloscope.web.server import HttpServer

if TYPE_CHECKING:
    from soloscope.config import Listener
    from soloscope.web.application import Routes

__all__ = ["listen", "run"]


def listen(
    at: Listener, routes: Routes, max_connections: int, option: str
) -> HttpServer | None:
    """The server, or None when its port is taken; `option` is the one to change."""
    try:
        return HttpServer(at.listen_address, at.port, routes, max_connections)
    except OSError as error:
        event(
            "cannot_listen",
            f"Cannot listen on {at.listen_address} port {at.port}: "
            f"{error.strerror or error}; set {option} to a free port",
            level=logging.CRITICAL,
        )
        return None


def run(server: HttpServer, at: Listener, **fields: Any) -> None:
    """Answer until SIGTERM or Ctrl-C; `fields` are logged with the address."""

    def stop(signum: int, frame: object) -> None:
        del signum, frame
        # shutdown() takes a lock that the interrupted loop may hold.
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    event(
        "listening",
        f"Listening on {at.listen_address} port {server.port}",
        address=at.listen_address,
        port=server.port,
        **fields,
    )
    _notify_systemd("READY=1")
    server.run()
    _notify_systemd("STOPPING=1")


def _notify_systemd(state: str) -> None:
    """Notify systemd if it expects that (sd_notify(3)). Never fails."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(state.encode(), address)
    except OSError as error:
        get().warning("systemd was not notified: %s", error)
