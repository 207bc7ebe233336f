"""Which days are written: those in Redis that Prometheus does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from soloscope.backends.prometheus import PrometheusApi
from soloscope.backfill import plan
from soloscope.backfill.blocks import Refused
from soloscope.config import App, Config, duration
from soloscope.counts.model import midnight
from soloscope.counts.store import Store
from soloscope.errors import BackendUnavailable

__all__ = ["Server", "plans", "server"]

JOB = "soloscope"

_STEP = 300.0
"""Seconds; a query sees five minutes back, so no sample falls between two steps."""

_MOST_STEPS = 10_000
"""Prometheus refuses a range query with more than 11,000 of them."""

_COUNTS = (
    "soloscope_count_total|soloscope_breakdown_total|soloscope_unique"
    "|soloscope_timing_seconds_count"
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Server:
    """Facts about Prometheus. Times are in seconds, None is unknown.

    `target` has the labels that Prometheus adds to our exporter's metrics;
    `first_known` the first time with counts, by app.
    """

    target: Mapping[str, str]
    data: Path | None
    retention: float | None
    first_known: Mapping[str, float]


def server(
    config: Config, apps: Sequence[App], now: float, *, needed: bool, say: Say
) -> Server:
    """Ask Prometheus. Raises Refused when it is `needed` and does not answer."""
    if not config.prometheus.enable:
        raise Refused("`prometheus.enable` is false: there is nothing to fill")
    exporter = config.exporter
    guess = {"job": JOB, "instance": f"{exporter.listen_address}:{exporter.port}"}
    taking = f"taking instance `{guess['instance']}`"
    try:
        api = PrometheusApi.of(config)
        target = _target(api)
        if target is None:
            say(f"Prometheus has no scrape job `{JOB}` yet; {taking}")
        data = Path(str(api.get("status/flags").get("storage.tsdb.path", "")))
        kept = api.get("status/runtimeinfo").get("storageRetention", "")
        oldest = now - max(exporter.history, 31) * 86400
        first = {app.name: _first_known(api, app.name, oldest, now) for app in apps}
    except BackendUnavailable as error:
        if needed:
            # Without its answer nothing prevents writing the same days twice.
            raise Refused(
                f"{error}; Prometheus must be running, for it says which days it has"
            ) from None
        say(f"{error}; {taking}")
        return Server(guess, None, None, {})
    return Server(
        target=target or guess,
        data=data if data.is_absolute() else None,
        # "30d", "1h30m or 5GB", or only a size.
        retention=duration(str(kept).partition(" or ")[0]),
        first_known={name: at for name, at in first.items() if at is not None},
    )


def _target(api: PrometheusApi) -> dict[str, str] | None:
    targets = api.get("targets", state="active")
    with api.understood("targets"):
        for one in targets["activeTargets"]:
            if one["scrapePool"] == JOB:
                return {str(k): str(v) for k, v in one["labels"].items()}
    return None


def _first_known(
    api: PrometheusApi, app: str, oldest: float, now: float
) -> float | None:
    """The first time since `oldest` with counts of `app`."""
    query = f'count({{__name__=~"{_COUNTS}",app="{app}"}})'
    start = oldest - oldest % _STEP
    while start <= now:
        end = min(start + _MOST_STEPS * _STEP, now)
        found = [sample.at for sample in api.span(query, start, end, _STEP)]
        if found:
            return min(found) - _STEP
        start += (_MOST_STEPS + 1) * _STEP
    return None


def plans(
    config: Config, apps: Iterable[App], found: Server, now: float, say: Say
) -> list[plan.Plan]:
    """The plan of each app. Raises Refused when there is nothing to write."""
    made = [p for app in apps if (p := _plan(config, app, found, now, say)) is not None]
    if not made:
        raise Refused("there is no day to write; see above")
    for one in made:
        say(
            f"{one.app}: {one.days[0]} to {one.days[-1]} ({len(one.days)} days), "
            f"{one.series} series, about {one.samples:,} samples"
        )
    return made


def _plan(
    config: Config, app: App, found: Server, now: float, say: Say
) -> plan.Plan | None:
    assert app.redis is not None  # noqa: S101 (only such apps are chosen)
    store = Store(app, app.redis, history=max(config.exporter.history, 31))
    try:
        snapshot = store.read()
    finally:
        store.close()
    if not snapshot.up:
        raise Refused(f"{app.name}: {snapshot.error}")
    known = found.first_known.get(app.name)
    oldest = 0.0 if found.retention is None else now - found.retention
    closed = [v.day for v in snapshot.days]
    days = plan.days_to_write(closed, app.zone, now, known, oldest)
    made = plan.plan(snapshot, days, found.target)
    if made is None:
        say(f"{app.name}: {_why_none(app, days, now, known)}")
    return made


def _why_none(app: App, days: Sequence[date], now: float, known: float | None) -> str:
    """Why no day of `app` is written, and what to do."""
    if known is not None:
        # The known data may begin up to one step later.
        since = datetime.fromtimestamp(known + _STEP, app.zone)
        return (
            f"Prometheus has its counts since {since:%Y-%m-%d}, and Redis holds none "
            "of a whole day before that"
        )
    if days:
        return "Redis holds no count for any closed day"
    start = midnight(datetime.fromtimestamp(now, app.zone).date(), app.zone)
    free = datetime.fromtimestamp(start, app.zone) + timedelta(seconds=plan.SETTLED)
    return (
        "the last day closed less than three hours ago, and Prometheus may still "
        f"write there; try again after {free:%H:%M %Z}"
    )
