"""Links from a panel into Explore."""

from __future__ import annotations

import json
from urllib.parse import quote

from soloscope.dashboards.grafana import Json


def explore(expr: str) -> str:
    """A link that opens `expr` in Explore, over the dashboard's time range.

    Variables stay as they are, for Grafana to fill in.
    """
    left = {
        "datasource": "${loki_datasource}",
        "queries": [{"refId": "A", "expr": expr}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    text = json.dumps(left, separators=(",", ":"))
    return f"/explore?left={quote(text, safe='${}:.,_')}"


def link(title: str, expr: str) -> Json:
    """A link `title` that opens `expr` in Explore."""
    return {"title": title, "url": explore(expr), "targetBlank": False}
