"""The overview: is it working, are users getting anywhere, why did that fail.

From the top: two rows of single values (does it work, its state today), the last
seven days, then the failures beside the other events. That much fits on one laptop
screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.dashboards.overview.numbers import health_row, status_row
from soloscope.dashboards.overview.story import background_row, story_row
from soloscope.dashboards.overview.week import week_row
from soloscope.dashboards.shared import app_dashboard

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.dashboards.grafana import Dashboard
    from soloscope.dashboards.queries import Source


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """The overview; its panels are the same from either source."""
    yield app_dashboard(
        source,
        "soloscope-overview",
        title="soloscope overview",
        description="Does it work, are users getting anywhere, why did that fail.",
        rows=(
            health_row(source),
            status_row(source),
            week_row(source),
            story_row(),
            background_row(source),
        ),
        apps=tuple(config.apps.values()),
    )
