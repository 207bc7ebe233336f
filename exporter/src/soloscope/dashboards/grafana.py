"""Grafana's classic dashboard model, as much of it as the dashboards use.

Each class serializes to the JSON of a dashboard file (`as_json`). Nothing here
depends on soloscope's metrics.

The model is in Grafana's documentation, "View dashboard JSON model".
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

#: A JSON object. Grafana gives its options no schema that Python could check.
Json = dict[str, Any]

Kind = Literal["prometheus", "loki"]

#: Columns of Grafana's grid.
COLUMNS = 24


def identity(key: str) -> int:
    """A panel's id: 31 bits of the key's CRC-32."""
    return zlib.crc32(key.encode()) & 0x7FFFFFFF


@dataclass(frozen=True)
class Place:
    """A panel's place on the grid: columns of 24, rows of 38 pixels."""

    x: int
    y: int
    w: int
    h: int

    def as_json(self) -> Json:
        """The panel's `gridPos`."""
        return {"h": self.h, "w": self.w, "x": self.x, "y": self.y}


def data_source(kind: Kind) -> Json:
    """The data source of this kind that the user selected."""
    return {"type": kind, "uid": f"${{{kind}_datasource}}"}


@dataclass(frozen=True)
class Query:
    """One query of a panel; `how` is the form of its result.

    `now` one value per series, `table` the same with labels as columns, `range`
    a value per step, `logs` the newest `limit` lines.
    """

    kind: Kind
    expr: str
    how: Literal["now", "table", "range", "logs"] = "now"
    legend: str = ""
    limit: int = 0
    step: str = ""

    def as_json(self, ref: str) -> Json:
        """The panel's target with the name `ref`."""
        target: Json = {
            "datasource": data_source(self.kind),
            "editorMode": "code",
            "expr": self.expr,
            "refId": ref,
        }
        instant = self.how in ("now", "table")
        if self.kind == "prometheus":
            target["instant"] = instant
            target["range"] = not instant
            target["format"] = "table" if self.how == "table" else "time_series"
        else:
            target["queryType"] = "instant" if instant else "range"
        if self.legend:
            target["legendFormat"] = self.legend
        if self.limit:
            target["maxLines"] = self.limit
        if self.step:
            # Prometheus calls it `interval`, Loki `step`.
            target["interval" if self.kind == "prometheus" else "step"] = self.step
        return target


def thresholds(*steps: tuple[float | None, str]) -> Json:
    """Colours by value; the first step starts below every number (None)."""
    return {
        "mode": "absolute",
        "steps": [{"color": color, "value": value} for value, color in steps],
    }


#: A colour for each series: instead of the single colour of a panel.
PALETTE = "palette-classic"

#: One colour for every value: no value is good or bad.
PLAIN = thresholds((None, "text"))


def say(values: Mapping[int, tuple[str, str]]) -> list[Json]:
    """A mapping of numbers to (words, colour)."""
    return [
        {
            "type": "value",
            "options": {
                str(number): {"color": color, "index": index, "text": text}
                for index, (number, (text, color)) in enumerate(values.items())
            },
        }
    ]


def override(name: str, by: str = "byName", **properties: object) -> Json:
    """Field options for the one field `name`; `__` in a key stands for a dot.

    With `by="byFrameRefID"` the name is that of a query: A, B, …
    """
    return {
        "matcher": {"id": by, "options": name},
        "properties": [
            {"id": key.replace("__", "."), "value": value}
            for key, value in properties.items()
        ],
    }


def named(ref: str, name: str, **properties: object) -> Json:
    """A name, and more, for the values of one query of a `stat`.

    The space behind it is for a wide panel, where the value stands right of the name.
    """
    shown = f"{name}\u2002"
    return override(ref, by="byFrameRefID", displayName=shown, **properties)


def fixed(color: str) -> Json:
    """One colour for a field."""
    return {"mode": "fixed", "fixedColor": color}


@dataclass(frozen=True)
class Panel:
    """A panel.

    `key` is its permanent name within the dashboard: the id is derived from the key,
    so links to the panel stay valid when it moves or gets another title. `no_value`
    is shown when the query returns nothing. `color` is the single colour of its
    data; with `palette` each series has one, otherwise the thresholds decide.
    """

    key: str
    kind: str
    title: str
    description: str
    queries: tuple[Query, ...]
    no_value: str
    unit: str = "short"
    min: float | None = None
    max: float | None = None
    decimals: int | None = None
    thresholds: Mapping[str, Any] | None = None
    color: str = ""
    palette: bool = False
    mappings: Sequence[Json] = ()
    overrides: Sequence[Json] = ()
    custom: Mapping[str, Any] | None = None
    options: Mapping[str, Any] | None = None
    transformations: Sequence[Json] = ()
    links: Sequence[Json] = ()
    interval: str = ""
    max_points: int = 0

    @property
    def id(self) -> int:
        """Its id, by its key."""
        return identity(self.key)

    def as_json(self, place: Place) -> Json:
        """The panel's JSON at `place` in a dashboard."""
        color: Json = {"mode": PALETTE if self.palette else "thresholds"}
        if self.color:
            color = fixed(self.color)
        defaults: Json = {
            "color": color,
            "custom": dict(self.custom or {}),
            "mappings": list(self.mappings),
            "noValue": self.no_value,
            "thresholds": dict(self.thresholds or PLAIN),
            "unit": self.unit,
        }
        for key in ("min", "max", "decimals"):
            if getattr(self, key) is not None:
                defaults[key] = getattr(self, key)
        panel: Json = {
            "id": self.id,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "gridPos": place.as_json(),
            "datasource": data_source(self.queries[0].kind),
            "targets": [
                query.as_json(chr(ord("A") + index))
                for index, query in enumerate(self.queries)
            ],
            "fieldConfig": {"defaults": defaults, "overrides": list(self.overrides)},
            "options": dict(self.options or {}),
            "transformations": list(self.transformations),
            "links": list(self.links),
        }
        if self.interval:
            panel["interval"] = self.interval
        if self.max_points:
            panel["maxDataPoints"] = self.max_points
        return panel


def stat_options(
    *,
    values: str = "",
    size: int = 0,
    name_size: int = 0,
    mode: str = "auto",
    background: bool = False,
    line: bool = False,
) -> Json:
    """Options of a `stat`: the last number (or the field `values`), large.

    Sizes are in pixels; without one it is as large as fits. With `line` its way over
    the time range is drawn behind it.
    """
    options: Json = {
        "colorMode": "background" if background else "value",
        "graphMode": "area" if line else "none",
        "justifyMode": "center",
        "orientation": "auto",
        "reduceOptions": {
            "calcs": ["lastNotNull"],
            "fields": values,
            "values": False,
        },
        "textMode": mode,
    }
    sizes = {"valueSize": size, "titleSize": name_size}
    if any(sizes.values()):
        options["text"] = {key: value for key, value in sizes.items() if value}
    return options


def data_source_variable(kind: Kind) -> Json:
    """A variable that selects a data source; soloscope's own by default.

    Hidden: a host has one of each. The URL parameter `?var-NAME=UID` sets it.
    """
    name = kind.capitalize()
    return {
        "name": f"{kind}_datasource",
        "label": f"{name} data source",
        "type": "datasource",
        "query": kind,
        "current": {"selected": True, "text": name, "value": kind},
        "hide": 2,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
    }


def even(count: int) -> list[int]:
    """The columns of so many panels side by side, which fill the grid."""
    return [COLUMNS * (i + 1) // count - COLUMNS * i // count for i in range(count)]


@dataclass(frozen=True)
class Row:
    """Panels side by side, all of one height (rows of the grid).

    `widths` has the columns of each panel; without it all are about equally wide.
    Raises ValueError when they do not fit on the grid.
    """

    height: int
    panels: Sequence[Panel]
    widths: Sequence[int] = ()

    def __post_init__(self) -> None:
        """Refuse a row that does not fit on the grid."""
        wrong = sum(self.widths) > COLUMNS or len(self.widths) != len(self.panels)
        if wrong if self.widths else not 0 < len(self.panels) <= COLUMNS // 3:
            keys = ", ".join(panel.key for panel in self.panels)
            raise ValueError(
                f"{keys}: {len(self.panels)} panels do not fit into {COLUMNS} columns "
                f"with the widths {list(self.widths) or 'that are equal'}"
            )

    def as_json(self, y: int) -> Iterator[Json]:
        """The panels, the row's top edge at `y`."""
        x = 0
        widths = self.widths or even(len(self.panels))
        for panel, width in zip(self.panels, widths, strict=True):
            yield panel.as_json(Place(x, y, width, self.height))
            x += width


@dataclass(frozen=True)
class Heading:
    """A line of text above the rows that follow. A reader can fold them away."""

    title: str
    panels: Sequence[Panel] = ()
    height = 1

    def as_json(self, y: int) -> Iterator[Json]:
        """Grafana's panel of the type `row`."""
        yield {
            "id": identity(f"heading.{self.title}"),
            "type": "row",
            "title": self.title,
            "collapsed": False,
            "gridPos": Place(0, y, COLUMNS, self.height).as_json(),
            "panels": [],
        }


def packed(
    height: int, panels: Sequence[tuple[Panel, int]], prefix: str = ""
) -> Iterator[Row]:
    """Rows of panels that each want so many columns, and fill the grid together.

    A panel too many is made room for where that takes little from the others.
    `prefix` goes before the panels' keys.
    """
    row: list[tuple[Panel, int]] = []
    rows = [row]
    for panel, width in panels:
        if row and sum(w for _, w in row) + width > COLUMNS + 3:
            row = []
            rows.append(row)
        key = f"{prefix}.{panel.key}" if prefix else panel.key
        row.append((replace(panel, key=key), width))
    for one in filter(None, rows):
        wanted = [width for _, width in one]
        ends = [COLUMNS * sum(wanted[: i + 1]) // sum(wanted) for i in range(len(one))]
        widths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
        yield Row(height, [panel for panel, _ in one], widths)


@dataclass(frozen=True)
class Section:
    """Rows under a title, folded until the reader opens it: they ask nothing before."""

    title: str
    rows: Sequence[Row]

    @property
    def id(self) -> int:
        """Its id, by its title."""
        return identity(f"section.{self.title}")

    def as_json(self, y: int) -> Json:
        """The row panel at `y`, one grid row high while it is folded."""
        panels: list[Json] = []
        below = y + 1
        for row in self.rows:
            panels += row.as_json(below)
            below += row.height
        return {
            "id": self.id,
            "type": "row",
            "title": self.title,
            "collapsed": True,
            "gridPos": Place(0, y, COLUMNS, 1).as_json(),
            "panels": panels,
        }


@dataclass(frozen=True)
class Dashboard:
    """A dashboard file: provisioned, so not editable in place.

    The rows are below each other, then the sections; `since` is where the time range
    begins. Raises ValueError when two panels have one id.
    """

    uid: str
    title: str
    description: str
    tags: Sequence[str]
    variables: Sequence[Json]
    rows: Sequence[Row | Heading]
    annotations: Sequence[Json] = ()
    links: Sequence[Json] = ()
    sections: Sequence[Section] = ()
    since: str = "now-7d"

    def __post_init__(self) -> None:
        """Refuse panels with the same id."""
        keys: dict[int, str] = {}
        rows = [*self.rows, *(row for part in self.sections for row in part.rows)]
        for panel in (panel for row in rows for panel in row.panels):
            if panel.id in keys:
                raise ValueError(
                    f"{self.uid}: the keys `{keys[panel.id]}` and `{panel.key}` give "
                    "one panel id: change one of them"
                )
            keys[panel.id] = panel.key

    def as_json(self) -> Json:
        """The whole file."""
        panels: list[Json] = []
        y = 0
        for row in self.rows:
            panels += row.as_json(y)
            y += row.height
        for number, section in enumerate(self.sections):
            panels.append(section.as_json(y + number))
        return {
            "id": None,
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": list(self.tags),
            "schemaVersion": 39,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "timezone": "browser",
            "refresh": "30s",
            "time": {"from": self.since, "to": "now"},
            "timepicker": {},
            "fiscalYearStartMonth": 0,
            "weekStart": "",
            "liveNow": False,
            "templating": {"list": list(self.variables)},
            "annotations": {"list": list(self.annotations)},
            "links": list(self.links),
            "panels": panels,
        }
