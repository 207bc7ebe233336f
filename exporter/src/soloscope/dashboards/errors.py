"""Errors: what fails, how often, and what is new today.

Repetitions of one error are a group, as in `soloscope errors`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.dashboards.grafana import Query, Row, override
from soloscope.dashboards.pieces import graph, lines, stat, steps, table, users
from soloscope.dashboards.queries import APP_ERRORS, or_zero
from soloscope.dashboards.shared import app_dashboard, apps_with_logs
from soloscope.error_groups import count_query, seen_query

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.dashboards.grafana import Dashboard
    from soloscope.dashboards.queries import Source

_APP = "$app"
#: Groups of the last day that the six days before did not have.
NEW = f"({count_query('24h', _APP)}) unless ({count_query('6d', _APP, offset='24h')})"


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """One for the apps with a log."""
    apps = apps_with_logs(config)
    if not apps:
        return
    yield app_dashboard(
        source,
        "soloscope-errors",
        title="soloscope errors",
        description="What fails, how often, and what is new today.",
        rows=(_values(source), _groups(), _latest()),
        apps=apps,
    )


def _values(source: Source) -> Row:
    colors = steps(1, 10)
    silent = "no log line in this time"
    return Row(
        4,
        [
            stat(
                "hour",
                "Errors, 1 h",
                "Lines with level error or fatal in the last hour. Good is 0.",
                source.errors("1h"),
                "no log line in an hour",
                decimals=0,
                thresholds=colors,
                expr=APP_ERRORS,
            ),
            stat(
                "day",
                "Errors, 24 h",
                "Lines with level error or fatal in the last 24 hours. Good is 0.",
                source.errors("24h"),
                silent,
                decimals=0,
                thresholds=colors,
                expr=APP_ERRORS,
            ),
            stat(
                "new",
                "New today",
                "Groups of errors of the last 24 hours that the six days before did "
                "not have. Good is 0: a new one is often the last deployment.",
                Query("loki", or_zero(f"count by (app) ({NEW})", "24h")),
                silent,
                decimals=0,
                thresholds=steps(1, 5),
            ),
            stat(
                "groups",
                "Different errors, 24 h",
                "Groups of the last 24 hours, new or not. Good is 0.",
                Query(
                    "loki",
                    or_zero(f"count by (app) ({count_query('24h', _APP)})", "24h"),
                ),
                silent,
                decimals=0,
                thresholds=steps(3, 10),
            ),
        ],
    )


def _groups() -> Row:
    per_hour = Query(
        "loki",
        f"sum by (event) (count_over_time({APP_ERRORS} [1h]))",
        how="range",
        legend="{{event}}",
        step="1h",
    )
    times = [
        Query("loki", f"1000 * {seen_query(which, '$__range', _APP)}", how="table")
        for which in ("min", "max")
    ]
    groups = table(
        "list",
        "Errors of the time range",
        "Each different error with its number, when it was first and last seen in the "
        "time range, and what it says; numbers, ids and quoted words are `#`. Good is "
        "an empty list.",
        [
            Query("loki", count_query("$__range", _APP), how="table"),
            *times,
        ],
        "no error in this time",
        {
            "Value #A": "times",
            "Value #C": "last",
            "Value #B": "first",
            "event": "event",
            "error": "error",
            "text": "what it says",
        },
        sort="times",
        decimals=0,
        overrides=[
            override("times", custom__width=70),
            override("first", unit="dateTimeFromNow", custom__width=120),
            override("last", unit="dateTimeFromNow", custom__width=120),
            override("event", custom__width=170),
            override("error", custom__width=150),
            override("what it says", custom__inspect=True),
        ],
    )
    trend = graph(
        "trend",
        "Errors per hour",
        "By event. Good is nothing; a column after a purple line is the deployment.",
        [per_hour],
        "no error in this time",
        bars=True,
        decimals=0,
        interval="1h",
        max_points=1000,
    )
    return Row(9, [trend, groups], widths=(7, 17))


def _latest() -> Row:
    hurt = users(
        "users",
        "Users with errors",
        "Who met most errors in the time range. A click shows all that happened to "
        "that user. Good is an empty list.",
        APP_ERRORS,
        "errors",
        "no user met an error",
    )
    newest = lines(
        "latest",
        "Newest errors",
        "The lines themselves, newest first. Open one for its fields.",
        f'{APP_ERRORS} | json err="err.message",msg="msg",message="message" '
        "| drop __error__, __error_details__ "
        "| line_format `{{ .event }}  {{ or .err .msg .message __line__ }}  "
        "{{ .user }}`",
        "no error in this time",
    )
    return Row(9, [newest, hurt], widths=(17, 7))
