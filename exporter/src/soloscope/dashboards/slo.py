"""SLO: how much of what may fail has failed, and how fast the rest goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.dashboards.grafana import Query, Row, override, thresholds
from soloscope.dashboards.pieces import apps_with, graph, now, over, stat, steps, table
from soloscope.dashboards.queries import APP_ERRORS
from soloscope.dashboards.shared import app_dashboard

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.dashboards.grafana import Dashboard
    from soloscope.dashboards.queries import Source

_NONE = "no request in 30 days"
_OBJECTIVE = 'max by (app) (app:availability:objective{app="$app"})'
#: Share of requests that failed in 30 days: a sum over a sum.
_FAILED = (
    'sum by (app) (avg_over_time(app:http_request_errors:rate1h{app="$app"}[30d])) '
    '/ (sum by (app) (avg_over_time(app:http_requests:rate1h{app="$app"}[30d])) > 0)'
)


def _burn(window: str) -> str:
    return (
        f'max by (app) (app:http_request_errors:ratio_rate{window}{{app="$app"}}) '
        f"/ (1 - {_OBJECTIVE})"
    )


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """One for the apps with HTTP metrics, which all have an objective."""
    apps = apps_with(config, "http")
    if source.kind != "prometheus" or not apps:
        return
    yield app_dashboard(
        source,
        "soloscope-slo",
        title="soloscope SLO",
        description="How much of what may fail has failed, and how fast the rest goes.",
        rows=(_values(), _over_time()),
        since="now-7d",
        apps=apps,
    )


def _values() -> Row:
    return Row(
        4,
        [
            stat(
                "budget",
                "Error budget left",
                "What may still fail of what the objective allows in 30 days. Good is "
                "above half; below 0 the objective is missed.",
                now(f"1 - ({_FAILED}) / (1 - {_OBJECTIVE})"),
                _NONE,
                unit="percentunit",
                decimals=1,
                thresholds=thresholds(
                    (None, "red"), (0, "orange"), (0.25, "yellow"), (0.5, "green")
                ),
            ),
            stat(
                "availability",
                "Answered well, 30 days",
                "Share of requests without a 5xx in 30 days. Good is at or above the "
                "objective beside it.",
                now(f"1 - {_FAILED}"),
                _NONE,
                unit="percentunit",
                decimals=3,
            ),
            stat(
                "objective",
                "Objective",
                "What the app promises (`apps.<name>.objectives.availability`).",
                now(_OBJECTIVE),
                "not declared",
                unit="percentunit",
                decimals=2,
            ),
            stat(
                "burn_1h",
                "Burn rate, 1 h",
                "How many times faster than allowed the budget is used. 1 uses it up "
                "in 30 days; from 14.4 on it is a critical alert.",
                now(_burn("1h")),
                "no request in an hour",
                decimals=2,
                thresholds=steps(1, 14.4),
                expr=APP_ERRORS,
            ),
            stat(
                "burn_6h",
                "Burn rate, 6 h",
                "The same over six hours. From 6 on it is a critical alert.",
                now(_burn("6h")),
                "no request in 6 hours",
                decimals=2,
                thresholds=steps(1, 6),
                expr=APP_ERRORS,
            ),
            stat(
                "burn_3d",
                "Burn rate, 3 days",
                "The same over three days. From 1 on it is a warning.",
                now(_burn("3d")),
                "no request in 3 days",
                decimals=2,
                thresholds=steps(1, 6),
                expr=APP_ERRORS,
            ),
        ],
    )


def _over_time() -> Row:
    return Row(
        9,
        [
            graph(
                "burn",
                "Burn rate over time",
                "How fast the budget was used, by window. Good is below 1; the lines "
                "are 1, 6 and 14.4, where the alerts are.",
                [over(_burn(window), window) for window in ("1h", "6h", "3d")],
                "no request in this time",
                limits=thresholds(
                    (None, "transparent"), (1, "yellow"), (6, "orange"), (14.4, "red")
                ),
            ),
            table(
                "routes",
                "Where the failures are",
                "Failed requests of 24 hours, by route and status. Good is none.",
                [
                    Query(
                        "prometheus",
                        "sort_desc(sum by (method, route, status) (increase("
                        'http_requests_total{app="$app",status=~"5.."}[24h])) > 0.5)',
                        how="table",
                    )
                ],
                "no request failed in 24 hours",
                {
                    "method": "method",
                    "route": "route",
                    "status": "status",
                    "Value": "failed",
                },
                decimals=0,
                overrides=[override("failed", custom__width=90)],
            ),
        ],
        widths=(15, 9),
    )
