"""What is well and what is not: jobs, checks, alerts, errors, and soloscope itself.

The first step of the thresholds is the colour of a missing value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.counts.jobs import Verdict
from soloscope.dashboards.declared import has_log, words
from soloscope.dashboards.explore import link
from soloscope.dashboards.grafana import (
    Panel,
    Row,
    fixed,
    named,
    override,
    packed,
    say,
    stat_options,
    thresholds,
)
from soloscope.dashboards.queries import alerts

if TYPE_CHECKING:
    from soloscope.config import App, Job
    from soloscope.dashboards.queries import JobFigure, Source

VERDICTS: dict[int, tuple[str, str]] = {
    Verdict.ON_TIME: ("on time", "green"),
    Verdict.SOME_FAILED: ("SOME FAILED", "orange"),
    Verdict.FEW_DONE: ("FEW DONE", "red"),
    Verdict.MOST_FAILED: ("MOST FAILED", "red"),
    Verdict.LATE: ("LATE", "red"),
}

#: Grafana's page of the rules that fire.
ALERTS = "/alerting/list?queryString=state:firing"

HEIGHT = 3

#: Named values side by side.
TILES = stat_options(background=True, mode="value_and_name", size=14, name_size=11)


def state_rows(app: App, source: Source) -> Iterator[Row]:
    """The panels of one app, each with the columns that it wants."""
    panels: list[tuple[Panel, int]] = []
    if app.redis is not None:
        for name, job in app.jobs.items():
            panels.append((job_panel(source, name, job), 11 if job.failures else 8))
    checks = checked(app)
    if checks:
        panels.append((checks_panel(source, checks), min(2 * len(checks), 12)))
    if source.kind == "prometheus":
        panels.append((alerts_panel(source), 3))
    if has_log(app):
        panels.append((errors_panel(source), 3))
    if app.redis is not None:
        panels.append((soloscope_panel(source), 3))
    return packed(HEIGHT, panels, prefix="" if source.app == "$app" else app.name)


def job_panel(source: Source, name: str, job: Job) -> Panel:
    """A job's last run: the verdict, what it did, and when it last succeeded."""
    figures: dict[JobFigure, str] = {"verdict": "last run", "done": "done"}
    if job.failures:
        figures |= {"failed": "failed", "usual": "usual"}
    figures["last_success"] = "succeeded"
    failures = f", failures by the counter `{job.failures}`" if job.failures else ""
    refs = {figure: chr(ord("A") + i) for i, figure in enumerate(figures)}
    return Panel(
        key=f"job.{name}",
        kind="stat",
        title=words(job.help, name),
        description=f"The last run of the job, due by {job.by:%H:%M} (counter "
        f"`{job.counter}`{failures}), what a run usually does, and when it last "
        "succeeded. Well is on time, and with no failure.",
        queries=tuple(source.job(name, figure) for figure in figures),
        no_value="not seen",
        decimals=0,
        # Of the figures only the verdict has a colour.
        thresholds=thresholds((None, "orange")),
        overrides=[
            named(
                refs[figure],
                text,
                **({} if figure == "verdict" else {"color": fixed("transparent")}),
            )
            for figure, text in figures.items()
        ]
        + [
            override("A", by="byFrameRefID", mappings=say(VERDICTS)),
            override(refs["last_success"], by="byFrameRefID", unit="dateTimeFromNow"),
        ],
        options=TILES,
    )


def checked(app: App) -> dict[str, str]:
    """The app's health checks: name -> what people call it."""
    found: dict[str, str] = {}
    if app.health is not None:
        found["health"] = "the app"
    if app.redis is not None:
        found["redis"] = "Redis"
    if app.postgres is not None:
        found["postgres"] = "PostgreSQL"
    found |= {name: words(check.help, name) for name, check in app.checks.items()}
    return found


def checks_panel(source: Source, checks: dict[str, str]) -> Panel:
    """Every health check as a tile."""
    return Panel(
        key="checks",
        kind="stat",
        title="Checks",
        description="Whether the last answer of each health check is good and not too "
        "old. `soloscope health-check` says why one is not.",
        queries=(source.checks(),),
        no_value="no answer",
        thresholds=thresholds((None, "red")),
        mappings=say({1: ("well", "green"), 0: ("FAILS", "red")}),
        overrides=[
            override(name, displayName=f"{text}\u2002") for name, text in checks.items()
        ],
        options=TILES,
    )


def alerts_panel(source: Source) -> Panel:
    """How many alerts are open."""
    return Panel(
        key="alerts",
        kind="stat",
        title="Open alerts",
        description="Alerts of this app, and those of the host, that Prometheus has "
        "open. Well is none. A click shows them.",
        queries=(alerts(source.app),),
        no_value="no Prometheus",
        decimals=0,
        thresholds=thresholds((None, "text"), (0, "green"), (1, "red")),
        options=stat_options(),
        links=[
            {"title": "The alerts", "url": "/alerting/list?queryString=state:firing"}
        ],
    )


def errors_panel(source: Source) -> Panel:
    """How many errors a day had."""
    return Panel(
        key="errors",
        kind="stat",
        title="Errors, 24 h",
        description="Lines of the app with level error or fatal in the last 24 hours. "
        "It is 0 only when the app wrote other lines in that time.",
        queries=(source.errors("24h"),),
        no_value="no log line in 24 h",
        decimals=0,
        thresholds=thresholds((None, "text"), (0, "green"), (1, "orange"), (10, "red")),
        options=stat_options(),
        links=[link("All errors in Explore", source.error_lines)],
    )


def soloscope_panel(source: Source) -> Panel:
    """Whether the counts are read."""
    return Panel(
        key="soloscope",
        kind="stat",
        title="soloscope",
        description="Whether soloscope can read the app's counts. Without an answer it "
        "does not run, or nobody asks it.",
        queries=(source.up(),),
        no_value="DOES NOT ANSWER",
        thresholds=thresholds((None, "red")),
        mappings=say({1: ("reads Redis", "green"), 0: ("NO REDIS", "red")}),
        options=stat_options(background=True),
    )
