"""systemd, its journal and its clock, if this machine has them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from soloscope.config import Config

__all__ = [
    "Unit",
    "clock_is_kept",
    "instances",
    "journal_has_lines",
    "own_units",
    "show",
]

_PATIENCE = 10.0
_PROPERTIES = "Id,Type,LoadState,ActiveState,SubState,Result,TriggeredBy"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit, and in `why` its fault ("" when it has none).

    `on_demand`: a timer, a socket or a person starts it, and it need not run.
    """

    name: str
    why: str = ""
    missing: bool = False
    on_demand: bool = False


def _ask(*argv: str) -> str | None:
    """The program's output; None when it is missing, fails or hangs."""
    found = shutil.which(argv[0])
    if found is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 (our own words)
            [found, *argv[1:]],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def show(name: str) -> Unit | None:
    """The state of the unit; None when systemd does not answer."""
    text = _ask("systemctl", "show", f"--property={_PROPERTIES}", "--", name)
    if text is None:
        return None
    state = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    active, result = state.get("ActiveState", ""), state.get("Result", "")
    # A unit with a timer is well when its last run succeeded, and must not be started
    # by hand: that would be an extra run.
    on_demand = state.get("Type") == "oneshot" or bool(state.get("TriggeredBy"))
    if state.get("LoadState") == "not-found":
        return Unit(name, "is not there", missing=True)
    because = f" ({result})" if result else ""
    why = ""
    if active == "failed" or (active == "inactive" and result not in {"", "success"}):
        why = f"has failed{because}"
    elif active == "activating" and state.get("SubState", "").startswith(
        "auto-restart"
    ):
        why = f"fails and is started again and again{because}"
    elif active not in {"active", "reloading", "refreshing", "activating"}:
        why = "" if on_demand and active == "inactive" else f"is {active}"
    return Unit(name, why, on_demand=on_demand)


def _pattern(name: str) -> str:
    """The pattern with which systemctl and journalctl match a template's instances."""
    return name.replace("@.", "@*.")


def _listed(*patterns: str) -> list[str]:
    argv = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "--"]
    listed = _ask(*argv, *patterns) or ""
    return [line.split()[0] for line in listed.splitlines() if line.strip()]


def instances(name: str) -> list[str]:
    """The existing units of a template or of a name with `*`; else the name."""
    pattern = _pattern(name)
    return _listed(pattern) if "*" in pattern else [name]


def own_units(config: Config) -> list[str]:
    """The units of soloscope: the required ones, and others that exist."""
    rooms = ("prometheus", "grafana", "alertmanager")
    names = [f"soloscope-{config.shipper.engine}", "soloscope-exporter", "loki"]
    names += [room for room in rooms if getattr(config, room).enable]
    names = [f"{name}.service" for name in names]
    exporters = ("node", "redis", "postgres", "blackbox")
    patterns = [f"prometheus-{name}-exporter.service" for name in exporters]
    names += _listed("soloscope-*", *patterns)
    return list(dict.fromkeys(names))


def journal_has_lines(names: Sequence[str], minutes: int) -> bool | None:
    """Whether the units have logged lately; None when the journal cannot be read."""
    argv = ["journalctl", "--quiet", "--output=cat", "--lines=1"]
    argv += [f"--since=-{minutes}min", *(f"--unit={_pattern(name)}" for name in names)]
    text = _ask(*argv)
    return None if text is None else bool(text.strip())


def clock_is_kept() -> bool | None:
    """Whether the machine's clock is synchronized; None when that is unknown."""
    text = _ask("timedatectl", "show", "--property=NTPSynchronized", "--value")
    return None if text is None else text.strip() == "yes"
