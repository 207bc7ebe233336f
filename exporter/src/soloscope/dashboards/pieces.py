"""Panels that several dashboards have: a value, a graph, a table, log lines.

A number of an app is a link to the lines behind it, and a log line is a link to
what else its user did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from soloscope.dashboards.explore import link
from soloscope.dashboards.grafana import (
    Json,
    Panel,
    Query,
    fixed,
    override,
    stat_options,
    thresholds,
)

if TYPE_CHECKING:
    from soloscope.config import App, Config
    from soloscope.config.options import Area

__all__ = [
    "apps_with",
    "graph",
    "journey",
    "lines",
    "now",
    "over",
    "stat",
    "steps",
    "table",
    "users",
]

#: Columns of a table of an instant query that carry nothing.
_NOISE = {"Time": True, "__name__": True, "app": True, "instance": True, "job": True}


def apps_with(config: Config, *areas: Area) -> list[App]:
    """The apps whose metrics are about one of `areas`."""
    return [
        app
        for app in config.apps.values()
        if app.metrics is not None and set(app.metrics.areas) & set(areas)
    ]


def now(expr: str, legend: str = "") -> Query:
    """A value of Prometheus now."""
    return Query("prometheus", expr, legend=legend)


def over(expr: str, legend: str = "", step: str = "") -> Query:
    """Values of Prometheus over the time range."""
    return Query("prometheus", expr, how="range", legend=legend, step=step)


def steps(orange: float, red: float, *, low: bool = False) -> Json:
    """Green below `orange`, red from `red` on; with `low` small values are the bad.

    No value has the colour of text.
    """
    if low:
        return thresholds(
            (None, "text"), (0, "red"), (red, "orange"), (orange, "green")
        )
    return thresholds((None, "text"), (0, "green"), (orange, "orange"), (red, "red"))


def stat(
    key: str,
    title: str,
    description: str,
    query: Query,
    no_value: str,
    *,
    expr: str = "",
    background: bool = False,
    **more: Any,
) -> Panel:
    """One value, which follows the time range only if the query does.

    With `expr` a click on it opens these log lines.
    """
    if expr:
        more["links"] = [link("The lines behind it", expr)]
    options = stat_options(background=background, line=query.how == "range")
    if more.get("decimals") == 0:  # a count: 1,254 and not 1 K
        more.setdefault("unit", "locale")
    return Panel(
        key, "stat", title, description, (query,), no_value, options=options, **more
    )


def graph(
    key: str,
    title: str,
    description: str,
    queries: Sequence[Query],
    no_value: str,
    *,
    bars: bool = False,
    stacked: bool = False,
    colors: Mapping[str, str] | None = None,
    limits: Json | None = None,
    **more: Any,
) -> Panel:
    """Values over the time range, from zero on.

    `colors` by the name of a series; `limits` are thresholds drawn as lines.
    """
    whole = more.get("decimals") == 0
    custom: Json = {
        "axisPlacement": "auto",
        # All zero is a flat line at the bottom, not an axis to 100.
        # Grafana writes `no_value` at a half where there are no decimals.
        "axisSoftMax": 5 if whole else 0.01 if "unit" in more else 1,
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 75 if bars else 50 if stacked else 12,
        # The line of a stacked zero would lie on that of the series below it.
        "lineWidth": 0 if bars or stacked else 1,
        "showPoints": "never",
        # A gap of a few scrapes is no gap in the app.
        "spanNulls": 300_000,
        "stacking": {"group": "A", "mode": "normal" if bars or stacked else "none"},
    }
    if limits:
        custom["thresholdsStyle"] = {"mode": "line"}
        more["thresholds"] = limits
    overrides = [
        override(name, color={"mode": "fixed", "fixedColor": color})
        for name, color in (colors or {}).items()
    ]
    return Panel(
        key,
        "timeseries",
        title,
        description,
        tuple(queries),
        no_value,
        **{"min": 0, "palette": True, "custom": custom, **more},
        overrides=overrides,
        options={
            "legend": {
                "showLegend": True,
                "displayMode": "list",
                "placement": "bottom",
                "calcs": [],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    )


def table(
    key: str,
    title: str,
    description: str,
    queries: Sequence[Query],
    no_value: str,
    columns: Mapping[str, str],
    *,
    sort: str = "",
    descending: bool = True,
    overrides: Sequence[Json] = (),
    **more: Any,
) -> Panel:
    """The labels and the value of each series, as rows.

    `columns` maps the fields to the titles shown, in their order. `sort` is a title;
    the largest are first, or the smallest. `no_value` is for a table without rows: a
    cell without a value has a dash, unless `overrides` say otherwise.
    """
    hidden = {field: True for field in _NOISE if field not in columns}
    transformations: list[Json] = [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": hidden,
                "indexByName": {field: at for at, field in enumerate(columns)},
                "renameByName": dict(columns),
            },
        },
    ]
    if sort:
        order = {"field": sort, "desc": descending}
        transformations.append({"id": "sortBy", "options": {"sort": [order]}})
    if more.get("decimals") == 0:
        more.setdefault("unit", "locale")
    return Panel(
        key,
        "table",
        title,
        description,
        tuple(queries),
        no_value,
        custom={"align": "left", "filterable": False, "inspect": False},
        options={
            "cellHeight": "sm",
            "footer": {"show": False, "reducer": ["sum"], "fields": ""},
            "showHeader": True,
        },
        transformations=transformations,
        overrides=[
            *(override(name, noValue="-") for name in columns.values()),
            *overrides,
        ],
        **more,
    )


def lines(
    key: str,
    title: str,
    description: str,
    expr: str,
    no_value: str,
    *,
    limit: int = 50,
    oldest_first: bool = False,
    wrap: bool = False,
    links: Sequence[Json] = (),
) -> Panel:
    """Log lines; a click opens a line's fields."""
    return Panel(
        key,
        "logs",
        title,
        description,
        (Query("loki", expr, how="logs", limit=limit),),
        no_value,
        options={
            "dedupStrategy": "none",
            "enableLogDetails": True,
            "prettifyLogMessage": False,
            "showCommonLabels": False,
            "showLabels": False,
            "showTime": True,
            "sortOrder": "Ascending" if oldest_first else "Descending",
            "wrapLogMessage": wrap,
        },
        links=links or [link("These lines in Explore", expr)],
    )


def users(
    key: str, title: str, description: str, selector: str, column: str, empty: str
) -> Panel:
    """The users with most lines of `selector`; each leads to the user's journey."""
    return table(
        key,
        title,
        description,
        [
            Query(
                "loki",
                f'topk(10, sum by (user) (count_over_time({selector} | user!="" '
                "[$__range])))",
                how="table",
            )
        ],
        empty,
        {"user": "user", "Value #A": column},
        sort=column,
        decimals=0,
        overrides=[override("user", links=[journey("user")], color=fixed("blue"))],
    )


def journey(field: str) -> Json:
    """A link from the value of `field` to what that user or conversation did."""
    value = "${__data.fields." + field + "}"
    return {
        "title": "What happened to this user",
        "url": f"/d/soloscope-user-journey?var-app=${{app}}&var-who={value}"
        "&${__url_time_range}",
        "targetBlank": False,
    }
