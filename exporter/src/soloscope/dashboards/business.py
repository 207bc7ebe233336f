"""Business: is it growing, and who comes back. A month of what an app counts.

Numbers of people and shares of 7 and 30 days, then a bar for each day of the month.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.dashboards.declared import Entry, entries, failures_of, grouped
from soloscope.dashboards.grafana import (
    Dashboard,
    Heading,
    Panel,
    Query,
    Row,
    fixed,
    named,
    stat_options,
)
from soloscope.dashboards.overview.days import day_rows
from soloscope.dashboards.overview.numbers import HEIGHT, split
from soloscope.dashboards.shared import each_app

if TYPE_CHECKING:
    from soloscope.config import App, Config
    from soloscope.config.options import Ratio
    from soloscope.dashboards.queries import Source

UID = "soloscope-business"


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """One for each app that counts something."""
    about = "Is it growing, and who comes back: 30 days of what the app counts."
    return each_app(config, source, UID, "business", about, app_rows, "now-30d")


def app_rows(app: App, source: Source) -> Iterator[Row | Heading]:
    """The numbers and the days of each group. Failures are in their jobs' bars."""
    failed = set(failures_of(app).values())
    for group, members in grouped(entries(app)):
        shown = [
            entry
            for entry in members
            if entry.kind in ("counters", "uniques", "breakdowns")
            or (entry.kind == "ratios" and counted(entry))
        ]
        if group and shown:
            yield Heading(group)
        numbers = [
            entry
            for entry in shown
            if entry.kind != "breakdowns"
            and (entry.kind != "counters" or entry.name not in failed)
        ]
        for row in split(numbers):
            yield Row(HEIGHT, [number(entry, source) for entry in row])
        yield from day_rows(app, shown, source, most=2, window="30d")


def counted(entry: Entry) -> bool:
    """Whether a ratio is of counts only, so that it has a week and a month."""
    ratio: Ratio = entry.shown  # type: ignore[assignment]
    return not any(name.startswith("gauges.") for name in (ratio.part, *ratio.of))


def number(entry: Entry, source: Source) -> Panel:
    """7 and 30 days of a name; of people also how many of the month came today."""
    kind = entry.kind.removesuffix("s")
    told = f"Today and the days before ({kind} `{entry.name}`)."
    queries: dict[str, Query]
    unit = entry.unit
    if entry.kind == "ratios":
        ratio: Ratio = entry.shown  # type: ignore[assignment]
        queries = {
            f"{days} days": source.ratio(ratio.part, ratio.of, f"{days}d")
            for days in (7, 30)
        }
        whole = " and ".join(f"`{name}`" for name in ratio.of)
        told = f"`{ratio.part}` as a share of {whole}, today and the days before."
        unit = "percentunit"
    else:
        queries = {
            f"{days} days": source.window(entry.name, f"{days}d") for days in (7, 30)
        }
    if entry.kind == "uniques":
        this = [f"uniques.{entry.name}"]
        queries["of 30 days, today"] = source.ratio(this[0], this, "1d", of_days="30d")
        told += " The share says how many of the month's came today: who comes back."
    return Panel(
        key=f"{entry.ref}.month",
        kind="stat",
        title=entry.title,
        description=told,
        queries=tuple(queries.values()),
        no_value="not counted yet",
        unit=unit,
        decimals=None if unit != "locale" else 0,
        color="text",
        overrides=[
            named(
                chr(ord("A") + index),
                name,
                color=fixed("text"),
                **({"unit": "percentunit", "decimals": 0} if index == 2 else {}),
            )
            for index, name in enumerate(queries)
        ],
        options=stat_options(mode="value_and_name", name_size=12),
    )
