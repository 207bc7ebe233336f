"""The programs of a stack, the command of each, and its readiness check."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests

from ..errors import DemoError
from ..tools import programs
from .clients import ADDRESS

#: Programs of the stack that programs.json does not name, and our own module.
HELPERS = ("redis-server", "systemd-journal-remote")
DEMO = (sys.executable, "-m", "soloscope_demo")

#: Program -> the path that answers 200 when it is ready, if programs.json has none.
READY = {
    # Not /ready, which does not cover queries.
    "loki": '/loki/api/v1/query_range?query={job="none"}&limit=1',
    "prometheus": "/-/ready",
    "alertmanager": "/-/ready",
    "grafana": "/api/health",
    "soloscope": "/health",
    "app": "/api/health",
}


def resolve(told: Mapping[str, Any]) -> tuple[dict[str, list[str]], dict[str, Path]]:
    """The commands of programs.json with program paths, and the paths of the helpers.

    Missing programs are put into the cache. Raises `DemoError` when that fails.
    """
    known = {
        alias: program.name
        for program in programs.PROGRAMS.values()
        for alias in (program.name, *program.names)
    }
    commands = {name: list(entry["argv"]) for name, entry in told.items()}
    wanted = {known[argv[0]] for argv in commands.values() if argv[0] in known}
    places = programs.ensure(sorted({*HELPERS, *wanted}))
    for argv in commands.values():
        place = places.get(known.get(argv[0], ""))
        if place is None:
            place = own(argv[0])
        argv[0] = str(place)
    return commands, {name: places[name] for name in HELPERS}


def own(name: str) -> Path:
    """A command of soloscope's: beside this Python, or on PATH."""
    found = shutil.which(Path(sys.executable).parent / name) or shutil.which(name)
    if found is None:
        raise DemoError(f"missing program: `{name}` is not on PATH")
    return Path(found)


def readiness(
    name: str, port: int | None, path: str | None = None
) -> Callable[[], bool]:
    """A program's readiness check: `path` answers, or at least it listens."""
    if port is None:
        return lambda: True
    path = path or READY.get(name)
    if path:
        url = f"http://{ADDRESS}:{port}{path}"
        return lambda: requests.get(url, timeout=2).status_code == 200

    def listens() -> bool:
        with socket.create_connection((ADDRESS, port), timeout=1) as connection:
            if name == "redis-server":
                # It listens before it has read its configuration.
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            return True

    return listens


def grafana_home(program: Path) -> Path | None:
    """The folder of Grafana's own files that belongs to this `grafana`.

    Grafana looks for conf/defaults.ini where it is started.
    """
    prefix = program.resolve().parent.parent
    folders = (prefix / "share/grafana", prefix, Path("/usr/share/grafana"))
    return next((f for f in folders if (f / "conf/defaults.ini").exists()), None)
