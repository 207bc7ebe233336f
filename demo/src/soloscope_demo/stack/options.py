"""The settings of a run: its options, its ports, and its time of day.

The port numbers are in modules/defaults.nix and demo/declaration.nix; here are
only the names of their options.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import DemoError
from .clients import ADDRESS, free_ports
from .render import nix

#: The app of demo/declaration.nix.
APP = "languagebuddy"

#: Program -> the option under `services.soloscope` that has its port, or its URL.
#: A log shipper's is `logs.ports.ENGINE`.
PORTS = {
    "loki": "loki.port",
    "loki gRPC": "loki.grpcPort",
    "prometheus": "prometheus.port",
    "node": "prometheus.exporters.node.port",
    "redis": "prometheus.exporters.redis.port",
    "postgres": "prometheus.exporters.postgres.port",
    "blackbox": "prometheus.exporters.blackbox.port",
    "grafana": "grafana.port",
    "alertmanager": "alertmanager.port",
    "soloscope": "exporter.port",
    "notify": "notify.port",
}
URLS = {
    "redis-server": f"apps.{APP}.redis.url",
    "app": f"apps.{APP}.health.url",
}


@dataclass(frozen=True)
class Options:
    """The settings of a run. `root` is the folder of everything it writes.

    `history` is in days, `metrics_history` in hours: how far back Prometheus has the
    metrics of the app's own endpoint at the start. `visit_every` is in seconds, 0 for
    no visits; `overrides` are options of `services.soloscope`. `at` sets the time of
    day in the app's time zone (clock.py); the variable SOLOSCOPE_AT gives it for every
    stack.
    """

    root: Path
    free_ports: bool = False
    history: int = 30
    metrics_history: float = 0
    visit_every: float = 60
    seed: int = 7
    scrape_interval: str = "5s"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    at: str = field(default_factory=lambda: os.environ.get("SOLOSCOPE_AT", ""))

    def ports(self) -> dict[str, int]:
        """The port of each program, as declared, or free ones."""
        ports = default_ports()
        if not self.free_ports:
            return ports
        return dict(zip(ports, free_ports(len(ports)), strict=True))


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` merged over `base`, like Nix's recursiveUpdate."""
    merged = dict(base)
    for key, value in over.items():
        known = merged.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(known, value) if both else value  # type: ignore[arg-type]
    return merged


def _at(tree: Any, path: str) -> Any:
    """The value of an option, None when there is none."""
    for key in path.split("."):
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def _set(path: str, value: object) -> Any:
    """Options with one value."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def default_ports() -> dict[str, int]:
    """Every port as set by the modules and the demo's declaration."""
    defaults, declared = nix("modules/defaults.nix"), nix("demo/declaration.nix")
    found = {name: _at(defaults, path) for name, path in PORTS.items()}
    found |= defaults["logs"]["ports"]
    for name, path in URLS.items():
        found[name] = urlsplit(_at(declared, path) or "").port
        if found[name] is None:
            raise DemoError(f"demo/declaration.nix: {path} has no port")
    return {name: int(port) for name, port in found.items() if port is not None}


def overrides_for(ports: Mapping[str, int]) -> dict[str, Any]:
    """The options that give each program its port of `ports`."""
    http = f"http://{ADDRESS}:{ports['app']}"
    redis = f"redis://{ADDRESS}:{ports['redis-server']}"
    overrides: dict[str, Any] = _set(f"apps.{APP}.metrics.url", f"{http}/metrics")
    options = {
        PORTS.get(n, f"logs.ports.{n}"): ports[n] for n in ports if n not in URLS
    }
    urls = {URLS["app"]: f"{http}/api/health", URLS["redis-server"]: redis}
    for path, value in {**options, **urls}.items():
        overrides = merge(overrides, _set(path, value))
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
