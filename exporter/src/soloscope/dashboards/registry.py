"""Which dashboards there are, and the text of their files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from soloscope.dashboards.queries import FromLoki, FromPrometheus, Source

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.dashboards.grafana import Dashboard

__all__ = ["MODULES", "dashboards", "files"]

MODULES = (
    "overview",
    "application",
    "system",
    "errors",
    "logs",
    "user_journey",
    "stack",
    "slo",
    "business",
    "tasks",
    "messaging",
    "integrations",
    "realtime",
    "security",
)
"""The modules of this package that make dashboards, in the order of the list of links.

Uids are for ever: bookmarks and links in alerts hold them, so the uid of a dashboard
that went is not used again.
"""


def dashboards(config: Config) -> Iterator[Dashboard]:
    """Every dashboard that has data on this host."""
    source: Source = FromPrometheus() if config.prometheus.enable else FromLoki()
    for name in MODULES:
        yield from import_module(f"{__package__}.{name}").dashboards(config, source)


def files(config: Config) -> dict[str, str]:
    """The name and the text of each file."""
    return {
        f"{made.uid}.json": json.dumps(made.as_json(), indent=2, ensure_ascii=False)
        + "\n"
        for made in dashboards(config)
    }
