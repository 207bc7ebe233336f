"""Shared by all dashboards: variables, annotations and links."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from soloscope.dashboards.explore import explore
from soloscope.dashboards.grafana import (
    Dashboard,
    Heading,
    Json,
    Kind,
    Row,
    Section,
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
    sections: Sequence[Section] = (),
    variables: Sequence[Json] = (),
    since: str = "now-7d",
) -> Dashboard:
    """A dashboard about one of `apps`, which the reader chooses at the top left.

    Without any it is about the host. `variables` are those beside it; `since` is where
    the time range begins.
    """
    return Dashboard(
        uid=uid,
        title=title,
        description=description,
        tags=("soloscope",),
        variables=(
            *data_sources(source),
            *((app_variable(apps),) if apps else ()),
            *variables,
        ),
        rows=rows,
        sections=sections,
        annotations=(
            mark_lines(any_app=not apps),
            *alert_lines(source, 'app="$app"' if apps else 'app=~".*"'),
        ),
        links=(*((log_link(),) if apps else ()), dashboards_link()),
        since=since,
    )


def each_app(
    config: Config,
    source: Source,
    uid: str,
    what: str,
    description: str,
    rows_of: Callable[[App, Source], Iterable[Row | Heading]],
    since: str = "now-7d",
) -> Iterator[Dashboard]:
    """A dashboard of its own for each app that has rows, because each has others."""
    for app in config.apps.values():
        rows = list(rows_of(app, source))
        if rows:
            yield app_dashboard(
                source,
                app_uid(uid, app, config),
                title=f"{app.title}: {what}",
                description=description,
                rows=rows,
                apps=(app,),
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


def apps_with_logs(config: Config) -> list[App]:
    """The apps that have lines in Loki."""
    return [app for app in config.apps.values() if app.units or app.containers]


def data_sources(source: Source) -> list[Json]:
    """The variables for the data sources."""
    kinds: Sequence[Kind] = ("prometheus", "loki")
    if source.kind == "loki":
        kinds = ("loki",)
    return list(map(data_source_variable, kinds))


def text_variable(name: str, label: str) -> Json:
    """A box at the top in which the reader types; empty at first."""
    return {
        "name": name,
        "label": label,
        "type": "textbox",
        "query": "",
        "current": {"selected": True, "text": "", "value": ""},
        "hide": 0,
        "options": [{"selected": True, "text": "", "value": ""}],
        "skipUrlSync": False,
    }


def list_variable(name: str, label: str, values: Sequence[str]) -> Json:
    """A list at the top of which the reader chooses some; all at first."""
    every = {"selected": True, "text": ["All"], "value": ["$__all"]}
    options = [{"selected": False, "text": value, "value": value} for value in values]
    return {
        "name": name,
        "label": label,
        "type": "custom",
        "query": ",".join(values),
        "current": every,
        "hide": 0,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "options": [{"selected": True, "text": "All", "value": "$__all"}, *options],
        "skipUrlSync": False,
    }


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


def mark_lines(*, any_app: bool = False) -> Json:
    """A vertical line for each mark of `soloscope annotate`, mainly deployments."""
    return {
        "name": "Deployments and notes",
        "datasource": data_source("loki"),
        "enable": True,
        "hide": False,
        "iconColor": "purple",
        "expr": marks(any_app=any_app),
        "titleFormat": "{{kind}}",
        "textFormat": "{{text}}",
        "tagKeys": "target",
    }


def alert_lines(source: Source, matcher: str) -> list[Json]:
    """A vertical line where an alert began, with Prometheus."""
    if source.kind != "prometheus":
        return []
    return [
        {
            "name": "Alerts",
            "datasource": data_source("prometheus"),
            "enable": True,
            "hide": False,
            "iconColor": "red",
            "expr": f'ALERTS{{alertstate="firing",severity!="info",{matcher}}}',
            "step": "60s",
            "titleFormat": "{{alertname}}",
            "textFormat": "{{severity}}",
            "tagKeys": "app",
        }
    ]


def dashboards_link() -> Json:
    """A list of all these dashboards, for the same app and time."""
    return {
        "title": "Dashboards",
        "type": "dashboards",
        "icon": "external link",
        "url": "",
        "tooltip": "All dashboards of soloscope",
        "targetBlank": False,
        "includeVars": True,
        "keepTime": True,
        "asDropdown": True,
        "tags": ["soloscope"],
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
