"""`soloscope notify`: the notifier as a process, or a message to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from soloscope.config import Config

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Take Alertmanager's notifications and messages of the apps, and send them to "
        "the developer's phone, until SIGTERM or Ctrl-C. With --message: hand one "
        "message to the `soloscope notify` that runs, and return once it is on disk."
    )
    parser.add_argument(
        "--message", metavar="TEXT", help="the message; `-` reads standard input"
    )
    parser.add_argument("--app", help="the app that it is about")
    parser.add_argument("--user", help="the user that it is about; numbers are masked")
    parser.add_argument(
        "--severity",
        choices=("critical", "warning", "info"),
        default="critical",
        help="(default: %(default)s)",
    )
    parser.add_argument(
        "--key", help="a message with the same key is sent once in 30 days"
    )


def run(config: Config, args: argparse.Namespace) -> int:
    """0 when stopped, or when the message is on disk."""
    if args.message is not None:
        return _hand_over(config, args)
    return _serve(config)


def _hand_over(config: Config, args: argparse.Namespace) -> int:
    import sys

    from soloscope.notify import client

    text = sys.stdin.read() if args.message == "-" else args.message
    fields = {
        "kind": "error",
        # Invalid UTF-8 in an argument becomes lone surrogates.
        "text": text.encode("utf-8", "replace").decode(),
        "app": args.app,
        "user": args.user,
        "severity": args.severity,
        "key": args.key,
    }
    client.post(config, {k: v for k, v in fields.items() if v is not None})
    return 0


def _serve(config: Config) -> int:
    import logging
    import time

    from soloscope import log
    from soloscope.errors import SoloscopeError
    from soloscope.notify.outbox import Outbox
    from soloscope.notify.providers import apprise
    from soloscope.notify.service import Service
    from soloscope.web import process

    notify = config.notify
    if notify is None:
        raise SoloscopeError(
            "nothing to send by: set services.soloscope.notify.whatsapp, or a channel "
            "under services.soloscope.notify.channels"
        )
    log.set_up(config.exporter.log_level)
    if notify.channels:
        apprise.need()
    outbox = Outbox(notify.state_directory, time.time)
    service = Service(config, notify, outbox)
    server = process.listen(
        notify, service.routes(), 64, "services.soloscope.notify.port"
    )
    if server is None:
        return 1
    service.start()

    def end_when_damaged() -> None:
        outbox.damaged.wait()
        log.event(
            "outbox_damaged",
            "The outbox is damaged; starting again sets it aside",
            level=logging.CRITICAL,
        )
        server.shutdown()

    import threading

    threading.Thread(target=end_when_damaged, daemon=True).start()
    process.run(server, notify, channels=list(service.senders))
    service.stop()
    outbox.close()
    log.event("stopped", "Stopped")
    return 1 if outbox.damaged.is_set() else 0
