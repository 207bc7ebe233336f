"""The log path as plain processes: a real journal, a shipper, Loki.

Everything runs on free ports and in a folder of its own. Programs are taken from
PATH; the configuration of the shipper and Loki is rendered from the modules.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from mirakuru import HTTPExecutor
from soloscope_demo.app.journal import entry as export
from soloscope_demo.errors import DemoError
from soloscope_demo.stack import Loki, free_ports, render, until
from soloscope_demo.stack.clients import ADDRESS, Entry
from soloscope_demo.stack.options import merge

#: Of the demo's, for the tests beside this.
__all__ = ["Entry", "export"]

TOP = Path(__file__).resolve().parents[2]
HOST = "web1"
#: As nixpkgs' writeShellApplication runs a script.
STRICT = ("bash", "-o", "errexit", "-o", "nounset", "-o", "pipefail")
JOURNAL_REMOTE = "/lib/systemd/systemd-journal-remote"

#: What an entry in the journal has beside its message.
MACHINE = uuid.uuid5(uuid.NAMESPACE_DNS, HOST).hex


def program(name: str) -> str | None:
    """Where the program is, or None."""
    if name == "systemd-journal-remote" and Path(JOURNAL_REMOTE).exists():
        return JOURNAL_REMOTE
    return shutil.which(name)


def evaluate(root: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The files of modules/render.nix; raises `ValueError` with Nix's words."""
    try:
        return render.evaluate(root, overrides)
    except DemoError as error:
        raise ValueError(str(error)) from error


def evaluate_text(text: str) -> Any:
    """The value of a Nix expression that names files of this checkout."""
    argv = ["nix-instantiate", "--store", "dummy://", "--eval", "--strict", "--json"]
    done = subprocess.run(
        [*argv, "--expr", text], capture_output=True, check=True, cwd=TOP
    )
    return json.loads(done.stdout)


#: The log shippers, the default one first.
ENGINES: tuple[str, ...] = tuple(
    evaluate_text(
        "let d = (import modules/defaults.nix).logs; in "
        "[ d.shipper ] ++ builtins.attrNames (removeAttrs d.ports [ d.shipper ])"
    )
)


class Journal:
    """A journal folder that entries are added to, by systemd-journal-remote."""

    def __init__(self, folder: Path) -> None:
        """An empty journal in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._boot = uuid.uuid4().hex
        self._last = 0
        self._writer: subprocess.Popen[bytes] | None = None

    def fields(self, unit: str, **more: str) -> dict[str, str]:
        """An entry's fields as journald sets them for a unit's output."""
        return {
            "_HOSTNAME": HOST,
            "_MACHINE_ID": MACHINE,
            "_BOOT_ID": self._boot,
            "_TRANSPORT": "stdout",
            "PRIORITY": "6",
            "_SYSTEMD_UNIT": unit,
            "SYSLOG_IDENTIFIER": unit.partition(".")[0],
            **more,
        }

    def stamp(self) -> int:
        """Now in microseconds, later than any time given before."""
        self._last = max(time.time_ns() // 1000, self._last + 1)
        return self._last

    def add(self, entries: Iterable[bytes]) -> None:
        """Hand over entries in the export format."""
        if self._writer is None or self._writer.poll() is not None:
            # A file of its own each time: the shipper reads the folder.
            name = f"{time.time_ns()}.journal"
            self._writer = subprocess.Popen(
                [
                    str(program("systemd-journal-remote")),
                    "--output",
                    str(self._folder / name),
                    "-",
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        assert self._writer.stdin is not None
        for entry in entries:
            self._writer.stdin.write(entry)
        self._writer.stdin.flush()

    def say(self, unit: str, *messages: str | bytes, **more: str) -> list[int]:
        """Print lines as a unit; gives their times in microseconds."""
        return self.say_as(self.fields(unit, **more), *messages)

    def say_as(self, fields: Mapping[str, str], *messages: str | bytes) -> list[int]:
        """Add entries with these fields; gives their times in microseconds."""
        times = []
        entries = []
        for message in messages:
            data = message.encode() if isinstance(message, str) else message
            times.append(self.stamp())
            entries.append(export(fields, data, times[-1]))
        self.add(entries)
        return times

    def close(self) -> None:
        """End the writer after the last entry."""
        if self._writer is not None:
            assert self._writer.stdin is not None
            self._writer.stdin.close()
            self._writer.wait(timeout=20)
            self._writer = None


@dataclass
class LogPath:
    """Loki, a shipper and the journal it reads."""

    root: Path
    shipper: str = ENGINES[0]
    overrides: dict[str, Any] = field(default_factory=dict)
    #: Environment of the programs, for example a time zone.
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Render every file and make the folders."""
        loki, grpc, shipper = free_ports(3)
        self.loki_url = f"http://{ADDRESS}:{loki}"
        self.api = Loki(self.loki_url, timeout=60)
        self.shipper_url = f"http://{ADDRESS}:{shipper}"
        self._programs: dict[str, dict[str, Any]] = {}
        ours = {
            "loki": {"port": loki, "grpcPort": grpc},
            "logs": {"ports": dict.fromkeys(ENGINES, shipper)},
        }
        self.overrides = merge(ours, self.overrides)
        self.render()
        for part in ("loki", *ENGINES):
            (self.root / "state" / part).mkdir(parents=True, exist_ok=True)
        self.journal = Journal(self.root / "state/journal")
        self.loki: HTTPExecutor | None = None
        self.ship: HTTPExecutor | None = None

    def render(self) -> None:
        """Write the programs' configuration."""
        self.files = evaluate(self.root, self.overrides)
        for name in ("loki.yaml", "promtail.yaml"):
            (self.root / name).write_text(json.dumps(self.files[name], indent=1))
        for name, content in self.files.items():
            if name.startswith("loki/"):
                path = self.root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(content, indent=1))

    def _start(self, name: str, argv: list[str], url: str) -> HTTPExecutor:
        log = (self.root / f"{name}.log").open("ab")
        child = HTTPExecutor(
            argv,
            url=url,
            method="GET",
            timeout=60,
            sleep=0.02,
            stdout=log,
            stderr=subprocess.STDOUT,
            envvars={**os.environ, **self.environment},
        )
        child.start()
        return child

    def start_loki(self, within: float = 30.0) -> float:
        """Start Loki; gives the seconds until it answered a query."""
        began = time.monotonic()
        self.loki = self._start(
            "loki",
            ["loki", f"-config.file={self.root / 'loki.yaml'}"],
            f"{self.loki_url}/ready",
        )
        # "Ready" says nothing about queries.
        query = '{job=~".+"}'
        until("Loki", lambda: self.ask(query, limit=1) is not None, within)
        return time.monotonic() - began

    def start_shipper(self) -> None:
        """Start the shipper and wait for its page."""
        url = f"{self.shipper_url}{self._program['ready']}"
        self.ship = self._start(self.shipper, self._program["argv"], url)

    @property
    def _program(self) -> dict[str, Any]:
        """How the shipper is run, as modules/logs/engines.nix has it."""
        if self.shipper not in self._programs:
            chosen = merge(self.overrides, {"logs": {"shipper": self.shipper}})
            programs = evaluate(self.root, chosen)["programs.json"]
            self._programs[self.shipper] = programs[self.shipper]
        return self._programs[self.shipper]

    def start(self) -> None:
        """Start Loki, then the shipper."""
        self.start_loki()
        self.start_shipper()

    @property
    def positions(self) -> Path:
        """The file in which the shipper notes how far it has read."""
        return Path(self._program["positions"])

    def rewind(self) -> None:
        """What the unit does before the shipper starts."""
        subprocess.run(
            [
                *STRICT,
                str(TOP / "modules/logs/rewind.sh"),
                str(self.positions),
                *self.files["rewind.json"],
            ],
            check=True,
        )

    def carry(self, other: Path, own: Path | None = None) -> None:
        """What the unit does when the other engine ran before."""
        (arguments,) = self._program["carry"]
        place, position, legacy, _ = arguments
        if own is not None:
            legacy, place = str(own) if legacy == place else legacy, str(own)
        script = str(TOP / "modules/logs/carry.sh")
        argv = [*STRICT, script, place, position, legacy, str(other)]
        subprocess.run(argv, check=True)

    def read_lines(self) -> int:
        """How many lines of the journal the shipper has read since it started."""
        name = "journal_target_lines_total"
        return int(sum(v for k, v in self.shipper_metrics().items() if name in k))

    def stop_loki(self, how: signal.Signals = signal.SIGTERM) -> float:
        """Stop Loki; gives the seconds it took."""
        seconds = _stop(self.loki, how)
        self.loki = None
        return seconds

    def stop_shipper(self, how: signal.Signals = signal.SIGTERM) -> float:
        """Stop the shipper; gives the seconds it took."""
        seconds = _stop(self.ship, how)
        self.ship = None
        return seconds

    def stop(self) -> None:
        """Stop everything, the shipper without waiting for Loki."""
        self.journal.close()
        if self.ship is not None:
            self.stop_shipper(signal.SIGKILL)
        if self.loki is not None:
            self.stop_loki(signal.SIGKILL)

    def flush(self) -> None:
        """Have Loki write what it holds in memory to disk."""
        self.api.flush()

    def ask(
        self, query: str, *, limit: int = 5000, hours: float = 12, timeout: float = 20
    ) -> list[Entry] | None:
        """The entries that a log query finds, oldest first; None: no answer."""
        now = time.time_ns()
        asked = {
            "limit": limit,
            "start": now - int(hours * 3600e9),
            "end": now + int(3600e9),
            "direction": "forward",
        }
        try:
            return Loki(self.loki_url, timeout).entries(query, apart=True, **asked)
        except requests.HTTPError as error:
            raise AssertionError(str(error)) from error
        except requests.RequestException:
            return None

    def everything(self, query: str, **kind: Any) -> list[Entry]:
        """As `ask`, and an answer there must be."""
        found = self.ask(query, **kind)
        assert found is not None, f"Loki did not answer {query}"
        return found

    def number(self, query: str) -> list[tuple[dict[str, str], float]]:
        """The answer of an instant metric query: labels and value."""
        return self.api.values(query)

    def wait_for(self, query: str, count: int, within: float = 30) -> list[Entry]:
        """The entries of a query, as soon as there are `count` of them."""

        def enough() -> list[Entry] | None:
            found = self.ask(query)
            return found if found is not None and len(found) >= count else None

        try:
            return until(query, enough, within)
        except DemoError:
            found = self.everything(query)
            log = (self.root / f"{self.shipper}.log").read_text()[-3000:]
            raise AssertionError(
                f"{len(found)} of {count} entries for {query}\n{log}"
            ) from None

    def shipper_metrics(self) -> dict[str, float]:
        """The shipper's own counters, by their full names."""
        text = requests.get(f"{self.shipper_url}/metrics", timeout=10).text
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")
        return {row[0]: float(row[1]) for row in rows if len(row) == 2}


def _stop(child: HTTPExecutor | None, how: signal.Signals) -> float:
    assert child is not None
    began = time.monotonic()
    if how is signal.SIGKILL:
        child.kill()
    elif child.process is not None:
        # As systemd does it with TimeoutStopSec=5.
        child.process.terminate()
        try:
            child.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            child.process.kill()
        child.stop(expected_returncode=child.process.wait())
    return time.monotonic() - began


def need(*names: str) -> None:
    """Skip, and say what is not shown, when a program is not on PATH."""
    missing = [name for name in names if program(name) is None]
    if missing:
        pytest.skip(f"not shown: no {', '.join(missing)} on PATH")


class Factory:
    """Makes log paths and stops them all."""

    def __init__(self, base: Path) -> None:
        """Folders are made below `base`."""
        self._base = base
        self._made: list[LogPath] = []

    def __call__(
        self,
        overrides: dict[str, Any] | None = None,
        shipper: str = "promtail",
        **more: Any,
    ) -> LogPath:
        """A log path that is not started yet."""
        need("nix-instantiate", "loki", shipper, "systemd-journal-remote")
        root = self._base / f"path{len(self._made)}"
        root.mkdir()
        made = LogPath(root, shipper, overrides or {}, **more)
        self._made.append(made)
        return made

    def folder(self, name: str) -> Path:
        """A new folder for files that programs write."""
        made = self._base / f"{name}{len(self._made)}"
        made.mkdir()
        return made

    def stop(self) -> None:
        """Stop everything that was started."""
        for made in self._made:
            made.stop()
