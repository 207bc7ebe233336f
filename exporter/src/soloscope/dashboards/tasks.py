"""Tasks: did the jobs run, and do the workers keep up.

A job is declared, with a counter and a time of day. Workers, queues and runs are the
app's own metrics of the area `tasks`, which only Prometheus has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.dashboards.declared import entries
from soloscope.dashboards.grafana import (
    Dashboard,
    Json,
    Panel,
    Query,
    Row,
    fixed,
    override,
    packed,
    stat_options,
    thresholds,
)
from soloscope.dashboards.overview.days import day_rows
from soloscope.dashboards.overview.state import HEIGHT, job_panel
from soloscope.dashboards.shared import each_app

if TYPE_CHECKING:
    from soloscope.config import App, Config
    from soloscope.dashboards.queries import Source

UID = "soloscope-tasks"


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """One for each app with jobs, or with metrics of tasks."""
    about = "Did the jobs run, and do the workers keep up."
    return each_app(config, source, UID, "tasks", about, app_rows)


def app_rows(app: App, source: Source) -> Iterator[Row]:
    """The jobs with their days, then the workers."""
    jobs = [(job_panel(source, name, job), 12) for name, job in app.jobs.items()]
    yield from packed(HEIGHT, jobs)
    counters = {job.counter for job in app.jobs.values()}
    mine = [e for e in entries(app) if e.kind == "counters" and e.name in counters]
    yield from day_rows(app, mine, source, most=3)
    if source.kind == "prometheus" and app.metrics and "tasks" in app.metrics.areas:
        yield Row(HEIGHT, [last_success()])
        yield Row(7, [runs(), durations()])
        yield Row(7, [queues(), workers()])


def last_success() -> Panel:
    """How long ago each task last succeeded."""
    return Panel(
        key="last_success",
        kind="stat",
        title="Last success",
        description="How long ago each task last succeeded. Well is about as long as "
        "it takes until the task runs again.",
        queries=(
            Query(
                "prometheus",
                "time() - max by (task) "
                '(task_last_success_timestamp_seconds{app="$app"})',
                legend="{{task}}\u2002",
            ),
        ),
        no_value="no task succeeded yet",
        unit="s",
        decimals=0,
        options=stat_options(mode="value_and_name", name_size=12),
    )


def graph(
    key: str,
    title: str,
    description: str,
    query: Query,
    unit: str,
    no_value: str,
    *,
    stacked: bool = False,
    overrides: tuple[Json, ...] = (),
) -> Panel:
    """Lines over time, from zero."""
    return Panel(
        key=key,
        kind="timeseries",
        title=title,
        description=description,
        queries=(query,),
        no_value=no_value,
        unit=unit,
        min=0,
        thresholds=thresholds((None, "blue")),
        palette=True,
        custom={
            "drawStyle": "line",
            "fillOpacity": 30 if stacked else 8,
            "lineWidth": 1,
            "showPoints": "never",
            "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        },
        overrides=overrides,
        options={
            "legend": {
                "showLegend": True,
                "displayMode": "list",
                "placement": "bottom",
                "calcs": ["lastNotNull"],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    )


def runs() -> Panel:
    """How many runs end, and how."""
    return graph(
        "runs",
        "Runs per minute",
        "Runs that ended in each minute, done and failed. Well is no red.",
        Query(
            "prometheus",
            '60 * sum by (result) (rate(task_runs_total{app="$app"}'
            "[$__rate_interval]))",
            how="range",
            legend="{{result}}",
        ),
        "short",
        "no task ran in this time",
        overrides=(
            override("failed", color=fixed("red")),
            override("done", color=fixed("green")),
        ),
    )


def durations() -> Panel:
    """How long a run takes."""
    seconds, count = (
        f'sum by (task) (rate(task_duration_seconds_{part}{{app="$app"}}'
        "[$__rate_interval]))"
        for part in ("sum", "count")
    )
    return graph(
        "durations",
        "How long a run takes",
        "The average of each task. Well is steady.",
        Query(
            "prometheus", f"{seconds} / ({count} > 0)", how="range", legend="{{task}}"
        ),
        "s",
        "no task ran in this time",
    )


def queues() -> Panel:
    """How much waits."""
    return graph(
        "queues",
        "Waiting in each queue",
        "Well is a line that comes back to zero; one that climbs says that the workers "
        "do not keep up.",
        Query(
            "prometheus",
            'max by (queue) (task_queue_length{app="$app"})',
            how="range",
            legend="{{queue}}",
        ),
        "short",
        "no queue is known",
    )


def workers() -> Panel:
    """Who works."""
    return graph(
        "workers",
        "Workers",
        "Busy and idle ones. Well is that some are idle most of the time.",
        Query(
            "prometheus",
            'max by (state) (task_workers{app="$app"})',
            how="range",
            legend="{{state}}",
        ),
        "short",
        "no worker is known",
        stacked=True,
        overrides=(
            override("busy", color=fixed("orange")),
            override("idle", color=fixed("green")),
        ),
    )
