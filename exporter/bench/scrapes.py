"""Shuffled rounds of scrapes.

In each round every candidate gets a short block of scrapes, in an order that is drawn
anew, so that whatever else the machine does falls on all of them alike.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

from bench.client import PLAIN, PROMETHEUS, Connection
from bench.data import Touch
from bench.processes import Process, cpu_seconds, memory
from bench.results import Answer, Scrape, median, quantile

__all__ = ["Candidate", "Effort", "measure"]

# How a block is scraped: the headers, and whether an app writes in between.
_HOW = {
    "plain": (PLAIN, True),
    "prometheus": (PROMETHEUS, True),
    "quiet": (PLAIN, False),
}


@dataclass(frozen=True)
class Candidate:
    """A running exporter, the Redis that it reads, and what it must show.

    `prefixes` of lines must occur exactly, or with `at_least` no fewer times than
    the number beside them.
    """

    key: str
    exporter: Process
    redis: Process
    touch: Touch
    expect: dict[bytes, int]
    at_least: bool = False

    def check(self) -> int:
        """The number of series. Raises ValueError when the counts are not there."""
        with Connection(self.exporter.port, PLAIN) as connection:
            lines = connection.scrape().text().splitlines()
        for prefix, expected in self.expect.items():
            found = sum(line.startswith(prefix) for line in lines)
            if found < expected or (found > expected and not self.at_least):
                raise ValueError(
                    f"{self.key}: {found} lines `{prefix.decode()}…`, not {expected}; "
                    "what it does not read cannot be measured"
                )
        return sum(not line.startswith(b"#") for line in lines)


@dataclass(frozen=True)
class Effort:
    """How long to look: rounds, and the seconds of one block."""

    rounds: int
    block: float


@dataclass
class _Samples:
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    redis_cpu: list[float] = field(default_factory=list)
    size: int = 0

    def summary(self) -> Scrape:
        return Scrape(
            ms=median(self.seconds) * 1000,
            low=quantile(self.seconds, 0.25) * 1000,
            high=quantile(self.seconds, 0.75) * 1000,
            cpu=median(self.cpu) * 1000,
            redis_cpu=median(self.redis_cpu) * 1000,
            size=self.size,
            scrapes=len(self.seconds),
        )


def _block(candidate: Candidate, how: str, seconds: float, samples: _Samples) -> None:
    headers, busy = _HOW[how]
    exporter, server = candidate.exporter.pid, candidate.redis.pid
    with Connection(candidate.exporter.port, headers) as connection:
        # The first scrape of a connection pays for the connection.
        connection.scrape()
        start = perf_counter()
        samples.size = connection.scrape().size
        count = int(seconds / (perf_counter() - start))
        count = max(2, min(count, 60))
        redis_cpu = 0.0
        cpu = cpu_seconds(exporter)
        for _ in range(count):
            if busy:
                candidate.touch()
            before = cpu_seconds(server)
            start = perf_counter()
            connection.scrape()
            samples.seconds.append(perf_counter() - start)
            redis_cpu += cpu_seconds(server) - before
        samples.cpu.append((cpu_seconds(exporter) - cpu) / count)
        samples.redis_cpu.append(redis_cpu / count)


def measure(
    candidates: Sequence[Candidate], effort: Effort, order: random.Random
) -> dict[str, Answer]:
    """Scrape all candidates in shuffled rounds."""
    series = {candidate.key: candidate.check() for candidate in candidates}
    turns = [(candidate, how) for candidate in candidates for how in _HOW]
    samples = {(candidate.key, how): _Samples() for candidate, how in turns}
    for _ in range(effort.rounds):
        order.shuffle(turns)
        for candidate, how in turns:
            _block(candidate, how, effort.block, samples[candidate.key, how])
    return {
        candidate.key: Answer(
            plain=samples[candidate.key, "plain"].summary(),
            prometheus=samples[candidate.key, "prometheus"].summary(),
            quiet=samples[candidate.key, "quiet"].summary(),
            series=series[candidate.key],
            memory=memory(candidate.exporter.pid),
        )
        for candidate in candidates
    }
