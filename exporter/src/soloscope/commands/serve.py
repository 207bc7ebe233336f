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
    from soloscope import log
    from soloscope.checks import routes
    from soloscope.exporter.events import MetricEvents
    from soloscope.exporter.service import Service, scrapers
    from soloscope.web import process

    log.set_up(config.exporter.log_level)
    sources = scrapers(config)
    checks = routes.create(config, sources)
    service = Service(config, sources, checks)
    exporter = config.exporter
    server = process.listen(
        exporter,
        service.routes(),
        exporter.max_connections,
        "services.soloscope.exporter.port",
    )
    if server is None:
        return 1
    events = None if config.prometheus.enable else MetricEvents(sources, checks)
    service.start()
    if events is not None:
        events.start()
    process.run(server, exporter, apps=list(config.apps))
    if events is not None:
        events.stop()
    service.stop()
    log.event("stopped", "Stopped")
    return 0
