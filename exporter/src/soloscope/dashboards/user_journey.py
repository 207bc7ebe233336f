"""User journey: all that happened to one user, or in one conversation, in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.dashboards.grafana import Query, Row
from soloscope.dashboards.pieces import graph, lines, stat, steps, users
from soloscope.dashboards.queries import APP
from soloscope.dashboards.shared import app_dashboard, apps_with_logs, text_variable

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.dashboards.grafana import Dashboard
    from soloscope.dashboards.queries import Source

#: Lines of exactly this user or conversation. An empty box finds nothing, not the
#: lines without a user.
WHO = (
    f'{APP} |= "$who" | user="$who" or conversation_id="$who" '
    '| label_format who="$who" | who!=""'
)
_NOBODY = "nothing: type a user or conversation id at the top, or choose one below"


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """One for the apps with a log."""
    apps = apps_with_logs(config)
    if not apps:
        return
    yield app_dashboard(
        source,
        "soloscope-user-journey",
        title="soloscope user journey",
        description="All that happened to one user, or in one conversation, in order.",
        rows=(_values(), _story(), _choice()),
        variables=(text_variable("who", "User or conversation"),),
        apps=apps,
    )


def _values() -> Row:
    def count(more: str = "") -> str:
        return f"sum by (app) (count_over_time({WHO}{more} [$__range]))"

    def seen(which: str) -> str:
        when = "| label_format seen=`{{ __timestamp__ | unixEpoch }}` | unwrap seen"
        return f"1000 * {which}_over_time({WHO} {when} [$__range]) by (app)"

    per_conversation = (
        f'sum by (conversation_id) (count_over_time({WHO} | conversation_id!="" '
        "[$__range]))"
    )
    return Row(
        3,
        [
            stat(
                "lines",
                "Lines",
                "Log lines about this user or conversation in the time range.",
                Query("loki", count()),
                "none",
                decimals=0,
            ),
            stat(
                "failures",
                "Warnings and errors",
                "Of these lines those with level warn, error or fatal. Good is 0.",
                Query(
                    "loki", f"{count(' | level=~`warn|error|fatal`')} or 0 * {count()}"
                ),
                "none",
                decimals=0,
                thresholds=steps(1, 5),
            ),
            stat(
                "conversations",
                "Conversations",
                "Different conversations in these lines.",
                Query("loki", f"count({per_conversation})"),
                "none",
                decimals=0,
            ),
            stat(
                "last",
                "Last seen",
                "When the newest of these lines was written.",
                Query("loki", seen("max")),
                "never",
                unit="dateTimeFromNow",
            ),
        ],
    )


def _story() -> Row:
    story = lines(
        "story",
        "What happened",
        "Every line about this user or conversation, oldest first, at most the newest "
        "500. A click opens the fields of a line.",
        f'{WHO} | json msg="msg",message="message",err="err.message" '
        "| drop __error__, __error_details__ "
        '| line_format `{{ printf "%-22s  " .event }}'
        "{{ or .err .msg .message __line__ }}"
        "{{ if .conversation_id }}  {{ .conversation_id }}{{ end }}`",
        _NOBODY,
        limit=500,
        oldest_first=True,
    )
    return Row(14, [story])


def _choice() -> Row:
    events = graph(
        "events",
        "When",
        "These lines per hour, by event.",
        [
            Query(
                "loki",
                f"sum by (event) (count_over_time({WHO} [1h]))",
                how="range",
                legend="{{event}}",
                step="1h",
            )
        ],
        _NOBODY,
        bars=True,
        decimals=0,
        interval="1h",
        max_points=1000,
    )
    troubled = users(
        "troubled",
        "Users with trouble",
        "Who met most warnings and errors in the time range. A click shows what "
        "happened to that user.",
        '{app="$app",level=~"warn|error|fatal"}',
        "warnings and errors",
        "no user met a warning or an error",
    )
    return Row(8, [events, troubled], widths=(16, 8))
