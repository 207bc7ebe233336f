"""What an app declares, as the dashboards show it: names, titles, order, groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal, get_args

from soloscope.config import Counter, Gauge, Unique

if TYPE_CHECKING:
    from soloscope.config import App
    from soloscope.config.options import Shown

Kind = Literal["counters", "uniques", "breakdowns", "gauges", "ratios", "timings"]


def words(help: str, name: str) -> str:  # noqa: A002
    """What people read: the help, or the name as words."""
    text = name.replace("_", " ").replace("-", " ")
    return help or text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Entry:
    """One declared name."""

    kind: Kind
    name: str
    shown: Shown

    @property
    def ref(self) -> str:
        """The kind and the name, as the options say it."""
        return f"{self.kind}.{self.name}"

    @property
    def title(self) -> str:
        """What people call it. An estimate is marked."""
        estimate = isinstance(self.shown, Unique) and not self.shown.exact
        return words(self.shown.help, self.name) + (" ≈" if estimate else "")

    def titled(self, what: str) -> str:
        """The title of one of its panels: `Users active per day ≈`."""
        title = self.title
        bare = title.removesuffix(" ≈")
        return f"{bare}{what}{title.removeprefix(bare)}"

    @property
    def unit(self) -> str:
        """Grafana's unit."""
        if isinstance(self.shown, Counter | Gauge) and self.shown.unit:
            return self.shown.unit
        return "locale"


def entries(app: App) -> list[Entry]:
    """Every name that gets a panel: by group, order, kind and name.

    The names without a group come first, then each group where its smallest order
    puts it.
    """
    declared = {
        "counters": app.counters,
        "uniques": app.uniques,
        "breakdowns": app.breakdowns,
        "gauges": app.gauges,
        "ratios": app.dashboard.ratios,
        "timings": app.timings,
    }
    kinds: Sequence[Kind] = get_args(Kind)
    found = [
        Entry(kind, name, shown)
        for kind in kinds
        for name, shown in declared[kind].items()
    ]
    found = [entry for entry in found if entry.ref not in app.dashboard.hide]
    places: dict[str, int] = {}
    for entry in found:
        group = entry.shown.group
        places[group] = min(entry.shown.order, places.get(group, entry.shown.order))
    return sorted(
        found,
        key=lambda entry: (
            bool(entry.shown.group),
            places[entry.shown.group],
            entry.shown.group,
            entry.shown.order,
            kinds.index(entry.kind),
            entry.name,
        ),
    )


def grouped(found: Sequence[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """Each group with its entries, which are in order."""
    for group, members in groupby(found, lambda entry: entry.shown.group):
        yield group, list(members)


def has_log(app: App) -> bool:
    """Whether the app's lines are in Loki."""
    return bool(app.units or app.containers)


def failures_of(app: App) -> dict[str, str]:
    """A job's counter -> its counter of failures."""
    return {job.counter: job.failures for job in app.jobs.values() if job.failures}
