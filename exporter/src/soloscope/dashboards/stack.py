"""Stack: does soloscope itself work, from the log shipper to the alert.

A screen that is calm because nothing arrives is worse than none, so this one says
whether logs and metrics arrive, and what is lost on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.dashboards.grafana import (
    Panel,
    Query,
    Row,
    Section,
    override,
    say,
    thresholds,
)
from soloscope.dashboards.pieces import graph, lines, now, over, stat, steps, table
from soloscope.dashboards.shared import app_dashboard

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.config.options import Shipper
    from soloscope.dashboards.grafana import Dashboard
    from soloscope.dashboards.queries import Source

_LOKI_LOST = (
    "loki_ingester_wal_disk_full_failures_total",
    "loki_ingester_chunks_flush_failures_total",
)
_OURS = '{unit=~"soloscope-.*|loki.service|prometheus.service|grafana.service"'


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """One where Prometheus runs."""
    if source.kind != "prometheus":
        return
    sections = [_loki(budget=config.loki.budget is not None), _prometheus()]
    if config.alertmanager.enable:
        sections.append(_alerts())
    if config.digest.enable or config.canary is not None:
        sections.append(_timers(config))
    if config.notify is not None:
        sections.append(_notify())
    yield app_dashboard(
        source,
        "soloscope-stack",
        title="soloscope stack",
        description="Does soloscope itself work, from the log shipper to the alert.",
        rows=(_values(config.shipper), _targets(), _flow(config.shipper)),
        sections=sections,
        since="now-6h",
        apps=(),
    )


def _values(shipper: Shipper) -> Row:
    lost = " + ".join(f"sum(increase({name}[24h]))" for name in _LOKI_LOST)
    return Row(
        4,
        [
            stat(
                "down",
                "Programs down",
                "Scrape targets of Prometheus that are down. Good is 0; the table "
                "below names them.",
                now("count(up == 0) or 0 * count(up)"),
                "PROMETHEUS DOES NOT ANSWER",
                background=True,
                decimals=0,
                thresholds=thresholds((None, "red"), (0, "green"), (1, "red")),
            ),
            stat(
                "checks",
                "soloscope's own checks",
                "Whether Loki, Prometheus, Grafana and Alertmanager answer "
                "`soloscope serve`. Good is well; an app's checks are on its screen.",
                now('min(soloscope_check_up{app=""})'),
                "SOLOSCOPE DOES NOT ANSWER",
                background=True,
                mappings=say({1: ("well", "green"), 0: ("NOT WELL", "red")}),
                thresholds=thresholds((None, "red")),
            ),
            stat(
                "newest",
                "Newest log line",
                "When the newest line in Loki was written. Good is seconds ago on a "
                "host with traffic; an hour means that the shipper is stuck.",
                Query(
                    "loki",
                    '1000 * max(max_over_time({job=~".+"} | label_format '
                    "seen=`{{ __timestamp__ | unixEpoch }}` | unwrap seen [1h]) "
                    "by (job))",
                ),
                "NO LINE IN AN HOUR",
                unit="dateTimeFromNow",
                thresholds=thresholds((None, "red"), (1, "green")),
            ),
            stat(
                "dropped",
                "Log lines lost, 24 h",
                "Lines that the log shipper gave up: Loki refused them or was away "
                "too long. Good is 0.",
                now(f"sum(increase({shipper.lost_metric}[24h]))"),
                "the shipper does not answer",
                decimals=0,
                thresholds=steps(1, 1000),
                expr=f'{_OURS},level=~"warn|error|fatal"}}',
            ),
            stat(
                "loki_lost",
                "Loki: writes that failed, 24 h",
                "Chunks not flushed and records of the log not written. Good is 0: "
                "Loki answers well on a full disk, and loses the lines at a restart.",
                now(lost),
                "Loki does not answer",
                decimals=0,
                thresholds=steps(1, 1),
            ),
            stat(
                "rules",
                "Rules that failed, 24 h",
                "Evaluations of alert and recording rules that ended in an error. "
                "Good is 0: such an alert cannot fire.",
                now("sum(increase(prometheus_rule_evaluation_failures_total[24h]))"),
                "Prometheus does not answer",
                decimals=0,
                thresholds=steps(1, 10),
            ),
        ],
    )


def _targets() -> Row:
    up = say({1: ("up", "green"), 0: ("DOWN", "red")})
    targets = table(
        "targets",
        "Programs",
        "Everything that Prometheus asks: whether it answered, how long that took, "
        "how many series it gave, and the memory it uses. Good is up everywhere.",
        [
            # Rows are joined where all labels agree, so the name must go.
            Query("prometheus", f"min by (job) ({series})", how="table")
            for series in (
                "up",
                "scrape_duration_seconds",
                "scrape_samples_scraped",
                "process_resident_memory_bytes",
            )
        ],
        "PROMETHEUS DOES NOT ANSWER",
        {
            "job": "job",
            "Value #A": "state",
            "Value #B": "scrape",
            "Value #C": "series",
            "Value #D": "memory",
        },
        sort="state",
        descending=False,
        decimals=0,
        overrides=[
            override(
                "state",
                mappings=up,
                custom__width=80,
                custom__cellOptions={"type": "color-text"},
            ),
            override("scrape", unit="s", custom__width=90),
            override("series", unit="locale", custom__width=80),
            override("memory", unit="bytes", decimals=0, custom__width=90),
        ],
    )
    troubles = lines(
        "troubles",
        "What the stack complains about",
        "Warnings and errors of soloscope, Loki, Prometheus and Grafana, newest first. "
        "Good is an empty list.",
        f'{_OURS},level=~"warn|error|fatal"}}',
        "nothing in this time",
    )
    return Row(9, [targets, troubles])


def _flow(shipper: Shipper) -> Row:
    return Row(
        7,
        [
            graph(
                "lines",
                "Log lines per second",
                "Taken by Loki, lost by the shipper, and above the flood limit. Good "
                "is that only the first is there.",
                [
                    over(f"sum(rate({name}[$__rate_interval]))", words)
                    for name, words in (
                        ("loki_distributor_lines_received_total", "taken"),
                        (shipper.lost_metric, "lost"),
                        (shipper.flood_metric, "above the limit"),
                    )
                ],
                "the shipper does not answer",
                unit="short",
                colors={"taken": "green", "lost": "red", "above the limit": "orange"},
            ),
            graph(
                "memory",
                "Memory",
                "What each program of the stack uses. Good is flat over days.",
                [over("sum by (job) (process_resident_memory_bytes)", "{{job}}")],
                "PROMETHEUS DOES NOT ANSWER",
                unit="bytes",
                stacked=True,
            ),
        ],
    )


def _loki(*, budget: bool) -> Section:
    none = "Loki does not answer"
    panels: list[Panel] = [
        stat(
            "loki_rate",
            "Loki: taken per day",
            "Bytes of log lines at the rate of the last hour. Good is what the disk "
            "budget was made for.",
            now("86400 * sum(rate(loki_distributor_bytes_received_total[1h]))"),
            none,
            unit="bytes",
        ),
        stat(
            "loki_refused",
            "Loki: lines refused, 24 h",
            "Too old, too long or too many. Good is 0.",
            now(
                "sum(increase(loki_discarded_samples_total[24h])) "
                "or 0 * sum(loki_build_info)"
            ),
            none,
            decimals=0,
            thresholds=steps(1, 1000),
        ),
    ]
    if budget:
        panels += [
            stat(
                "budget",
                "Loki: budget used",
                "Bytes on disk as a share of `loki.maxDiskGiB`. Good is below 85 %: "
                "above that lines are kept for less long.",
                now("sum(soloscope_loki_bytes) / max(soloscope_loki_budget_bytes)"),
                "the budget's timer has not run",
                unit="percentunit",
                decimals=0,
                thresholds=steps(0.85, 0.95),
            ),
            stat(
                "kept",
                "Loki: lines are kept",
                "How long, as the budget allows. Good is `loki.retention`.",
                now("max(soloscope_loki_retention_seconds)"),
                "the budget's timer has not run",
                unit="s",
                decimals=0,
            ),
        ]
    return Section("Loki", [Row(4, panels)])


def _prometheus() -> Section:
    none = "Prometheus does not answer"
    return Section(
        "Prometheus and soloscope serve",
        [
            Row(
                4,
                [
                    stat(
                        "series",
                        "Series",
                        "Series that Prometheus holds in memory. Good is some "
                        "thousands; a label with ids makes it grow without end.",
                        now("max(prometheus_tsdb_head_series)"),
                        none,
                        decimals=0,
                        thresholds=steps(200_000, 1_000_000),
                    ),
                    stat(
                        "tsdb",
                        "On disk",
                        "The size of Prometheus' blocks.",
                        now("max(prometheus_tsdb_storage_blocks_bytes)"),
                        none,
                        unit="bytes",
                    ),
                    stat(
                        "serve",
                        "Reading the counts takes",
                        "How long `soloscope serve` needed for the app's counts in "
                        "Redis. Good is below 100 ms.",
                        now("max(soloscope_scrape_duration_seconds)"),
                        "soloscope does not answer",
                        unit="s",
                        thresholds=steps(0.5, 5),
                    ),
                    stat(
                        "no_expiry",
                        "Keys without expiry",
                        "Keys of the app's counts that Redis keeps for ever. Good is "
                        "0; `soloscope doctor` names them.",
                        now("sum(soloscope_keys_without_expiry)"),
                        "soloscope does not answer",
                        decimals=0,
                        thresholds=steps(1, 100),
                    ),
                ],
            )
        ],
    )


def _alerts() -> Section:
    none = "Alertmanager does not answer"
    return Section(
        "Alertmanager",
        [
            Row(
                4,
                [
                    stat(
                        "open",
                        "Open alerts",
                        "Alerts that Alertmanager holds now, the watchdog included.",
                        now('sum(alertmanager_alerts{state="active"})'),
                        none,
                        decimals=0,
                    ),
                    stat(
                        "told_failed",
                        "Notifications that failed, 24 h",
                        "Alertmanager could not hand them over. Good is 0.",
                        now(
                            "sum(increase("
                            "alertmanager_notifications_failed_total[24h]))"
                        ),
                        none,
                        decimals=0,
                        thresholds=steps(1, 10),
                    ),
                    stat(
                        "told_dropped",
                        "Alerts that did not get there, 24 h",
                        "Prometheus could not hand them to Alertmanager. Good is 0.",
                        now(
                            " + ".join(
                                f"sum(increase(prometheus_notifications_{end}[24h]))"
                                for end in ("dropped_total", "errors_total")
                            )
                        ),
                        "Prometheus does not answer",
                        decimals=0,
                        thresholds=steps(1, 10),
                    ),
                ],
            )
        ],
    )


def _timers(config: Config) -> Section:
    panels: list[Panel] = []
    if config.digest.enable:
        sent = "max(soloscope_digest_last_success_timestamp_seconds)"
        panels.append(
            stat(
                "digest_age",
                "Age of the last report",
                "Since the morning's report was handed to `soloscope notify`. Good is "
                "less than a day.",
                now(f"time() - ({sent} > 0)"),
                "none was sent yet",
                unit="s",
                thresholds=steps(90_000, 180_000),
            )
        )
    if config.canary is not None:
        none = "the canary has not run"
        panels += [
            stat(
                "canary",
                "Canary",
                "Whether what `soloscope canary` sent on its way arrived: a log line, "
                "a count, an alert, the heartbeat. Good is well everywhere.",
                now("min by (leg) (soloscope_canary_success)", "{{leg}}"),
                none,
                background=True,
                mappings=say({1: ("well", "green"), 0: ("LOST", "red")}),
                thresholds=thresholds((None, "red")),
            ),
            graph(
                "canary_seconds",
                "The canary takes",
                "How long each thing was on its way. Good is seconds; a slow line "
                "means a shipper or a Loki that falls behind.",
                [over("max by (leg) (soloscope_canary_seconds)", "{{leg}}")],
                none,
                unit="s",
            ),
        ]
    return Section("Morning report and canary", [Row(6, panels)])


def _notify() -> Section:
    none = "soloscope notify does not answer"
    return Section(
        "Messages to you",
        [
            Row(
                6,
                [
                    stat(
                        "outbox",
                        "Messages that wait",
                        "What `soloscope notify` has not handed over yet, by channel. "
                        "Good is 0.",
                        now(
                            "sum by (channel) (soloscope_notify_waiting)", "{{channel}}"
                        ),
                        none,
                        decimals=0,
                        thresholds=steps(1, 10),
                    ),
                    stat(
                        "outbox_age",
                        "The oldest waits",
                        "By channel. Good is below a minute: a provider that is away "
                        "makes it grow.",
                        now(
                            "max by (channel) "
                            "(soloscope_notify_oldest_waiting_seconds)",
                            "{{channel}}",
                        ),
                        none,
                        unit="s",
                        decimals=0,
                        thresholds=steps(60, 900),
                    ),
                    graph(
                        "messages",
                        "Messages per hour",
                        "By channel and what became of them. Good is nothing failed.",
                        [
                            over(
                                "sum by (channel, result) "
                                "(increase(soloscope_notify_messages_total[1h]))",
                                "{{channel}} {{result}}",
                            )
                        ],
                        none,
                        decimals=0,
                    ),
                ],
            )
        ],
    )
