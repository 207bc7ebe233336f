"""Logs: what is written, how much, by whom; and search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.dashboards.grafana import Query, Row, override
from soloscope.dashboards.pieces import graph, lines, table
from soloscope.dashboards.shared import (
    app_dashboard,
    apps_with_logs,
    list_variable,
    text_variable,
)

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.dashboards.grafana import Dashboard
    from soloscope.dashboards.queries import Source

#: Of a level to its colour, as Grafana's log panel has them.
LEVELS = {
    "trace": "light-blue",
    "debug": "blue",
    "info": "green",
    "warn": "yellow",
    "error": "red",
    "fatal": "purple",
}

#: What a JSON line says stands before it: its first fields are seldom what matters.
_MEANING = (
    '| json msg="msg",message="message",err="err.message" '
    "| drop __error__, __error_details__ "
    "| line_format `{{ with or .err .msg .message }}{{ $.event }}  {{ . }}  {{ end }}"
    "{{ __line__ }}`"
)
_FOUND = '{app="$app",level=~"$level"} |~ "(?i)$search"'


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """One for the apps with a log."""
    apps = apps_with_logs(config)
    if not apps:
        return
    yield app_dashboard(
        source,
        "soloscope-logs",
        title="soloscope logs",
        description="What is written, how much, by whom; and search.",
        rows=(_volume(), _found()),
        variables=(
            list_variable("level", "Level", list(LEVELS)),
            text_variable("search", "Search"),
        ),
        since="now-6h",
        apps=apps,
    )


def _volume() -> Row:
    by_level = graph(
        "by_level",
        "Lines found, by level",
        "The lines that match the level and the search at the top. Good is mostly "
        "green.",
        [
            Query(
                "loki",
                f"sum by (level) (count_over_time({_FOUND} [$__interval]))",
                how="range",
                legend="{{level}}",
            )
        ],
        "no line matches in this time",
        bars=True,
        decimals=0,
        colors=LEVELS,
        interval="1m",
        max_points=120,
    )
    by_unit = table(
        "by_unit",
        "Who writes most",
        "All units of the host in the time range, not only this app's: lines and "
        "their size. A unit that writes much more than usual fills the disk.",
        [
            Query(
                "loki",
                f'topk(12, sum by (unit, app) ({counted}({{job=~".+"}} [$__range])))',
                how="table",
            )
            for counted in ("count_over_time", "bytes_over_time")
        ],
        "no line in this time",
        {"unit": "unit", "app": "app", "Value #A": "lines", "Value #B": "size"},
        sort="size",
        decimals=0,
        overrides=[
            override("size", unit="bytes", decimals=1, custom__width=90),
            override("lines", unit="locale", custom__width=80),
            override("app", custom__width=140),
        ],
    )
    return Row(8, [by_level, by_unit], widths=(13, 11))


def _found() -> Row:
    return Row(
        20,
        [
            lines(
                "found",
                "Lines found",
                "Newest first. The search is a regular expression and ignores case. A "
                "click opens the fields of a line.",
                f"{_FOUND} {_MEANING}",
                "no line matches in this time",
                limit=200,
            )
        ],
    )
