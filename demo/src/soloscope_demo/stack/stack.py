"""The whole stack as plain processes on 127.0.0.1, in a folder of its own.

mirakuru starts and stops each program in a process group of its own; here stands
which programs there are, when each is ready, and what is said when one fails.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import requests
from mirakuru.base import SimpleExecutor, cleanup_subprocesses
from mirakuru.exceptions import ExecutorError

from ..errors import DemoError
from ..tools import programs
from .ports import ADDRESS, check_free, default_ports, free_ports, overrides_for
from .render import evaluate, render

#: The app of demo/declaration.nix.
APP = "languagebuddy"

#: How long a program may take to be ready (seconds).
START_TIMEOUT = 60.0

#: How long a program may take to stop before it is killed (seconds).
STOP_TIMEOUT = 10.0

_LAST_LINES = 12


# At exit mirakuru kills every process on the machine whose mark contains the
# digits of its own pid, anywhere in it: another demo's programs, too, and surely
# where pids are small. The stack stops what it started itself.
atexit.unregister(cleanup_subprocesses)

#: Marks without digits are safe from other processes that do the same.
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


class Stopped(BaseException):
    """The stack was asked to stop while it started or ran."""


class Child(SimpleExecutor):
    """A started program: its name, its output file, and when it is ready."""

    def __init__(
        self,
        name: str,
        argv: list[str],
        output: Path,
        ready: Callable[[], bool],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`ready` is asked again and again; it may raise while it is not."""
        self.name = name
        self.output_file = output
        self._ready = ready
        self._output: IO[bytes] = output.open("wb")
        self.ready_after: float | None = None
        super().__init__(
            argv,
            cwd=None if cwd is None else str(cwd),
            timeout=STOP_TIMEOUT,
            sleep=0.05,
            envvars=dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        self._uuid = self._uuid.translate(_LETTERS)

    def is_ready(self) -> bool:
        """Whether the program answers as it should."""
        try:
            return self._ready()
        except (requests.RequestException, OSError):
            return False

    def last_lines(self) -> str:
        """What the program printed last, indented."""
        text = self.output_file.read_text(errors="replace")
        lines = text.splitlines()[-_LAST_LINES:]
        return "".join(f"\n  {line[:1000]}" for line in lines) or "\n  (nothing)"

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the program and all that it started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def end(self) -> None:
        """Stop it, or kill it when it does not stop in time."""
        try:
            # How it ends matters no more: exit codes at a signal are its own.
            self.stop()
        except ExecutorError:
            pass
        finally:
            with contextlib.suppress(ExecutorError):
                self.kill()
            self._output.close()


@dataclass(frozen=True)
class Options:
    """How the stack is run. `root` is the folder of everything it writes.

    `history` is in days; `visit_every` in seconds, 0 for no visits; `overrides`
    are options of `services.soloscope`.
    """

    root: Path
    free_ports: bool = False
    history: int = 30
    visit_every: float = 60
    seed: int = 7
    scrape_interval: str = "5s"
    overrides: Mapping[str, Any] = field(default_factory=dict)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`, set by set, as Nix's recursiveUpdate does."""
    merged = dict(base)
    for key, value in over.items():
        known = merged.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(known, value) if both else value  # type: ignore[arg-type]
    return merged


class Stack:
    """The stack of one folder. Use `running`, which also stops it."""

    def __init__(self, options: Options) -> None:
        """Reads and decides, but writes and starts nothing yet."""
        self.options = options
        self.root = options.root.absolute()
        programs.ensure(["nix-instantiate"])
        ports = default_ports(APP)
        if options.free_ports:
            ports = free_ports(ports)
        self.ports = ports
        own = merge(
            overrides_for(ports, APP),
            {
                # The shipper reads as far back as history is filled.
                "logs": {"maxAge": f"{24 * max(1, options.history)}h"},
                "prometheus": {
                    "scrapeInterval": options.scrape_interval,
                    "evaluationInterval": options.scrape_interval,
                },
            },
        )
        self.children: list[Child] = []
        #: What is not there, and why: name -> reason.
        self.absent: dict[str, str] = {}
        self.overrides = merge(own, options.overrides)
        if shutil.which("grafana") is None:
            # Nothing else fetches it; without it nothing is told of it either.
            self.absent["Grafana"] = "no `grafana` on PATH"
            off = {"grafana": {"enable": False}}
            self.overrides = merge(self.overrides, off)
        self.files = evaluate(self.root, self.overrides)
        told = self.files["soloscope.json"]
        for name in ("Grafana", "Prometheus"):
            if not told[name.lower()]["enable"]:
                self.absent.setdefault(name, f"{name.lower()}.enable is false")
        self.started_at = 0.0
        #: Set it from anywhere, a signal handler too: the stack stops soon.
        self.stopping = threading.Event()
        self._commands = self._resolve()
        self._lock: IO[str] | None = None

    # Where things are

    def url(self, name: str) -> str:
        """The address of a program, without a slash at the end."""
        return f"http://{ADDRESS}:{self.ports[name]}"

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

    def secret(self, name: str) -> str:
        """One of the secrets made for this folder."""
        return (self.root / "secrets" / name).read_text().strip()

    def child(self, name: str) -> Child:
        """A started program by name."""
        return next(child for child in self.children if child.name == name)

    # Which programs

    def _resolve(self) -> dict[str, list[str]]:
        """The command of each program of programs.json that is on this machine."""
        by_alias = {
            alias: program.name
            for program in programs.PROGRAMS.values()
            for alias in (program.name, *program.names)
        }
        wanted = {"redis-server", "systemd-journal-remote"}
        commands = {
            name: list(told["argv"])
            for name, told in self.files["programs.json"].items()
        }
        wanted |= {
            by_alias[argv[0]] for argv in commands.values() if argv[0] in by_alias
        }
        places = programs.ensure(sorted(wanted))
        resolved = {}
        for name, argv in commands.items():
            program = argv[0]
            if program in by_alias:
                place: Path | None = places[by_alias[program]]
            else:
                beside = Path(sys.executable).parent / program
                found = shutil.which(program)
                place = beside if beside.exists() else Path(found) if found else None
            if place is not None:
                resolved[name] = [str(place), *argv[1:]]
            else:
                raise DemoError(f"missing program: `{program}` is not on PATH")
        self._journal_remote = str(places["systemd-journal-remote"])
        self._redis_server = str(places["redis-server"])
        return resolved

    def has(self, name: str) -> bool:
        """Whether a program of programs.json is part of this stack."""
        return name in self._commands

    @property
    def shipper(self) -> str:
        """The log shipper of this stack: promtail or alloy."""
        return "alloy" if self.has("alloy") else "promtail"

    @property
    def has_grafana(self) -> bool:
        """Whether Grafana is part of this stack."""
        return self.has("grafana")

    def used_ports(self) -> dict[str, int]:
        """The ports that this stack listens on."""
        names = {"redis-server", "app", *self._commands}
        if "loki" in self._commands:
            names.add("loki gRPC")
        return {name: port for name, port in self.ports.items() if name in names}

    # Starting

    def start(self, progress: Callable[[Child], None] = lambda _: None) -> None:
        """Start everything and wait until each is ready.

        Raises `DemoError` when a port is taken or a program does not start; then
        nothing is left running.
        """
        self.started_at = time.monotonic()
        self._lock_folder()
        check_free(self.used_ports())
        self._prepare()
        try:
            self._launch_redis()
            self._await(progress)
            self._launch_bridge()
            self._launch_app()
            # Those that read what the app leaves behind come after it: the
            # shipper takes up a journal that it finds empty at its end, and the
            # exporter holds days before yesterday for closed.
            readers = {self.shipper, "soloscope"}
            for name, argv in self._commands.items():
                if name not in readers:
                    self._launch(name, argv)
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
        render(self.root, self.overrides)
        for name in ("logs", "secrets", "state/loki/rules/fake", "state/journal"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        for name in ("redis", self.shipper, "prometheus", "grafana"):
            (self.root / "state" / name).mkdir(exist_ok=True)
        # Grafana reports every folder of its provisioning that is not there.
        for name in ("plugins", "notifiers", "alerting"):
            (self.root / "grafana/provisioning" / name).mkdir(
                parents=True, exist_ok=True
            )
        (self.root / "secrets").chmod(0o700)
        # What the first boot makes on a host (modules/secrets).
        for name in ("grafana-admin-password", "grafana-secret-key", "exporter-token"):
            path = self.root / "secrets" / name
            if not path.exists():
                path.touch(mode=0o600)
                path.write_text(secrets.token_urlsafe(24))

    def _launch(
        self,
        name: str,
        argv: list[str],
        *,
        ready: Callable[[], bool] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Child:
        cwd = None
        if name == "grafana":
            cwd = grafana_home(Path(argv[0]))
        child = Child(
            name,
            argv,
            self.root / "logs" / f"{name}.log",
            ready or self._readiness(name),
            cwd=cwd,
            environment=environment,
        )
        self.children.append(child)
        child.start()
        return child

    def _readiness(self, name: str) -> Callable[[], bool]:
        """How a program of programs.json shows that it is ready."""
        paths = {
            # Not /ready, which says nothing about queries.
            "loki": '/loki/api/v1/query_range?query={job="none"}&limit=1',
            "promtail": "/ready",
            "alloy": "/-/ready",
            "prometheus": "/-/ready",
            "alertmanager": "/-/ready",
            "grafana": "/api/health",
            "soloscope": "/health",
        }
        port = self.ports.get(name)
        if port is None:
            return lambda: True
        if name in paths:
            url = f"http://{ADDRESS}:{port}{paths[name]}"
            return lambda: requests.get(url, timeout=2).status_code == 200

        def listens() -> bool:
            with socket.create_connection((ADDRESS, port), timeout=1):
                return True

        return listens

    def _launch_redis(self) -> None:
        port = self.ports["redis-server"]
        argv = [
            self._redis_server,
            *("--bind", ADDRESS, "--port", str(port)),
            *("--dir", str(self.root / "state/redis")),
            *("--appendonly", "yes", "--save", ""),
        ]

        def ready() -> bool:
            with socket.create_connection((ADDRESS, port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")

        self._launch("redis-server", argv, ready=ready)

    def _launch_bridge(self) -> None:
        units = {"app": self.files["soloscope.json"]["apps"][APP]["units"][0]}
        for name in self._commands:
            if name in ("soloscope", "notify"):
                unit = "exporter" if name == "soloscope" else name
                units[name] = f"soloscope-{unit}.service"
        journal = Path(
            self.files["promtail.yaml"]["scrape_configs"][0]["journal"]["path"]
        )
        argv = [
            *(sys.executable, "-m", "soloscope_demo", "bridge"),
            *("--program", self._journal_remote, "--journal", str(journal)),
            *(
                f"{unit}={self.root / 'logs' / name}.log"
                for name, unit in units.items()
            ),
        ]
        for name in units:
            # Emptied before the bridge looks, or it would read the last run's.
            (self.root / "logs" / f"{name}.log").write_bytes(b"")
        before = set(journal.glob("*.journal"))
        self._launch(
            "journal", argv, ready=lambda: set(journal.glob("*.journal")) != before
        )

    def _launch_app(self) -> None:
        redis = self.files["soloscope.json"]["apps"][APP]["redis"]
        argv = [
            *(sys.executable, "-m", "soloscope_demo", "app"),
            *("--port", str(self.ports["app"])),
            *("--redis", self.redis_url, "--prefix", redis["prefix"]),
            *("--truth", str(self.truth_file)),
            *("--history", f"{self.options.history}d"),
            *("--seed", str(self.options.seed)),
            *("--visit-every", str(self.options.visit_every)),
            *("--lines-back", str(lines_back(self.files["loki.yaml"]))),
        ]
        url = f"{self.url('app')}/api/health"
        self._launch(
            "app", argv, ready=lambda: requests.get(url, timeout=2).status_code == 200
        )

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
                    f"{child.name} was not ready within {START_TIMEOUT:.0f} s; its "
                    f"last lines ({child.output_file}):{child.last_lines()}"
                )
            time.sleep(0.05)

    def _await_history(self) -> None:
        """Wait until Loki has the history and shows it.

        Loki looks for lines older than some hours only in chunks that it has
        written; a history that was just filled is still in memory, so it is told
        to write it.
        """
        printed = self.child("app").output_file.read_text()
        started = next(
            json.loads(line)
            for line in printed.splitlines()
            if '"event":"app_started"' in line
        )
        # The line after the last one of the history.
        query = f'{{app="{APP}"}} | event="app_started" |= `"{started["reqId"]}"`'
        end = time.monotonic() + START_TIMEOUT
        url = f"{self.url('loki')}/loki/api/v1/query_range"
        while time.monotonic() < end:
            self.check()
            with contextlib.suppress(requests.RequestException, ValueError):
                reply = requests.get(url, params={"query": query}, timeout=5)
                if reply.ok and reply.json()["data"]["result"]:
                    break
            time.sleep(0.1)
        else:
            raise DemoError(
                f"the app's lines were not in Loki within {START_TIMEOUT:.0f} s; the "
                f"shipper's last lines:{self.child(self.shipper).last_lines()}"
            )
        requests.post(f"{self.url('loki')}/flush", timeout=30).raise_for_status()

    # While it runs, and after

    def check(self) -> None:
        """Raise `DemoError` when a program has ended by itself.

        Raise `Stopped` when the stack is to stop.
        """
        if self.stopping.is_set():
            raise Stopped
        for child in self.children:
            process = child.process
            if process is not None and process.poll() is not None:
                code = process.returncode
                how = (
                    f"was killed by {signal.Signals(-code).name}"
                    if code < 0
                    else f"ended with exit code {code}"
                )
                raise DemoError(
                    f"{child.name} {how}; its last lines "
                    f"({child.output_file}):{child.last_lines()}"
                )

    def memory(self) -> dict[str, int]:
        """Resident bytes of each program with all that it started."""
        return {
            child.name: resident_bytes(child.process.pid)
            for child in self.children
            if child.process is not None
        }

    def stop(self) -> None:
        """Stop every program, all at once; kill what does not stop."""
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

    `before` gets the stack when all its programs are there, before it starts.
    """
    stack = Stack(options)
    before(stack)
    stack.start(progress)
    try:
        yield stack
    finally:
        stack.stop()


def grafana_home(program: Path) -> Path | None:
    """The folder of Grafana's own files that belongs to this `grafana`.

    Grafana looks for conf/defaults.ini where it is started.
    """
    prefix = program.resolve().parent.parent
    for folder in (prefix / "share/grafana", prefix, Path("/usr/share/grafana")):
        if (folder / "conf/defaults.ini").exists():
            return folder
    return None


def lines_back(loki: Mapping[str, Any]) -> float:
    """How many days back Loki takes lines, less an hour.

    Its default is a week (`limits_config.reject_old_samples_max_age`).
    """
    text = str(loki["limits_config"].get("reject_old_samples_max_age", "1w"))
    match = re.fullmatch(r"(\d+)([hdw])", text)
    if match is None:
        raise DemoError(f"loki.yaml: reject_old_samples_max_age is {text!r}")
    return (int(match[1]) * {"h": 1, "d": 24, "w": 168}[match[2]] - 1) / 24


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and its children, from /proc."""
    total = 0
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        total = int(found[1]) * 1024 if found else 0
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        total += sum(resident_bytes(int(child)) for child in children.split())
    return total
