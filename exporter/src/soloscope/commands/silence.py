"""`soloscope silence NAME 2h "why"`: nobody is notified of an alert for a time.

`soloscope silence NAME --end` ends it early. `soloscope alerts` shows the silences.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from soloscope.commands.alerts import moment
from soloscope.commands.options import app_of, invoker, text
from soloscope.errors import BackendUnavailable, SoloscopeError

if TYPE_CHECKING:
    from soloscope.backends.alertmanager import AlertmanagerApi
    from soloscope.config import Config

__all__ = ["add_arguments", "run"]


class _UsageError(SoloscopeError):
    exit_code = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Silence an alert for a time, so that nobody is notified of it, or end that "
        "early. Exit code 1 when Alertmanager does not answer, or there is no silence "
        "to end."
    )
    parser.add_argument("name", metavar="NAME", help="the alert, as its rule is called")
    parser.add_argument(
        "span", nargs="?", metavar="TIME", type=_span, help="for how long: 30m, 2h, 7d"
    )
    parser.add_argument("why", nargs="?", metavar="WHY", type=text, help="the reason")
    parser.add_argument("--app", metavar="NAME", help="of one app only")
    parser.add_argument("--end", action="store_true", help="end it now")


def _span(text: str) -> float:
    from soloscope.config import duration

    seconds = duration(text)
    if seconds is None:
        raise argparse.ArgumentTypeError("must be a duration such as 30m, 2h or 7d")
    if seconds > 366 * 86400:
        raise argparse.ArgumentTypeError(
            "is more than a year; switch the rule off instead: "
            "services.soloscope.alerts.rules.NAME.enable = false"
        )
    return seconds


def run(config: Config, args: argparse.Namespace) -> int:
    """Make the silence, or end it."""
    from soloscope.backends.alertmanager import AlertmanagerApi

    matchers = {"alertname": args.name}
    if args.app is not None:
        matchers["app"] = app_of(config, args.app).name
    of = f" of {args.app}" if args.app is not None else ""
    api = AlertmanagerApi.of(config)
    if args.end:
        if args.span is not None:
            raise _UsageError(
                f"--end takes no time: `soloscope silence {args.name} --end`"
            )
        # Without --app those of single apps too.
        mine = [
            silence
            for silence in api.silences()
            if silence.matchers == matchers
            or (args.app is None and silence.matchers.get("alertname") == args.name)
        ]
        if not mine:
            raise SoloscopeError(f"no silence of {args.name}{of}")
        for silence in mine:
            api.end_silence(silence.id)
        print(f"{args.name}{of} is no longer silenced")
        return 0
    if args.span is None or args.why is None:
        raise _UsageError(
            f'for how long, and why? `soloscope silence {args.name} 2h "why"`'
        )
    _check_name(config, api, args.name)
    end = datetime.now(UTC) + timedelta(seconds=args.span)
    api.silence(matchers, end, invoker(), args.why)
    until = f"{moment(end, config.zone)} {end.astimezone(config.zone):%Z}"
    print(f"{args.name}{of} is silenced until {until}")
    return 0


def _check_name(config: Config, api: AlertmanagerApi, name: str) -> None:
    """Raise when no rule has this name: the silence would silence nothing.

    What Prometheus and Loki do not tell just now is taken on trust.
    """
    from soloscope.backends.loki import LokiApi
    from soloscope.backends.prometheus import PrometheusApi

    known = {alert.name for alert in api.alerts()}
    try:
        known |= LokiApi.of(config).alert_names()
        if config.prometheus.enable:
            known |= PrometheusApi.of(config).alert_names()
    except BackendUnavailable:
        return
    if name not in known:
        import difflib

        near = difflib.get_close_matches(name, sorted(known), cutoff=0.5)
        listed = ", ".join(near or sorted(known)) or "none"
        raise _UsageError(f"no alert `{name}`; there are: {listed}")
