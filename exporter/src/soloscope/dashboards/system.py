"""System: has the host enough of everything, and which unit takes it.

Utilisation, saturation and errors of processor, memory, disk and network.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.dashboards.grafana import Query, Row, Section
from soloscope.dashboards.pieces import graph, now, over, stat, steps, table
from soloscope.dashboards.shared import app_dashboard

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.dashboards.grafana import Dashboard
    from soloscope.dashboards.queries import Source

_NONE = "the node exporter does not answer"
_NETWORK = 'device!~"lo|veth.*|docker.*|br-.*"'
#: What is no disk of its own (rules.nix says the same).
_DISKS = 'fstype!~"tmpfs|ramfs|overlay|squashfs|fuse.*|nsfs",mountpoint!="/nix/store"'


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """One where Prometheus has the node exporter."""
    if source.kind != "prometheus" or not config.prometheus.node_exporter:
        return
    yield app_dashboard(
        source,
        "soloscope-system",
        title="soloscope system",
        description="Has the host enough of everything, and which unit takes it.",
        rows=(_values(), _compute(), _storage()),
        sections=(_details(),),
        since="now-24h",
        apps=(),
    )


def _values() -> Row:
    return Row(
        4,
        [
            stat(
                "cpu",
                "Processor",
                "Share of all cores that is busy, average of five minutes. Good is "
                "below 80 %.",
                over("max(instance:node_cpu_busy:ratio_rate5m)"),
                _NONE,
                unit="percentunit",
                decimals=0,
                thresholds=steps(0.8, 0.9),
            ),
            stat(
                "memory",
                "Memory",
                "Share of the memory that programs need; what files are cached in is "
                "free. Good is below 85 %.",
                over("max(instance:node_memory_used:ratio)"),
                _NONE,
                unit="percentunit",
                decimals=0,
                thresholds=steps(0.85, 0.95),
            ),
            stat(
                "disk",
                "Fullest disk",
                "Of all disks the one with the least room. Good is below 80 %.",
                over("max(instance_mountpoint:node_filesystem_used:ratio)"),
                _NONE,
                unit="percentunit",
                decimals=0,
                thresholds=steps(0.8, 0.9),
            ),
            stat(
                "disk_left",
                "Full in",
                "When the first disk is full if it fills as in the last six hours; "
                "nothing when none fills. Good is more than two weeks.",
                now(
                    f"min(node_filesystem_avail_bytes{{{_DISKS}}} / "
                    f"(-deriv(node_filesystem_avail_bytes{{{_DISKS}}}[6h]) > 0))"
                ),
                "not filling",
                unit="s",
                decimals=0,
                thresholds=steps(14 * 86400, 2 * 86400, low=True),
            ),
            stat(
                "disk_busy",
                "Disk at work",
                "Share of the time in which the busiest disk had something to do. "
                "Good is below 70 %.",
                over("max(instance_device:node_disk_busy:ratio_rate5m)"),
                _NONE,
                unit="percentunit",
                decimals=0,
                thresholds=steps(0.7, 0.9),
            ),
            stat(
                "units",
                "Failed units",
                "systemd's units that have failed. Good is 0; the list is below.",
                now('sum(node_systemd_units{state="failed"})'),
                "systemd is not asked",
                decimals=0,
                thresholds=steps(1, 1),
            ),
        ],
    )


def _compute() -> Row:
    return Row(
        8,
        [
            graph(
                "cpu_modes",
                "Processor, by use",
                "Share of all cores, by what for. Much iowait means that the disk is "
                "too slow, much steal that the host's neighbours are busy.",
                [
                    over(
                        "sum by (mode) (instance_mode:node_cpu:ratio_rate5m)",
                        "{{mode}}",
                    )
                ],
                _NONE,
                unit="percentunit",
                max=1,
                stacked=True,
            ),
            graph(
                "memory_use",
                "Memory, by use",
                "What programs need, what files are cached in, and what is free. Good "
                "is a needed part that stays below 85 %.",
                [
                    over(
                        "max(node_memory_MemTotal_bytes "
                        "- node_memory_MemAvailable_bytes)",
                        "needed",
                    ),
                    over(
                        "max(node_memory_MemAvailable_bytes "
                        "- node_memory_MemFree_bytes)",
                        "cached",
                    ),
                    over("max(node_memory_MemFree_bytes)", "free"),
                ],
                _NONE,
                unit="bytes",
                stacked=True,
                colors={"needed": "orange", "cached": "blue", "free": "green"},
            ),
        ],
    )


def _storage() -> Row:
    return Row(
        7,
        [
            graph(
                "disks",
                "Disks",
                "How full each disk is. Good is below 80 %.",
                [
                    over(
                        "max by (mountpoint) "
                        "(instance_mountpoint:node_filesystem_used:ratio)",
                        "{{mountpoint}}",
                    )
                ],
                _NONE,
                unit="percentunit",
                max=1,
            ),
            graph(
                "network",
                "Network",
                "Bytes per second received, and sent below the line, without those "
                "within the host.",
                [
                    over(
                        f"sum(rate(node_network_receive_bytes_total{{{_NETWORK}}}[$__rate_interval]))",
                        "received",
                    ),
                    over(
                        f"-sum(rate(node_network_transmit_bytes_total{{{_NETWORK}}}[$__rate_interval]))",
                        "sent",
                    ),
                ],
                _NONE,
                unit="Bps",
                min=None,
                colors={"received": "green", "sent": "blue"},
            ),
            table(
                "failed",
                "Units that failed",
                "What systemd says has failed. Good is an empty list; `journalctl -u "
                "UNIT` says why.",
                [
                    Query(
                        "prometheus",
                        'node_systemd_unit_state{state="failed"} == 1',
                        how="table",
                    )
                ],
                "no unit has failed",
                {"name": "unit"},
                unit="string",
            ),
        ],
    )


def _details() -> Section:
    return Section(
        "Load, disk traffic, network errors",
        [
            Row(
                7,
                [
                    graph(
                        "load",
                        "Load per core",
                        "Tasks that run or wait to, for each core. Good is below 1.",
                        [
                            over(
                                "max(node_load5) / count(count by (cpu) "
                                "(node_cpu_seconds_total))",
                                "5 min",
                            ),
                        ],
                        _NONE,
                    ),
                    graph(
                        "disk_traffic",
                        "Disk traffic",
                        "Bytes per second that are read, and written below the line.",
                        [
                            over(
                                "sum(rate(node_disk_read_bytes_total[$__rate_interval]))",
                                "read",
                            ),
                            over(
                                "-sum(rate(node_disk_written_bytes_total[$__rate_interval]))",
                                "written",
                            ),
                        ],
                        _NONE,
                        unit="Bps",
                        min=None,
                    ),
                    graph(
                        "network_errors",
                        "Network errors and drops",
                        "Packets per second that were lost. Good is 0.",
                        [
                            over(
                                f"sum(rate(node_network_receive_errs_total{{{_NETWORK}}}[$__rate_interval]))",
                                "errors in",
                            ),
                            over(
                                f"sum(rate(node_network_transmit_errs_total{{{_NETWORK}}}[$__rate_interval]))",
                                "errors out",
                            ),
                            over(
                                f"sum(rate(node_network_receive_drop_total{{{_NETWORK}}}[$__rate_interval]))",
                                "dropped",
                            ),
                        ],
                        _NONE,
                        unit="pps",
                    ),
                ],
            )
        ],
    )
