"""What this process itself uses, under the names every client library gives it.

prometheus_client's collector says the same, but importing it takes longer than all of
soloscope's start and its registry 0.3 ms of every scrape.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

from soloscope.render import Family, Format, lines

__all__ = ["ProcessMetrics"]

_FAMILIES = (
    Family("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes."),
    Family("process_resident_memory_bytes", "gauge", "Resident memory size in bytes."),
    Family(
        "process_start_time_seconds",
        "gauge",
        "Start time of the process since unix epoch in seconds.",
    ),
    Family(
        "process_cpu_seconds",
        "counter",
        "Total user and system CPU time spent in seconds.",
    ),
    Family("process_open_fds", "gauge", "Number of open file descriptors."),
    Family("process_max_fds", "gauge", "Maximum number of open file descriptors."),
)


class ProcessMetrics:
    """Reads /proc/self (proc(5)); empty on a system without it."""

    def __init__(self) -> None:
        self._page = resource.getpagesize()
        self._tick = os.sysconf("SC_CLK_TCK")
        self._boot = _boot_time()
        self._stat = Path("/proc/self/stat")
        self._fds = "/proc/self/fd"

    def render(self, format: Format) -> str:  # noqa: A002
        """The families with their values now."""
        try:
            # The command's name stands in brackets and may hold anything.
            fields = self._stat.read_bytes().rpartition(b")")[2].split()
            values = (
                int(fields[20]),
                int(fields[21]) * self._page,
                self._boot + int(fields[19]) / self._tick,
                (int(fields[11]) + int(fields[12])) / self._tick,
                len(os.listdir(self._fds)),  # noqa: PTH208 (Path costs twice as much)
                resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            )
        except (OSError, ValueError, IndexError):
            return ""
        out = []
        for family, value in zip(_FAMILIES, values, strict=True):
            suffix = "_total" if family.kind == "counter" else ""
            out.append(family.head(format))
            out.append(lines(family.name + suffix, [({}, value)]))
        return "".join(out)


def _boot_time() -> float:
    """When the machine was started, which start times count from."""
    try:
        for line in Path("/proc/stat").read_text().splitlines():
            if line.startswith("btime "):
                return float(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0.0
