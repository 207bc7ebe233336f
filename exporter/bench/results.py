"""What a run gives, as plain data that goes to JSON and back.

Times are in milliseconds, memory and sizes in bytes, rates in 1/s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Answer", "Load", "Results", "Scrape", "Stall", "Start", "quantile"]


def quantile(samples: Sequence[float], q: float) -> float:
    """The nearest-rank quantile: a value that really occurred."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def median(samples: Sequence[float]) -> float:
    """The middle value."""
    return quantile(samples, 0.5)


@dataclass(frozen=True)
class Scrape:
    """Scrapes of one exporter with one set of headers: medians, and the quartiles."""

    ms: float
    low: float
    high: float
    cpu: float
    redis_cpu: float
    size: int
    scrapes: int


@dataclass(frozen=True)
class Answer:
    """One candidate: plain, with Prometheus' headers, and when nothing has changed.

    `quiet` is plain as well, and without writes between the scrapes.
    """

    plain: Scrape
    prometheus: Scrape
    quiet: Scrape
    series: int
    memory: int


@dataclass(frozen=True)
class Load:
    """Eight clients at once."""

    rate: float
    p99: float
    memory: int


@dataclass(frozen=True)
class Start:
    """From the start of the process until it listens and has answered; CPU for it."""

    listens: float
    answers: float
    cpu: float
    starts: int


@dataclass(frozen=True)
class Stall:
    """How long a PING of another client of Redis took."""

    p50: float
    p99: float
    p999: float
    longest: float
    pings: int


@dataclass(frozen=True)
class Results:
    """One run. Keys are candidates (see run.py), and in `growth` dimensions."""

    machine: dict[str, str]
    answers: dict[str, Answer]
    loads: dict[str, Load]
    starts: dict[str, Start]
    stalls: dict[str, Stall]
    # dimension -> line -> points (x, lower quartile of ms)
    growth: dict[str, dict[str, list[tuple[float, float]]]]

    def to_json(self) -> dict[str, Any]:
        """As JSON's own types."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Results:
        """What `to_json` gave."""
        return cls(
            machine=value["machine"],
            answers={
                key: Answer(
                    plain=Scrape(**answer["plain"]),
                    prometheus=Scrape(**answer["prometheus"]),
                    quiet=Scrape(**answer["quiet"]),
                    series=answer["series"],
                    memory=answer["memory"],
                )
                for key, answer in value["answers"].items()
            },
            loads={key: Load(**load) for key, load in value["loads"].items()},
            starts={key: Start(**start) for key, start in value["starts"].items()},
            stalls={key: Stall(**stall) for key, stall in value["stalls"].items()},
            growth={
                name: {
                    line: [(x, y) for x, y in points] for line, points in lines.items()
                }
                for name, lines in value["growth"].items()
            },
        )
