"""The configuration file, read into frozen dataclasses.

The file is JSON with the names and the shape of the NixOS options (camelCase).
`load` collects every problem before it gives up, so that a user repairs the file
once. A problem names the option, the bad value and what is accepted. Unknown keys
are problems too, because a misspelt option would otherwise be silently ignored.

Durations are written as Prometheus writes them ("30s", "1h30m") and held in seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Any, Literal, TypeVar, cast
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

from soloscope.errors import ConfigError
from soloscope.secret import Secret

__all__ = [
    "Alertmanager",
    "App",
    "Breakdown",
    "Check",
    "Config",
    "Counter",
    "Exporter",
    "Gauge",
    "Grafana",
    "Health",
    "Job",
    "Loki",
    "Metrics",
    "Postgres",
    "PostgresExporter",
    "Probe",
    "Problem",
    "Prometheus",
    "Redis",
    "RedisUrl",
    "Timing",
    "Unique",
    "duration",
    "load",
    "parse",
    "redis_url",
]

T = TypeVar("T")
CheckKind = Literal["http", "tcp", "redis", "api"]
LogLevel = Literal["debug", "info", "warning", "error"]


# --- what the file says ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """Where a Redis server is. `path` is set for unix sockets, `host` otherwise."""

    url: str
    scheme: Literal["redis", "rediss", "unix"]
    host: str | None
    port: int
    path: str | None
    username: str | None
    db: int

    @property
    def server(self) -> str:
        """The address without user, for messages and for comparing two of them."""
        where = self.path if self.path is not None else f"{self.host}:{self.port}"
        return f"{self.scheme}://{where} db {self.db}"


@dataclass(frozen=True, slots=True)
class Redis:
    """How an app's counts are reached: keys are `<prefix><day>:<name>`."""

    url: RedisUrl
    prefix: str = "metrics:"
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class Counter:
    """So many today: `INCR <prefix><day>:<name>`."""

    help: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """So many today by key: `HINCRBY <prefix><day>:<name> <key> 1`."""

    help: str = ""
    limit: int = 200


@dataclass(frozen=True, slots=True)
class Unique:
    """So many different ones today: PFADD, or SADD when `exact`."""

    help: str = ""
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """Calls and milliseconds today: a hash with the fields `count` and `ms`."""

    help: str = ""


@dataclass(frozen=True, slots=True)
class Gauge:
    """The value now: a field of the hash `<prefix>now`."""

    help: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """Work that must have counted `min` in `counter` at `by`, in the app's zone."""

    counter: str
    by: time
    min: int = 1


@dataclass(frozen=True, slots=True)
class Health:
    """The app's own health endpoint: 200 is healthy. Interval, timeout in seconds."""

    url: str
    interval: float = 30.0
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class Metrics:
    """The app's own metrics endpoint (Prometheus text)."""

    url: str


@dataclass(frozen=True, slots=True)
class Check:
    """A further health check. Interval, timeout and max_seconds are in seconds.

    `api` runs in `soloscope probe`, the only process that may read `key`.
    """

    kind: CheckKind
    url: str
    interval: float = 30.0
    timeout: float = 10.0
    status: int = 200
    body: str | None = None
    max_seconds: float | None = None
    key: Secret | None = None


@dataclass(frozen=True, slots=True)
class Postgres:
    """The app's database, for the postgres exporter: a socket folder or a URL."""

    socket: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class App:
    """One app and what it takes part in. `redis` is None without counts."""

    name: str
    title: str
    zone: ZoneInfo
    units: tuple[str, ...] = ()
    redis: Redis | None = None
    counters: Mapping[str, Counter] = field(default_factory=dict)
    breakdowns: Mapping[str, Breakdown] = field(default_factory=dict)
    uniques: Mapping[str, Unique] = field(default_factory=dict)
    timings: Mapping[str, Timing] = field(default_factory=dict)
    gauges: Mapping[str, Gauge] = field(default_factory=dict)
    jobs: Mapping[str, Job] = field(default_factory=dict)
    health: Health | None = None
    metrics: Metrics | None = None
    checks: Mapping[str, Check] = field(default_factory=dict)
    postgres: Postgres | None = None


@dataclass(frozen=True, slots=True)
class Exporter:
    """`soloscope serve`. `history` is in days; 0 shows today only."""

    listen_address: str = "127.0.0.1"
    port: int = 9847
    history: int = 30
    max_connections: int = 64
    log_level: LogLevel = "info"
    token: Secret | None = None


@dataclass(frozen=True, slots=True)
class Loki:
    """Where Loki listens."""

    listen_address: str = "127.0.0.1"
    port: int = 3100


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Where Prometheus listens; not enabled is the light shape."""

    enable: bool = True
    listen_address: str = "127.0.0.1"
    port: int = 9090


@dataclass(frozen=True, slots=True)
class Grafana:
    """Where Grafana listens, and the URL that people use."""

    enable: bool = True
    listen_address: str = "127.0.0.1"
    port: int = 3000
    root_url: str = "http://127.0.0.1:3000/"


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """Where Alertmanager listens."""

    enable: bool = False
    listen_address: str = "127.0.0.1"
    port: int = 9093


@dataclass(frozen=True, slots=True)
class PostgresExporter:
    """Where the postgres exporter listens; only when an app declares postgres."""

    listen_address: str = "127.0.0.1"
    port: int = 9187


@dataclass(frozen=True, slots=True)
class Probe:
    """What `soloscope probe` leaves for `soloscope serve`."""

    result_file: Path = Path("/run/soloscope-probe/results.json")


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file. `zone` is the developer's; each app has its own."""

    zone: ZoneInfo
    exporter: Exporter
    loki: Loki
    prometheus: Prometheus
    grafana: Grafana
    alertmanager: Alertmanager
    apps: Mapping[str, App]
    postgres_exporter: PostgresExporter | None = None
    probe: Probe | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: which option, what it says, what is accepted."""

    path: str
    value: str
    accepted: str

    def __str__(self) -> str:
        if not self.value:
            return f"{self.path}: {self.accepted}"
        return f"{self.path}: {self.value} is not accepted; {self.accepted}"


# --- how it is read ----------------------------------------------------------------


class _Rejected(Exception):  # noqa: N818 (never leaves this module)
    """Raised by a value parser; the message is what would be accepted."""


_MISSING: Any = object()
Parser = Callable[[Any, str, list[Problem]], T]


# The password in a URL; a wrong one may have any characters in it.
_PASSWORD = re.compile(r"(://[^:/@]*):.*@")


def _show(value: object) -> str:
    """The value as JSON, short enough for one line of an error message.

    The line may land in a log, so a password in a URL is not in it.
    """
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = _PASSWORD.sub(r"\1:***@", text)
    return text if len(text) <= 60 else text[:57] + "…"


class _Section:
    """One JSON object while it is read: hands out values, then reports leftovers."""

    def __init__(self, value: object, path: str, problems: list[Problem]) -> None:
        self.path = path
        self.problems = problems
        self.known: list[str] = []
        if isinstance(value, dict):
            # The module leaves null out; whoever writes it means "not set".
            self.values = {k: v for k, v in value.items() if v is not None}
        else:
            self.values = {}
            problems.append(Problem(path or "the file", _show(value), "an object"))
            # Nothing more can be said about what is not an object.
            self.problems = []

    def at(self, key: str) -> str:
        """The full option path of `key`."""
        return f"{self.path}.{key}" if self.path else key

    def get(self, key: str, parser: Parser[T], default: T = _MISSING) -> T:
        """The parsed value of `key`, or `default`; a problem when neither works.

        After a problem the default, or None, stands in: `parse` never returns then.
        """
        self.known.append(key)
        if key not in self.values:
            if default is _MISSING:
                self.problems.append(Problem(self.at(key), "", "must be set"))
                return None  # type: ignore[return-value]
            return default
        value = self.values[key]
        try:
            return parser(value, self.at(key), self.problems)
        except _Rejected as rejected:
            self.problems.append(Problem(self.at(key), _show(value), str(rejected)))
        return None if default is _MISSING else default  # type: ignore[return-value]

    def reject(self, key: str, accepted: str) -> None:
        """Report the value of `key`, which is well-formed but does not fit."""
        shown = _show(self.values.get(key))
        self.problems.append(Problem(self.at(key), shown, accepted))

    def close(self) -> None:
        """Report keys that nobody asked for."""
        for key in self.values.keys() - set(self.known):
            # difflib is needed only to word an error.
            from difflib import get_close_matches

            near = get_close_matches(key, self.known, n=1, cutoff=0.6)
            hint = (
                f"did you mean `{near[0]}`?"
                if near
                else "known here: " + ", ".join(sorted(self.known))
            )
            self.problems.append(Problem(self.at(key), "", f"unknown option; {hint}"))


_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_APP_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]*\Z")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z")
_HOST = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?\Z")
# Prometheus: common/model/time.go, ParseDuration; each unit once, largest first.
_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?\Z"
)
_UNITS = (365 * 86400.0, 7 * 86400.0, 86400.0, 3600.0, 60.0, 1.0, 0.001)


def _string(value: object, _path: str, _problems: list[Problem]) -> str:
    if not isinstance(value, str):
        raise _Rejected("a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            raise _Rejected("a string of whole characters") from None
    return value


def _filled(value: object, path: str, problems: list[Problem]) -> str:
    text = _string(value, path, problems)
    if not text.strip():
        raise _Rejected("a string that is not empty")
    return text


def _boolean(value: object, _path: str, _problems: list[Problem]) -> bool:
    if not isinstance(value, bool):
        raise _Rejected("true or false")
    return value


def _integer(low: int, high: int) -> Parser[int]:
    def parser(value: object, _path: str, _problems: list[Problem]) -> int:
        # bool is an int in Python, not in the file.
        if isinstance(value, bool) or not isinstance(value, int):
            raise _Rejected(f"a whole number from {low} to {high}")
        if not low <= value <= high:
            raise _Rejected(f"a whole number from {low} to {high}")
        return value

    return parser


def _choice(*accepted: str) -> Parser[Any]:
    def parser(value: object, _path: str, _problems: list[Problem]) -> str:
        if not isinstance(value, str) or value not in accepted:
            raise _Rejected("one of " + ", ".join(f"`{a}`" for a in accepted))
        return value

    return parser


def duration(text: str) -> float | None:
    """The seconds in "30s" or "1h30m", as Prometheus writes them; None otherwise.

    Zero is None too: nothing here can take no time.
    """
    match = _DURATION.match(text)
    if match is None:
        return None
    parts = zip(match.groups(), _UNITS, strict=True)
    return sum(int(part) * unit for part, unit in parts if part) or None


def _seconds(value: object, _path: str, _problems: list[Problem]) -> float:
    seconds = duration(value) if isinstance(value, str) else None
    if seconds is None:
        raise _Rejected("a duration above zero such as `30s`, `5m` or `1h30m`")
    return seconds


def _positive(value: object, _path: str, _problems: list[Problem]) -> float:
    ok = isinstance(value, int | float) and not isinstance(value, bool)
    if not ok or not 0 < value < float("inf"):  # type: ignore[operator]
        raise _Rejected("a number of seconds above zero")
    return float(value)  # type: ignore[arg-type]


def _zone(value: object, _path: str, _problems: list[Problem]) -> ZoneInfo:
    # ZoneInfo answers a bad key with any of these, a folder's name included.
    try:
        return ZoneInfo(value)  # type: ignore[arg-type]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _Rejected(
            "a time zone of the IANA database such as `UTC` or `Europe/Berlin`"
        ) from None


def _clock(value: object, _path: str, _problems: list[Problem]) -> time:
    match = _CLOCK.match(value) if isinstance(value, str) else None
    if match is None:
        raise _Rejected("a time of day such as `04:00`")
    return time(int(match[1]), int(match[2]))


def _address(value: object, _path: str, _problems: list[Problem]) -> str:
    accepted = "an IP address or a host name"
    if not isinstance(value, str):
        raise _Rejected(accepted)
    if ":" in value:
        import ipaddress

        try:
            ipaddress.IPv6Address(value)
        except ValueError:
            raise _Rejected(accepted + " without a port") from None
    elif not _HOST.match(value):
        raise _Rejected(accepted)
    return value


def _http_url(value: object, _path: str, _problems: list[Problem]) -> str:
    accepted = "a URL such as `http://127.0.0.1:8080/api/health`"
    if not isinstance(value, str):
        raise _Rejected(accepted)
    try:
        parts = urlsplit(value)
        bad = parts.scheme not in {"http", "https"} or not parts.hostname
        bad = bad or parts.port == 0
    except ValueError:
        bad = True
    if bad or any(c.isspace() for c in value):
        raise _Rejected(accepted)
    if not value.isascii() or not value.isprintable():
        raise _Rejected("a URL in ASCII, with all else percent-encoded")
    if parts.password:
        raise _Rejected("a URL without a password in it; secrets belong in files")
    return value


def _tcp_url(value: object, _path: str, _problems: list[Problem]) -> str:
    accepted = "`tcp://HOST:PORT`"
    if not isinstance(value, str):
        raise _Rejected(accepted)
    try:
        parts = urlsplit(value)
        ok = parts.scheme == "tcp" and bool(parts.hostname) and bool(parts.port)
    except ValueError:
        ok = False
    if not ok or parts.path or parts.query:
        raise _Rejected(accepted)
    return value


def _redis_url(value: object, _path: str, _problems: list[Problem]) -> RedisUrl:
    accepted = "`redis://HOST:PORT/DB`, `rediss://HOST:PORT/DB` or `unix:///PATH?db=DB`"
    if not isinstance(value, str):
        raise _Rejected(accepted)
    try:
        parts = urlsplit(value)
        port = 6379 if parts.port is None else parts.port
    except ValueError:
        raise _Rejected(accepted) from None
    if parts.password is not None:
        raise _Rejected("a URL without a password in it; set `passwordFile` instead")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    username = unquote(parts.username) if parts.username else None
    db = query.pop("db", "")
    if query or parts.fragment:
        raise _Rejected(accepted)
    if parts.scheme == "unix":
        path = unquote(parts.path)
        if not path.startswith("/") or path == "/" or parts.hostname:
            raise _Rejected("`unix:///PATH?db=DB` with an absolute path")
        host = None
    elif parts.scheme in {"redis", "rediss"} and parts.hostname and port:
        path, host = None, parts.hostname
        if parts.path.strip("/"):
            if db:
                raise _Rejected("the database either in the path or in `?db=`")
            db = parts.path.strip("/")
    else:
        raise _Rejected(accepted)
    if db and (not db.isascii() or not db.isdigit()):
        raise _Rejected("a database number, as in `redis://127.0.0.1:6379/0`")
    return RedisUrl(
        url=value,
        scheme=cast("Literal['redis', 'rediss', 'unix']", parts.scheme),
        host=host,
        port=port,
        path=path,
        username=username,
        db=int(db or 0),
    )


def redis_url(text: str) -> RedisUrl:
    """Read a Redis URL that `parse` has accepted, as a check of kind redis has it."""
    return _redis_url(text, "", [])


def _redis_url_text(value: object, path: str, problems: list[Problem]) -> str:
    return _redis_url(value, path, problems).url


def _path(value: object, _path: str, _problems: list[Problem]) -> Path:
    if not isinstance(value, str) or not value.startswith("/"):
        raise _Rejected("an absolute path")
    return Path(value)


def _secret(value: object, path: str, problems: list[Problem]) -> Secret:
    accepted = '{ "credential": "NAME" } or { "file": "/PATH" }'
    if not isinstance(value, dict):
        # Not shown: it may be the secret itself.
        problems.append(Problem(path, "", f"must be an object, {accepted}"))
        return Secret()
    section = _Section(value, path, problems)
    credential = section.get("credential", _filled, "")
    file = section.get("file", _filled, "")
    section.close()
    if bool(credential) == bool(file):
        problems.append(Problem(path, "", f"must be either {accepted}"))
    if "/" in credential or credential in {".", ".."}:
        section.reject("credential", "a credential's name, not a path")
    if file and not file.startswith("/"):
        problems.append(Problem(path, "", f"must be {accepted}, an absolute path"))
    return Secret(credential=credential or None, file=file or None)


def _prefix(value: object, path: str, problems: list[Problem]) -> str:
    text = _string(value, path, problems)
    if any(c.isspace() or not c.isprintable() for c in text):
        raise _Rejected("a prefix without white space, such as `metrics:`")
    return text


def _strings(value: object, _path: str, _problems: list[Problem]) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(
        isinstance(item, str) and item for item in value
    ):
        raise _Rejected("a list of names")
    return tuple(value)


def _record(build: Callable[[_Section], T]) -> Parser[T]:
    """A parser for one JSON object with fixed keys."""

    def parser(value: object, path: str, problems: list[Problem]) -> T:
        section = _Section(value, path, problems)
        built = build(section)
        section.close()
        return built

    return parser


def _table(
    build: Callable[[_Section], T], name: re.Pattern[str] = _NAME
) -> Parser[Mapping[str, T]]:
    """A parser for an object whose keys are names that the user chose."""
    one = _record(build)
    letters = (
        "letters, digits and underscores, not starting with a digit"
        if name is _NAME
        else "letters, digits, dashes and underscores"
    )

    def parser(value: object, path: str, problems: list[Problem]) -> Mapping[str, T]:
        if not isinstance(value, dict):
            raise _Rejected("an object")
        table: dict[str, T] = {}
        for key, item in value.items():
            if not name.match(key):
                problems.append(Problem(path, _show(key), f"a name of {letters}"))
            elif item is not None:
                table[key] = one(item, f"{path}.{key}", problems)
        return table

    return parser


def _redis(s: _Section) -> Redis:
    return Redis(
        url=s.get("url", _redis_url),
        prefix=s.get("prefix", _prefix, "metrics:"),
        password=s.get("passwordFile", _secret, None),
    )


def _counter(s: _Section) -> Counter:
    return Counter(help=s.get("help", _string, ""), unit=s.get("unit", _string, ""))


def _breakdown(s: _Section) -> Breakdown:
    return Breakdown(
        help=s.get("help", _string, ""),
        limit=s.get("limit", _integer(1, 10_000), 200),
    )


def _unique(s: _Section) -> Unique:
    return Unique(
        help=s.get("help", _string, ""), exact=s.get("exact", _boolean, False)
    )


def _timing(s: _Section) -> Timing:
    return Timing(help=s.get("help", _string, ""))


def _gauge(s: _Section) -> Gauge:
    return Gauge(help=s.get("help", _string, ""), unit=s.get("unit", _string, ""))


def _job(s: _Section) -> Job:
    return Job(
        counter=s.get("counter", _filled),
        by=s.get("by", _clock),
        min=s.get("min", _integer(1, 2**53), 1),
    )


def _timeout_fits(s: _Section, interval: float, timeout: float) -> None:
    if timeout > interval:
        s.reject("timeout", f"no longer than the interval of {interval:g} s")


def _health(s: _Section) -> Health:
    health = Health(
        url=s.get("url", _http_url),
        interval=s.get("interval", _seconds, 30.0),
        timeout=s.get("timeout", _seconds, 10.0),
    )
    _timeout_fits(s, health.interval, health.timeout)
    return health


def _metrics(s: _Section) -> Metrics:
    return Metrics(url=s.get("url", _http_url))


_CHECK_URLS: Mapping[str, Parser[str]] = {
    "http": _http_url,
    "api": _http_url,
    "tcp": _tcp_url,
    "redis": _redis_url_text,
}


# Interval and time-out in seconds where the file has none: Redis is asked more often
# and has less time, because everything waits for it.
_CHECK_TIMES = {"redis": (10.0, 3.0)}


def _check(s: _Section) -> Check:
    kind = s.get("kind", _choice(*_CHECK_URLS))
    interval, timeout = _CHECK_TIMES.get(kind, (30.0, 10.0))
    check = Check(
        kind=kind,
        url=s.get("url", _CHECK_URLS.get(kind, _filled)),
        interval=s.get("interval", _seconds, interval),
        timeout=s.get("timeout", _seconds, timeout),
        status=s.get("status", _integer(100, 599), 200),
        body=s.get("body", _filled, None),
        max_seconds=s.get("maxSeconds", _positive, None),
        key=s.get("keyFile", _secret, None),
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


def _postgres(s: _Section) -> Postgres:
    postgres = Postgres(
        socket=s.get("socket", _filled, None), url=s.get("url", _filled, None)
    )
    if (postgres.socket is None) == (postgres.url is None):
        s.problems.append(Problem(s.path, "", "set either `socket` or `url`"))
    return postgres


def _app(s: _Section) -> App:
    name = s.path.rpartition(".")[2]
    app = App(
        name=name,
        title=s.get("title", _string, name),
        zone=s.get("timeZone", _zone, ZoneInfo("UTC")),
        units=s.get("units", _strings, ()),
        redis=s.get("redis", _record(_redis), None),
        counters=s.get("counters", _table(_counter), {}),
        breakdowns=s.get("breakdowns", _table(_breakdown), {}),
        uniques=s.get("uniques", _table(_unique), {}),
        timings=s.get("timings", _table(_timing), {}),
        gauges=s.get("gauges", _table(_gauge), {}),
        jobs=s.get("jobs", _table(_job), {}),
        health=s.get("health", _record(_health), None),
        metrics=s.get("metrics", _record(_metrics), None),
        checks=s.get("checks", _table(_check, _APP_NAME), {}),
        postgres=s.get("postgres", _record(_postgres), None),
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
                    _show(declared.counter),
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


def _exporter(s: _Section) -> Exporter:
    return Exporter(
        listen_address=s.get("listenAddress", _address, "127.0.0.1"),
        port=s.get("port", _integer(0, 65535), 9847),
        history=s.get("history", _integer(0, 366), 30),
        max_connections=s.get("maxConnections", _integer(1, 10_000), 64),
        log_level=s.get(
            "logLevel", _choice("debug", "info", "warning", "error"), "info"
        ),
        token=s.get("tokenFile", _secret, None),
    )


_PORT = _integer(0, 65535)


def _config(s: _Section) -> Config:
    def loki(r: _Section) -> Loki:
        return Loki(
            listen_address=r.get("listenAddress", _address, "127.0.0.1"),
            port=r.get("port", _PORT, 3100),
        )

    def prometheus(r: _Section) -> Prometheus:
        return Prometheus(
            enable=r.get("enable", _boolean, True),
            listen_address=r.get("listenAddress", _address, "127.0.0.1"),
            port=r.get("port", _PORT, 9090),
        )

    def grafana(r: _Section) -> Grafana:
        return Grafana(
            enable=r.get("enable", _boolean, True),
            listen_address=r.get("listenAddress", _address, "127.0.0.1"),
            port=r.get("port", _PORT, 3000),
            root_url=r.get("rootUrl", _http_url, "http://127.0.0.1:3000/"),
        )

    def alertmanager(r: _Section) -> Alertmanager:
        return Alertmanager(
            enable=r.get("enable", _boolean, False),
            listen_address=r.get("listenAddress", _address, "127.0.0.1"),
            port=r.get("port", _PORT, 9093),
        )

    def postgres_exporter(r: _Section) -> PostgresExporter:
        return PostgresExporter(
            listen_address=r.get("listenAddress", _address, "127.0.0.1"),
            port=r.get("port", _PORT, 9187),
        )

    def probe(r: _Section) -> Probe:
        return Probe(result_file=r.get("resultFile", _path, Probe().result_file))

    config = Config(
        zone=s.get("timeZone", _zone, ZoneInfo("UTC")),
        exporter=s.get("exporter", _record(_exporter), Exporter()),
        loki=s.get("loki", _record(loki), Loki()),
        prometheus=s.get("prometheus", _record(prometheus), Prometheus()),
        grafana=s.get("grafana", _record(grafana), Grafana()),
        alertmanager=s.get("alertmanager", _record(alertmanager), Alertmanager()),
        apps=s.get("apps", _table(_app, _APP_NAME), {}),
        postgres_exporter=s.get("postgresExporter", _record(postgres_exporter), None),
        probe=s.get("probe", _record(probe), None),
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
                    _show(app.redis.prefix),
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
    config = _record(_config)(value, "", problems)
    if problems:
        raise ConfigError(source, sorted(problems, key=lambda p: (p.path, p.accepted)))
    return config


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {_show(twice)} stands twice in one object")
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
