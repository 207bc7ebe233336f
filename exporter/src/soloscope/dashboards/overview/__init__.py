"""The overview: is everything all right, and why did that fail.

Each app has one, made from what it declares. From the top: what is well and what is
not, the log, the numbers of now, the days, and the groups. A host with several apps
has one more, on which each app is a row of states.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.dashboards.declared import entries, grouped, has_log
from soloscope.dashboards.grafana import Dashboard, Heading, Row
from soloscope.dashboards.overview.days import day_rows
from soloscope.dashboards.overview.numbers import number_rows
from soloscope.dashboards.overview.state import state_rows
from soloscope.dashboards.overview.story import story_row, troubles_row
from soloscope.dashboards.shared import app_dashboard, each_app

if TYPE_CHECKING:
    from soloscope.config import App, Config
    from soloscope.dashboards.queries import Source

UID = "soloscope-overview"


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """The overview of each app, and that of all when there are several."""
    about = "Is everything all right, and why did that fail."
    yield from each_app(config, source, UID, "overview", about, app_rows)
    if len(config.apps) != 1:
        yield all_apps(config, source)


def app_rows(app: App, source: Source) -> Iterator[Row | Heading]:
    """The overview of one app."""
    yield from state_rows(app, source)
    if has_log(app):  # above the numbers, so that a phone shows it early
        yield story_row(app)
    groups = dict(grouped(entries(app)))
    own = groups.pop("", [])
    yield from number_rows(app, own, source)
    yield from day_rows(app, own, source)
    if has_log(app):
        yield troubles_row()
    for group, members in groups.items():
        yield Heading(group)
        yield from number_rows(app, members, source)
        yield from day_rows(app, members, source)


def all_apps(config: Config, source: Source) -> Dashboard:
    """The states of every app, with links to their overviews."""
    rows: list[Row | Heading] = []
    for app in config.apps.values():
        rows.append(Heading(app.title))
        rows += state_rows(app, source.about(app.name))
    return app_dashboard(
        source,
        UID,
        title="All apps: overview",
        description="Is everything all right, for every app of this host.",
        rows=rows,
        apps=(),
    )
