"""The numbers of now: gauges, ratios, today's counts, and averages.

The first step of the thresholds is the colour of a missing value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from soloscope.dashboards.declared import Entry, failures_of
from soloscope.dashboards.grafana import (
    Json,
    Panel,
    Query,
    Row,
    fixed,
    named,
    override,
    stat_options,
    thresholds,
)

if TYPE_CHECKING:
    from soloscope.config import App
    from soloscope.config.options import Ratio, Threshold
    from soloscope.dashboards.queries import Source

#: Panels side by side, so that a number has its title and a comparison.
MOST = 6

HEIGHT = 3


def number_rows(app: App, found: Sequence[Entry], source: Source) -> Iterator[Row]:
    """The rows that the app asks for, then the rest."""
    by_ref = {entry.ref: entry for entry in found if entry.kind != "breakdowns"}
    rows = [
        [by_ref.pop(ref) for ref in row if ref in by_ref] for row in app.dashboard.rows
    ]
    # What a job did stands in the job's panel.
    jobs = {job.counter for job in app.jobs.values() if job.failures}
    jobs |= set(failures_of(app).values())
    rest = [
        entry
        for entry in by_ref.values()
        if entry.kind != "counters" or entry.name not in jobs
    ]
    rows += split(rest)
    for row in rows:
        if row:
            yield Row(HEIGHT, [number(app, entry, source) for entry in row])


def split(found: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Rows of about the same length, none too long."""
    count = -(-len(found) // MOST)
    for index in range(count):
        first, end = (len(found) * i // count for i in (index, index + 1))
        yield list(found[first:end])


def number(app: App, entry: Entry, source: Source) -> Panel:
    """The panel of one name."""
    limit = app.dashboard.thresholds.get(entry.ref)
    make = {
        "counters": _count,
        "uniques": _count,
        "gauges": _gauge,
        "ratios": _ratio,
        "timings": _timing,
    }[entry.kind]
    return make(entry, source, limit)


def coloured(limit: Threshold | None) -> Json:
    """The colours of a number; without a limit none is good or bad."""
    if limit is None:
        return thresholds((None, "text"))
    if limit.red < limit.orange:
        return thresholds((None, "red"), (limit.red, "orange"), (limit.orange, "green"))
    return thresholds((None, "green"), (limit.orange, "orange"), (limit.red, "red"))


def stat(
    entry: Entry,
    title: str,
    description: str,
    queries: dict[str, Query],
    limit: Threshold | None,
    overrides: Sequence[Json] = (),
    **more: object,
) -> Panel:
    """One value, or several with a name each."""
    return Panel(
        key=entry.ref,
        kind="stat",
        title=title,
        description=description,
        queries=tuple(queries.values()),
        thresholds=coloured(limit),
        overrides=[
            named(chr(ord("A") + index), name)
            for index, name in enumerate(queries)
            if name
        ]
        + list(overrides),
        options=stat_options(
            mode="value_and_name" if len(queries) > 1 else "auto", name_size=12
        ),
        **{"no_value": "not counted yet", "unit": entry.unit, **more},  # type: ignore[arg-type]
    )


#: The second number of a panel, which is there to compare with.
BESIDE = override("B", by="byFrameRefID", color=fixed("text"))


def _count(entry: Entry, source: Source, limit: Threshold | None) -> Panel:
    kind = entry.kind.removesuffix("s")
    estimate = " An estimate, exact to about one in a hundred." * ("≈" in entry.title)
    return stat(
        entry,
        entry.titled(" today"),
        f"Since the app's midnight, beside the whole day a week before ({kind} "
        f"`{entry.name}`).{estimate}",
        {
            "so far": source.window(entry.name, "1d"),
            "a week ago": source.week_ago(entry.name),
        },
        limit,
        [BESIDE],
        decimals=None if entry.unit != "locale" else 0,
    )


def _gauge(entry: Entry, source: Source, limit: Threshold | None) -> Panel:
    return stat(
        entry,
        entry.title,
        f"As the app last said (gauge `{entry.name}`).",
        {"": source.gauge(entry.name)},
        limit,
        decimals=None if entry.unit != "locale" else 0,
        no_value="not set yet",
    )


def _ratio(entry: Entry, source: Source, limit: Threshold | None) -> Panel:
    ratio: Ratio = entry.shown  # type: ignore[assignment]
    counted = any(not name.startswith("gauges.") for name in (ratio.part, *ratio.of))
    whole = " and ".join(f"`{name}`" for name in ratio.of)
    span = ", today and the six days before" if counted else ""
    return stat(
        entry,
        entry.titled(", 7 days" if counted else ""),
        f"`{ratio.part}` as a share of {whole}{span}.",
        {"": source.ratio(ratio.part, ratio.of)},
        limit,
        unit="percentunit",
        min=0,
        max=1,
        no_value="nothing to divide yet",
    )


def _timing(entry: Entry, source: Source, limit: Threshold | None) -> Panel:
    description = (
        f"How long a call took on average since the app's midnight, and how many there "
        f"were (timing `{entry.name}`)."
    )
    name = entry.name
    queries = {"average": source.average(name), "calls": source.calls(name)}
    calls = override("B", by="byFrameRefID", color=fixed("text"), unit="locale")
    overrides = [calls]
    if limit is not None and limit.calls > 1:
        # The same number without a colour, while there are too few calls to judge.
        queries = {
            "average": source.average(name, least=limit.calls),
            "average ": source.average(name, most=limit.calls - 1),
            "calls": source.calls(name),
        }
        overrides = [BESIDE, {**calls, "matcher": {**calls["matcher"], "options": "C"}}]
        description += f" It has a colour from {limit.calls} calls on."
    return stat(
        entry,
        entry.titled(", average today"),
        description,
        queries,
        limit,
        overrides,
        unit="s",
        no_value="no call today",
    )
