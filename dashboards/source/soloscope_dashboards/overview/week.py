"""The last seven days, by the app's calendar, and what they were about."""

from __future__ import annotations

from collections.abc import Sequence

from ..grafana import Json, Panel, Place, Query, fixed, override
from ..queries import Light, Source

HEIGHT = 6


#: 2026-11-18 is shown as 11-18. It stays a string: a date would be moved to the
#: browser's zone, and this is the app's own day.
SHORT_DAY: Json = {
    "type": "regex",
    "options": {
        "pattern": r"\d{4}-(\d\d-\d\d)",
        "result": {"text": "$1", "index": 0},
    },
}


def by_day(shape: Source, *names: str) -> list[Json]:
    """Turn the answers of `per_day` into a table with a row for each day."""
    renamed = {"Value": names[0]}
    renamed |= {f"Value #{chr(ord('A') + i)}": name for i, name in enumerate(names)}
    steps: list[Json] = []
    if isinstance(shape, Light):
        steps.append({"id": "labelsToFields", "options": {"mode": "columns"}})
    steps.append({"id": "merge", "options": {}})
    if isinstance(shape, Light):
        # LogQL cannot say which days are the last seven.
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
    panel: int,
    title: str,
    description: str,
    place: Place,
    queries: Sequence[Query],
    steps: list[Json],
    no_value: str,
    color: str,
    overrides: Sequence[Json] = (),
) -> Panel:
    """A bar for each of the last seven days."""
    return Panel(
        id=panel,
        kind="barchart",
        title=title,
        description=description,
        place=place,
        queries=tuple(queries),
        no_value=no_value,
        min=0,
        decimals=0,
        color=color,
        # The numbers stand on the bars, so only the days have an axis.
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
            # Grafana leaves the numbers out where bars are narrow.
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
            # Side by side: on a stack the small number lies on the large one.
            "stacking": "none",
            "tooltip": {"mode": "multi", "sort": "none"},
            "xField": "day",
            "xTickLabelRotation": 0,
            "xTickLabelSpacing": 0,
        },
        transformations=steps,
    )


def week_row(shape: Source, y: int) -> list[Panel]:
    """The last seven days, by the app's calendar, and what they were about."""
    missing = "no day reported: soloscope does not answer, or the count is not declared"
    return [
        bars(
            13,
            "Users active per day ≈",
            "Different users who wrote on each day; today is the last bar and still "
            "grows. An estimate, exact to about one in a hundred (unique "
            "`active_users`).",
            Place(0, y, 6, HEIGHT),
            [shape.per_day("active_users")],
            by_day(shape, "active users ≈"),
            missing,
            "blue",
        ),
        bars(
            14,
            "Conversations per day",
            "Conversations of each day; today is the last bar and still grows (counter "
            "`conversations`).",
            Place(6, y, 6, HEIGHT),
            [shape.per_day("conversations")],
            by_day(shape, "conversations"),
            missing,
            "purple",
        ),
        bars(
            15,
            "Digests created per day",
            "Digests created on each day, and in red those that failed (counters "
            "`digests_created` and `digests_failed`).",
            Place(12, y, 6, HEIGHT),
            [
                shape.per_day("digests_created"),
                shape.per_day("digests_failed", above=0),
            ],
            by_day(shape, "created", "failed"),
            missing,
            "green",
            [override("failed", color=fixed("red"))],
        ),
        Panel(
            id=16,
            kind="bargauge",
            title="Top deficiencies this week",
            description="What was practised most, today and the six days before "
            "(breakdown `deficiencies`).",
            place=Place(18, y, 6, HEIGHT),
            queries=(shape.top("deficiencies", 5),),
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
