"""The whole stack as plain processes on 127.0.0.1, in a folder of its own.

It defines the order in which the programs start, and what each waits for.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import io
import json
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar
from zoneinfo import ZoneInfo

from ..app.ledger import DayTruth, nothing
from ..errors import DemoError
from ..tools import programs
from . import clock, commands, history
from .child import Child
from .clients import ADDRESS, Loki, Prometheus, until
from .options import APP, Options, check_free, merge, overrides_for
from .render import evaluate, render

T = TypeVar("T")

#: How long a program may take to be ready (seconds).
START_TIMEOUT = 60.0


class Stopped(BaseException):
    """The stack was asked to stop while it started or ran."""


class Stack:
    """The stack of one folder. Use `running`, which also stops it."""

    def __init__(self, options: Options) -> None:
        """Only reads the configuration: writes and starts nothing yet."""
        self.options = options
        self.root = options.root.absolute()
        programs.ensure(["nix-instantiate"])
        self.ports = options.ports()
        own: dict[str, Any] = {
            # The shipper reads back to the start of the generated history.
            "logs": {"maxAge": f"{24 * max(1, options.history)}h"},
            "prometheus": {
                "scrapeInterval": options.scrape_interval,
                "evaluationInterval": options.scrape_interval,
            },
        }
        zone_file = self.root / "zoneinfo" / clock.NAME
        self._zone_file = b""
        if options.at:
            own["apps"] = {APP: {"timeZone": clock.NAME}}
            # Time goes on in a folder that has its zone already.
            known = zone_file.exists()
            self._zone_file = (
                zone_file.read_bytes() if known else clock.zone_file(options.at)
            )
        own = merge(merge(overrides_for(self.ports), own), options.overrides)
        #: Missing parts: name -> reason.
        self.absent: dict[str, str] = {}
        if shutil.which("grafana") is None:
            # It is not fetched; without it no program is configured for it.
            self.absent["Grafana"] = "no `grafana` on PATH"
            own = merge(own, {"grafana": {"enable": False}})
        self.overrides = own
        self.files = evaluate(self.root, own)
        told = self.files["soloscope.json"]
        for name in ("Grafana", "Prometheus"):
            if not told[name.lower()]["enable"]:
                self.absent.setdefault(name, f"{name.lower()}.enable is false")
        #: The app as the configuration has it, and the time zone of its days.
        self.app: dict[str, Any] = told["apps"][APP]
        self.zone = (
            ZoneInfo.from_file(io.BytesIO(self._zone_file), clock.NAME)
            if self._zone_file
            else ZoneInfo(self.app["timeZone"])
        )
        #: The variables that every program is given, commands of soloscope's too.
        self.environment = clock.variables(self.root / "zoneinfo")
        self.children: list[Child] = []
        self.started_at = 0.0
        #: May be set anywhere, also in a signal handler: the stack stops soon.
        self.stopping = threading.Event()
        self._commands, self._helpers = commands.resolve(self.files["programs.json"])
        self._lock: IO[str] | None = None

    # Addresses and paths

    def url(self, name: str) -> str:
        """The address of a program, without a slash at the end."""
        return f"http://{ADDRESS}:{self.ports[name]}"

    @property
    def prometheus(self) -> Prometheus:
        """A client of this stack's Prometheus."""
        return Prometheus(self.url("prometheus"))

    @property
    def loki(self) -> Loki:
        """A client of this stack's Loki."""
        return Loki(self.url("loki"))

    @property
    def redis_url(self) -> str:
        """The app's Redis."""
        return f"redis://{ADDRESS}:{self.ports['redis-server']}"

    @property
    def truth_file(self) -> Path:
        """What the app counted (ledger.py), as JSON."""
        return self.root / "truth.json"

    def truth(self) -> dict[str, Any]:
        """What the app has counted until now."""
        content: dict[str, Any] = json.loads(self.truth_file.read_text())
        return content

    def days(self, number: int) -> dict[str, DayTruth]:
        """What the app has counted on each of its last days, today last.

        These are the days of the calendar: after midnight the truth has one more than
        is shown, and none yet for today when nothing was counted.
        """
        counted = self.truth()["days"]
        today = dt.datetime.now(self.zone).date()
        last = [str(today - dt.timedelta(back)) for back in reversed(range(number))]
        return {day: counted.get(day, nothing()) for day in last}

    def secret(self, name: str) -> str:
        """One of the secrets made for this folder."""
        return (self.root / "secrets" / name).read_text().strip()

    def has(self, name: str) -> bool:
        """Whether a program of programs.json is part of this stack."""
        return name in self._commands

    @property
    def shipper(self) -> str:
        """The log shipper of this stack."""
        return str(self.files["soloscope.json"]["shipper"]["engine"])

    def used_ports(self) -> dict[str, int]:
        """The ports that this stack listens on."""
        names = {"redis-server", "app", *self._commands}
        if self.has("loki"):
            names.add("loki gRPC")
        return {name: port for name, port in self.ports.items() if name in names}

    def log_file(self, name: str) -> Path:
        """The output file of a program."""
        return self.root / "logs" / f"{name}.log"

    # Starting

    def start(self, progress: Callable[[Child], None] = lambda _: None) -> None:
        """Start everything and wait until each is ready.

        Raises `DemoError` when a port is taken or a program does not start; then
        nothing is left running.
        """
        self.started_at = time.monotonic()
        self._lock_folder()
        try:
            check_free(self.used_ports())
            self._prepare()
            self._launch_redis()
            self._await(progress)
            self._launch_bridge()
            since = time.time() - 3600 * self.options.metrics_history
            self._launch_app(since)
            # Programs that read the app's output start after it: the shipper
            # starts at the end of a journal that is empty at first, and the
            # exporter treats days before yesterday as closed.
            readers = {self.shipper, "soloscope"}
            for name in self._commands.keys() - readers - {"prometheus"}:
                self._launch(name, self._commands[name])
            if self.has("prometheus"):
                self._fill_prometheus(since)
                self._launch("prometheus", self._commands["prometheus"])
            self._await(progress, {"journal", "app"})
            for name in sorted(readers):
                self._launch(name, self._commands[name])
            self._await(progress)
            self._await_history()
        except BaseException:
            self.stop()
            raise

    def _lock_folder(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self._lock = (self.root / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DemoError(
                f"another demo uses the folder {self.root}: stop it, or choose "
                "another with --state"
            ) from error

    def _prepare(self) -> None:
        folders = ["logs", "secrets", "zoneinfo", "state/loki/rules/fake"]
        folders += [f"state/{name}" for name in ("journal", "redis", *self._commands)]
        # Grafana logs an error for every missing provisioning folder.
        folders += [
            f"grafana/provisioning/{n}" for n in ("plugins", "notifiers", "alerting")
        ]
        for name in folders:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        if self._zone_file:
            (self.root / "zoneinfo" / clock.NAME).write_bytes(self._zone_file)
        render(self.root, self.overrides)
        (self.root / "secrets").chmod(0o700)
        # Generated at the first boot of a host (modules/secrets).
        names = ["grafana-admin-password", "grafana-secret-key"]
        for name in (*names, "exporter-token", "notify-token"):
            path = self.root / "secrets" / name
            if not path.exists():
                path.touch(mode=0o600)
                path.write_text(secrets.token_urlsafe(24))

    def _launch(
        self, name: str, argv: list[str], ready: Callable[[], bool] | None = None
    ) -> None:
        path = self.files["programs.json"].get(name, {}).get("ready")
        child = Child(
            name,
            argv,
            self.log_file(name),
            ready or commands.readiness(name, self.ports.get(name), path),
            cwd=commands.grafana_home(Path(argv[0])) if name == "grafana" else None,
            environment=self.environment,
        )
        self.children.append(child)
        child.start()

    def _launch_redis(self) -> None:
        """The app's Redis, which stores the counts."""
        argv = [
            *(str(self._helpers["redis-server"]), "--bind", ADDRESS),
            *("--port", str(self.ports["redis-server"])),
            *("--dir", str(self.root / "state/redis"), "--appendonly", "yes"),
        ]
        self._launch("redis-server", [*argv, "--save", ""])

    def _launch_bridge(self) -> None:
        """The replacement for journald: follows the output of the host's units."""
        units = {self.app["units"][0]: self.log_file("app")}
        # A timer's, which is no process of the stack.
        units["soloscope-canary.service"] = self.log_file("canary")
        for name, unit in (("soloscope", "exporter"), ("notify", "notify")):
            if self.has(name):
                units[f"soloscope-{unit}.service"] = self.log_file(name)
        for path in units.values():
            # Emptied before the bridge starts, which would read the last run's output.
            path.write_bytes(b"")
        told = self.files["promtail.yaml"]["scrape_configs"][0]["journal"]["path"]
        journal = Path(told)
        before = set(journal.glob("*.journal"))
        argv = [
            *(*commands.DEMO, "bridge", "--journal", str(journal)),
            *("--program", str(self._helpers["systemd-journal-remote"])),
            *(f"{unit}={path}" for unit, path in units.items()),
        ]
        self._launch("journal", argv, lambda: set(journal.glob("*.journal")) != before)

    def _fill_prometheus(self, since: float) -> None:
        """Give an empty Prometheus the history of the app's own metrics."""
        data = self.root / "state/prometheus"
        if any(data.iterdir()):
            return
        address = f"{ADDRESS}:{self.ports['app']}"
        labels = {"app": APP, "instance": address, "job": APP}
        history.fill(data, self.options.seed, since, time.time(), labels)

    def _launch_app(self, since: float) -> None:
        limits = self.files["loki.yaml"]["limits_config"]
        hours = int(limits["reject_old_samples_max_age"].removesuffix("h"))
        options = {
            "port": self.ports["app"],
            "redis": self.redis_url,
            "prefix": self.app["redis"]["prefix"],
            "zone": self.zone.key,
            "truth": self.truth_file,
            "history": self.options.history,
            "seed": self.options.seed,
            "visit-every": self.options.visit_every,
            # As far back as Loki accepts lines, less an hour.
            "lines-back": (hours - 1) / 24,
            "since": since,
        }
        given = [f"--{name}={value}" for name, value in options.items()]
        self._launch("app", [*commands.DEMO, "app", *given])

    def _await(
        self, progress: Callable[[Child], None], only: Container[str] | None = None
    ) -> None:
        """Wait until all are ready, or those named in `only`."""
        end = time.monotonic() + START_TIMEOUT
        waiting = [child for child in self.children if child.ready_after is None]
        while any(only is None or child.name in only for child in waiting):
            for child in list(waiting):
                self.check()
                if child.is_ready():
                    child.ready_after = time.monotonic() - self.started_at
                    waiting.remove(child)
                    progress(child)
            if waiting and time.monotonic() > end:
                child = waiting[0]
                raise DemoError(
                    f"{child.name} was not ready within {START_TIMEOUT:.0f} s; "
                    f"{child.last_lines()}"
                )
            time.sleep(0.05)

    def _await_history(self) -> None:
        """Wait until Loki has the history and returns it.

        Loki looks for lines older than some hours only in flushed chunks; a
        history that was just filled is still in memory, so it is flushed first.
        """
        printed = self.log_file("app").read_text().splitlines()
        # The line after the last one of the history.
        started = json.loads(next(x for x in printed if '"event":"app_started"' in x))
        query = f'{{app="{APP}"}} | event="app_started" |= `{started["reqId"]}`'
        self.until(
            f"the app's lines in Loki ({self.shipper}: {self.log_file(self.shipper)})",
            lambda: self.loki.entries(query),
            START_TIMEOUT,
        )
        self.loki.flush()

    # Running and stopping

    def until(
        self, what: str, attempt: Callable[[], T | None], within: float = 30.0
    ) -> T:
        """Like `clients.until`, but raises at once when a program ends meanwhile."""

        def checked() -> T | None:
            self.check()
            return attempt()

        return until(what, checked, within)

    def check(self) -> None:
        """Raise `DemoError` when a program has ended by itself.

        Raises `Stopped` after a request to stop.
        """
        if self.stopping.is_set():
            raise Stopped
        for child in self.children:
            ended = child.ended()
            if ended:
                raise DemoError(f"{ended}; {child.last_lines()}")

    @contextlib.contextmanager
    def without(self, name: str) -> Iterator[None]:
        """One program is stopped on purpose, and started again at the end."""
        (child,) = (one for one in self.children if one.name == name)
        self.children.remove(child)
        child.end()
        try:
            yield
        finally:
            again = child.again()
            self.children.append(again)
            again.start()
            self._await(lambda _: None)

    def stop(self) -> None:
        """Stop all programs in parallel; kill those that do not stop."""
        for child in reversed(self.children):
            child.signal_group(signal.SIGTERM)
        for child in reversed(self.children):
            child.end()
        self.children.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


@contextlib.contextmanager
def running(
    options: Options,
    progress: Callable[[Child], None] = lambda _: None,
    before: Callable[[Stack], None] = lambda _: None,
) -> Iterator[Stack]:
    """A started stack, stopped at the end whatever happens.

    `before` gets the stack when all its programs are found, before it starts.
    """
    stack = Stack(options)
    before(stack)
    stack.start(progress)
    try:
        with clock.known(stack.root / "zoneinfo"):
            yield stack
    finally:
        stack.stop()
