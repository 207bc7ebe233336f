"""systemd's units and the machine's clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.backends import systemd
from soloscope.doctor.finding import Finding, note, unseen, wrong

if TYPE_CHECKING:
    from soloscope.config import Config

__all__ = ["clock", "units"]


def units(config: Config) -> Iterator[Finding]:
    """Units of the apps and of soloscope that have failed or do not run."""
    owner: dict[str, str] = {}
    for app in config.apps.values():
        owner |= {
            name: app.name for unit in app.units for name in systemd.instances(unit)
        }
    for name in systemd.own_units(config):
        owner.setdefault(name, "")
    for name, app_name in owner.items():
        unit = systemd.show(name)
        if unit is None:
            what = "no unit was looked at: systemd does not answer on this machine"
            yield unseen("units", "", what, "run this on the host itself")
            return
        if unit.why:
            yield wrong("unit", app_name, f"`{name}` {unit.why}", _fix(unit, app_name))


def _fix(unit: systemd.Unit, app: str) -> str:
    if unit.missing and app:
        return f"repair `apps.{app}.units`, or install the unit"
    if unit.missing:
        return "rebuild the system with soloscope enabled"
    if unit.why.startswith("is "):
        return f"`systemctl start {unit.name}`"
    fix = f"`journalctl -u {unit.name} -n 50` says why"
    # The fix must not cause an extra run of a unit that something else starts.
    return fix if unit.on_demand else f"{fix}; then `systemctl restart {unit.name}`"


def clock() -> Iterator[Finding]:
    """Whether the machine's clock is synchronized."""
    if systemd.clock_is_kept() is False:
        fix = "enable `services.timesyncd.enable`, unless the host keeps the time"
        yield note("clock", "", "the machine's clock is not synchronised", fix)
