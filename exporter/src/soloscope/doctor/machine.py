"""systemd's units and the machine's clock, as far as this machine has them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from soloscope.doctor.finding import Finding, note, unseen, wrong

if TYPE_CHECKING:
    from soloscope.config import Config

__all__ = ["clock", "journal_has_lines", "units"]

_PATIENCE = 10.0


def _ask(*argv: str) -> str | None:
    """What the program prints; None when it is not there, fails or hangs."""
    found = shutil.which(argv[0])
    if found is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 (our own words)
            [found, *argv[1:]],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _own_units(config: Config) -> list[str]:
    names = ["soloscope-exporter", "loki"]
    if config.prometheus.enable:
        names.append("prometheus")
    if config.grafana.enable:
        names.append("grafana")
    if config.alertmanager.enable:
        names.append("alertmanager")
    return [f"{name}.service" for name in names]


def _show(names: Sequence[str]) -> list[dict[str, str]] | None:
    """LoadState, ActiveState, Result … of each unit; None without systemd."""
    wanted = "--property=Id,LoadState,ActiveState,SubState,Result"
    text = _ask("systemctl", "show", wanted, "--", *names)
    if text is None:
        return None
    blocks = [b for b in text.split("\n\n") if b.strip()]
    return [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in blocks
    ]


def units(config: Config) -> Iterator[Finding]:
    """Units of the apps and of soloscope that are not running."""
    owner: dict[str, str] = {}
    for app in config.apps.values():
        owner |= dict.fromkeys(app.units, app.name)
    for unit in _own_units(config):
        owner.setdefault(unit, "")
    shown = _show(list(owner))
    if shown is None:
        yield unseen(
            "units",
            "",
            "no unit was looked at: systemd does not answer on this machine",
            "run this on the host itself",
        )
        return
    for (unit, name), state in zip(owner.items(), shown, strict=False):
        active = state.get("ActiveState", "")
        if state.get("LoadState") == "not-found":
            fix = (
                f"repair `apps.{name}.units`, or install the unit"
                if name
                else "rebuild the system with soloscope enabled"
            )
            yield wrong("unit", name, f"`{unit}` is not there", fix)
        elif active == "failed":
            result = state.get("Result", "")
            yield wrong(
                "unit",
                name,
                f"`{unit}` has failed ({result})",
                f"`journalctl -u {unit} -n 50`, then `systemctl restart {unit}`",
            )
        elif active not in {"active", "reloading", "activating"}:
            yield wrong(
                "unit", name, f"`{unit}` is {active}", f"`systemctl start {unit}`"
            )
    yield from _failed_helpers(set(owner))


def _failed_helpers(known: set[str]) -> Iterator[Finding]:
    """Our timers' services and the like, which need not run but must not fail."""
    argv = ["systemctl", "list-units", "--all", "--plain", "--no-legend"]
    text = _ask(*argv, "--state=failed", "soloscope-*")
    for line in (text or "").splitlines():
        unit = line.split()[0] if line.split() else ""
        if unit and unit not in known:
            yield wrong(
                "unit",
                "",
                f"`{unit}` has failed",
                f"`journalctl -u {unit} -n 50`, then `systemctl restart {unit}`",
            )


def journal_has_lines(names: Sequence[str], minutes: int) -> bool | None:
    """Whether the units have logged lately; None when the journal cannot be read."""
    argv = ["journalctl", "--quiet", "--output=cat", "--lines=1"]
    argv += [f"--since=-{minutes}min", *(f"--unit={name}" for name in names)]
    text = _ask(*argv)
    return None if text is None else bool(text.strip())


def clock() -> Iterator[Finding]:
    """Whether the machine's clock is kept by somebody."""
    text = _ask("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if text is not None and text.strip() == "no":
        yield note(
            "clock",
            "",
            "the machine's clock is not synchronised",
            "enable `services.timesyncd.enable`, unless the host keeps the time",
        )
