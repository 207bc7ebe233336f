"""Groups errors: repetitions of the same error are one group.

A group is an app, an event, a type of error and a message without its variable parts
(numbers, ids, quoted words). Loki does the grouping, with three instant queries: the
count in the span, and the first and the last time in the look-back.

The queries are defined only here; `soloscope errors` runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from soloscope.backends.http import understood
from soloscope.backends.loki import LokiApi
from soloscope.config import Config

__all__ = [
    "GROUP_LABELS",
    "Group",
    "asked",
    "count_query",
    "groups",
    "seen_query",
    "today",
]

TIMEOUT = 30.0
"""Seconds for one question: each looks through days of lines."""

#: The labels that identify a group.
GROUP_LABELS = ("app", "event", "error", "text")

# The last margin line of a traceback names the error; otherwise the first line does.
_PYTHON = r"(?s)^Traceback \\(most recent call last\\).*\\n([^\\s].*)$"
# The name before the colon, if there is one.
_NAMED = r"(?s)^(?:Uncaught )?([\\w.]*(?:Error|Exception))\\b.*$"
_CHANGES = (
    # ids and addresses, quoted words, numbers
    (r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "#"),
    (r"\\b(?:0x)?[0-9a-fA-F]*[0-9][0-9a-fA-F]{7,}\\b", "#"),
    (r"'[^']*'|\\\"[^\\\"]*\\\"", "#"),
    (r"[0-9]+(?:[.,:][0-9]+)*", "#"),
)


def _pipeline(app: str) -> str:
    selector = f'{{app=~"{app}", level=~"error|fatal"}}'
    # Plain lines are not JSON: that is not an error here.
    fields = (
        '| json type="err.type", text="err.message", msg="msg", message="message"'
        " | drop __error__, __error_details__"
        " | keep app, event, type, text, msg, message"
    )
    plain = f'regexReplaceAll "{_PYTHON}" __line__ "${{1}}"'
    chosen = (
        "{{ if .text }}{{ .text }}{{ else if .msg }}{{ .msg }}{{ else if .message }}"
        f"{{{{ .message }}}}{{{{ else }}}}{{{{ {plain} }}}}{{{{ end }}}}"
    )
    first = r'{{ regexReplaceAll "(?s)\\n.*" .text "" | trunc 200 }}'
    named = f'regexReplaceAll "{_NAMED}" .text "${{1}}"'
    error = (
        "{{ if .type }}{{ .type }}{{ else }}"
        f"{{{{ $n := {named} }}}}"
        "{{ if ne $n .text }}{{ $n }}{{ end }}{{ end }}"
    )
    stages = [
        f"| label_format text=`{chosen}`",
        f"| label_format text=`{first}`",
        f"| label_format error=`{error}`",
    ]
    stages += [
        f'| label_format text=`{{{{ regexReplaceAll "{pattern}" .text "{mark}" }}}}`'
        for pattern, mark in _CHANGES
    ]
    return " ".join([selector, fields, *stages])


def _by() -> str:
    return f"by ({', '.join(GROUP_LABELS)})"


def count_query(span: str, app: str = ".+", offset: str = "") -> str:
    """The count of each group in the last `span` (LogQL duration).

    With `offset` (a duration) the span ends that long ago.
    """
    shifted = f" offset {offset}" if offset else ""
    return f"sum {_by()} (count_over_time({_pipeline(app)} [{span}]{shifted}))"


def seen_query(which: str, span: str, app: str = ".+") -> str:
    """The `min` (first) or `max` (last) time of each group in the last `span`.

    In seconds since 1970.
    """
    when = "| label_format seen=`{{ __timestamp__ | unixEpoch }}` | unwrap seen"
    return (
        f"{which} {_by()} ({which}_over_time({_pipeline(app)} {when} [{span}]) {_by()})"
    )


#: Runs one instant query: (labels, value) per series.
Ask = Callable[[str], Sequence[tuple[dict[str, str], float]]]


@dataclass(frozen=True)
class Group:
    """An error that occurred `count` times; `new` if it did not occur before."""

    app: str
    event: str
    error: str
    text: str
    count: int
    first: datetime
    last: datetime
    new: bool

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            **asdict(self),
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
        }


def today(config: Config, app: str = ".+", span: str = "24h") -> list[Group]:
    """The groups of the last `span`; new is what began today, in the developer's zone.

    Raises BackendUnavailable.
    """
    now = datetime.now(config.zone)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return asked(config, midnight.astimezone(UTC), app, span)


def asked(
    config: Config,
    since: datetime,
    app: str = ".+",
    span: str = "24h",
    at: float | None = None,
) -> list[Group]:
    """The groups of the `span` before the Unix time `at` (now); new since `since`.

    Raises BackendUnavailable.
    """
    loki = LokiApi.of(config, TIMEOUT)

    def ask(query: str) -> list[tuple[dict[str, str], float]]:
        return [(dict(found.labels), found.value) for found in loki.instant(query, at)]

    return groups(ask, span, "30d", since, app)


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
            # It left the span between two of the queries.
            continue
        with understood("Loki"):
            began = datetime.fromtimestamp(first[group], UTC)
            ended = datetime.fromtimestamp(last[group], UTC)
            times = int(count)
        name, event, error, text = group
        new = began >= since
        found.append(Group(name, event, error, text, times, began, ended, new))
    return sorted(found, key=lambda group: (-group.count, group.app, group.text))
