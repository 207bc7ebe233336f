"""`soloscope serve`: the exporter as a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from soloscope.config import Config

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments: address, port and all else are in the configuration."""
    parser.description = (
        "Read the apps' counts from Redis and answer /metrics, /health and the other "
        "paths that the start page lists, until SIGTERM or Ctrl-C."
    )


def run(config: Config, args: argparse.Namespace) -> int:
    """Serve until a signal. Returns 1 when the port cannot be bound."""
    del args
    import logging
    import signal
    import threading

    from soloscope import log
    from soloscope.checks import routes
    from soloscope.exporter.events import MetricEvents
    from soloscope.exporter.service import Service, scrapers
    from soloscope.web.server import HttpServer

    log.set_up(config.exporter.log_level)
    sources = scrapers(config)
    service = Service(config, sources, routes.create(config, sources))
    exporter = config.exporter
    where = f"{exporter.listen_address} port {exporter.port}"
    try:
        server = HttpServer(
            exporter.listen_address,
            exporter.port,
            service.routes(),
            exporter.max_connections,
        )
    except OSError as error:
        log.event(
            "cannot_listen",
            f"Cannot listen on {where}: {error.strerror or error}; set "
            "services.soloscope.exporter.port to a free port",
            level=logging.CRITICAL,
        )
        return 1

    def stop(signum: int, frame: object) -> None:
        del signum, frame
        # shutdown() takes a lock that the interrupted loop may hold.
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    events = None if config.prometheus.enable else MetricEvents(sources)
    service.start()
    if events is not None:
        events.start()
    log.event(
        "listening",
        f"Listening on {exporter.listen_address} port {server.port}",
        address=exporter.listen_address,
        port=server.port,
        apps=list(config.apps),
    )
    _notify_systemd("READY=1")
    server.run()
    _notify_systemd("STOPPING=1")
    if events is not None:
        events.stop()
    service.stop()
    log.event("stopped", "Stopped")
    return 0


def _notify_systemd(state: str) -> None:
    """Notify systemd if it expects that (sd_notify(3)). Never fails."""
    import logging
    import os
    import socket

    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(state.encode(), address)
    except OSError as error:
        logging.getLogger("soloscope").warning("systemd was not notified: %s", error)
