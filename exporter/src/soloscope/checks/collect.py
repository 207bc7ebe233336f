"""The health of this moment, as `soloscope health-check` shows it.

`serve` is asked for the checks and the gauges, because it holds the Redis passwords
and reads what the probe found out. When it does not answer, that is the first thing
reported, and whatever needs no secret is asked from here. systemd is asked from here
always.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from soloscope.backends import metrics_text, systemd
from soloscope.backends.http import base_url, fetch, understood
from soloscope.backends.loki import LokiApi
from soloscope.checks.declared import checks
from soloscope.checks.model import Result
from soloscope.checks.registry import Registry
from soloscope.checks.report import document
from soloscope.config import App, Config
from soloscope.errors import BackendUnavailable

__all__ = ["Number", "Report", "collect"]

# Seconds that `serve` has to answer, and that checks asked from here have.
SERVE_TIMEOUT = 5.0
DIRECT_TIMEOUT = 12.0

Number = int | float


@dataclass(frozen=True, slots=True)
class Report:
    """The health document of checks/report.py, and the gauges by app and name.

    A gauge that is declared but not known is None. `source` says who asked; `unseen`
    what could not be asked.
    """

    document: Mapping[str, Any]
    gauges: Mapping[str, Mapping[str, Number | None]] = field(default_factory=dict)
    source: str = "serve"
    unseen: str = ""

    @property
    def healthy(self) -> bool:
        """Whether every check succeeded."""
        return bool(self.document["status"] == "healthy")

    def json(self) -> dict[str, Any]:
        """The document with the gauges in it."""
        unseen = {"unseen": self.unseen} if self.unseen else {}
        return {**self.document, "gauges": self.gauges, "source": self.source, **unseen}


def collect(config: Config) -> Report:
    """Ask `serve`, or what can be asked without it; and systemd."""
    try:
        report = _served(config)
    except BackendUnavailable as error:
        report = _direct(config, str(error))
    return _with_units(config, report)


def _served(config: Config) -> Report:
    exporter = config.exporter
    base = base_url(exporter.listen_address, exporter.port)
    # This makes `serve` read Redis, so the checks that come next know what the gauges
    # know: a Redis that has just died is well in neither.
    found = metrics_text.read(base, SERVE_TIMEOUT, "soloscope_value")
    known = {(s.labels.get("app"), s.labels.get("name")): s.value for s in found}
    where = f"{base}/api/health"
    try:
        answer = fetch(where, SERVE_TIMEOUT)
    except BackendUnavailable as failed:
        raise BackendUnavailable(f"{where}: {failed}") from None
    with understood(where):
        try:
            value = json.loads(answer.body)
        except RecursionError:
            raise ValueError from None
        return Report(
            {**value, "status": str(value["status"]), "checks": _checked(value)},
            _declared_gauges(config, known),
        )


def _checked(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The checks of a document; other shapes raise an error of Python's."""
    return [
        {
            **one,
            **{key: str(one[key]) for key in ("app", "name", "status", "detail")},
            **{
                key: None if one[key] is None else float(one[key])
                for key in ("duration_ms", "age_seconds")
            },
        }
        for one in value["checks"]
    ]


def _direct(config: Config, why: str) -> Report:
    # A password in a credential is for the service alone; the rest needs none.
    hidden = {app.name for app in config.apps.values() if _needs_secret(app)}
    registry = Registry(
        [c for c in checks(config) if not (c.kind == "redis" and c.app in hidden)]
    )
    registry.start()
    try:
        results = registry.results(wait=DIRECT_TIMEOUT)
    finally:
        registry.stop(0.1)
    serve = Result("", "serve", "scrape", False, why, interval=0.0)
    known: dict[tuple[str | None, str | None], Number] = {}
    from soloscope.counts.store import Store

    for app in config.apps.values():
        if app.redis is None or not app.gauges or app.name in hidden:
            continue
        store = Store(app, app.redis, history=0)
        try:
            snapshot = store.read()
        finally:
            store.close()
        known |= {(app.name, name): v for name, v in snapshot.gauges.items()}
    return Report(
        document((serve, *results), datetime.now(UTC)),
        _declared_gauges(config, known),
        source="direct",
    )


def _needs_secret(app: App) -> bool:
    return app.redis is not None and app.redis.password is not None


def _declared_gauges(
    config: Config, known: Mapping[tuple[str | None, str | None], Number]
) -> dict[str, dict[str, Number | None]]:
    return {
        app.name: {name: known.get((app.name, name)) for name in app.gauges}
        for app in config.apps.values()
    }


# --- units --------------------------------------------------------------------------

INTAKE = 3600
"""Seconds within which some line must have reached Loki."""


def _with_units(config: Config, report: Report) -> Report:
    """The report with a check for each unit of ours, and for the way of the lines."""
    units = [systemd.show(name) for name in systemd.own_units(config)]
    seen = [unit for unit in units if unit is not None]
    if len(seen) < len(units):
        return _unseen(report, "systemd does not answer on this machine")
    if all(unit.missing for unit in seen):
        return _unseen(report, "this machine has none of them")
    results = [
        Result("", unit.name, "unit", not unit.why, unit.why or "is well", interval=0.0)
        for unit in seen
    ]
    results.append(_intake(config))
    added = document(results, datetime.now(UTC))
    well = report.healthy and added["status"] == "healthy"
    return replace(
        report,
        document={
            **report.document,
            "status": "healthy" if well else "unhealthy",
            "checks": [*report.document["checks"], *added["checks"]],
        },
    )


def _unseen(report: Report, why: str) -> Report:
    return replace(report, unseen=f"soloscope's units were not looked at: {why}")


def _intake(config: Config) -> Result:
    """Whether lines reach Loki: the shipper may run, and send to nobody."""
    query = f'sum(count_over_time({{job=~".+"}}[{INTAKE}s]))'
    try:
        found = LokiApi.of(config).instant(query)
    except BackendUnavailable as error:
        return Result("", "intake", "loki", False, str(error), interval=0.0)
    count = sum(sample.value for sample in found)
    detail = f"{count:,.0f} lines in the last hour"
    if not count > 0:
        shipper = f"soloscope-{config.shipper.engine}"
        detail = f"no line has reached Loki for an hour: `journalctl -u {shipper}`"
    return Result("", "intake", "loki", count > 0, detail, interval=0.0)
