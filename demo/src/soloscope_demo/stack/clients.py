"""Free ports, waiting, and queries to Prometheus and Loki.

The demo's proof, the tests and the benchmarks use these.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import requests

from ..errors import DemoError

ADDRESS = "127.0.0.1"

T = TypeVar("T")


def free_ports(number: int) -> list[int]:
    """`number` different ports of 127.0.0.1 that are not in use."""
    with contextlib.ExitStack() as held:
        listeners = [held.enter_context(socket.socket()) for _ in range(number)]
        for listener in listeners:
            listener.bind((ADDRESS, 0))
        return [int(listener.getsockname()[1]) for listener in listeners]


def until(
    what: str, attempt: Callable[[], T | None], within: float = 30.0, every: float = 0.1
) -> T:
    """The first true result of `attempt`, which is called at an interval in seconds.

    Failures that pass while a program starts (a refused connection, an answer that
    is no JSON yet) count as no answer. Raises `DemoError` after `within` seconds, which
    says what was waited for and the last answer.
    """
    end = time.monotonic() + within
    while True:
        try:
            last: object = (answer := attempt())
            if answer:
                return answer
        except (OSError, ValueError, LookupError) as error:
            last = error
        if time.monotonic() > end:
            raise DemoError(
                f"not within {within:.0f} s: {what} (the last answer: {last!r})"
            )
        time.sleep(every)


class Entry(NamedTuple):
    """A log entry as Loki returns it: its time in nanoseconds, its line.

    `metadata` is the structured metadata, if requested apart; else it is in the labels.
    """

    time: int
    line: str
    labels: dict[str, str]
    metadata: dict[str, str]


@dataclass(frozen=True)
class Prometheus:
    """Prometheus' HTTP API. `url` is the address without a slash at the end."""

    url: str
    timeout: float = 20.0
    prefix = "/api/v1"

    def get(
        self,
        path: str,
        parameters: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The `data` of an answer; else `requests.HTTPError` in the program's words."""
        reply = requests.get(
            f"{self.url}{self.prefix}/{path}",
            params={key: str(value) for key, value in parameters.items()},
            headers=headers,
            timeout=self.timeout,
        )
        if not reply.ok:
            text = f"{reply.status_code} for {parameters}: {reply.text.strip()}"
            raise requests.HTTPError(text, response=reply)
        return reply.json()["data"]

    def values(
        self, query: str, **parameters: object
    ) -> list[tuple[dict[str, str], float]]:
        """(labels, value) of each series of an instant query."""
        found = self.get("query", {"query": query, **parameters})["result"]
        return [(series["metric"], float(series["value"][1])) for series in found]


@dataclass(frozen=True)
class Loki(Prometheus):
    """Loki's HTTP API, whose queries of numbers are those of Prometheus."""

    prefix = "/loki/api/v1"

    def entries(
        self, query: str, *, apart: bool = False, **parameters: object
    ) -> list[Entry]:
        """The entries of a query, oldest first; of the last hour by default.

        With `apart`, structured metadata is kept apart from the labels. Parameters
        are the API's own: `since`, `start`, `end` (nanoseconds), `limit`, `direction`.
        """
        flags = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
        parameters = {"query": query, "limit": 5000, **parameters}
        data = self.get("query_range", parameters, flags if apart else None)
        found = []
        for stream in data["result"]:
            for at, line, *more in stream["values"]:
                metadata = more[0].get("structuredMetadata", {}) if more else {}
                found.append(Entry(int(at), line, stream["stream"], metadata))
        return sorted(found, key=lambda entry: entry.time)

    def push(self, labels: Mapping[str, str], values: Sequence[Sequence[Any]]) -> None:
        """Add lines to a stream: [time in ns as text, line, structured metadata]."""
        streams = {"streams": [{"stream": dict(labels), "values": list(values)}]}
        requests.post(
            f"{self.url}{self.prefix}/push", json=streams, timeout=self.timeout
        ).raise_for_status()

    def flush(self) -> None:
        """Make Loki flush its chunks from memory.

        It looks for lines older than some hours only in flushed chunks.
        """
        requests.post(f"{self.url}/flush", timeout=30).raise_for_status()
