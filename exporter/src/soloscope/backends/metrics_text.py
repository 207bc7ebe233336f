"""Metrics in Prometheus' text format, as programs show them at /metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soloscope.backends.http import ask, understood
from soloscope.errors import OTHER_SHAPE, BackendUnavailable

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

__all__ = ["read", "samples"]


def samples(text: str, *names: str) -> list[Sample]:
    """The samples with one of these names, in order.

    Raises ValueError when one of their lines is not a sample.
    """
    from prometheus_client.parser import text_string_to_metric_families

    # A program exports a thousand metrics; only the requested ones are parsed.
    # Not splitlines: a label's value may hold other line breaks than \n.
    wanted = [line for line in text.split("\n") if line.startswith(names)]
    try:
        return [
            sample
            for family in text_string_to_metric_families("\n".join(wanted) + "\n")
            for sample in family.samples
            if sample.name in names
        ]
    except OTHER_SHAPE as error:
        raise ValueError(f"no metrics: {error}") from None


def read(base: str, timeout: float, *names: str) -> list[Sample]:
    """The samples with one of these names at BASE/metrics.

    Raises BackendUnavailable with the address and the reason.
    """
    where = f"{base}/metrics"
    answer = ask(where, timeout)
    if answer.status != 200:
        raise BackendUnavailable(f"{where}: answered {answer.status}")
    with understood(where):
        return samples(answer.body.decode("utf-8", "replace"), *names)
