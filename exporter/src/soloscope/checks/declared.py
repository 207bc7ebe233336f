"""The checks of a configuration.

Declared checks have their interval and time-out in the configuration. The built-in
ones use the values of the table of service health checks in the origin
documents: an API every 30 s with 10 s to answer, a database every 30 s with
5 s, Redis every 10 s with 3 s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

from redis.exceptions import ResponseError

from soloscope.backends.http import base_url
from soloscope.checks import kinds
from soloscope.checks.model import Check, CheckFailed, Kind, Outcome, Recorded
from soloscope.checks.results import probed
from soloscope.config import App, Config, Redis, redis_url
from soloscope.config import Check as Declared
from soloscope.errors import BackendUnavailable
from soloscope.redis.client import RedisClient

__all__ = ["checks", "ping"]

# Seconds: (interval, time-out).
_API = (30.0, 10.0)
_DATABASE = (30.0, 5.0)
_REDIS = (10.0, 3.0)


@dataclass(frozen=True, slots=True)
class Scrape:
    """The result of an app's last scrape: whether Redis answered, or why not, and when.

    `at` is on the monotonic clock; `left_out` names metrics that could not be read.
    """

    up: bool
    error: str
    at: float
    left_out: Sequence[str] = ()


LastScrape = Callable[[str], Scrape | None]


def ping(redis: Redis) -> Callable[[float], Outcome]:
    """Redis answers PING on a fresh connection, as the exporter's user.

    The connection has its own time-outs, shorter than the check's.
    """

    def run(_timeout: float) -> Outcome:
        client = RedisClient(redis)
        try:
            reply = client.run([("PING",)])[0]
        except BackendUnavailable as error:
            raise CheckFailed(str(error)) from None
        finally:
            client.close()
        if isinstance(reply, ResponseError):
            raise CheckFailed(f"{redis.url.server}: {reply}")
        return Outcome("PONG")

    return run


def checks(config: Config, last_scrape: LastScrape | None = None) -> list[Check]:
    """All checks, the stack's own first, in the order in which they are shown.

    `last_scrape` returns the result of an app's last scrape, None before the first;
    without it (outside `serve`) there is no such check. A check that an app declares
    replaces a built-in one of the same name.
    """
    found: list[Check] = []

    def own(name: Kind, run: Callable[[float], Outcome]) -> None:
        interval, timeout = _API
        found.append(Check("", name, name, run, interval, timeout))

    own("loki", kinds.loki(base_url(config.loki)))
    if config.prometheus.enable:
        own("prometheus", kinds.ready(base_url(config.prometheus)))
    if config.grafana.enable:
        root_url = config.grafana.root_url
        own("grafana", kinds.grafana(base_url(config.grafana), root_url))
    if config.alertmanager.enable:
        own("alertmanager", kinds.ready(base_url(config.alertmanager)))
    database = _database(config)
    if database is not None and not database.app:
        found.append(database)
    for app in config.apps.values():
        mine = _app(config, app, last_scrape)
        if database is not None and database.app == app.name:
            mine = {database.name: database, **mine}
        found.extend(mine.values())
    return found


def _database(config: Config) -> Check | None:
    """One check for all databases: there is one postgres exporter."""
    apps = [app.name for app in config.apps.values() if app.postgres is not None]
    exporter = config.postgres_exporter
    if not apps or exporter is None:
        return None
    from soloscope.checks.database import postgres

    app = apps[0] if len(apps) == 1 else ""
    run = postgres(base_url(exporter))
    return Check(app, "postgres", "postgres", run, *_DATABASE)


def _app(config: Config, app: App, last_scrape: LastScrape | None) -> dict[str, Check]:
    mine: dict[str, Check] = {}
    if app.redis is not None:
        redis = Check(app.name, "redis", "redis", ping(app.redis), *_REDIS)
        if last_scrape is not None:
            last = partial(last_scrape, app.name)
            redis = replace(redis, witness=partial(_witness, last))
            mine["scrape"] = Check(
                app.name, "scrape", "scrape", partial(_scrape, last), passive=True
            )
        mine = {"redis": redis, **mine}
    if app.health is not None:
        run = kinds.http(app.health.url)
        interval, timeout = app.health.interval, app.health.timeout
        mine["health"] = Check(app.name, "health", "health", run, interval, timeout)
    for name, declared in app.checks.items():
        mine[name] = Check(
            app.name,
            name,
            declared.kind,
            _run(config, app.name, name, declared),
            declared.interval,
            declared.timeout,
            passive=declared.kind == "api",
        )
    return mine


def _run(
    config: Config, app: str, name: str, declared: Declared
) -> Callable[[float], Outcome]:
    if declared.kind == "api":
        if config.probe is None:
            return _unprobed
        return probed(config.probe.result_file, app, name)
    if declared.kind == "tcp":
        return kinds.tcp(declared.url, max_seconds=declared.max_seconds)
    if declared.kind == "redis":
        return _within(ping(Redis(redis_url(declared.url), "")), declared.max_seconds)
    return kinds.http(
        declared.url,
        status=declared.status,
        body=declared.body,
        max_seconds=declared.max_seconds,
    )


def _within(
    run: Callable[[float], Outcome], limit: float | None
) -> Callable[[float], Outcome]:
    def timed(timeout: float) -> Outcome:
        start = monotonic()
        outcome = run(timeout)
        kinds.in_time(monotonic() - start, limit)
        return outcome

    return timed


def _unprobed(_timeout: float) -> Outcome:
    raise CheckFailed("`probe.resultFile` is not set, so nothing asks this API")


def _scrape(last: Callable[[], Scrape | None], _timeout: float) -> Outcome:
    scrape = last()
    if scrape is not None and not scrape.up:
        raise CheckFailed(f"the last scrape failed: {scrape.error}")
    if scrape is not None and scrape.left_out:
        count, names = len(scrape.left_out), ", ".join(scrape.left_out[:10])
        more = ", …" if count > 10 else ""
        return Outcome(f"complete but for {count} metrics: {names}{more}")
    return Outcome("the last scrape was complete")


def _witness(last: Callable[[], Scrape | None]) -> Recorded | None:
    """The state of Redis in the last scrape."""
    scrape = last()
    if scrape is None:
        return None
    detail = "answered the last scrape" if scrape.up else scrape.error
    return Recorded(scrape.up, scrape.at, detail)
