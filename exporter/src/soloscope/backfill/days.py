"""Which days are written, of what Redis has and Prometheus has not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from soloscope.backfill import known, plan
from soloscope.backfill.blocks import Refused
from soloscope.backfill.known import Server
from soloscope.config import App, Config
from soloscope.counts.model import midnight
from soloscope.counts.store import Store
from soloscope.errors import BackendUnavailable

__all__ = ["plans", "server"]


def server(
    config: Config,
    apps: Sequence[App],
    now: float,
    *,
    needed: bool,
    say: Callable[[str], None],
) -> Server:
    """What Prometheus knows. Raises Refused when it is `needed` and does not answer."""
    if not config.prometheus.enable:
        raise Refused("`prometheus.enable` is false: there is nothing to fill")
    instance = known.guessed_target(config)["instance"]
    try:
        found = known.ask(config, [app.name for app in apps], now)
    except BackendUnavailable as error:
        if needed:
            # Without its answer nothing prevents the same days from standing twice.
            raise Refused(
                f"{error}; Prometheus must be running, for it says which days it has"
            ) from None
        say(f"{error}; taking instance `{instance}`")
        return Server(None, None, None, {})
    if found.target is None:
        say(
            f"Prometheus has no scrape job `{known.JOB}` yet; "
            f"taking instance `{instance}`"
        )
    return found


def plans(
    config: Config,
    apps: Sequence[App],
    found: Server,
    now: float,
    say: Callable[[str], None],
) -> list[plan.Plan]:
    """What is written for each app. Raises Refused when that is nothing at all."""
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
    config: Config, app: App, found: Server, now: float, say: Callable[[str], None]
) -> plan.Plan | None:
    assert app.redis is not None  # noqa: S101 (only such apps are chosen)
    store = Store(app, app.redis, history=max(config.exporter.history, 31))
    try:
        snapshot = store.read()
    finally:
        store.close()
    if not snapshot.up:
        raise Refused(f"{app.name}: {snapshot.error}")
    first_known = found.first_known.get(app.name)
    oldest = 0.0 if found.retention is None else now - found.retention
    days = plan.days_to_write(
        [v.day for v in snapshot.days], app.zone, now, first_known, oldest
    )
    target = found.target or known.guessed_target(config)
    made = plan.plan(snapshot, days, target)
    if made is None:
        say(f"{app.name}: {_why_none(app, days, now, first_known)}")
    return made


def _why_none(
    app: App, days: Sequence[date], now: float, first_known: float | None
) -> str:
    """Why no day of `app` is written, and what can be done about it."""
    if first_known is not None:
        # What is known may begin up to a step later.
        since = datetime.fromtimestamp(first_known + known.STEP, app.zone)
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
