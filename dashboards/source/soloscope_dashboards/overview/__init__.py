"""The overview: is it working, are users getting anywhere, why did that fail.

The panels are those of LanguageBuddy, the app that soloscope was made for; an
app that declares the same names has them all, and a panel whose name an app
does not declare says so. Read from the top: two rows of single values (does it
work, where does it stand), the last seven days, then what went wrong beside
what happened. That much fits on one laptop screen.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..explore import explore
from ..grafana import Dashboard, Json, Kind, data_source, data_source_variable
from ..queries import APP, Light, Source, marks
from .numbers import health_row, status_row
from .story import background_row, story_row
from .week import week_row

UID = "soloscope-overview"


def variables(shape: Source) -> list[Json]:
    """The app, and the data sources."""
    light = isinstance(shape, Light)
    label_values: str | Json = "label_values(soloscope_up, app)"
    if light:
        label_values = {"refId": "app", "type": 1, "label": "app", "stream": ""}
    kinds: Sequence[Kind] = ("loki",) if light else ("prometheus", "loki")
    app: Json = {
        "name": "app",
        "label": "App",
        "type": "query",
        "datasource": data_source("loki" if light else "prometheus"),
        "definition": "label_values(app)" if light else label_values,
        "query": label_values if light else {"query": label_values, "refId": "app"},
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 2,
        "regex": "",
        "skipUrlSync": False,
        "sort": 1,
    }
    return [data_source_variable(k) for k in kinds] + [app]


def mark_lines() -> Json:
    """A vertical line for each mark of `soloscope annotate`, deployments above all."""
    return {
        "name": "Deployments and notes",
        "datasource": data_source("loki"),
        "enable": True,
        "hide": False,
        "iconColor": "purple",
        "expr": marks(),
        "titleFormat": "{{kind}}",
        "textFormat": "{{text}}",
        "tagKeys": "target",
    }


def overview(shape: Source) -> Dashboard:
    """The overview in one shape; both have the same uid, title and panels."""
    return Dashboard(
        uid=UID,
        title="soloscope overview",
        description="Does it work, are users getting anywhere, why did that fail.",
        tags=("soloscope",),
        variables=variables(shape),
        panels=(
            *health_row(shape, 0),
            *status_row(shape, 3),
            *week_row(shape, 5),
            *story_row(11),
            *background_row(shape, 19),
        ),
        annotations=(mark_lines(),),
        links=(
            {
                "title": "Explore the log",
                "type": "link",
                "icon": "external link",
                "url": explore(APP),
                "tooltip": "Every line of this app",
                "targetBlank": False,
                "includeVars": False,
                "keepTime": False,
                "asDropdown": False,
                "tags": [],
            },
        ),
    )
