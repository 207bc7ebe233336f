"""The overview: is it working, are users getting anywhere, why did that fail.

The panels are those of LanguageBuddy, the app that soloscope was made for; an
app that declares the same names has them all, and a panel whose name an app
does not declare says so. From the top: two rows of single values (does it work,
its state today), the last seven days, then the failures beside the other events.
That much fits on one laptop screen.
"""

from __future__ import annotations

from ..grafana import Dashboard
from ..queries import Source
from ..shared import app_dashboard
from .numbers import health_row, status_row
from .story import background_row, story_row
from .week import week_row


def dashboard(source: Source, uid: str) -> Dashboard:
    """The overview; its panels are the same from either source."""
    return app_dashboard(
        source,
        uid,
        title="soloscope overview",
        description="Does it work, are users getting anywhere, why did that fail.",
        rows=(
            health_row(source),
            status_row(source),
            week_row(source),
            story_row(),
            background_row(source),
        ),
    )
