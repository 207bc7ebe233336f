"""The groups that Loki's answers make: how often, since when, and which are new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from soloscope.backends.http import understood
from soloscope.error_groups.queries import GROUP_LABELS, count_query, seen_query

__all__ = ["Group", "groups"]

#: Answers one instant query: (labels, value) per series.
Ask = Callable[[str], Sequence[tuple[dict[str, str], float]]]


@dataclass(frozen=True)
class Group:
    """An error that came `count` times; `new` says that it never came before."""

    app: str
    event: str
    error: str
    text: str
    count: int
    first: datetime
    last: datetime
    new: bool

    def as_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            **asdict(self),
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
        }


def groups(
    ask: Ask, span: str, look_back: str, since: datetime, app: str = ".+"
) -> list[Group]:
    """The groups of the last `span`, the most frequent first.

    A group is new when its first time in the last `look_back` is not before `since`.
    """

    def key(labels: dict[str, str]) -> tuple[str, ...]:
        return tuple(labels.get(name, "") for name in GROUP_LABELS)

    counts = {key(labels): value for labels, value in ask(count_query(span, app))}
    if not counts:
        return []
    first = {
        key(labels): value for labels, value in ask(seen_query("min", look_back, app))
    }
    last = {key(labels): value for labels, value in ask(seen_query("max", span, app))}
    found = []
    for group, count in counts.items():
        if group not in first or group not in last:
            # It went out of the span between two of the questions.
            continue
        with understood("Loki"):
            began = datetime.fromtimestamp(first[group], UTC)
            ended = datetime.fromtimestamp(last[group], UTC)
            times = int(count)
        name, event, error, text = group
        new = began >= since
        found.append(Group(name, event, error, text, times, began, ended, new))
    return sorted(found, key=lambda group: (-group.count, group.app, group.text))
