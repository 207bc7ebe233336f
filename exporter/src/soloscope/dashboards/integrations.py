"""Integrations: which outside service fails or is slow."""

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

_LINES = '{app="$app"} | event=~"(oauth|token|api)_.+"'
_BAD = 'status!~"[23].."'


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """One for the apps with metrics of outside services."""
    apps = apps_with(config, "integrations")
    if source.kind != "prometheus" or not apps:
        return
    yield app_dashboard(
        source,
        "soloscope-integrations",
        title="soloscope integrations",
        description="Which outside service fails or is slow.",
        rows=(_values(), _over_time(), _providers()),
        since="now-24h",
        apps=apps,
    )


def _day(metric: str, matchers: str = "", by: str = "app") -> str:
    return f'sum by ({by}) (increase({metric}{{app="$app"{matchers}}}[24h]))'


def _good(metric: str, bad: str, by: str = "app") -> str:
    return f"1 - {_day(metric, f',{bad}', by)} / ({_day(metric, by=by)} > 0)"


def _values() -> Row:
    failed = 'result="failed"'
    good = steps(0.99, 0.9, low=True)
    return Row(
        4,
        [
            stat(
                "calls",
                "Calls answered, 24 h",
                "Share of calls to outside APIs with a 2xx or 3xx. Good is above 99 %.",
                now(_good("api_calls_total", _BAD)),
                "no call in 24 hours",
                unit="percentunit",
                decimals=2,
                thresholds=good,
                expr=_LINES,
            ),
            stat(
                "flows",
                "Logins through others, 24 h",
                "Share of OAuth logins that were completed. Good is above 90 %: some "
                "people change their mind.",
                now(_good("oauth_flows_total", failed)),
                "no login in 24 hours",
                unit="percentunit",
                decimals=2,
                thresholds=steps(0.9, 0.7, low=True),
                expr=_LINES,
            ),
            stat(
                "refreshes",
                "Tokens refreshed, 24 h",
                "Share of token refreshes that worked. Good is above 99 %: who fails "
                "here must log in again.",
                now(_good("oauth_token_refreshes_total", failed)),
                "no refresh in 24 hours",
                unit="percentunit",
                decimals=2,
                thresholds=good,
                expr='{app="$app"} | event="token_refresh_failed"',
            ),
            stat(
                "slowest",
                "Slowest service, P95",
                "The longest of the services' times, 95 of 100 calls of an hour. Good "
                "is below 5 s.",
                now(
                    "max by (app) (app_provider:api_call_duration_seconds:p95_1h"
                    '{app="$app"})'
                ),
                "no call in an hour",
                unit="s",
                thresholds=steps(5, 15),
            ),
        ],
    )


def _over_time() -> Row:
    return Row(
        8,
        [
            graph(
                "calls_per_hour",
                "Calls per hour, by service",
                "Calls of the last hour at each moment.",
                [
                    over(
                        "sum by (provider) (app_provider_status:api_calls:increase1h"
                        '{app="$app"})',
                        "{{provider}}",
                    )
                ],
                "no call in this time",
                stacked=True,
            ),
            graph(
                "durations",
                "Response time, P95 of an hour",
                "95 of 100 calls were faster, by service. Good is flat.",
                [
                    over(
                        'app_provider:api_call_duration_seconds:p95_1h{app="$app"}',
                        "{{provider}}",
                    )
                ],
                "no call in this time",
                unit="s",
            ),
        ],
    )


def _providers() -> Row:
    failed = 'result="failed"'
    return Row(
        8,
        [
            table(
                "providers",
                "Services, 24 h",
                "Each service: its calls, the share that was answered, tokens "
                "refreshed. Compare them.",
                [
                    Query("prometheus", expr, how="table")
                    for expr in (
                        _day("api_calls_total", by="provider"),
                        _good("api_calls_total", _BAD, "provider"),
                        _good("oauth_flows_total", failed, "provider"),
                        _good("oauth_token_refreshes_total", failed, "provider"),
                    )
                ],
                "not reported",
                {
                    "provider": "service",
                    "Value #A": "calls",
                    "Value #B": "answered",
                    "Value #C": "logins",
                    "Value #D": "tokens",
                },
                sort="calls",
                unit="percentunit",
                overrides=[
                    override("calls", unit="none", decimals=0),
                    # Not every service is one to log in through.
                    override("logins", noValue="-"),
                    override("tokens", noValue="-"),
                ],
            ),
            lines(
                "events",
                "What failed",
                "Lines about OAuth, tokens and outside APIs, newest first.",
                f'{_LINES} | json provider="provider" '
                "| drop __error__, __error_details__ "
                "| line_format `{{ .event }}  {{ .provider }}  {{ .user }}`",
                "nothing was logged in this time",
            ),
        ],
    )
