"""Shared by all dashboards about an app: variables, annotations and links."""

from __future__ import annotations

from collections.abc import Sequence

from .explore import explore
from .grafana import Dashboard, Json, Kind, Row, data_source, data_source_variable
from .queries import APP, Source, marks


def app_dashboard(
    source: Source, uid: str, title: str, description: str, rows: Sequence[Row]
) -> Dashboard:
    """A dashboard about the app that the reader chooses at the top left."""
    return Dashboard(
        uid=uid,
        title=title,
        description=description,
        tags=("soloscope",),
        variables=variables(source),
        rows=rows,
        annotations=(mark_lines(),),
        links=(log_link(),),
    )


def variables(source: Source) -> list[Json]:
    """The data sources, and the app."""
    kinds: Sequence[Kind] = ("prometheus", "loki")
    definition = "label_values(soloscope_up, app)"
    query: Json = {"query": definition, "refId": "app"}
    if source.kind == "loki":
        kinds = ("loki",)
        definition = "label_values(app)"
        query = {"refId": "app", "type": 1, "label": "app", "stream": ""}
    app: Json = {
        "name": "app",
        "label": "App",
        "type": "query",
        "datasource": data_source(source.kind),
        "definition": definition,
        "query": query,
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
    return [*map(data_source_variable, kinds), app]


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
