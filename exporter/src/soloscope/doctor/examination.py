"""Runs all parts of the doctor in turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.doctor import app_redis, machine, servers
from soloscope.doctor.finding import LEVELS, Finding

if TYPE_CHECKING:
    from soloscope.config import App, Config

__all__ = ["examine"]


def examine(config: Config, budget: float) -> list[Finding]:
    """All findings, faults first. `budget`: seconds to search each Redis."""
    found = list(_examine(config, budget))
    return sorted(found, key=lambda one: (LEVELS.index(one.level), one.app))


def _examine(config: Config, budget: float) -> Iterator[Finding]:
    hidden: dict[str, App] = {}
    for app in config.apps.values():
        if app.redis is None:
            continue
        if app.redis.password is not None and not app.redis.password.in_reach():
            # Only for these apps are the findings of `serve` needed.
            hidden[app.name] = app
        yield from app_redis.look(app, config.exporter.history, budget)
    yield from servers.serve(config, hidden)
    yield from servers.loki(config)
    yield from servers.prometheus(config)
    yield from machine.units(config)
    yield from machine.clock()
