"""The current health, as `soloscope health-check` shows it.

The checks and gauges come from `serve`, which has the Redis passwords and reads the
probe's results. When it does not answer, that is reported first, and the checks that
need no secret run here. systemd is always queried here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from soloscope.backends import metrics_text, systemd
from soloscope.backends.http import ask, base_url, understood
from soloscope.backends.loki import LokiApi
from soloscope.checks.declared import checks
from soloscope.checks.model import Result
from soloscope.checks.registry import Registry
from soloscope.checks.report import database, document
from soloscope.config import Config
from soloscope.errors import BackendUnavailable

__all__ = ["Number", "Report", "collect"]

# Time-outs in seconds for `serve`, and for the checks that run here.
SERVE_TIMEOUT = 5.0
DIRECT_TIMEOUT = 12.0

Number = int | float


@dataclass(frozen=True, slots=True)
class Report:
    """The health document of checks/report.py, and the gauges by app and name.

    A declared gauge without a value is None. `source` says who ran the checks;
    `unseen` what could not be checked.
    """

    document: Mapping[str, Any]
    gauges: Mapping[str, Mapping[str, Number | None]]
    source: str
    unseen: str

    @property
    def healthy(self) -> bool:
        """Whether every check succeeded."""
        return bool(self.document["status"] == "healthy")

    def json(self) -> dict[str, Any]:
        """The document, including the gauges."""
        unseen = {"unseen": self.unseen} if self.unseen else {}
        return {**self.document, "gauges": self.gauges, "source": self.source, **unseen}


Known = Mapping[tuple[str, str], Number]
Found = tuple[list[Result], Known, Any]
"""The results, the gauges, and the document's part about the database."""


def collect(config: Config) -> Report:
    """Ask `serve`, or run what is possible without it; and ask systemd."""
    try:
        source = "serve"
        results, known, database = _served(config)
    except BackendUnavailable as error:
        source = "direct"
        results, known, database = _direct(config, str(error))
    added, unseen = _units(config)
    shown = document([*results, *added], datetime.now(UTC))
    gauges = {
        app.name: {name: known.get((app.name, name)) for name in app.gauges}
        for app in config.apps.values()
    }
    return Report({**shown, "database": database}, gauges, source, unseen)


def _served(config: Config) -> Found:
    base = base_url(config.exporter)
    # This makes `serve` read Redis, so the checks after it are consistent with the
    # gauges: a Redis that has just died is down in both.
    found = metrics_text.read(base, SERVE_TIMEOUT, "soloscope_value")
    where = f"{base}/api/health"
    answer = ask(where, SERVE_TIMEOUT)
    with understood(where):
        known = {(s.labels["app"], s.labels["name"]): s.value for s in found}
        value = json.loads(answer.body)
        return [_result(one) for one in value["checks"]], known, value["database"]


def _result(one: Mapping[str, Any]) -> Result:
    """A check parsed from the document; other formats raise a Python error."""
    took, age = one["duration_ms"], one["age_seconds"]
    return Result(
        app=str(one["app"]),
        name=str(one["name"]),
        kind=one["kind"],
        ok=one["status"] == "healthy",
        detail=str(one["detail"]),
        interval=float(one["interval_seconds"]),
        age=None if age is None else float(age),
        seconds=None if took is None else float(took) / 1000,
    )


def _direct(config: Config, why: str) -> Found:
    # A password in a credential is only for the service; the others need none.
    open_apps = [a for a in config.apps.values() if a.redis and not a.redis.password]
    names = {app.name for app in open_apps}
    registry = Registry(
        [c for c in checks(config) if c.kind != "redis" or c.app in names]
    )
    registry.start()
    try:
        results = registry.results(wait=DIRECT_TIMEOUT)
    finally:
        registry.stop(0.1)
    serve = Result("", "serve", "scrape", False, why, interval=0.0)
    known: dict[tuple[str, str], Number] = {}
    from soloscope.counts.store import Store

    for app in open_apps:
        if app.redis is None or not app.gauges:
            continue
        store = Store(app, app.redis, history=0)
        try:
            snapshot = store.read()
        finally:
            store.close()
        known |= {(app.name, name): v for name, v in snapshot.gauges.items()}
    return [serve, *results], known, database(results)


INTAKE = 3600
"""Seconds within which some line must have reached Loki."""


def _units(config: Config) -> tuple[list[Result], str]:
    """A check for each of our units and for log shipping; or why there is none.

    The shipper may run without sending anything.
    """
    unseen = "soloscope's units were not looked at: "
    units = [systemd.show(name) for name in systemd.own_units(config)]
    seen = [unit for unit in units if unit is not None]
    if len(seen) < len(units):
        return [], unseen + "systemd does not answer on this machine"
    if all(unit.missing for unit in seen):
        return [], unseen + "this machine has none of them"
    query = f'sum(count_over_time({{job=~".+"}}[{INTAKE}s]))'
    try:
        count = sum(one.value for one in LokiApi.of(config).instant(query))
        detail = f"{count:,.0f} lines in the last hour"
        if not count > 0:
            shipper = f"soloscope-{config.shipper.engine}"
            detail = f"no line has reached Loki for an hour: `journalctl -u {shipper}`"
    except BackendUnavailable as error:
        count, detail = 0, str(error)
    return [
        *(
            Result("", one.name, "unit", not one.why, one.why or "is well", 0.0)
            for one in seen
        ),
        Result("", "intake", "loki", count > 0, detail, 0.0),
    ], ""
