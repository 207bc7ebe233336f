"""What the configuration file says, as frozen dataclasses. No code reads it here.

Durations are held in seconds. Defaults are those of the NixOS options.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from soloscope.secret import Secret

CheckKind = Literal["http", "tcp", "redis", "api"]
ShipperEngine = Literal["promtail", "alloy"]
LogLevel = Literal["debug", "info", "warning", "error"]


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
class Stream:
    """Streams of Loki that are kept for a shorter time: `period` in seconds."""

    selector: str
    period: float
    priority: int


@dataclass(frozen=True, slots=True)
class Budget:
    """The disk budget of Loki's folder; `retention` and `floor` in seconds."""

    folder: Path
    overrides_file: Path
    state_file: Path
    metrics_file: Path
    max_gib: float
    retention: float
    floor: float
    streams: tuple[Stream, ...]


@dataclass(frozen=True, slots=True)
class Loki:
    """Where Loki listens; `budget` is None when its folder has no bound."""

    listen_address: str = "127.0.0.1"
    port: int = 3100
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Shipper:
    """Which program carries the log to Loki, and where its metrics are."""

    engine: ShipperEngine = "promtail"
    listen_address: str = "127.0.0.1"
    port: int = 9080


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
    shipper: Shipper
    prometheus: Prometheus
    grafana: Grafana
    alertmanager: Alertmanager
    apps: Mapping[str, App]
    postgres_exporter: PostgresExporter | None = None
    probe: Probe | None = None
