"""Loki, the log shipper, Prometheus and `serve`, by their APIs and metrics."""

from __future__ import annotations

import time
from collections import defaultdict
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

_CLOCK = "set the clock of their host"
_REASONS: Mapping[str, str] = {
    "greater_than_max_sample_age": f"the lines are too old: {_CLOCK}, or raise `loki` "
    "limits_config.reject_old_samples_max_age",
    "too_far_behind": f"the lines are over an hour behind their stream: {_CLOCK}",
    "out_of_order": f"the lines are out of order: {_CLOCK}",
    "too_far_in_future": f"the lines are from the future: {_CLOCK}",
    "rate_limited": "too many lines: find the flood in the dashboard, or raise `loki` "
    "limits_config.ingestion_rate_mb",
    "per_stream_rate_limit": "one unit logs too much: find it, or raise `loki` "
    "limits_config.per_stream_rate_limit",
    "line_too_long": "let the app log shorter lines, or raise `loki` "
    "limits_config.max_line_size",
    "stream_limit": "too many label values: remove labels that you added",
    "max_label_names_per_series": "too many labels: remove labels that you added",
}
_REFUSED = "loki_discarded_samples_total"
_DISK = {
    "loki_ingester_wal_disk_full_failures_total": "log",
    "loki_ingester_chunks_flush_failures_total": "chunks",
}
METRICS = (_REFUSED, *_DISK)


def refused(found: Iterable[Sample]) -> Iterator[Finding]:
    """Lines that Loki refused or lost since its start, from its metrics. Pure."""
    counts: dict[tuple[str, str], float] = defaultdict(float)
    for one in found:
        counts[one.name, one.labels.get("reason", "unknown")] += one.value
    for (name, reason), count in sorted(counts.items()):
        if count > 0 and name == _REFUSED:
            what = f"Loki has refused {count:.0f} lines since it started: {reason}"
            fix = _REASONS.get(reason, "see Loki's log: `journalctl -u loki`")
            yield wrong("loki-refuses", "", what, fix)
        elif count > 0:
            what = f"Loki could not write its {_DISK[name]} to disk {count:.0f} times; "
            what += "those lines are gone at a restart"
            fix = "make room on Loki's disk (`df -h`), or shorten `loki.retention`"
            yield wrong("loki-disk", "", what, fix)


def _away(name: str, unit: str, error: BackendUnavailable) -> Finding:
    fix = f"`systemctl status {unit}`, `journalctl -u {unit} -n 50`"
    why = str(error).removeprefix(f"{name} at ")
    return wrong(name.lower(), "", f"{name} does not answer: {why}", fix)


def loki(config: Config, clock: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Whether Loki accepts and receives lines, and the faults of the apps' lines."""
    api = LokiApi.of(config)
    try:
        yield from refused(metrics_text.read(api.base, 10, *METRICS))
        yield from _arrived(config, api)
        for app in config.apps.values():
            if app.units:
                selector, now = f'{{app="{app.name}"}}', clock()
                found = api.lines(selector, now - SINCE, now, LINES)
                yield from lines.examine(app.name, found)
    except BackendUnavailable as error:
        yield _away("Loki", "loki", error)


def _arrived(config: Config, api: LokiApi) -> Iterator[Finding]:
    """Apps with lines in the journal that do not arrive in Loki."""
    query = f'sum by (app) (count_over_time({{job=~".+"}}[{SINCE}s]))'
    count = {one.labels.get("app", ""): one.value for one in api.instant(query)}
    shipper = f"the log shipper (`soloscope-{config.shipper.engine}`)"
    if not any(count.values()) and config.apps:
        fix = f"start {shipper}; it must be in the group `systemd-journal`"
        yield wrong("shipper", "", "no line has reached Loki for an hour", fix)
        return
    for app in config.apps.values():
        if not app.units or count.get(app.name):
            continue
        logged = systemd.journal_has_lines(app.units, SINCE // 60)
        units = ", ".join(f"`{unit}`" for unit in app.units)
        if logged:
            what = f"{units} logged in the last hour, but nothing has reached Loki"
            fix = f"see that {shipper} runs and names these units"
            yield wrong("shipper", app.name, what, fix)
        else:
            what = f"no line of {units} in Loki for an hour"
            what += "" if logged is None else ", nor in the journal"
            fix = f"nothing, if the app is quiet; otherwise repair `apps.{app.name}"
            yield note("silent", app.name, what, f"{fix}.units`")


_QUERIES = {
    "up == 0": (
        "target-down",
        "Prometheus cannot scrape `{job}` at {instance}",
        "start what listens there, or repair its address",
    ),
    'absent(up{job="soloscope"})': (
        "target-down",
        "Prometheus has no scrape job `soloscope`",
        "rebuild the system; Prometheus' targets page shows what it scrapes",
    ),
    "sum by (job) (increase({lost}[1h])) > 0": (
        "shipper",
        "`{job}` has given up {value:.0f} lines or so in an hour",
        "`journalctl -u soloscope-{job} -n 50` says why",
    ),
    "abs(node_timex_offset_seconds) > 0.5": (
        "clock",
        "the machine's clock is off by {value:.1f} s",
        "enable `services.timesyncd.enable`",
    ),
}


def prometheus(config: Config) -> Iterator[Finding]:
    """By Prometheus: targets that are down, lost lines, and the clock."""
    if not config.prometheus.enable:
        return
    api = PrometheusApi.of(config)
    try:
        for query, (code, what, fix) in _QUERIES.items():
            named = query.replace("{lost}", config.shipper.lost_metric)
            for one in api.instant(named):
                words = {"job": "?", "instance": "?", **one.labels, "value": one.value}
                app = one.labels.get("app", "")
                yield wrong(code, app, what.format(**words), fix.format(**words))
    except BackendUnavailable as error:
        yield _away("Prometheus", "prometheus", error)


_SERVED = ("soloscope_up", "soloscope_keys_without_expiry", "soloscope_keys_dropped")


def serve(config: Config, hidden: Mapping[str, App]) -> Iterator[Finding]:
    """By `soloscope serve`: mainly apps whose Redis is `hidden` here."""
    base = base_url(config.exporter)
    unit = "soloscope-exporter"
    try:
        read = metrics_text.read(base, 10, *_SERVED)
    except BackendUnavailable as error:
        what = f"`soloscope serve` does not answer: {error}"
        yield wrong("serve", "", what, f"`systemctl status {unit}`")
        return
    found = {(one.name, one.labels.get("app", "")): one.value for one in read}
    for (metric, name), value in sorted(found.items()):
        if metric == "soloscope_up" and name in hidden and not value:
            what = "`soloscope serve` cannot read the app's Redis"
            yield wrong("redis", name, what, f"`journalctl -u {unit} -n 50` says why")
        elif metric.endswith("expiry") and name in hidden and value > 0:
            fix = "let the app set one of 30 days with each write"
            yield wrong("no-expiry", name, f"{value:.0f} keys have no expiry", fix)
        elif metric.endswith("dropped") and value > 0:
            what = f"{value:.0f} breakdown keys are not shown"
            fix = "count fewer different keys, or raise the `limit` of "
            yield note("too-many-keys", name, what, f"{fix}`apps.{name}.breakdowns`")
    for app in config.apps.values():
        if ("soloscope_up", app.name) not in found and app.redis is not None:
            what = "`soloscope serve` does not know this app"
            yield unseen("serve", app.name, what, f"`systemctl restart {unit}`")
