"""A quiet week of the sample app, replayed through every rule: nothing fires.

The app's metrics are those of its traffic, with the failures that are normal there; its
counts are those of its days. The host and the stack are well, and as busy as in life.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable
from pathlib import Path

import promtool
import pytest
from soloscope_demo.app.meters import Meters
from soloscope_demo.app.plan import plan
from soloscope_demo.stack import render

SEED = 7
FIRST = dt.date(2026, 11, 9)
DAYS = 7
STEP = 150  # seconds: two samples in each five minutes
STEPS = DAYS * 86400 // STEP

RETENTION_APPLIED = (
    "loki_compactor_apply_retention_last_successful_run_timestamp_seconds"
)

#: The metrics of the app that alerts ask for.
ASKED = (
    "http_request",
    "messages_sent_total",
    "task_runs_total",
    "socket_disconnects_total",
    "api_calls_total",
    "cache_requests_total",
)


def traffic() -> dict[str, list[str]]:
    """The app's own metrics, as Prometheus reads them."""
    begin = dt.datetime.combine(FIRST, dt.time(), dt.UTC).timestamp()
    series: dict[str, list[str]] = {}
    history = Meters(SEED, begin).history(begin + DAYS * 86400, STEP)
    for at, name, labels, value in history:
        if name.startswith(ASKED) and not name.endswith("_sum"):
            inside = f'app="languagebuddy",{labels}'
            values = series.setdefault(f"{name}{{{inside}}}", [])
            step = round((at - begin) / STEP) - 1
            values += ["_"] * (step - len(values)) + [f"{value:g}"]
    return series


def counts() -> dict[str, list[str]]:
    """Each of the last 30 days at each time, with its age."""
    series = {}
    for back in range(-DAYS + 1, 30):
        day = FIRST - dt.timedelta(back)
        found: dict[str, int] = {}
        for occurrence in plan(SEED, day):
            for name, value in occurrence.counts.counters.items():
                found[name] = found.get(name, 0) + value
        ages = [now + back for now in range(DAYS)]
        per_day = STEPS // DAYS

        def each(values: list[int | None]) -> list[str]:
            words = ["_" if value is None else str(value) for value in values]
            return [word for word in words for _ in range(per_day)]  # noqa: B023

        there = [age if 0 <= age < 30 else None for age in ages]
        labels = f'app="languagebuddy",day="{day}"'
        series[f"soloscope_day_age{{{labels}}}"] = each(list(there))
        for name, value in found.items():
            known = [None if age is None else value for age in there]
            series[f'soloscope_day{{{labels},name="{name}"}}'] = each(known)
    return series


def wave(low: float, high: float) -> list[str]:
    """Low in the night and high in the evening, each day."""
    middle, swing = (low + high) / 2, (high - low) / 2
    return [
        f"{middle - swing * math.cos(2 * math.pi * i * STEP / 86400):.4f}"
        for i in range(STEPS)
    ]


def always(value: float) -> list[str]:
    return [f"{value:g}x{STEPS}"]


def rising(a_step: float) -> list[str]:
    return [f"0+{a_step:g}x{STEPS}"]


def host(jobs: list[str]) -> dict[str, list[str]]:
    """The host and the stack, well."""
    node = 'instance="n",job="node"'
    root = f'{node},mountpoint="/",fstype="ext4"'
    series = {f'up{{job="{job}"}}': always(1) for job in jobs}
    app, loki = 'app="languagebuddy",job="soloscope"', 'job="loki",instance="l"'
    return series | {
        f"soloscope_up{{{app}}}": always(1),
        f'soloscope_check_up{{{app},name="health"}}': always(1),
        f'soloscope_job_late{{{app},name="digest"}}': always(0),
        f"soloscope_keys_without_expiry{{{app}}}": always(0),
        f"soloscope_keys_dropped{{{app}}}": always(0),
        f'node_cpu_seconds_total{{{node},mode="idle"}}': rising(STEP * 0.6),
        f'node_cpu_seconds_total{{{node},mode="user"}}': rising(STEP * 0.4),
        f"node_memory_MemTotal_bytes{{{node}}}": always(4e9),
        f"node_memory_MemAvailable_bytes{{{node}}}": wave(0.8e9, 2e9),
        # a gigabyte a day, and it is cleaned at night
        f"node_filesystem_avail_bytes{{{root}}}": wave(14e9, 15e9),
        f"node_filesystem_size_bytes{{{root}}}": always(40e9),
        f"node_vmstat_oom_kill{{{node}}}": always(0),
        f"node_timex_offset_seconds{{{node}}}": wave(-0.01, 0.01),
        f"node_timex_maxerror_seconds{{{node}}}": always(0.2),
        f"node_timex_sync_status{{{node}}}": always(1),
        f'node_systemd_unit_state{{{node},name="a.service",state="failed"}}': always(0),
        f'node_systemd_service_restart_total{{{node},name="a.service"}}': always(1),
        f'soloscope_loki_bytes{{{node},part="chunks"}}': wave(7e8, 8.5e8),
        f"soloscope_loki_budget_bytes{{{node}}}": always(1e9),
        f"soloscope_loki_retention_seconds{{{node}}}": always(2592000),
        f"soloscope_loki_ingestion_blocked{{{node}}}": always(0),
        f"loki_ingester_wal_disk_full_failures_total{{{loki}}}": always(0),
        f"loki_ingester_chunks_flush_failures_total{{{loki}}}": always(0),
        f"loki_distributor_lines_received_total{{{loki}}}": rising(20),
        f"loki_runtime_config_last_reload_successful{{{loki}}}": always(1),
        f"{RETENTION_APPLIED}{{{loki}}}": rising(STEP),
        'redis_keyspace_hits_total{app="languagebuddy"}': rising(300),
        'redis_keyspace_misses_total{app="languagebuddy"}': rising(200),
    }


def test_a_quiet_week_fires_nothing(
    program: Callable[[str], str], tmp_path: Path
) -> None:
    program("nix-instantiate")
    files = render.render(tmp_path / "rendered", {})
    jobs = [job["job_name"] for job in files["prometheus.yml"]["scrape_configs"]]
    rules = [
        rule
        for name, content in files.items()
        if name.startswith("rules/")
        for group in content["groups"]
        for rule in group["rules"]
    ]
    # What is recorded for dashboards only is no matter here.
    asked = json.dumps([rule["expr"] for rule in rules if "alert" in rule])
    recording = [rule for rule in rules if "record" in rule]
    alerts = [rule for rule in rules if "alert" in rule]
    series = traffic() | counts() | host(jobs)
    fired = 'count by (alertname) (max_over_time(ALERTS{alertstate="firing"}[7d]))'
    test = {
        "interval": f"{STEP}s",
        "input_series": [
            {"series": name, "values": " ".join(values)}
            for name, values in series.items()
        ],
        "promql_expr_test": [
            {
                "expr": fired,
                "eval_time": f"{(STEPS - 1) * STEP}s",
                "exp_samples": [{"labels": '{alertname="Watchdog"}', "value": 1}],
            }
        ],
    }
    needed = [*promtool.needed(asked, recording), *alerts]
    (file,) = promtool.write(tmp_path / "week", needed, [(test, f"{STEP}s")])
    said = promtool.outcomes(program("promtool"), [file])[file]
    if said:
        pytest.fail(said)
