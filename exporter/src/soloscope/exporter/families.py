"""Every family but the large ones, as prometheus_client's metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client.core import (
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import (
    generate_latest as generate_openmetrics,
)
from prometheus_client.registry import Collector

from soloscope.exporter.exposition import TIMING, UNIQUE

if TYPE_CHECKING:
    from soloscope.config import App
    from soloscope.counts.jobs import JobState
    from soloscope.counts.model import Number, Snapshot
    from soloscope.exporter.exposition import Format

__all__ = ["app_families", "encode", "metric_info"]


_JOBS: tuple[tuple[str, str, Callable[[JobState], Number | None]], ...] = (
    (
        "soloscope_job_verdict",
        "A job's last run: 0 well, 1 some failed, 2 few done, 3 most failed, 4 late",
        lambda job: job.verdict,
    ),
    (
        "soloscope_job_done",
        "What a job's last run did, by its counter",
        lambda job: job.done,
    ),
    (
        "soloscope_job_failed",
        "What failed in a job's last run, by its counter of failures",
        lambda job: job.failed,
    ),
    (
        "soloscope_job_usual",
        "What a run usually does: the median of the seven days before",
        lambda job: job.usual,
    ),
)


class _Collected(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return (metric for metric in self._metrics if metric.samples)


def encode(metrics: Iterable[Metric], format: Format) -> bytes:  # noqa: A002
    """The families that have samples; OpenMetrics ends with `# EOF`."""
    write: Callable[[Collector], bytes] = generate_latest
    if format.openmetrics:
        write = generate_openmetrics
    return write(_Collected(metrics))


def metric_info(apps: Iterable[App]) -> Metric:
    """The declaration, which does not change while the process runs."""
    family = InfoMetricFamily(
        "soloscope_metric",
        "What was declared under a name",
        labels=["app", "name", "kind", "unit", "help"],
    )
    for app in apps:
        rows = [(n, "counter", c.unit, c.help) for n, c in app.counters.items()]
        rows += [(n, "breakdown", "", b.help) for n, b in app.breakdowns.items()]
        rows += [(n, "unique", "", u.help) for n, u in app.uniques.items()]
        rows += [(n, "timing", "seconds", t.help) for n, t in app.timings.items()]
        rows += [(n, "gauge", g.unit, g.help) for n, g in app.gauges.items()]
        for row in rows:
            family.add_metric([app.name, *row], {})
    return family


def app_families(snapshots: Sequence[Snapshot], format: Format) -> Iterator[Metric]:  # noqa: A002
    """The state of each app; only `soloscope_up` without an answer of Redis."""
    asked = [s for s in snapshots if s.app.redis is not None]
    live = [(s, s.today) for s in asked if s.today is not None]

    def gauge(
        name: str, text: str, samples: Iterable[tuple[Number | None, *tuple[str, ...]]]
    ) -> Metric:
        """Samples are value, app, and a name if the family has that label."""
        family = GaugeMetricFamily(name, text)
        for value, *values in samples:
            if value is not None:
                named = dict(zip(("app", "name"), values, strict=False))
                family.add_sample(name, named, value)
        return family

    yield gauge(
        "soloscope_up",
        "Whether the app's Redis answered this scrape",
        ((s.up, s.app.name) for s in asked),
    )
    yield gauge(
        UNIQUE.name,
        UNIQUE.help,
        ((v, s.app.name, n) for s, today in live for n, v in today.uniques.items()),
    )
    timing = SummaryMetricFamily(TIMING.name, TIMING.help, labels=["app", "name"])
    for s, today in live:
        for name, (calls, milliseconds) in today.timings.items():
            timing.add_metric([s.app.name, name], calls, milliseconds / 1000)
            if format.openmetrics:
                labels = {"app": s.app.name, "name": name}
                timing.add_sample(f"{timing.name}_created", labels, s.midnight)
    yield timing
    yield gauge(
        "soloscope_value",
        "The value now, hash `<prefix>now`",
        ((v, s.app.name, n) for s, _ in live for n, v in s.gauges.items()),
    )
    yield gauge(
        "soloscope_job_late",
        "Whether a job had not run five minutes after its time of day",
        ((j.late, s.app.name, n) for s, _ in live for n, j in s.jobs.items()),
    )
    yield gauge(
        "soloscope_job_last_success_timestamp_seconds",
        "When a job last succeeded; the deadline of that day when nobody watched",
        ((j.last_success, s.app.name, n) for s, _ in live for n, j in s.jobs.items()),
    )
    for name, text, value in _JOBS:
        yield gauge(
            name,
            text,
            ((value(j), s.app.name, n) for s, _ in live for n, j in s.jobs.items()),
        )
    yield gauge(
        "soloscope_keys_without_expiry",
        "Keys of declared names that Redis would keep for ever",
        ((s.keys_without_expiry, s.app.name) for s, _ in live),
    )
    yield gauge(
        "soloscope_keys_dropped",
        "Breakdown keys left out: above the limit, or too long for a label",
        ((s.keys_dropped, s.app.name) for s, _ in live),
    )
