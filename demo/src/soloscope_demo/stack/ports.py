"""Which port each program takes, and others when those are to be free ones.

The numbers stand in modules/defaults.nix and demo/declaration.nix; here is only
where in the options each is found.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ..errors import DemoError
from .render import nix

ADDRESS = "127.0.0.1"

#: Name -> path of its option under `services.soloscope`.
OPTIONS: dict[str, tuple[str, ...]] = {
    "loki": ("loki", "port"),
    "loki gRPC": ("loki", "grpcPort"),
    "promtail": ("logs", "ports", "promtail"),
    "alloy": ("logs", "ports", "alloy"),
    "prometheus": ("prometheus", "port"),
    "node": ("prometheus", "exporters", "node", "port"),
    "redis": ("prometheus", "exporters", "redis", "port"),
    "postgres": ("prometheus", "exporters", "postgres", "port"),
    "grafana": ("grafana", "port"),
    "alertmanager": ("alertmanager", "port"),
    "soloscope": ("exporter", "port"),
    "notify": ("notify", "port"),
}

#: Name -> path below the app's declaration of the URL that holds its port.
APP_URLS: dict[str, tuple[str, ...]] = {
    "redis-server": ("redis", "url"),
    "app": ("health", "url"),
}


def _at(tree: Mapping[str, Any], path: Sequence[str]) -> Any:
    """The value at a path, None when there is none."""
    value: Any = tree
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def default_ports(app: str) -> dict[str, int]:
    """Every port as the modules and the demo's declaration have it."""
    defaults = nix("modules/defaults.nix")
    declared = nix("demo/declaration.nix")["apps"][app]
    found = {
        name: int(port)
        for name, path in OPTIONS.items()
        if (port := _at(defaults, path)) is not None
    }
    for name, path in APP_URLS.items():
        port = urlsplit(_at(declared, path) or "").port
        if port is None:
            raise DemoError(f"demo/declaration.nix: {'.'.join(path)} has no port")
        found[name] = port
    return found


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """A port for each name that nothing uses now."""
    with contextlib.ExitStack() as held:
        found = {}
        for name in names:
            listener = held.enter_context(socket.socket())
            listener.bind((ADDRESS, 0))
            found[name] = int(listener.getsockname()[1])
        return found


def overrides_for(ports: Mapping[str, int], app: str) -> dict[str, Any]:
    """The options that give each program its port of `ports`."""
    overrides: dict[str, Any] = {}
    for name, path in OPTIONS.items():
        if name not in ports:
            continue
        place = overrides
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = ports[name]
    http = f"http://{ADDRESS}:{ports['app']}"
    overrides["apps"] = {
        app: {
            "redis": {"url": f"redis://{ADDRESS}:{ports['redis-server']}"},
            "health": {"url": f"{http}/api/health"},
            "metrics": {"url": f"{http}/metrics"},
        }
    }
    return overrides


def check_free(ports: Mapping[str, int]) -> None:
    """Raise `DemoError` that names every port of `ports` that is in use."""
    used = []
    for name, port in ports.items():
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((ADDRESS, port))
            except OSError:
                used.append(f"{port} ({name})")
    if used:
        plural = "port" if len(used) == 1 else "ports"
        raise DemoError(
            f"{plural} in use on {ADDRESS}: {', '.join(used)}; stop what listens "
            "there, or take free ones with --free-ports"
        )
