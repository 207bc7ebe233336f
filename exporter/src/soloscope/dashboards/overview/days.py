"""The days of the time range, by the app's calendar, and what they were about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from soloscope.dashboards.declared import Entry, failures_of
from soloscope.dashboards.grafana import Json, Panel, Query, Row, fixed, override

if TYPE_CHECKING:
    from soloscope.config import App
    from soloscope.dashboards.queries import Source

#: Charts side by side.
MOST = 4

HEIGHT = 6

#: One after the other, so that two charts beside each other differ.
COLORS = ("blue", "purple", "green", "orange")

#: `Wed 2026-11-18` is shown as `We 18`. It stays a string: a date would be moved to
#: the browser's zone, and this is the app's own day.
SHORT_DAY: Json = {
    "type": "regex",
    "options": {
        "pattern": r"(\w\w)\w \d{4}-\d\d-0?(\d+)",
        "result": {"text": "$1 $2", "index": 0},
    },
}


#: Bars with their numbers on them, so that only the names have an axis.
PLAIN_BARS: Json = {"fillOpacity": 80, "lineWidth": 0, "axisGridShow": False}


def bar_options(field: str, orientation: str) -> Json:
    """Options of a `barchart` whose bars are named by `field`."""
    return {
        "barWidth": 0.85,
        "groupWidth": 0.7,
        "legend": {
            "showLegend": False,
            "displayMode": "list",
            "placement": "bottom",
            "calcs": [],
        },
        "orientation": orientation,
        "showValue": "auto",
        "stacking": "normal" if orientation == "vertical" else "none",
        "text": {"valueSize": 12} if orientation == "vertical" else {},
        "tooltip": {"mode": "multi", "sort": "none"},
        "xField": field,
        "xTickLabelRotation": 0,
        # At least so many pixels, from the right: today has its name.
        "xTickLabelSpacing": -40 if orientation == "vertical" else 0,
    }


def day_rows(
    app: App,
    found: Sequence[Entry],
    source: Source,
    most: int = MOST,
    window: str = "7d",
) -> Iterator[Row]:
    """The charts of counters, uniques and breakdowns, in rows.

    `most` stand side by side; `window` is that of the breakdowns.
    """
    failures = failures_of(app)
    charts = [
        entry
        for entry in found
        if entry.kind in ("counters", "uniques", "breakdowns")
        and entry.name not in failures.values()
    ]
    count = -(-len(charts) // most)
    for index in range(count):
        first, end = (len(charts) * i // count for i in (index, index + 1))
        yield Row(
            HEIGHT,
            [
                top(entry, source, window)
                if entry.kind == "breakdowns"
                else bars(
                    entry,
                    source,
                    COLORS[number % len(COLORS)],
                    failures.get(entry.name) if entry.kind == "counters" else None,
                )
                for number, entry in enumerate(charts[first:end])
            ],
        )


def by_day(source: Source, names: Sequence[str]) -> list[Json]:
    """Turn the answers of `per_day` into a table with a row for each day."""
    renamed = {"Value": names[0]}
    renamed |= {f"Value #{chr(ord('A') + i)}": name for i, name in enumerate(names)}
    steps: list[Json] = []
    if source.kind == "loki":
        steps.append({"id": "labelsToFields", "options": {"mode": "columns"}})
    return [
        *steps,
        {"id": "merge", "options": {}},
        {"id": "sortBy", "options": {"sort": [{"field": "day", "desc": False}]}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True, "day": True},
                # Failures below, so that the number on top is what was done.
                "indexByName": {"date": 0, "Value #C": 1, "Value #A": 2, "Value #B": 3},
                "renameByName": renamed,
            },
        },
    ]


def bars(entry: Entry, source: Source, color: str, failures: str | None) -> Panel:
    """A bar for each day of the time range."""
    kind = entry.kind.removesuffix("s")
    queries: dict[str, Query] = {
        "whole day": source.per_day(entry.name, "over"),
        "today so far": source.per_day(entry.name, "today"),
    }
    told = f"{kind} `{entry.name}`"
    if failures:
        queries["failed"] = source.per_day(failures, above=0)
        told += f"; in red the failures, counter `{failures}`"
    return Panel(
        key=f"{entry.ref}.days",
        kind="barchart",
        title=entry.titled(" per day"),
        description=f"Each day of the time range, at most 30; the pale bar is today, "
        f"which is not over ({told}).",
        queries=tuple(queries.values()),
        no_value="soloscope has not answered for an hour",
        unit=entry.unit,
        min=0,
        decimals=None if entry.unit != "locale" else 0,
        color=color,
        # An axis without room for its numbers: they stand on the bars. One that is
        # hidden would leave no room for them above the highest bar.
        custom={**PLAIN_BARS, "axisPlacement": "left", "axisWidth": 1},
        overrides=[
            # Its empty ticks would show the panel's text for no value.
            override(
                "date",
                mappings=[SHORT_DAY],
                noValue=" ",
                custom__axisPlacement="bottom",
            ),
            override("today so far", custom__fillOpacity=30),
            override("failed", color=fixed("red")),
        ],
        options=bar_options("date", "vertical"),
        transformations=by_day(source, list(queries)),
    )


def top(entry: Entry, source: Source, window: str) -> Panel:
    """The largest keys of a breakdown."""
    return Panel(
        key=entry.ref,
        kind="barchart",
        title=entry.titled(f", {window.removesuffix('d')} days"),
        description=f"The five largest, today and the days before (breakdown "
        f"`{entry.name}`).",
        queries=(source.top(entry.name, 5, window),),
        no_value="none counted yet",
        min=0,
        decimals=0,
        color="orange",
        custom={**PLAIN_BARS, "axisPlacement": "hidden"},
        overrides=[override("key", noValue=" ", custom__axisPlacement="left")],
        options=bar_options("key", "horizontal"),
        transformations=[
            *(
                [{"id": "labelsToFields", "options": {"mode": "columns"}}]
                if source.kind == "loki"
                else []
            ),
            {"id": "merge", "options": {}},
            {"id": "sortBy", "options": {"sort": [{"field": "Value", "desc": True}]}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": True},
                    "indexByName": {},
                    "renameByName": {"Value": "counted", "Value #A": "counted"},
                },
            },
        ],
    )
