"""The last seven days, by the app's calendar, and what they were about."""

from __future__ import annotations

from collections.abc import Sequence

from soloscope.dashboards.grafana import Json, Panel, Query, Row, fixed, override
from soloscope.dashboards.queries import Source

#: 2026-11-18 is shown as 11-18. It stays a string: a date would be moved to the
#: browser's zone, and this is the app's own day.
SHORT_DAY: Json = {
    "type": "regex",
    "options": {
        "pattern": r"\d{4}-(\d\d-\d\d)",
        "result": {"text": "$1", "index": 0},
    },
}


def by_day(source: Source, *names: str) -> list[Json]:
    """Turn the answers of `per_day` into a table with a row for each day."""
    renamed = {"Value": names[0]}
    renamed |= {f"Value #{chr(ord('A') + i)}": name for i, name in enumerate(names)}
    steps: list[Json] = []
    if source.kind == "loki":
        steps.append({"id": "labelsToFields", "options": {"mode": "columns"}})
    steps.append({"id": "merge", "options": {}})
    if source.kind == "loki":
        # LogQL cannot select the last seven days by date.
        steps += [
            {"id": "sortBy", "options": {"sort": [{"field": "day", "desc": True}]}},
            {"id": "limit", "options": {"limitField": 7}},
        ]
    steps += [
        {"id": "sortBy", "options": {"sort": [{"field": "day", "desc": False}]}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True},
                "indexByName": {},
                "renameByName": renamed,
            },
        },
    ]
    return steps


def bars(
    key: str,
    title: str,
    description: str,
    queries: Sequence[Query],
    steps: list[Json],
    no_value: str,
    color: str,
    overrides: Sequence[Json] = (),
) -> Panel:
    """A bar for each of the last seven days."""
    return Panel(
        key=key,
        kind="barchart",
        title=title,
        description=description,
        queries=tuple(queries),
        no_value=no_value,
        min=0,
        decimals=0,
        color=color,
        # The numbers are on the bars, so only the days have an axis.
        custom={
            "fillOpacity": 75,
            "lineWidth": 0,
            "axisGridShow": False,
            "axisPlacement": "hidden",
        },
        overrides=[
            override("day", mappings=[SHORT_DAY], custom__axisPlacement="bottom"),
            *overrides,
        ],
        options={
            # Grafana omits the numbers on narrow bars.
            "barWidth": 0.8 if len(queries) == 1 else 1,
            "groupWidth": 0.7 if len(queries) == 1 else 0.9,
            "legend": {
                "showLegend": False,
                "displayMode": "list",
                "placement": "bottom",
                "calcs": [],
            },
            "orientation": "vertical",
            "showValue": "always",
            # Side by side: on a stack the small number covers the large one.
            "stacking": "none",
            "tooltip": {"mode": "multi", "sort": "none"},
            "xField": "day",
            "xTickLabelRotation": 0,
            "xTickLabelSpacing": 0,
        },
        transformations=steps,
    )


def week_row(source: Source) -> Row:
    """The last seven days, by the app's calendar, and what they were about."""
    missing = "no day reported: soloscope does not answer, or the count is not declared"
    panels = [
        bars(
            "active_per_day",
            "Users active per day ≈",
            "Different users who wrote on each day; today is the last bar and still "
            "grows. An estimate, exact to about one in a hundred (unique "
            "`active_users`).",
            [source.per_day("active_users")],
            by_day(source, "active users ≈"),
            missing,
            "blue",
        ),
        bars(
            "conversations_per_day",
            "Conversations per day",
            "Conversations of each day; today is the last bar and still grows (counter "
            "`conversations`).",
            [source.per_day("conversations")],
            by_day(source, "conversations"),
            missing,
            "purple",
        ),
        bars(
            "digests_per_day",
            "Digests created per day",
            "Digests created on each day, and in red those that failed (counters "
            "`digests_created` and `digests_failed`).",
            [
                source.per_day("digests_created"),
                source.per_day("digests_failed", above=0),
            ],
            by_day(source, "created", "failed"),
            missing,
            "green",
            [override("failed", color=fixed("red"))],
        ),
        Panel(
            key="deficiencies",
            kind="bargauge",
            title="Top deficiencies this week",
            description="What was practised most, today and the six days before "
            "(breakdown `deficiencies`).",
            queries=(source.top("deficiencies", 5),),
            no_value="none reported",
            min=0,
            decimals=0,
            color="orange",
            options={
                "displayMode": "basic",
                "minVizHeight": 10,
                "minVizWidth": 0,
                "orientation": "horizontal",
                # One bar for each row, named by its text.
                "reduceOptions": {
                    "calcs": [],
                    "fields": "",
                    "limit": 5,
                    "values": True,
                },
                "showUnfilled": True,
                "valueMode": "text",
            },
        ),
    ]
    return Row(6, panels)
