"""Reads what a report says. What cannot be read is a reason in the report.

The sources are asked side by side, each with its own time limit: the report of a bad
night is sent in time, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from soloscope.backends import metrics_text
from soloscope.backends.alertmanager import HELPERS
from soloscope.backends.prometheus import PrometheusApi
from soloscope.counts.model import ONE_DAY, Number, Snapshot, today
from soloscope.counts.store import Store
from soloscope.digest.report import Disk, Fired, Report
from soloscope.digest.values import WEEK, AppValues, of_snapshot
from soloscope.error_groups import Group, asked
from soloscope.errors import SoloscopeError

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from soloscope.config import App, Config

__all__ = ["HISTORY", "collect", "last_full_day", "moment"]

T = TypeVar("T")

#: Days that Redis is asked for: a month of windows, and a week before the day.
HISTORY = 31

_SPAN = "24h"

_FIRING = f'ALERTS{{alertstate="firing",alertname!~"{"|".join(HELPERS)}"}}'
# Only the minute is known of the times, which is enough for a report.
_TIMES = f"timestamp({_FIRING})[{_SPAN}:1m]"
FIRST = f"min(min_over_time({_TIMES})) by (alertname, app)"
LAST = f"max(max_over_time({_TIMES})) by (alertname, app)"
NOW = f"count({_FIRING}) by (alertname, app)"


def last_full_day(app: App, at: float) -> date:
    """The last day that is over in the app's zone."""
    return today(at, app.zone) - ONE_DAY


def moment(config: Config, day: date | None, now: float) -> float:
    """The Unix time for which the report of `day` is made: its next morning, or now."""
    if day is None:
        return now
    morning = datetime.combine(day + ONE_DAY, config.digest.at, config.zone)
    return min(now, morning.timestamp())


def collect(config: Config, day: date | None, now: float) -> Report:
    """The report of `day`, or of each app's last full day; no server makes it fail."""
    at = moment(config, day, now)
    unread: list[str] = []
    with ThreadPoolExecutor() as pool:
        apps = [
            pool.submit(_app, config, app, day or last_full_day(app, at), at, now)
            for app in config.apps.values()
        ]
        alerts = pool.submit(_alerts, config, at) if config.prometheus.enable else None
        errors = pool.submit(_errors, config, at)
        budget = config.loki.budget
        disk = None if budget is None else pool.submit(_disk, budget.metrics_file)

        def result(what: str, wait: Callable[[], T]) -> T | None:
            try:
                return wait()
            except SoloscopeError as error:
                unread.append(f"{what}: {error}")
                return None

        values = []
        for future in apps:
            one, reasons = future.result()
            values.append(one)
            unread += reasons
        return Report(
            at,
            config.zone,
            values,
            alerts=result("alerts", alerts.result) if alerts is not None else None,
            errors=result("errors", errors.result),
            disk=result("disk budget", disk.result) if disk is not None else None,
            unread=unread,
        )


# --- an app -------------------------------------------------------------------------


def _app(
    config: Config, app: App, day: date, at: float, now: float
) -> tuple[AppValues, list[str]]:
    """The app's values, and what of them could not be read."""
    if app.redis is None:
        # It counts nothing, and Redis is not missed.
        return of_snapshot(Snapshot(app, up=True), day, at), []
    behind = (today(now, app.zone) - (day - WEEK)).days + 1
    store = Store(app, app.redis, max(HISTORY, behind))
    try:
        snapshot = store.read()
    finally:
        store.close()
    reasons = []
    gauges = None
    if app.gauges and day < last_full_day(app, now):
        gauges, why = _past_gauges(config, app, at)
        reasons += why
    # A fault of many days is one reason.
    reasons += dict.fromkeys(
        f"{app.name}: {fault.name} {fault.reason}"
        for fault in snapshot.faults
        if fault.name != "keys_without_expiry"
    )
    return of_snapshot(snapshot, day, at, gauges), reasons


def _past_gauges(
    config: Config, app: App, at: float
) -> tuple[Mapping[str, Number], list[str]]:
    """Redis has the gauges of now; those of then are in Prometheus."""
    if not config.prometheus.enable:
        return {}, []
    query = f'soloscope_value{{app="{app.name}"}}'
    try:
        found = PrometheusApi.of(config).instant(query, at)
    except SoloscopeError as error:
        return {}, [f"gauges of {app.name}: {error}"]
    return {one.labels.get("name", ""): one.value for one in found}, []


# --- the host -----------------------------------------------------------------------


def _alerts(config: Config, at: float) -> list[Fired]:
    """What fired in the day before `at`, also what is over."""
    ask = partial(PrometheusApi.of(config).instant, at=at)

    def by(query: str) -> dict[tuple[str, str], float]:
        return {
            (one.labels.get("alertname", ""), one.labels.get("app", "")): one.value
            for one in ask(query)
        }

    first, last, firing = by(FIRST), by(LAST), by(NOW)
    return [
        Fired(name, app, began, last.get((name, app), began), (name, app) in firing)
        for (name, app), began in first.items()
    ]


def _errors(config: Config, at: float) -> Sequence[Group]:
    since = datetime.fromtimestamp(at, UTC) - ONE_DAY
    return asked(config, since, span=_SPAN, at=at)


def _disk(path: Path) -> Disk:
    """From the file of `soloscope loki-budget`, which needs no Prometheus."""
    names = ("bytes", "budget_bytes", "days_left", "ingestion_blocked")
    wanted = [f"soloscope_loki_{name}" for name in names]
    try:
        found = metrics_text.samples(path.read_text(encoding="utf-8"), *wanted)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "is no file of metrics"
        raise SoloscopeError(f"{path}: {why}") from None
    total: dict[str, float] = {}
    for one in found:
        total[one.name] = total.get(one.name, 0.0) + one.value
    used, budget, left, blocked = (total.get(name, math.nan) for name in wanted)
    if math.isnan(used + budget + blocked) or math.isnan(left):
        raise SoloscopeError(f"{path}: is not what `soloscope loki-budget` writes")
    return Disk(used, budget, left, bool(blocked))
