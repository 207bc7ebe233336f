"""Computes the exported values from the days: windows, key limits, zeros. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from soloscope.counts.model import DayValues, Number, Window, add, keep_largest

if TYPE_CHECKING:
    from soloscope.config import App

__all__ = ["Shown", "Sums", "close", "show"]


class Shown(NamedTuple):
    """The exported values of the days; the fields are those of `Snapshot`."""

    today: DayValues
    windows: Mapping[str, Mapping[str, Number]]
    breakdown_windows: Mapping[str, Mapping[str, Mapping[str, Number]]]
    keys_dropped: int


class Sums(NamedTuple):
    """A window's sums over the days before today."""

    plain: Mapping[str, Number]
    breakdowns: Mapping[str, Mapping[str, Number]]


def close(
    app: App, windows: Sequence[Window], days: Sequence[DayValues]
) -> dict[str, Sums]:
    """The sums by window's label, for the days before today, the latest first."""
    plain = [
        {**day.counters, **{n: c for n, (c, _) in day.timings.items()}} for day in days
    ]
    sums = {}
    for window in windows:
        count = window.days - 1
        sums[window.label] = Sums(
            {
                name: sum(day[name] for day in plain[:count])
                for name in (*app.counters, *app.timings)
                if all(name in day for day in plain[:count])
            },
            {
                name: add(day.breakdowns[name] for day in days[:count])
                for name in app.breakdowns
                if all(name in day.breakdowns for day in days[:count])
            },
        )
    return sums


def show(
    app: App,
    today: DayValues,
    sums: Mapping[str, Sums],
    unions: Mapping[str, Mapping[str, int]],
    overlong: int = 0,
) -> Shown:
    """The exported values for today and the sums of the days before it.

    `unions` has the sizes of the uniques' windows, by name and label; `overlong` is
    the number of breakdown fields that are too long for a label. The keys of a
    breakdown are the largest of the longest window, so that they do not change every
    day; each is exported everywhere, with zero where it was not counted.
    """
    own = today.plain()
    windows: dict[str, dict[str, Number]] = {
        label: {name: n + own[name] for name, n in closed.plain.items() if name in own}
        for label, closed in sums.items()
    }
    for name in app.uniques:
        for label, size in unions.get(name, {}).items():
            windows[label][name] = size
    dropped = overlong
    tables: dict[str, dict[str, Mapping[str, Number]]] = {label: {} for label in sums}
    limited: dict[str, Mapping[str, Number]] = {}
    for name, table in today.breakdowns.items():
        before = {
            label: closed.breakdowns[name]
            for label, closed in sums.items()
            if name in closed.breakdowns
        }
        longest = list(before.values())[-1:]
        totals = add([*longest, table])
        keys = keep_largest(totals, app.breakdowns[name].limit)
        dropped += len(totals) - len(keys)
        limited[name] = {key: table.get(key, 0) for key in keys}
        for label, counts in before.items():
            tables[label][name] = {
                key: counts.get(key, 0) + n for key, n in limited[name].items()
            }
    return Shown(replace(today, breakdowns=limited), windows, tables, dropped)
