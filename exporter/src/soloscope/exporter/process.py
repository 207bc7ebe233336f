"""What this process itself uses, under the names every client library gives it.

prometheus_client's collector says the same, but importing it takes longer than all of
soloscope's start and its registry 0.3 ms of every scrape.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

from soloscope.exporter.exposition import OPENMETRICS, TEXT, Family, Format, go_float

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
_SUFFIX = {"counter": "_total"}


class ProcessMetrics:
    """Reads /proc/self (proc(5)); empty on a system without it."""

    def __init__(self) -> None:
        self._page = resource.getpagesize()
        self._tick = os.sysconf("SC_CLK_TCK")
        self._boot = _boot_time()
        self._heads = {
            form: [
                f"{family.head(form)}{family.name}{_SUFFIX.get(family.kind, '')} "
                for family in _FAMILIES
            ]
            for form in (TEXT, OPENMETRICS)
        }

    def render(self, format: Format) -> str:  # noqa: A002
        """The families with their values now."""
        try:
            # The command's name stands in brackets and may hold anything.
            fields = _read("/proc/self/stat").rpartition(b")")[2].split()
            values = (
                int(fields[20]),
                int(fields[21]) * self._page,
                self._boot + int(fields[19]) / self._tick,
                (int(fields[11]) + int(fields[12])) / self._tick,
                len(os.listdir("/proc/self/fd")),  # noqa: PTH208 (half of Path's cost)
                resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            )
        except (OSError, ValueError, IndexError):
            return ""
        heads = self._heads[format]
        return "".join(
            [f"{h}{go_float(v)}\n" for h, v in zip(heads, values, strict=True)]
        )


def _read(path: str) -> bytes:
    """A small file, without the layers of `open`."""
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 4096)
    finally:
        os.close(file)


def _boot_time() -> float:
    """When the machine was started, which start times count from."""
    try:
        for line in Path("/proc/stat").read_text().splitlines():
            if line.startswith("btime "):
                return float(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0.0
