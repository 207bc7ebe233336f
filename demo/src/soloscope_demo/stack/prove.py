"""Proving the path: an event in Loki, a count in Prometheus, the dashboard."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from ..errors import DemoError
from .stack import APP, Stack

#: How long a proof may take (seconds).
TIMEOUT = 30.0


@dataclass(frozen=True)
class Proof:
    """What was proven, in words, and when after the start (seconds)."""

    what: str
    after: float


def wait_for(stack: Stack, what: str, answer: Callable[[], Any]) -> Any:
    """The first true answer; `DemoError` when none comes in time.

    A program that ends meanwhile is told at once.
    """
    end = time.monotonic() + TIMEOUT
    last = "no answer"
    while time.monotonic() < end:
        stack.check()
        try:
            found = answer()
        except (requests.RequestException, ValueError, KeyError) as error:
            found, last = None, str(error)
        if found:
            return found
        time.sleep(0.1)
    raise DemoError(f"not proven within {TIMEOUT:.0f} s: {what} ({last})")


def loki_lines(stack: Stack, query: str) -> list[tuple[dict[str, str], str]]:
    """(labels, line) of the last hour for a LogQL query."""
    reply = requests.get(
        f"{stack.url('loki')}/loki/api/v1/query_range",
        params={"query": query, "since": "1h", "limit": "1000"},
        timeout=10,
    )
    reply.raise_for_status()
    return [
        (stream["stream"], line)
        for stream in reply.json()["data"]["result"]
        for _, line in stream["values"]
    ]


def prometheus_values(stack: Stack, query: str) -> list[tuple[dict[str, str], float]]:
    """(labels, value) of an instant PromQL query."""
    reply = requests.get(
        f"{stack.url('prometheus')}/api/v1/query", params={"query": query}, timeout=10
    )
    reply.raise_for_status()
    result = reply.json()["data"]["result"]
    return [(series["metric"], float(series["value"][1])) for series in result]


def counted_today(stack: Stack, name: str) -> tuple[str, int]:
    """The newest day of the truth and its count of `name`."""
    day, truth = max(stack.truth()["days"].items())
    return day, int(truth["counters"].get(name, 0))


def prove(stack: Stack, said: Callable[[Proof], None] = lambda _: None) -> list[Proof]:
    """Send one message to the app and find it everywhere."""
    proofs: list[Proof] = []

    def proven(what: str) -> None:
        proofs.append(Proof(what, time.monotonic() - stack.started_at))
        said(proofs[-1])

    reply = requests.post(f"{stack.url('app')}/api/webhook", json={}, timeout=10)
    reply.raise_for_status()
    conversation = reply.json()["conversation_id"]

    if stack.has_grafana:
        prove_grafana(stack)
        proven("the overview in Grafana, with its data sources")

    query = f'{{app="{APP}"}} | conversation_id="{conversation}"'
    lines = wait_for(
        stack, f"the events of {conversation} in Loki", lambda: loki_lines(stack, query)
    )
    event = "conversation_started"
    labels = next((found for found, _ in lines if found.get("event") == event), None)
    unit = stack.files["soloscope.json"]["apps"][APP]["units"][0]
    if labels is not None and labels.get("unit") != unit:
        raise DemoError(f"the event in Loki has the labels {labels}, not unit={unit}")
    proven(f"an event in Loki: the conversation {conversation}")

    if not stack.has("prometheus"):
        return proofs

    # With its instance: after a start on other ports, Prometheus shows the old
    # series for five minutes more.
    instance = stack.url("soloscope").removeprefix("http://")
    count = (
        f'soloscope_count_total{{app="{APP}",name="conversations",'
        f'instance="{instance}"}}'
    )

    def same_count() -> Any:
        _, expected = counted_today(stack, "conversations")
        values = [value for _, value in prometheus_values(stack, count)]
        return [expected] if values == [expected] else None

    value = wait_for(
        stack, f"today's count of conversations in Prometheus ({count})", same_count
    )
    proven(f"a count in Prometheus: {value[0]} conversations today, as the app counted")
    return proofs


def prove_grafana(stack: Stack) -> None:
    """The overview is there, and both data sources answer through Grafana."""
    login = (
        stack.files["grafana/grafana.ini"].partition("admin_user = ")[2].split("\n")[0],
        stack.secret("grafana-admin-password"),
    )

    def answers(path: str) -> Any:
        reply = requests.get(f"{stack.url('grafana')}{path}", auth=login, timeout=10)
        reply.raise_for_status()
        return reply.json()

    wait_for(
        stack,
        "the dashboard soloscope-overview in Grafana",
        lambda: answers("/api/dashboards/uid/soloscope-overview"),
    )
    enabled = [uid for uid in ("prometheus", "loki") if stack.has(uid)]
    wait_for(
        stack,
        f"the data sources {', '.join(enabled)} in Grafana",
        lambda: (
            {source["uid"] for source in answers("/api/datasources")} >= set(enabled)
        ),
    )
