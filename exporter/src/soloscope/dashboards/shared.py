"""Shared by all dashboards about an app: variables, annotations and links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from soloscope.dashboards.explore import explore
from soloscope.dashboards.grafana import (
    Dashboard,
    Json,
    Kind,
    Row,
    data_source,
    data_source_variable,
)
from soloscope.dashboards.queries import APP, Source, marks

if TYPE_CHECKING:
    from soloscope.config import App


def app_dashboard(
    source: Source,
    uid: str,
    title: str,
    description: str,
    rows: Sequence[Row],
    *,
    apps: Sequence[App],
) -> Dashboard:
    """A dashboard about one of `apps`, which the reader chooses at the top left."""
    return Dashboard(
        uid=uid,
        title=title,
        description=description,
        tags=("soloscope",),
        variables=variables(source, apps),
        rows=rows,
        annotations=(mark_lines(),),
        links=(log_link(),),
    )


def variables(source: Source, apps: Sequence[App]) -> list[Json]:
    """The data sources, and the app. It is hidden when there is no choice."""
    kinds: Sequence[Kind] = ("prometheus", "loki")
    if source.kind == "loki":
        kinds = ("loki",)
    return [*map(data_source_variable, kinds), app_variable(apps)]


def app_variable(apps: Sequence[App]) -> Json:
    """The variable `app` with these values, shown as their titles."""
    options = [
        {"selected": not index, "text": app.title, "value": app.name}
        for index, app in enumerate(apps)
    ]
    # Grafana reads the options from `query`: commas part them, ` : ` a title from it.
    titles = (app.title.replace(",", "\\,") for app in apps)
    return {
        "name": "app",
        "label": "App",
        "type": "custom",
        "query": ",".join(
            f"{title} : {app.name}" for title, app in zip(titles, apps, strict=True)
        ),
        "current": options[0],
        "hide": 2 if len(apps) == 1 else 0,
        "includeAll": False,
        "multi": False,
        "options": options,
        "skipUrlSync": False,
    }


def mark_lines() -> Json:
    """A vertical line for each mark of `soloscope annotate`, mainly deployments."""
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


def log_link() -> Json:
    """The app's log in Explore."""
    return {
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
    }
