"""The options of the configuration file, as frozen dataclasses.

A field is an option: its name in camelCase, its type, and its parser. Details beyond
the type are in `Annotated`. Only optional keys may be None; every other key must be
present, because defaults are in one place, the NixOS module. Durations are stored in
seconds. `faults` finds errors that involve several values; a field that was refused is
None or empty there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo

from soloscope.config.values import (
    NAME,
    Reader,
    RedisUrl,
    Rejected,
    address,
    any_number,
    filled,
    http_url,
    matching,
    number,
    postgres_url,
    prefix,
    redis_url,
    seconds,
    tcp_url,
    whole,
)
from soloscope.secret import Secret

CheckKind = Literal["http", "api", "tcp", "redis"]
LogLevel = Literal["debug", "info", "warning", "error"]
Severity = Literal["critical", "warning", "info"]
Area = Literal[
    "cache",
    "database",
    "http",
    "integrations",
    "messaging",
    "realtime",
    "security",
    "tasks",
]
Faults = Iterator[tuple[str, str]]
"""The option's path below the object, and what would be accepted."""


class Option(NamedTuple):
    """The option's name where it is not the field's; empty for the key itself."""

    name: str


class Names(NamedTuple):
    """The parser for the keys of a table, which users choose."""

    read: Reader


METRIC = Names(
    matching(
        NAME.pattern,
        "a name of letters, digits and underscores, not starting with a digit",
    )
)
# Together with a prefix, two of them fit in a file's name.
APP = Names(
    matching(
        "[a-zA-Z0-9][a-zA-Z0-9_-]{0,119}",
        "a name of at most 120 letters, digits, dashes and underscores",
    )
)
_PROMETHEUS = matching(
    "[a-zA-Z_:][a-zA-Z0-9_:]*",
    "a metric's name of letters, digits, underscores and colons",
)
_LABEL = matching(
    "[a-zA-Z_][a-zA-Z0-9_]*",
    "a label's name of letters, digits and underscores",
)
_REQUEST_LABEL = matching("method|route|status", "`method`, `route` or `status`")
# systemd.unit(5). A template means all of its instances, and `*` is any text.
_UNIT = matching(
    r"[a-zA-Z0-9:_.\\@*-]{1,240}\.(service|socket|timer|mount|path|scope|slice"
    r"|target|swap|device|automount)",
    "a full unit name such as `shop.service`, `worker@1.service` or `worker@.service`",
)
_CONTAINER = matching(
    "[a-zA-Z0-9][a-zA-Z0-9_.-]{0,239}",
    "a container's name of letters, digits, dots, dashes and underscores",
)
_ORDER = whole(-1_000_000, 1_000_000)
_INTERVAL = seconds("1y")
_TIMEOUT = seconds("1d")
_MOST = number(86_400, "a number of seconds above zero and under a day")


@dataclass(frozen=True, slots=True)
class Redis:
    """The Redis server of an app's counts: keys are `<prefix><day>:<name>`."""

    url: Annotated[RedisUrl, redis_url]
    prefix: Annotated[str, prefix]
    password: Annotated[Secret | None, Option("passwordFile")] = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A name's text on the dashboards, its heading, and its place below it."""

    help: str
    group: str
    order: Annotated[int, _ORDER]


@dataclass(frozen=True, slots=True)
class Counter(Shown):
    """A count of today: `INCR <prefix><day>:<name>`."""

    unit: str


@dataclass(frozen=True, slots=True)
class Breakdown(Shown):
    """Counts of today by key: `HINCRBY <prefix><day>:<name> <key> 1`."""

    limit: Annotated[int, whole(1, 10_000)]


@dataclass(frozen=True, slots=True)
class Unique(Shown):
    """A count of different members today: PFADD, or SADD when `exact`."""

    exact: bool


@dataclass(frozen=True, slots=True)
class Timing(Shown):
    """Calls and milliseconds today: a hash with the fields `count` and `ms`."""


@dataclass(frozen=True, slots=True)
class Gauge(Shown):
    """A current value: a field of the hash `<prefix>now`."""

    unit: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job that must have counted `min` in `counter` at `by`, in the app's zone."""

    counter: Annotated[str, filled]
    by: time
    min: Annotated[int, whole(1, 2**53)]
    help: str
    failures: Annotated[str | None, filled] = None


def _late(interval: float | None, timeout: float | None) -> Faults:
    if interval and timeout and timeout > interval:
        yield "timeout", f"no longer than the interval of {interval:g} s"


@dataclass(frozen=True, slots=True)
class Health:
    """The app's own health endpoint: 200 is healthy. Interval, timeout in seconds."""

    url: Annotated[str, http_url]
    interval: Annotated[float, _INTERVAL]
    timeout: Annotated[float, _TIMEOUT]

    def faults(self) -> Faults:
        """A time-out that is longer than the interval."""
        yield from _late(self.interval, self.timeout)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The app's own metrics endpoint (Prometheus text).

    `names` maps the names that dashboards and rules use to the app's names, and
    `labels` the labels of its requests; `areas` is what the metrics are about.
    """

    url: Annotated[str, http_url]
    names: Annotated[Mapping[str, Annotated[str, _PROMETHEUS]], Names(_PROMETHEUS)]
    areas: tuple[Area, ...]
    labels: Annotated[Mapping[str, Annotated[str, _LABEL]], Names(_REQUEST_LABEL)]

    def faults(self) -> Faults:
        """A metric that is given two names."""
        known: dict[str, str] = {}
        for ours, theirs in self.names.items():
            if theirs in known:
                taken = f"`{known[theirs]}` is that metric already; name another"
                yield f"names.{ours}", taken
            known[theirs] = ours


_CHECK_URLS: Mapping[str, Reader] = {
    "http": http_url,
    "api": http_url,
    "tcp": tcp_url,
    "redis": redis_url,
}


@dataclass(frozen=True, slots=True)
class Check:
    """A further health check. Interval, timeout and max_seconds are in seconds.

    `api` runs in `soloscope probe`, the only process that may read `key`.
    """

    help: str
    kind: CheckKind
    url: Annotated[str, filled]
    interval: Annotated[float, _INTERVAL]
    timeout: Annotated[float, _TIMEOUT]
    status: Annotated[int, whole(100, 599)]
    body: Annotated[str | None, filled] = None
    max_seconds: Annotated[float | None, _MOST] = None
    key: Annotated[Secret | None, Option("keyFile")] = None

    def faults(self) -> Faults:
        """Options that do not fit the kind, and a time-out longer than the interval."""
        yield from _late(self.interval, self.timeout)
        if self.url and self.kind:
            try:
                _CHECK_URLS[self.kind](self.url)
            except Rejected as rejected:
                yield "url", str(rejected)
        if self.key and self.kind != "api":
            yield "keyFile", 'only a check with kind = "api" may have a key'
        if self.kind in {"tcp", "redis"}:
            for option, value in (("status", self.status), ("body", self.body)):
                if value not in (None, 200):
                    yield option, "only a check of kind `http` or `api` reads an answer"


@dataclass(frozen=True, slots=True)
class Postgres:
    """The app's database, for the postgres exporter: a socket folder or a URL."""

    socket: Path | None = None
    url: Annotated[str | None, postgres_url] = None

    def faults(self) -> Faults:
        """Both or neither are set."""
        if (self.socket is None) == (self.url is None):
            yield "", "set either `socket` or `url`"


_SHARE = number(1, "a share between 0 and 1, such as 0.99")


@dataclass(frozen=True, slots=True)
class Latency:
    """The share of requests that the app answers within `seconds`."""

    seconds: Annotated[float, _MOST]
    share: Annotated[float, _SHARE]


@dataclass(frozen=True, slots=True)
class Objectives:
    """The app's objectives: the share of requests answered well, or fast."""

    availability: Annotated[float, _SHARE]
    latency: Latency | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which value on a number is orange, and red.

    A timing gets no colour below `calls`.
    """

    orange: Annotated[float, any_number]
    red: Annotated[float, any_number]
    calls: Annotated[int, whole(0, 2**53)]


@dataclass(frozen=True, slots=True)
class Ratio(Shown):
    """The share of `part` in the sum of `of`, each a kind and a name."""

    part: Annotated[str, filled]
    of: tuple[Annotated[str, filled], ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What shapes the app's overview; names are a kind and a name."""

    rows: tuple[tuple[Annotated[str, filled], ...], ...]
    hide: tuple[Annotated[str, filled], ...]
    events: tuple[Annotated[str, filled], ...]
    thresholds: Annotated[Mapping[str, Threshold], Names(filled)]
    ratios: Annotated[Mapping[str, Ratio], METRIC]


_BRACES = re.compile(r"\{[^{}]*\}?")


def _naming(*names: str) -> Reader:
    """A reader for a key with one or more of the placeholders `names`."""
    accepted = (
        f"a Redis key with {' or '.join(f'`{{{name}}}`' for name in names)} "
        "in it, and no other braces"
    )

    def read(value: object) -> str:
        text = filled(value)
        found = set(_BRACES.findall(text))
        if not found or found - {f"{{{name}}}" for name in names}:
            raise Rejected(accepted)
        return text

    return read


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A key that holds something about a user.

    `fields` are shown in this order, all when empty; `times` are fields with a time.
    """

    title: str
    order: Annotated[int, _ORDER]
    key: Annotated[str, _naming("id")]
    fields: tuple[Annotated[str, filled], ...]
    times: tuple[Annotated[str, filled], ...]
    newest: Literal["first", "last"]
    limit: Annotated[int, whole(1, 100)]


@dataclass(frozen=True, slots=True)
class UserData:
    """Where the app keeps what it knows about a user."""

    records: Annotated[Mapping[str, UserRecord], METRIC]
    id_by_phone: Annotated[str | None, _naming("phone", "digits")] = None


@dataclass(frozen=True, slots=True)
class EventCheck:
    """How often an event may or must happen."""

    event: Annotated[str, filled]
    min: Annotated[int | None, whole(0, 2**53)] = None
    max: Annotated[int | None, whole(0, 2**53)] = None
    of: Annotated[str | None, filled] = None
    max_percent: Annotated[float | None, number(101, "a percentage up to 100")] = None

    def faults(self) -> Faults:
        """Nothing is asked, or half of a share."""
        if (self.of is None) != (self.max_percent is None):
            yield "of", "`of` and `maxPercent` belong together"
        elif (self.min, self.max, self.max_percent) == (None, None, None):
            yield "", "set `min`, `max`, or `of` and `maxPercent`"


@dataclass(frozen=True, slots=True)
class RecordCheck:
    """What each entry of a record must have."""

    record: Annotated[str, filled]
    fields: tuple[Annotated[str, filled], ...]
    times: tuple[Annotated[str, filled], ...]

    def faults(self) -> Faults:
        """Nothing is asked."""
        if not self.fields and not self.times:
            yield "", "set `fields` or `times`"


@dataclass(frozen=True, slots=True)
class MovesCheck:
    """A time in a record that must follow an event."""

    event: Annotated[str, filled]
    record: Annotated[str, filled]
    field: Annotated[str, filled]
    entry: Annotated[str | None, filled] = None


@dataclass(frozen=True, slots=True)
class GapCheck:
    """A number in an event that must be the time since the user's event before."""

    event: Annotated[str, filled]
    field: Annotated[str, filled]
    after: Annotated[str, filled]
    unit: Literal["seconds", "minutes", "hours", "days"]


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """A limit per day for users whose record has `value` in `field`."""

    event: Annotated[str, filled]
    max: Annotated[int, whole(0, 2**53)]
    record: Annotated[str, filled]
    field: Annotated[str, filled]
    value: Annotated[str, filled]
    count: Annotated[str | None, filled] = None
    refusal: Annotated[str | None, filled] = None


@dataclass(frozen=True, slots=True)
class Validator:
    """A feature that is examined: all of these must hold; `manual` is for people."""

    manual: tuple[Annotated[str, filled], ...]
    jobs: tuple[Annotated[str, filled], ...]
    events: Annotated[Mapping[str, EventCheck], METRIC]
    records: Annotated[Mapping[str, RecordCheck], METRIC]
    moves: Annotated[Mapping[str, MovesCheck], METRIC]
    gaps: Annotated[Mapping[str, GapCheck], METRIC]
    limits: Annotated[Mapping[str, LimitCheck], METRIC]


@dataclass(frozen=True, slots=True)
class Top:
    """The largest keys of a breakdown in the digest; `count` 0 leaves them out.

    `line` has the placeholders `{key}` and `{count}`. None are soloscope's own texts.
    """

    count: Annotated[int, whole(0, 20)]
    title: Annotated[str | None, filled] = None
    line: Annotated[str | None, filled] = None


@dataclass(frozen=True, slots=True)
class Morning:
    """The app's part of the digest: `lines` with placeholders (soloscope.digest.lines).

    Without lines, the first `limit` of what the app declares are reported.
    """

    lines: tuple[Annotated[str, filled], ...]
    limit: Annotated[int, whole(1, 100)]
    top: Annotated[Mapping[str, Top], METRIC]


_DAY_KINDS = ("counters", "breakdowns", "uniques", "timings")


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


@dataclass(frozen=True, slots=True)
class App:
    """One app and its parts. `redis` is None without counts."""

    name: Annotated[str, Option("")]
    title: str
    zone: Annotated[ZoneInfo, Option("timeZone")]
    units: tuple[Annotated[str, _UNIT], ...]
    containers: tuple[Annotated[str, _CONTAINER], ...]
    counters: Annotated[Mapping[str, Counter], METRIC]
    breakdowns: Annotated[Mapping[str, Breakdown], METRIC]
    uniques: Annotated[Mapping[str, Unique], METRIC]
    timings: Annotated[Mapping[str, Timing], METRIC]
    gauges: Annotated[Mapping[str, Gauge], METRIC]
    jobs: Annotated[Mapping[str, Job], METRIC]
    checks: Annotated[Mapping[str, Check], APP]
    objectives: Objectives
    dashboard: Dashboard
    digest: Morning
    user: UserData
    validators: Annotated[Mapping[str, Validator], METRIC]
    redis: Redis | None = None
    health: Health | None = None
    metrics: Metrics | None = None
    postgres: Postgres | None = None

    def faults(self) -> Faults:
        """Names with the same key, jobs without a counter, counts without Redis."""
        # These four share the keys of a day, so a name must be unique.
        taken: dict[str, str] = {}
        for kind in _DAY_KINDS:
            for metric in getattr(self, kind):
                if metric in taken:
                    clash = f"apps.{self.name}.{taken[metric]}.{metric}"
                    yield (
                        f"{kind}.{metric}",
                        f"the name is taken by {clash}; choose another",
                    )
                taken.setdefault(metric, kind)
        known = ", ".join(f"`{name}`" for name in self.counters) or "none is declared"
        for job, declared in self.jobs.items():
            if declared.counter and declared.counter not in self.counters:
                yield f"jobs.{job}.counter", f"a counter of this app: {known}"
            if declared.failures and declared.failures not in self.counters:
                yield f"jobs.{job}.failures", f"a counter of this app: {known}"
        yield from self._unknown_names()
        yield from self._unknown_to_validators()
        yield from self._unreadable_lines()
        needs = [kind for kind in (*_DAY_KINDS, "gauges") if getattr(self, kind)]
        if self.user and (self.user.records or self.user.id_by_phone):
            needs.append("user")
        if needs and self.redis is None:
            kinds = ", ".join(needs)
            yield "redis.url", f"must be set for {kinds}, as `redis://HOST:PORT/DB`"

    def _unknown_to_validators(self) -> Faults:
        """Jobs and records of validators that are not declared."""
        jobs = ", ".join(f"`{name}`" for name in self.jobs) or "none is declared"
        known = self.user.records if self.user else {}
        records = ", ".join(f"`{name}`" for name in known) or "none is declared"
        for name, validator in self.validators.items():
            path = f"validators.{name}"
            if set(validator.jobs) - set(self.jobs):
                yield f"{path}.jobs", f"jobs of this app: {jobs}"
            for kind in ("records", "moves", "limits"):
                for label, check in getattr(validator, kind).items():
                    if check.record and check.record not in known:
                        where = f"{path}.{kind}.{label}.record"
                        yield where, f"a record of `user.records`: {records}"

    def _unknown_names(self) -> Faults:
        """Names of the dashboard that the app does not declare."""
        shape = self.dashboard
        if shape is None:
            return
        numbers = {
            f"{kind}.{name}"
            for kind in ("counters", "uniques", "gauges")
            for name in getattr(self, kind)
        }
        known = numbers | {
            f"{kind}.{name}"
            for kind in ("breakdowns", "timings")
            for name in getattr(self, kind)
        }
        known |= {f"ratios.{name}" for name in shape.ratios}
        named = [
            (f"rows[{i}]", name) for i, row in enumerate(shape.rows) for name in row
        ]
        named += [("hide", name) for name in shape.hide]
        named += [("thresholds", name) for name in shape.thresholds]
        yield from (
            (f"dashboard.{option}", f"`{name}` is not declared; known: {_list(known)}")
            for option, name in named
            if name not in known
        )
        for ratio, declared in shape.ratios.items():
            for name in (declared.part, *declared.of):
                if name and name not in numbers:
                    accepted = f"`{name}` is not declared; known: {_list(numbers)}"
                    yield f"dashboard.ratios.{ratio}", accepted
            if not declared.of:
                yield f"dashboard.ratios.{ratio}.of", "at least one name"

    def _unreadable_lines(self) -> Faults:
        """Lines of the digest with an unknown placeholder."""
        if self.digest is None:
            return
        # Only for lines: most hosts declare none.
        from soloscope.digest.lines import KEY_FIELDS, known, problems

        names = known(self) if self.digest.lines and self.dashboard else []
        for at, line in enumerate(self.digest.lines):
            if line:
                for problem in problems(line, names):
                    yield f"digest.lines[{at}]", problem
        for name, top in self.digest.top.items():
            if name not in self.breakdowns:
                accepted = f"a breakdown of this app: {_list(self.breakdowns)}"
                yield f"digest.top.{name}", accepted
            for problem in problems(top.line or "", KEY_FIELDS):
                yield f"digest.top.{name}.line", problem


@dataclass(frozen=True, slots=True)
class Listener:
    """The address and port on which a program listens."""

    listen_address: Annotated[str, address]
    port: Annotated[int, whole(0, 65535)]


@dataclass(frozen=True, slots=True)
class Exporter(Listener):
    """`soloscope serve`. `history` is in days; 0 shows today only."""

    history: Annotated[int, whole(0, 366)]
    max_connections: Annotated[int, whole(1, 10_000)]
    log_level: LogLevel
    token: Annotated[Secret | None, Option("tokenFile")] = None


@dataclass(frozen=True, slots=True)
class Stream:
    """Loki streams with a shorter retention: `period` in seconds."""

    selector: Annotated[str, filled]
    period: Annotated[float, seconds("100y")]
    priority: Annotated[int, whole(1, 10_000)]


@dataclass(frozen=True, slots=True)
class Budget:
    """The disk budget of Loki's folder; `retention` and `floor` in seconds."""

    folder: Path
    overrides_file: Path
    state_file: Path
    metrics_file: Path
    max_gib: Annotated[float, number(1e9, "a number above zero")]
    retention: Annotated[float, seconds("100y")]
    floor: Annotated[float, seconds("100y")]
    streams: tuple[Stream, ...]


@dataclass(frozen=True, slots=True)
class Loki(Listener):
    """`budget` is None when Loki's folder has no limit."""

    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Shipper(Listener):
    """The log shipper, and the address of its metrics.

    `flood_metric` and `lost_metric` are the names of its counters of lines above
    `logs.flood` and of lines that it could not send.
    """

    engine: Annotated[str, filled]
    flood_metric: Annotated[str, METRIC.read]
    lost_metric: Annotated[str, METRIC.read]


@dataclass(frozen=True, slots=True)
class Prometheus(Listener):
    """Only if it is enabled it listens. `node_exporter`: it knows about the host."""

    enable: bool
    node_exporter: bool


@dataclass(frozen=True, slots=True)
class Grafana(Listener):
    """`root_url` is the public URL."""

    enable: bool
    root_url: Annotated[str, http_url]


@dataclass(frozen=True, slots=True)
class Alertmanager(Listener):
    """Only if it is enabled it listens."""

    enable: bool


_E164 = matching(r"\+[1-9][0-9]{6,14}", "a phone number such as `+4915123456789`")
# Twilio's ids: two letters and 32 hexadecimal digits.
_CONTENT = re.compile("HX[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class Templates:
    """The approved templates, by name, or by content SID with Twilio."""

    language: Annotated[str, matching("[a-z]{2,3}(_[A-Z]{2})?", "`en` or `en_US`")]
    alert: Annotated[str | None, filled] = None
    digest: Annotated[str | None, filled] = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """The provider's calls: their public URL, and the secrets that they prove."""

    url: Annotated[str, http_url]
    verify_token: Annotated[Secret | None, Option("verifyTokenFile")] = None
    app_secret: Annotated[Secret | None, Option("appSecretFile")] = None


@dataclass(frozen=True, slots=True)
class WhatsApp:
    """WhatsApp by Meta's Cloud API or by Twilio. `to` is the developer's number."""

    provider: Literal["cloud-api", "twilio"]
    to: Annotated[str, _E164]
    token: Annotated[Secret, Option("tokenFile")]
    api_url: Annotated[str, http_url]
    severities: tuple[Severity, ...]
    templates: Templates
    phone_number_id: Annotated[
        str | None,
        matching("[0-9]{1,32}", "an ID of digits, not the number itself"),
    ] = None
    account_sid: Annotated[
        str | None, matching("AC[0-9a-fA-F]{32}", "`AC` and 32 hexadecimal digits")
    ] = None
    from_: Annotated[str | None, Option("from"), _E164] = None
    webhook: Webhook | None = None

    def faults(self) -> Faults:
        """What the provider needs and is missing."""
        meta = self.provider == "cloud-api"
        needs = ("phoneNumberId",) if meta else ("accountSid", "from")
        values = {
            "phoneNumberId": self.phone_number_id,
            "accountSid": self.account_sid,
            "from": self.from_,
        }
        for option, value in values.items():
            if option in needs and value is None:
                yield option, f"must be set for provider `{self.provider}`"
            if option not in needs and value is not None:
                yield option, f"not for provider `{self.provider}`; remove it"
        for option in ("alert", "digest"):
            name = getattr(self.templates, option, None)
            if name and not meta and not _CONTENT.fullmatch(name):
                yield (
                    f"templates.{option}",
                    "a content SID, `HX` and 32 hexadecimal digits",
                )
        if self.webhook and meta and not self.webhook.app_secret:
            yield "webhook.appSecretFile", "must be set: Meta signs its calls with it"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of Apprise; its URL is a secret."""

    url: Annotated[Secret, Option("urlFile")]
    severities: tuple[Severity, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """After how many seconds Alertmanager repeats what still fires, by severity."""

    critical: Annotated[float, seconds("1y")]
    warning: Annotated[float, seconds("1y")]
    info: Annotated[float, seconds("1y")]


@dataclass(frozen=True, slots=True)
class Notify(Listener):
    """`soloscope notify`. Its outbox is in `state_directory`."""

    state_directory: Path
    repeat: Repeat
    token: Annotated[Secret, Option("tokenFile")]
    channels: Annotated[Mapping[str, Channel], APP]
    whatsapp: WhatsApp | None = None

    def faults(self) -> Faults:
        """No channel at all, and a name that is taken."""
        if self.whatsapp is None and not self.channels:
            yield "", "set `whatsapp`, or a channel under `channels`"
        if "whatsapp" in (self.channels or {}):
            yield "channels.whatsapp", "the name is WhatsApp's own; choose another"


@dataclass(frozen=True, slots=True)
class Probe:
    """The results file that `soloscope probe` writes for `soloscope serve`."""

    result_file: Path


@dataclass(frozen=True, slots=True)
class Digest:
    """The report of each morning. `at` is in the developer's time zone.

    `state_file` is written by `soloscope digest` and read by `soloscope serve`.
    """

    enable: bool
    at: time
    state_file: Path


@dataclass(frozen=True, slots=True)
class Canary:
    """The test of the paths of lines, counts and alerts. `timeout` is in seconds.

    `state_file` is written by `soloscope canary` and read by `soloscope serve`. The
    `heartbeat` is a URL that is asked when everything arrived.
    """

    timeout: Annotated[float, _TIMEOUT]
    state_file: Path
    heartbeat: Annotated[Secret | None, Option("heartbeatUrlFile")] = None


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file. `zone` is the developer's time zone; each app has its own."""

    zone: Annotated[ZoneInfo, Option("timeZone")]
    exporter: Exporter
    loki: Loki
    shipper: Shipper
    prometheus: Prometheus
    grafana: Grafana
    alertmanager: Alertmanager
    digest: Digest
    apps: Annotated[Mapping[str, App], APP]
    notify: Notify | None = None
    postgres_exporter: Listener | None = None
    probe: Probe | None = None
    canary: Canary | None = None

    def faults(self) -> Faults:
        """Apps that use the same keys."""
        owners: dict[tuple[str, str], str] = {}
        for name, app in self.apps.items():
            if app.redis is None or app.redis.url is None or app.redis.prefix is None:
                continue
            owner = owners.setdefault((app.redis.url.server, app.redis.prefix), name)
            if owner != name:
                yield (
                    f"apps.{name}.redis.prefix",
                    f"apps.{owner} has the same prefix in the same database; "
                    "each app needs its own",
                )
