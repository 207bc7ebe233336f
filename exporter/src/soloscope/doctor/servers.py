"""Loki, the log shipper, Prometheus and `serve`, by what they say of themselves."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from soloscope.backends import metrics_text, systemd
from soloscope.backends.http import base_url
from soloscope.backends.loki import LokiApi
from soloscope.backends.prometheus import PrometheusApi
from soloscope.doctor import lines
from soloscope.doctor.finding import Finding, note, unseen, wrong
from soloscope.errors import BackendUnavailable

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

    from soloscope.config import App, Config

__all__ = ["METRICS", "loki", "prometheus", "refused", "serve"]

SINCE = 3600
"""Seconds of log that are looked at."""

LINES = 2000
"""Lines of each app that are looked at, the newest."""

_REASONS: Mapping[str, str] = {
    "greater_than_max_sample_age": "the lines are too old: set the clock of their "
    "host, or raise `loki` limits_config.reject_old_samples_max_age",
    "too_far_behind": "the lines are more than an hour behind their stream: set the "
    "clock of their host",
    "out_of_order": "the lines are out of order: set the clock of their host",
    "too_far_in_future": "the lines are from the future: set the clock of their host",
    "rate_limited": "too many lines: find the flood in the dashboard, or raise `loki` "
    "limits_config.ingestion_rate_mb",
    "per_stream_rate_limit": "one unit logs too much: find it, or raise `loki` "
    "limits_config.per_stream_rate_limit",
    "line_too_long": "let the app log shorter lines, or raise `loki` "
    "limits_config.max_line_size",
    "stream_limit": "too many label values: remove labels that you added",
    "max_label_names_per_series": "too many labels: remove labels that you added",
}

_DISK: Mapping[str, str] = {
    "loki_ingester_wal_disk_full_failures_total": "Loki could not write its log to "
    "disk",
    "loki_ingester_chunks_flush_failures_total": "Loki could not write its chunks to "
    "disk",
}


METRICS = ("loki_discarded_samples_total", *_DISK)


def refused(found: Iterable[Sample]) -> Iterator[Finding]:
    """What Loki has refused or lost since it started, from its own metrics. Pure."""
    counts: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for sample in found:
        if sample.name in _DISK:
            lost[sample.name] += sample.value  # type: ignore[assignment]
        else:
            reason = sample.labels.get("reason", "unknown")
            counts[reason] += sample.value  # type: ignore[assignment]
    for reason, count in sorted(counts.items()):
        if count > 0:
            fix = _REASONS.get(reason, "see Loki's log: `journalctl -u loki`")
            yield wrong(
                "loki-refuses",
                "",
                f"Loki has refused {count:.0f} lines since it started: {reason}",
                fix,
            )
    for name, count in sorted(lost.items()):
        if count > 0:
            yield wrong(
                "loki-disk",
                "",
                f"{_DISK[name]} {count:.0f} times; those lines are gone at a restart",
                "make room on Loki's disk (`df -h`), or shorten `loki.retention`",
            )


def loki(config: Config, clock: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Whether Loki takes lines, gets them, and what the apps' lines lack."""
    api = LokiApi.of(config)
    try:
        yield from refused(metrics_text.read(api.base, 10, *METRICS))
        yield from _arrived(config, api)
        for app in config.apps.values():
            if app.units:
                found = api.lines(
                    f'{{app="{app.name}"}}', clock() - SINCE, clock(), LINES
                )
                yield from lines.examine(app.name, found)
    except BackendUnavailable as error:
        yield wrong(
            "loki",
            "",
            f"Loki does not answer: {error}",
            "`systemctl status loki`, `journalctl -u loki -n 50`",
        )


def _arrived(config: Config, api: LokiApi) -> list[Finding]:
    """Apps whose lines do not arrive, although there are some."""
    count = {
        sample.labels.get("app", ""): sample.value
        for sample in api.instant(
            f'sum by (app) (count_over_time({{job=~".+"}}[{SINCE}s]))'
        )
    }
    shipper = f"the log shipper (`soloscope-{config.shipper.engine}`)"
    if not any(count.values()) and config.apps:
        return [
            wrong(
                "shipper",
                "",
                "no line has reached Loki for an hour",
                f"start {shipper}; it must be in the group `systemd-journal`",
            )
        ]
    found = []
    for app in config.apps.values():
        if not app.units or count.get(app.name):
            continue
        logged = systemd.journal_has_lines(app.units, SINCE // 60)
        units = ", ".join(f"`{unit}`" for unit in app.units)
        if logged:
            found.append(
                wrong(
                    "shipper",
                    app.name,
                    f"{units} logged in the last hour, but nothing has reached Loki",
                    f"see that {shipper} runs and names these units",
                )
            )
        else:
            found.append(
                note(
                    "silent",
                    app.name,
                    f"no line of {units} in Loki for an hour"
                    + ("" if logged is None else ", nor in the journal"),
                    "nothing, if the app is quiet; otherwise repair "
                    f"`apps.{app.name}.units`",
                )
            )
    return found


def prometheus(config: Config) -> Iterator[Finding]:
    """What Prometheus knows: targets that are down, lost lines, and the clock."""
    if not config.prometheus.enable:
        return
    api = PrometheusApi.of(config)
    try:
        for sample in api.instant("up == 0"):
            job = sample.labels.get("job", "?")
            instance = sample.labels.get("instance", "?")
            yield wrong(
                "target-down",
                sample.labels.get("app", ""),
                f"Prometheus cannot scrape `{job}` at {instance}",
                "start what listens there, or repair its address",
            )
        if not api.instant('up{job="soloscope"}'):
            yield wrong(
                "target-down",
                "",
                "Prometheus has no scrape job `soloscope`",
                "rebuild the system; Prometheus' targets page shows what it scrapes",
            )
        dropped = "promtail_dropped_entries_total|loki_write_dropped_entries_total"
        lost = f'sum by (job) (increase({{__name__=~"{dropped}"}}[1h])) > 0'
        for sample in api.instant(lost):
            job = sample.labels.get("job", "?")
            yield wrong(
                "shipper",
                "",
                f"`{job}` has given up {sample.value:.0f} lines or so in an hour",
                f"`journalctl -u soloscope-{job} -n 50` says why",
            )
        for sample in api.instant("abs(node_timex_offset_seconds) > 0.5"):
            yield wrong(
                "clock",
                "",
                f"the machine's clock is off by {sample.value:.1f} s",
                "enable `services.timesyncd.enable`",
            )
    except BackendUnavailable as error:
        yield wrong(
            "prometheus",
            "",
            f"Prometheus does not answer: {error}",
            "`systemctl status prometheus`, `journalctl -u prometheus -n 50`",
        )


_SERVED = ("soloscope_up", "soloscope_keys_without_expiry", "soloscope_keys_dropped")


def serve(config: Config, hidden: Mapping[str, App]) -> Iterator[Finding]:
    """What `soloscope serve` shows, above all for apps whose Redis is `hidden` here."""
    base = base_url(config.exporter.listen_address, config.exporter.port)
    try:
        read = metrics_text.read(base, 10, *_SERVED)
    except BackendUnavailable as error:
        yield wrong(
            "serve",
            "",
            f"`soloscope serve` does not answer: {error}",
            "`systemctl status soloscope-exporter`",
        )
        return
    found = {(one.name, one.labels.get("app", "")): one.value for one in read}
    for name in hidden:
        if found.get(("soloscope_up", name)) == 0:
            yield wrong(
                "redis",
                name,
                "`soloscope serve` cannot read the app's Redis",
                "`journalctl -u soloscope-exporter -n 50` says why",
            )
        forever = found.get(("soloscope_keys_without_expiry", name), 0)
        if forever > 0:
            yield wrong(
                "no-expiry",
                name,
                f"{forever:.0f} keys have no expiry",
                "let the app set one of 30 days with each write",
            )
    for (metric, name), value in sorted(found.items()):
        if metric == "soloscope_keys_dropped" and value > 0:
            yield note(
                "too-many-keys",
                name,
                f"{value:.0f} breakdown keys are not shown",
                "count fewer different keys, or raise the `limit` of "
                f"`apps.{name}.breakdowns`",
            )
    for app in config.apps.values():
        if ("soloscope_up", app.name) not in found and app.redis is not None:
            yield unseen(
                "serve",
                app.name,
                "`soloscope serve` does not know this app",
                "restart it: `systemctl restart soloscope-exporter`",
            )
