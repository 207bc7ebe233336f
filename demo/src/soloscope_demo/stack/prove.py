"""Proving the path: an event in Loki, a count in Prometheus, the dashboard."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from ..errors import DemoError
from .options import APP
from .stack import Stack


@dataclass(frozen=True)
class Proof:
    """What was proven, in words, and the seconds after the start."""

    what: str
    after: float


def prove(stack: Stack, said: Callable[[Proof], None] = lambda _: None) -> list[Proof]:
    """Send one message to the app and follow it through all programs."""
    proofs: list[Proof] = []

    def proven(what: str) -> None:
        proofs.append(Proof(what, time.monotonic() - stack.started_at))
        said(proofs[-1])

    reply = requests.post(f"{stack.url('app')}/api/webhook", json={}, timeout=10)
    reply.raise_for_status()
    conversation = reply.json()["conversation_id"]

    if stack.has("grafana"):
        prove_grafana(stack)
        proven("the overview in Grafana, with its data sources")

    query = f'{{app="{APP}"}} | conversation_id="{conversation}"'
    lines = stack.until(
        f"the events of {conversation} in Loki", lambda: stack.loki.entries(query)
    )
    event = "conversation_started"
    found = next((x.labels for x in lines if x.labels.get("event") == event), None)
    unit = stack.app["units"][0]
    if found is not None and found.get("unit") != unit:
        raise DemoError(f"the event in Loki has the labels {found}, not unit={unit}")
    proven(f"an event in Loki: the conversation {conversation}")

    if not stack.has("prometheus"):
        return proofs

    # With its instance: after a start on other ports, Prometheus returns the old
    # series for five more minutes.
    instance = stack.url("soloscope").removeprefix("http://")
    count = (
        f'soloscope_count_total{{app="{APP}",name="conversations",'
        f'instance="{instance}"}}'
    )

    def same_count() -> list[int] | None:
        (truth,) = stack.days(1).values()
        expected = [int(truth["counters"].get("conversations", 0))]
        return expected if values(stack, count) == expected else None

    (number,) = stack.until(
        f"today's count of conversations in Prometheus ({count})", same_count
    )
    proven(f"a count in Prometheus: {number} conversations today, as the app counted")
    return proofs


def values(stack: Stack, query: str) -> list[float]:
    """The values of an instant query to Prometheus."""
    return [value for _, value in stack.prometheus.values(query)]


def prove_grafana(stack: Stack) -> None:
    """The overview exists, and both data sources answer through Grafana."""
    login = (
        stack.files["grafana/grafana.ini"].partition("admin_user = ")[2].split("\n")[0],
        stack.secret("grafana-admin-password"),
    )

    def answers(path: str) -> Any:
        reply = requests.get(f"{stack.url('grafana')}{path}", auth=login, timeout=10)
        reply.raise_for_status()
        return reply.json()

    stack.until(
        "the dashboard soloscope-overview in Grafana",
        lambda: answers("/api/dashboards/uid/soloscope-overview"),
    )
    enabled = {uid for uid in ("prometheus", "loki") if stack.has(uid)}
    stack.until(
        f"the data sources {', '.join(sorted(enabled))} in Grafana",
        lambda: {source["uid"] for source in answers("/api/datasources")} >= enabled,
    )
