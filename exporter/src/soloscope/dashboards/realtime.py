"""Realtime: do messages reach those who are connected, and do they stay connected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.dashboards.grafana import Row
from soloscope.dashboards.pieces import apps_with, graph, lines, now, over, stat, steps
from soloscope.dashboards.shared import app_dashboard

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.dashboards.grafana import Dashboard
    from soloscope.dashboards.queries import Source

_LOST = '{app="$app"} | event=~"socket_.+"'


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """One for the apps with metrics of sockets."""
    apps = apps_with(config, "realtime")
    if source.kind != "prometheus" or not apps:
        return
    yield app_dashboard(
        source,
        "soloscope-realtime",
        title="soloscope realtime",
        description="Do messages reach those who are connected, and do they stay so.",
        rows=(_values(), _over_time(), _events()),
        since="now-24h",
        apps=apps,
    )


def _values() -> Row:
    delivered = 'app_result:socket_deliveries:increase1h{app="$app"'
    return Row(
        4,
        [
            stat(
                "connections",
                "Connected now",
                "Connections that are open. Good is what is usual for the hour: a "
                "fall at once is a restart or a network that broke.",
                over('sum by (app) (socket_connections{app="$app"})'),
                "not reported",
                decimals=0,
            ),
            stat(
                "failed_deliveries",
                "Messages not delivered, 1 h",
                "Share of messages that did not reach a client. Good is below 1 %.",
                now(
                    f'sum by (app) ({delivered},result="failed"}}) '
                    f"/ (sum by (app) ({delivered}}}) > 0)"
                ),
                "no message in an hour",
                unit="percentunit",
                thresholds=steps(0.01, 0.05),
                expr=_LOST,
            ),
            stat(
                "lost",
                "Connections lost, 1 h",
                "Connections that ended otherwise than by their user. Good is a few.",
                now(
                    "sum by (app) (app_reason:socket_disconnects:increase1h"
                    '{app="$app",reason!~"closed|client.*"})'
                ),
                "not reported",
                decimals=0,
                thresholds=steps(10, 50),
                expr=_LOST,
            ),
            stat(
                "latency_p50",
                "Half arrive within",
                "Half of the last hour's messages were faster. Good is below 100 ms.",
                now('app:socket_latency_seconds:p50_1h{app="$app"}'),
                "no message in an hour",
                unit="s",
                thresholds=steps(0.1, 0.5),
            ),
            stat(
                "latency_p95",
                "95 % arrive within",
                "95 of 100 of the last hour's messages were faster. Good is below "
                "500 ms.",
                now('app:socket_latency_seconds:p95_1h{app="$app"}'),
                "no message in an hour",
                unit="s",
                thresholds=steps(0.5, 2),
            ),
            stat(
                "connects",
                "Connections made, 1 h",
                "Connections that began in the last hour, those made again included.",
                now('app:socket_connects:increase1h{app="$app"}'),
                "not reported",
                decimals=0,
            ),
        ],
    )


def _over_time() -> Row:
    return Row(
        8,
        [
            graph(
                "connected",
                "Connected",
                "Connections that were open.",
                [over('sum by (app) (socket_connections{app="$app"})', "connections")],
                "not reported",
                colors={"connections": "blue"},
            ),
            graph(
                "disconnects",
                "Connections that ended, per hour",
                "By reason. Good is that users close most of them.",
                [
                    over(
                        'app_reason:socket_disconnects:increase1h{app="$app"}',
                        "{{reason}}",
                    )
                ],
                "none ended in this time",
                stacked=True,
                colors={"closed": "green"},
            ),
            graph(
                "latency",
                "Latency of an hour",
                "How long 50 and 95 of 100 messages took at most. Good is flat.",
                [
                    over(f'app:socket_latency_seconds:p{n}_1h{{app="$app"}}', f"P{n}")
                    for n in (50, 95)
                ],
                "no message in this time",
                unit="s",
                colors={"P50": "green", "P95": "blue"},
            ),
        ],
    )


def _events() -> Row:
    return Row(
        7,
        [
            lines(
                "events",
                "What was lost",
                "Lines whose event begins with `socket_`, newest first. Open one for "
                "its user and reason.",
                f'{_LOST} | json reason="reason" | drop __error__, __error_details__ '
                "| line_format `{{ .event }}  {{ .reason }}  {{ .user }}`",
                "nothing was logged in this time",
            )
        ],
    )
