"""Application: is the app fast and right, and if not, which part of it.

Requests by rate, errors and duration (RED), then what they need: database, cache.
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
from soloscope.dashboards.pieces import apps_with, graph, now, over, stat, steps, table
from soloscope.dashboards.queries import APP, APP_ERRORS
from soloscope.dashboards.shared import app_dashboard

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.dashboards.grafana import Dashboard
    from soloscope.dashboards.queries import Source

_NONE = "no request in 5 minutes"
#: Connections of the pool that are `active` or `idle`.
_POOL = 'max by (app) (database_{}_connections{{app="$app"}})'


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """One for the apps with HTTP metrics."""
    apps = apps_with(config, "http")
    if source.kind != "prometheus" or not apps:
        return
    sections = []
    if apps_with(config, "database"):
        sections.append(_database())
    if apps_with(config, "cache") or any(app.redis for app in apps):
        cache = bool(apps_with(config, "cache"))
        sections.append(_cache(own=cache, redis=any(app.redis for app in apps)))
    yield app_dashboard(
        source,
        "soloscope-application",
        title="soloscope application",
        description="Is the app fast and right, and if not, which part of it.",
        rows=(_red(), _over_time(), _routes()),
        sections=sections,
        since="now-6h",
        apps=apps,
    )


def _red() -> Row:
    """Is it fast and right, now."""
    p = 'app:http_request_duration_seconds:p{}_5m{{app="$app"}}'
    return Row(
        4,
        [
            stat(
                "health",
                "Health",
                "Every check of this app: its health address and what it declares. "
                "Good is well.",
                now('min by (app) (soloscope_check_up{app="$app"})'),
                "NO CHECK",
                background=True,
                mappings=say({1: ("well", "green"), 0: ("NOT WELL", "red")}),
                thresholds=thresholds((None, "orange")),
            ),
            stat(
                "requests",
                "Requests per second",
                "Requests answered, average of five minutes. Good is what is usual "
                "for the hour; the line is the time range.",
                over('app:http_requests:rate5m{app="$app"}'),
                _NONE,
                unit="reqps",
                expr=APP,
            ),
            stat(
                "errors",
                "Failed requests",
                "Share of requests answered with 5xx in five minutes. Good is below "
                "0.1 %; from 5 % on it is an alert.",
                over('app:http_request_errors:ratio_rate5m{app="$app"}'),
                _NONE,
                unit="percentunit",
                thresholds=steps(0.001, 0.05),
                expr=APP_ERRORS,
            ),
            stat(
                "p50",
                "Half answered within",
                "Half of the requests of five minutes were faster (P50). Good is "
                "below 200 ms.",
                over(p.format(50)),
                _NONE,
                unit="s",
                thresholds=steps(0.2, 1),
            ),
            stat(
                "p95",
                "95 % answered within",
                "95 of 100 requests of five minutes were faster (P95). Good is below "
                "1 s.",
                over(p.format(95)),
                _NONE,
                unit="s",
                thresholds=steps(1, 2),
            ),
            stat(
                "p99",
                "99 % answered within",
                "99 of 100 requests of five minutes were faster (P99). Good is below "
                "2 s.",
                over(p.format(99)),
                _NONE,
                unit="s",
                thresholds=steps(2, 5),
            ),
        ],
    )


def _over_time() -> Row:
    """The same over the time range."""
    p = 'app:http_request_duration_seconds:p{}_5m{{app="$app"}}'
    return Row(
        8,
        [
            graph(
                "by_status",
                "Requests per second, by status",
                "2xx and 3xx are answers, 4xx requests that the app refused, 5xx its "
                "own failures. Good is no 5xx.",
                [
                    over(
                        "sum by (class) (label_replace(app_status:http_requests:rate5m"
                        '{app="$app"}, "class", "${1}xx", "status", "(.).*"))',
                        "{{class}}",
                    )
                ],
                "no request in this time",
                unit="reqps",
                stacked=True,
                colors={
                    "2xx": "green",
                    "3xx": "blue",
                    "4xx": "orange",
                    "5xx": "red",
                },
            ),
            graph(
                "durations",
                "Response time",
                "How long 50, 95 and 99 of 100 requests took at most. The lines are "
                "1 s and 2 s: P95 should stay below the first, P99 below the second.",
                [over(p.format(n), f"P{n}") for n in (50, 95, 99)],
                "no request in this time",
                unit="s",
                limits=thresholds((None, "transparent"), (1, "orange"), (2, "red")),
                colors={"P50": "green", "P95": "blue", "P99": "purple"},
            ),
        ],
    )


def _routes() -> Row:
    """Which route it is."""
    failed = graph(
        "errors_over_time",
        "Failed requests over time",
        "Share of requests answered with 5xx. A spike after a purple line is the "
        "deployment.",
        [over('app:http_request_errors:ratio_rate5m{app="$app"}', "5xx")],
        "no request in this time",
        unit="percentunit",
        colors={"5xx": "red"},
    )
    routes = table(
        "routes",
        "Slowest routes",
        "Each route in the last five minutes: its P95, its requests per second, and "
        "the share that failed. Good is below 1 s and 0.1 %.",
        [
            _by_route("app_route:http_request_duration_seconds:p95_5m", " >= 0"),
            _by_route("app_route:http_requests:rate5m"),
            _by_route("app_route:http_request_errors:ratio_rate5m"),
        ],
        _NONE,
        {
            "route": "route",
            "Value #A": "P95",
            "Value #B": "per second",
            "Value #C": "failed",
        },
        sort="P95",
        unit="short",
        overrides=[
            override("P95", unit="s", thresholds=steps(1, 2), custom__width=90),
            override("per second", unit="reqps", decimals=3, custom__width=110),
            override("failed", unit="percentunit", custom__width=90),
        ],
    )
    return Row(8, [failed, routes])


def _by_route(series: str, more: str = "") -> Query:
    # Rows are joined where all labels agree, so the name must go.
    expr = f'max by (route) ({series}{{app="$app"}}{more})'
    return Query("prometheus", expr, how="table")


def _database() -> Section:
    """The database as the app sees it."""
    return Section(
        "Database",
        [
            Row(
                4,
                [
                    stat(
                        "pool",
                        "Connections in use",
                        "Share of the pool's connections that are busy. Good is below "
                        "80 %; at 100 % requests wait.",
                        now(
                            'max by (app) (database_active_connections{app="$app"}) '
                            '/ max by (app) (database_connection_pool_size{app="$app"})'
                        ),
                        "no pool reported",
                        unit="percentunit",
                        thresholds=steps(0.8, 0.95),
                    ),
                    stat(
                        "queries_p95",
                        "95 % of queries within",
                        "Of the last hour. Good is below 50 ms.",
                        now('app:database_query_duration_seconds:p95_1h{app="$app"}'),
                        "no query in an hour",
                        unit="s",
                        thresholds=steps(0.05, 0.5),
                    ),
                    stat(
                        "slow",
                        "Slow queries, 1 h",
                        "As the app counts them. Good is a handful.",
                        now('app:database_slow_queries:increase1h{app="$app"}'),
                        "not reported",
                        decimals=0,
                        thresholds=steps(10, 100),
                    ),
                    stat(
                        "database_errors",
                        "Failed queries, 1 h",
                        "Queries that the database did not answer. Good is 0.",
                        now('app:database_errors:increase1h{app="$app"}'),
                        "not reported",
                        decimals=0,
                        thresholds=steps(0.5, 10),
                        expr=APP_ERRORS,
                    ),
                ],
            ),
            Row(
                7,
                [
                    graph(
                        "connections",
                        "Connections",
                        "Connections of the pool that are busy and that wait. Good is "
                        "some that wait at all times.",
                        [
                            over(
                                _POOL.format("active"),
                                "busy",
                            ),
                            over(
                                _POOL.format("idle"),
                                "waiting",
                            ),
                        ],
                        "no pool reported",
                        stacked=True,
                        colors={"busy": "orange", "waiting": "green"},
                    ),
                    graph(
                        "query_time",
                        "Queries, P95 of an hour",
                        "95 of 100 queries were faster, by what they do. Good is flat.",
                        [
                            over(
                                'app_operation:database_query_duration_seconds:p95_1h{app="$app"}',
                                "{{operation}}",
                            )
                        ],
                        "no query in this time",
                        unit="s",
                    ),
                ],
            ),
        ],
    )


def _cache(*, own: bool, redis: bool) -> Section:
    """The app's cache, and its Redis."""
    looked = 'app_result:cache_requests:increase1h{app="$app"'
    panels: list[Panel] = []
    if own:
        panels.append(
            stat(
                "hits",
                "Cache hits",
                "Share of look-ups in the app's cache that found something, of the "
                "last hour. Good is above 80 %.",
                now(
                    f'sum by (app) ({looked},result="hit"}}) '
                    f"/ (sum by (app) ({looked}}}) > 0)"
                ),
                "no look-up in an hour",
                unit="percentunit",
                thresholds=steps(0.8, 0.5, low=True),
            )
        )
    if redis:
        panels += [
            stat(
                "redis_memory",
                "Redis: memory",
                "Memory of the app's Redis. Good is well below what the host has.",
                now('max by (app) (redis_memory_used_bytes{app="$app"})'),
                "Redis does not answer",
                unit="bytes",
            ),
            stat(
                "redis_clients",
                "Redis: connections",
                "Clients of the app's Redis. Good is a number that does not grow.",
                now('max by (app) (redis_connected_clients{app="$app"})'),
                "Redis does not answer",
                decimals=0,
            ),
            stat(
                "redis_evicted",
                "Redis: keys evicted, 24 h",
                "Keys that Redis dropped because its memory was full. Good is 0: "
                "soloscope's counts are among the keys.",
                now(
                    'sum by (app) (increase(redis_evicted_keys_total{app="$app"}[24h]))'
                ),
                "Redis does not answer",
                decimals=0,
                thresholds=steps(1, 100),
            ),
        ]
    return Section("Cache and Redis", [Row(4, panels)])
