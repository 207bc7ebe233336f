"""Links from a panel into Explore."""

from __future__ import annotations

import json
from urllib.parse import quote

from soloscope.dashboards.grafana import Json


def explore(expr: str) -> str:
    """A link that opens `expr` in Explore, over the dashboard's time range.

    Variables stay as they are, for Grafana to fill in. The form is Grafana's
    "Explore URLs", schema version 1.
    """
    source = "${loki_datasource}"
    pane = {
        "datasource": source,
        "queries": [
            {"refId": "A", "datasource": {"type": "loki", "uid": source}, "expr": expr}
        ],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    text = json.dumps({"log": pane}, separators=(",", ":"))
    return f"/explore?schemaVersion=1&panes={quote(text, safe='${}:.,_')}"


def link(title: str, expr: str) -> Json:
    """A link `title` that opens `expr` in Explore."""
    return {"title": title, "url": explore(expr), "targetBlank": False}
