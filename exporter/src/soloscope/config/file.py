"""The whole file: which options there are, and how they become `Config`.

`load` collects every problem before it gives up, so that a user repairs the file
once. A problem names the option, the bad value and what is accepted. Unknown keys
are problems too, because a misspelt option would otherwise be silently ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from soloscope.config.reading import (
    APP_NAME,
    Parser,
    Section,
    items,
    read_address,
    read_boolean,
    read_choice,
    read_clock,
    read_filled,
    read_http_url,
    read_integer,
    read_path,
    read_positive,
    read_prefix,
    read_redis_url,
    read_redis_url_text,
    read_seconds,
    read_secret,
    read_string,
    read_strings,
    read_tcp_url,
    read_zone,
    record,
    show,
    table,
)
from soloscope.config.shape import (
    Alertmanager,
    App,
    Breakdown,
    Budget,
    Check,
    Config,
    Counter,
    Exporter,
    Gauge,
    Grafana,
    Health,
    Job,
    Loki,
    Metrics,
    Postgres,
    PostgresExporter,
    Probe,
    Prometheus,
    Redis,
    Shipper,
    Stream,
    Timing,
    Unique,
)
from soloscope.errors import ConfigError, Problem


def _redis(s: Section) -> Redis:
    return Redis(
        url=s.get("url", read_redis_url),
        prefix=s.get("prefix", read_prefix, "metrics:"),
        password=s.get("passwordFile", read_secret, None),
    )


def _counter(s: Section) -> Counter:
    return Counter(
        help=s.get("help", read_string, ""), unit=s.get("unit", read_string, "")
    )


def _breakdown(s: Section) -> Breakdown:
    return Breakdown(
        help=s.get("help", read_string, ""),
        limit=s.get("limit", read_integer(1, 10_000), 200),
    )


def _unique(s: Section) -> Unique:
    return Unique(
        help=s.get("help", read_string, ""), exact=s.get("exact", read_boolean, False)
    )


def _timing(s: Section) -> Timing:
    return Timing(help=s.get("help", read_string, ""))


def _gauge(s: Section) -> Gauge:
    return Gauge(
        help=s.get("help", read_string, ""), unit=s.get("unit", read_string, "")
    )


def _job(s: Section) -> Job:
    return Job(
        counter=s.get("counter", read_filled),
        by=s.get("by", read_clock),
        min=s.get("min", read_integer(1, 2**53), 1),
    )


def _timeout_fits(s: Section, interval: float, timeout: float) -> None:
    if timeout > interval:
        s.reject("timeout", f"no longer than the interval of {interval:g} s")


def _health(s: Section) -> Health:
    health = Health(
        url=s.get("url", read_http_url),
        interval=s.get("interval", read_seconds, 30.0),
        timeout=s.get("timeout", read_seconds, 10.0),
    )
    _timeout_fits(s, health.interval, health.timeout)
    return health


def _metrics(s: Section) -> Metrics:
    return Metrics(url=s.get("url", read_http_url))


_CHECK_URLS: Mapping[str, Parser[str]] = {
    "http": read_http_url,
    "api": read_http_url,
    "tcp": read_tcp_url,
    "redis": read_redis_url_text,
}


# Interval and time-out in seconds where the file has none: Redis is asked more often
# and has less time, because everything waits for it.
_CHECK_TIMES = {"redis": (10.0, 3.0)}


def _check(s: Section) -> Check:
    kind = s.get("kind", read_choice(*_CHECK_URLS))
    interval, timeout = _CHECK_TIMES.get(kind, (30.0, 10.0))
    check = Check(
        kind=kind,
        url=s.get("url", _CHECK_URLS.get(kind, read_filled)),
        interval=s.get("interval", read_seconds, interval),
        timeout=s.get("timeout", read_seconds, timeout),
        status=s.get("status", read_integer(100, 599), 200),
        body=s.get("body", read_filled, None),
        max_seconds=s.get("maxSeconds", read_positive, None),
        key=s.get("keyFile", read_secret, None),
    )
    _timeout_fits(s, check.interval, check.timeout)
    if check.kind != "api" and "keyFile" in s.values:
        told = 'only a check with kind = "api" may have a key'
        s.problems.append(Problem(s.at("keyFile"), "", told))
    if check.kind in {"tcp", "redis"}:
        for key in ("status", "body"):
            if key in s.values:
                s.reject(key, "only a check of kind `http` or `api` reads an answer")
    return check


def _postgres(s: Section) -> Postgres:
    postgres = Postgres(
        socket=s.get("socket", read_filled, None), url=s.get("url", read_filled, None)
    )
    if (postgres.socket is None) == (postgres.url is None):
        s.problems.append(Problem(s.path, "", "set either `socket` or `url`"))
    return postgres


def _app(s: Section) -> App:
    name = s.path.rpartition(".")[2]
    app = App(
        name=name,
        title=s.get("title", read_string, name),
        zone=s.get("timeZone", read_zone, ZoneInfo("UTC")),
        units=s.get("units", read_strings, ()),
        redis=s.get("redis", record(_redis), None),
        counters=s.get("counters", table(_counter), {}),
        breakdowns=s.get("breakdowns", table(_breakdown), {}),
        uniques=s.get("uniques", table(_unique), {}),
        timings=s.get("timings", table(_timing), {}),
        gauges=s.get("gauges", table(_gauge), {}),
        jobs=s.get("jobs", table(_job), {}),
        health=s.get("health", record(_health), None),
        metrics=s.get("metrics", record(_metrics), None),
        checks=s.get("checks", table(_check, APP_NAME), {}),
        postgres=s.get("postgres", record(_postgres), None),
    )
    # These four share the keys of a day, so one name is one key.
    taken: dict[str, str] = {}
    for kind in ("counters", "breakdowns", "uniques", "timings"):
        for metric in getattr(app, kind):
            if metric in taken:
                where = s.at(f"{kind}.{metric}")
                clash = f"the name is taken by {s.at(taken[metric])}"
                s.problems.append(Problem(where, "", f"{clash}; choose another"))
            taken.setdefault(metric, f"{kind}.{metric}")
    for job, declared in app.jobs.items():
        if declared.counter and declared.counter not in app.counters:
            known = ", ".join(f"`{c}`" for c in app.counters) or "none is declared"
            s.problems.append(
                Problem(
                    s.at(f"jobs.{job}.counter"),
                    show(declared.counter),
                    f"a counter of this app: {known}",
                )
            )
    needs_redis = [
        kind
        for kind in ("counters", "breakdowns", "uniques", "timings", "gauges")
        if getattr(app, kind)
    ]
    if needs_redis and "redis" not in s.values:
        kinds = ", ".join(needs_redis)
        s.problems.append(Problem(s.at("redis.url"), "", f"must be set for {kinds}"))
    return app


def _exporter(s: Section) -> Exporter:
    return Exporter(
        listen_address=s.get("listenAddress", read_address, "127.0.0.1"),
        port=s.get("port", read_integer(0, 65535), 9847),
        history=s.get("history", read_integer(0, 366), 30),
        max_connections=s.get("maxConnections", read_integer(1, 10_000), 64),
        log_level=s.get(
            "logLevel", read_choice("debug", "info", "warning", "error"), "info"
        ),
        token=s.get("tokenFile", read_secret, None),
    )


def _stream(s: Section) -> Stream:
    return Stream(
        selector=s.get("selector", read_filled),
        period=s.get("period", read_seconds),
        priority=s.get("priority", read_integer(1, 10_000)),
    )


def _budget(s: Section) -> Budget:
    return Budget(
        folder=s.get("folder", read_path),
        overrides_file=s.get("overridesFile", read_path),
        state_file=s.get("stateFile", read_path),
        metrics_file=s.get("metricsFile", read_path),
        max_gib=s.get("maxGib", read_positive),
        retention=s.get("retention", read_seconds),
        floor=s.get("floor", read_seconds),
        streams=s.get("streams", items(record(_stream)), ()),
    )


_PORT = read_integer(0, 65535)


def _config(s: Section) -> Config:
    def loki(r: Section) -> Loki:
        return Loki(
            listen_address=r.get("listenAddress", read_address, "127.0.0.1"),
            port=r.get("port", _PORT, 3100),
            budget=r.get("budget", record(_budget), None),
        )

    def shipper(r: Section) -> Shipper:
        return Shipper(
            engine=r.get("engine", read_choice("promtail", "alloy"), "promtail"),
            listen_address=r.get("listenAddress", read_address, "127.0.0.1"),
            port=r.get("port", _PORT, 9080),
        )

    def prometheus(r: Section) -> Prometheus:
        return Prometheus(
            enable=r.get("enable", read_boolean, True),
            listen_address=r.get("listenAddress", read_address, "127.0.0.1"),
            port=r.get("port", _PORT, 9090),
        )

    def grafana(r: Section) -> Grafana:
        return Grafana(
            enable=r.get("enable", read_boolean, True),
            listen_address=r.get("listenAddress", read_address, "127.0.0.1"),
            port=r.get("port", _PORT, 3000),
            root_url=r.get("rootUrl", read_http_url, "http://127.0.0.1:3000/"),
        )

    def alertmanager(r: Section) -> Alertmanager:
        return Alertmanager(
            enable=r.get("enable", read_boolean, False),
            listen_address=r.get("listenAddress", read_address, "127.0.0.1"),
            port=r.get("port", _PORT, 9093),
        )

    def postgres_exporter(r: Section) -> PostgresExporter:
        return PostgresExporter(
            listen_address=r.get("listenAddress", read_address, "127.0.0.1"),
            port=r.get("port", _PORT, 9187),
        )

    def probe(r: Section) -> Probe:
        return Probe(result_file=r.get("resultFile", read_path, Probe().result_file))

    config = Config(
        zone=s.get("timeZone", read_zone, ZoneInfo("UTC")),
        exporter=s.get("exporter", record(_exporter), Exporter()),
        loki=s.get("loki", record(loki), Loki()),
        shipper=s.get("shipper", record(shipper), Shipper()),
        prometheus=s.get("prometheus", record(prometheus), Prometheus()),
        grafana=s.get("grafana", record(grafana), Grafana()),
        alertmanager=s.get("alertmanager", record(alertmanager), Alertmanager()),
        apps=s.get("apps", table(_app, APP_NAME), {}),
        postgres_exporter=s.get("postgresExporter", record(postgres_exporter), None),
        probe=s.get("probe", record(probe), None),
    )
    owners: dict[tuple[str, str], str] = {}
    for name, app in config.apps.items():
        if app.redis is None or app.redis.url is None:
            continue
        key = (app.redis.url.server, app.redis.prefix)
        if key in owners:
            s.problems.append(
                Problem(
                    f"apps.{name}.redis.prefix",
                    show(app.redis.prefix),
                    f"apps.{owners[key]} has the same prefix in the same database; "
                    "each app needs its own",
                )
            )
        owners.setdefault(key, name)
    return config


def parse(value: object, source: str = "configuration") -> Config:
    """Read a decoded JSON value. `source` is named in the error.

    Raises ConfigError with every problem found.
    """
    problems: list[Problem] = []
    config = record(_config)(value, "", problems)
    if problems:
        raise ConfigError(source, sorted(problems, key=lambda p: (p.path, p.accepted)))
    return config


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {show(twice)} stands twice in one object")
    return table


def load(path: Path) -> Config:
    """Read the file at `path`. Raises ConfigError with every problem found."""
    try:
        value = json.loads(path.read_bytes(), object_pairs_hook=_no_repeats)
    except OSError as error:
        why = error.strerror or str(error)
        hint = "give the file with `--config FILE`"
        raise ConfigError(
            str(path), [Problem("the file", "", f"{why}; {hint}")]
        ) from None
    except RecursionError:
        problem = Problem("the file", "", "must be JSON that is not so deeply nested")
        raise ConfigError(str(path), [problem]) from None
    except ValueError as error:  # bad JSON, bad UTF-8, a repeated key
        problem = Problem("the file", "", f"must be JSON: {error}")
        raise ConfigError(str(path), [problem]) from None
    return parse(value, str(path))
