"""Shared by all dashboards about an app: variables, annotations and links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from soloscope.dashboards.explore import explore
from soloscope.dashboards.grafana import (
    Dashboard,
    Heading,
    Json,
    Kind,
    Row,
    data_source,
    data_source_variable,
    identity,
)
from soloscope.dashboards.queries import APP, Source, marks

if TYPE_CHECKING:
    from soloscope.config import App, Config


def app_dashboard(
    source: Source,
    uid: str,
    title: str,
    description: str,
    rows: Sequence[Row | Heading],
    *,
    apps: Sequence[App],
    since: str = "now-7d",
) -> Dashboard:
    """A dashboard about one of `apps`, which the reader chooses at the top left.

    Without any it is about the host.
    """
    return Dashboard(
        uid=uid,
        title=title,
        description=description,
        tags=("soloscope",),
        variables=variables(source, apps),
        rows=rows,
        annotations=(mark_lines(),),
        links=(log_link(),) if apps else (),
        since=since,
    )


def app_uid(uid: str, app: App, config: Config) -> str:
    """The uid of an app's own dashboard: `uid` itself when the host has one app.

    Grafana takes 40 characters; a longer one ends with a sum of the app's name.
    """
    if len(config.apps) == 1:
        return uid
    own = f"{uid}-{app.name}"
    return own if len(own) <= 40 else f"{own[:31]}-{identity(app.name):08x}"


def variables(source: Source, apps: Sequence[App]) -> list[Json]:
    """The data sources, and the app. It is hidden when there is no choice."""
    kinds: Sequence[Kind] = ("prometheus", "loki")
    if source.kind == "loki":
        kinds = ("loki",)
    sources = [data_source_variable(kind) for kind in kinds]
    return [*sources, app_variable(apps)] if apps else sources


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
