"""`soloscope rehearse NAME`: an alert through the whole path, marked as a rehearsal."""

from __future__ import annotations

import argparse
import re
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from soloscope.commands.options import app_of
from soloscope.errors import SoloscopeError

if TYPE_CHECKING:
    from soloscope.config import Config

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Send the alert of a rule through Alertmanager and `soloscope notify` to the "
        "phone, marked as a rehearsal, and print how long each step took. Run it as "
        "root: it needs the token of `soloscope notify`."
    )
    parser.add_argument("name", metavar="NAME", help="the rule, such as ServiceDown")
    parser.add_argument("--app", help="the app that it is about (default: the first)")
    parser.add_argument(
        "--within",
        type=float,
        metavar="SECONDS",
        default=180.0,
        help="how long to wait for the message (default: %(default)g)",
    )


def run(config: Config, args: argparse.Namespace) -> int:
    """0 when a channel has accepted the message, 1 otherwise."""
    from soloscope.backends.alertmanager import AlertmanagerApi
    from soloscope.notify import client

    app = app_of(config, args.app).name if args.app else next(iter(config.apps), "")
    begun = time.monotonic()

    def step(what: str) -> None:
        print(f"{time.monotonic() - begun:7.2f} s  {what}", flush=True)

    rule, source = _rule(config, args.name)
    step(f"{args.name} is a rule of {source}")
    client.find(config, id="0")  # does it run, and is the token right?
    id_ = uuid.uuid4().hex[:12]
    labels, annotations = _alert(rule, args.name, app, id_)
    alertmanager = AlertmanagerApi.of(config)
    now = datetime.now(UTC)
    alertmanager.fire(labels, annotations, now, now + timedelta(seconds=args.within))
    step("Alertmanager has the alert")
    try:
        return _follow(config, args.within, id_, step, begun)
    finally:
        alertmanager.fire(labels, annotations, now, datetime.now(UTC))


def _follow(
    config: Config, within: float, id_: str, step: Callable[[str], None], begun: float
) -> int:
    """Wait for each channel, and say when it was done."""
    from soloscope.notify import client

    seen: set[tuple[str, str]] = set()
    received = False
    while True:
        found = client.find(config, rehearsal=id_)
        if found is not None:
            if not received:
                step("soloscope notify has it on disk")
                received = True
            for delivery in found["deliveries"]:
                channel, state = str(delivery["channel"]), str(delivery["state"])
                if state not in ("waiting", "sending") and (channel, state) not in seen:
                    seen.add((channel, state))
                    why = f": {delivery['error']}" if delivery["error"] else ""
                    step(f"{channel}: {state}{why}")
            if found["state"] not in ("waiting", "sending"):
                return 0 if found["state"] in ("sent", "delivered") else 1
        if time.monotonic() - begun > within:
            break
        time.sleep(0.2)
    if not received:
        step(f"nothing reached soloscope notify: {_held_back(config, id_)}")
    else:
        deliveries = found["deliveries"] if found else []
        why = "; ".join(str(d["error"] or "not tried yet") for d in deliveries)
        step(f"not sent within {within:g} s: {why}")
    return 1


def _rule(config: Config, name: str) -> tuple[Mapping[str, Any], str]:
    """The rule of that name, and who evaluates it. Raises SoloscopeError."""
    from soloscope.backends.http import base_url, get_json, understood

    places = {"Loki": f"{base_url(config.loki)}/prometheus/api/v1/rules"}
    if config.prometheus.enable:
        prometheus = f"{base_url(config.prometheus)}/api/v1/rules?type=alert"
        places = {"Prometheus": prometheus, **places}
    known: set[str] = set()
    for source, url in places.items():
        value = get_json(url)
        with understood(url.partition("?")[0]):
            for group in value["data"]["groups"]:
                for rule in group["rules"]:
                    if rule.get("type") == "alerting":
                        known.add(str(rule["name"]))
                        if rule["name"] == name:
                            return rule, source
    raise SoloscopeError(f"no rule `{name}`; there are: {', '.join(sorted(known))}")


def _alert(
    rule: Mapping[str, Any], name: str, app: str, id_: str
) -> tuple[dict[str, str], dict[str, str]]:
    """The labels and annotations of the alert, as far as they are known without data.

    `{{ $labels.app }}` becomes the app; other templates become "…".
    """
    labels = {**(rule.get("labels") or {}), "alertname": name, "rehearsal": id_}
    if app:
        labels["app"] = app

    def filled(text: str) -> str:
        known = re.sub(
            r"\{\{-?\s*\$labels\.(\w+)\s*-?\}\}", lambda m: labels.get(m[1], "…"), text
        )
        return re.sub(r"\{\{.*?\}\}", "…", known)

    annotations = rule.get("annotations") or {}
    return (
        {key: filled(str(value)) for key, value in labels.items()},
        {key: filled(str(value)) for key, value in annotations.items()},
    )


def _held_back(config: Config, id_: str) -> str:
    """Why Alertmanager did not pass it on."""
    from soloscope.backends.alertmanager import AlertmanagerApi

    mine = [
        alert
        for alert in AlertmanagerApi.of(config).alerts()
        if alert.labels.get("rehearsal") == id_
    ]
    if not mine:
        return "Alertmanager has lost the alert"
    if mine[0].silenced:
        return "it is silenced (`soloscope alerts`)"
    if mine[0].inhibited:
        return "another alert, from which it follows, fires now"
    return (
        "its route waits, is muted now (quiet hours), or does not lead to "
        "soloscope notify"
    )
