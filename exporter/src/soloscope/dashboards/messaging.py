"""Messaging: do WhatsApp and SMS arrive, how fast, and what do they cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.dashboards.grafana import Query, Row, override
from soloscope.dashboards.pieces import (
    apps_with,
    graph,
    lines,
    now,
    over,
    stat,
    steps,
    table,
)
from soloscope.dashboards.shared import app_dashboard

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.dashboards.grafana import Dashboard
    from soloscope.dashboards.queries import Source

_LINES = '{app="$app"} | event=~"(message|sms|whatsapp)_.+"'
_SENT = 'app_channel_result:messages_sent:increase1h{app="$app"'


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """One for the apps with metrics of messages."""
    apps = apps_with(config, "messaging")
    if source.kind != "prometheus" or not apps:
        return
    yield app_dashboard(
        source,
        "soloscope-messaging",
        title="soloscope messaging",
        description="Do WhatsApp and SMS arrive, how fast, and what do they cost.",
        rows=(_values(), _over_time(), _channels()),
        since="now-24h",
        apps=apps,
    )


def _day(matchers: str = "", by: str = "app") -> str:
    return f'sum by ({by}) (increase(messages_sent_total{{app="$app"{matchers}}}[24h]))'


def _values() -> Row:
    failed = ',result="failed"'
    return Row(
        4,
        [
            stat(
                "delivered",
                "Delivered, 24 h",
                "Share of messages that arrived. Good is above 99 %.",
                now(f"1 - {_day(failed)} / ({_day()} > 0)"),
                "no message in 24 hours",
                unit="percentunit",
                decimals=2,
                thresholds=steps(0.99, 0.95, low=True),
                expr=_LINES,
            ),
            stat(
                "sent",
                "Sent, 24 h",
                "Messages handed to the providers, those that failed included.",
                now(_day()),
                "not reported",
                decimals=0,
            ),
            stat(
                "failed",
                "Failed, 24 h",
                "Messages that did not arrive. Good is a few; the lines below say why.",
                now(_day(failed)),
                "not reported",
                decimals=0,
                thresholds=steps(10, 100),
                expr=_LINES,
            ),
            stat(
                "cost",
                "Cost, 24 h",
                "What the providers charge for the messages of 24 hours.",
                now(
                    "sum by (app) (increase("
                    'message_cost_dollars_total{app="$app"}[24h]))'
                ),
                "not reported",
                unit="currencyUSD",
                decimals=2,
            ),
        ],
    )


def _over_time() -> Row:
    return Row(
        8,
        [
            graph(
                "per_hour",
                "Sent per hour, by channel",
                "Messages of the last hour at each moment.",
                [over(f"sum by (channel) ({_SENT}}})", "{{channel}}")],
                "no message in this time",
                stacked=True,
                colors={"whatsapp": "green", "sms": "blue"},
            ),
            graph(
                "failed_per_hour",
                "Failed per hour, by channel",
                "Messages of the last hour that did not arrive. Good is 0.",
                [over(f'{_SENT},result="failed"}}', "{{channel}}")],
                "not reported",
                colors={"whatsapp": "orange", "sms": "red"},
            ),
            graph(
                "durations",
                "Providers' response time, P95 of an hour",
                "95 of 100 messages were taken faster. Good is below 2 s.",
                [
                    over(
                        'app_channel:message_send_duration_seconds:p95_1h{app="$app"}',
                        "{{channel}}",
                    )
                ],
                "no message in this time",
                unit="s",
                colors={"whatsapp": "green", "sms": "blue"},
            ),
        ],
    )


def _channels() -> Row:
    cost = 'sum by (channel) (increase(message_cost_dollars_total{app="$app"}[24h]))'
    return Row(
        8,
        [
            table(
                "channels",
                "Channels, 24 h",
                "Each channel: what was sent, what failed, what it cost. Compare them "
                "where a message may take either.",
                [
                    Query("prometheus", expr, how="table")
                    for expr in (
                        _day(by="channel"),
                        _day(',result="failed"', by="channel"),
                        cost,
                    )
                ],
                "not reported",
                {
                    "channel": "channel",
                    "Value #A": "sent",
                    "Value #B": "failed",
                    "Value #C": "cost",
                },
                sort="sent",
                decimals=0,
                overrides=[override("cost", unit="currencyUSD", decimals=2)],
            ),
            lines(
                "events",
                "What failed",
                "Lines about messages, newest first: the channel, the provider's code, "
                "the user.",
                f'{_LINES} | json channel="channel",code="code" '
                "| drop __error__, __error_details__ | line_format "
                "`{{ .event }}  {{ .channel }}  {{ .code }}  {{ .user }}`",
                "nothing was logged in this time",
            ),
        ],
        widths=(9, 15),
    )
