"""What soloscope's own timers have left in their files: the digest and the canary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from soloscope.canary import results
from soloscope.digest import sending

if TYPE_CHECKING:
    from soloscope.config import Config

__all__ = ["timer_families"]


def timer_families(config: Config) -> Iterator[Metric]:
    """The metrics of the timers that the host has, read from their files now."""
    if config.digest.enable:
        sent = sending.read(config.digest.state_file)
        yield GaugeMetricFamily(
            "soloscope_digest_last_success_timestamp_seconds",
            "When the last digest was handed to soloscope notify; 0 before the first",
            value=sent.at if sent is not None else 0.0,
        )
    if config.canary is not None:
        last = results.read(config.canary.state_file)
        yield CounterMetricFamily(
            "soloscope_canary_runs", "Runs of soloscope canary", value=last.runs
        )
        yield GaugeMetricFamily(
            "soloscope_canary_last_run_timestamp_seconds",
            "When the last run of soloscope canary began; 0 before the first",
            value=last.at,
        )
        success = GaugeMetricFamily(
            "soloscope_canary_success",
            "Whether what the canary sent on its way was found",
            labels=["leg"],
        )
        seconds = GaugeMetricFamily(
            "soloscope_canary_seconds",
            "How long the canary's line, count or alert took",
            labels=["leg"],
        )
        for name, leg in last.legs.items():
            success.add_metric([name], float(leg.ok))
            seconds.add_metric([name], leg.seconds)
        yield success
        yield seconds
