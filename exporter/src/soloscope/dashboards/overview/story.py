"""What went wrong, what happened around it, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soloscope.dashboards.explore import link
from soloscope.dashboards.grafana import Json, Panel, Query, Row, fixed, override
from soloscope.dashboards.queries import APP, APP_ERRORS, troubles_per_hour

if TYPE_CHECKING:
    from soloscope.config import App

#: Named fields of a line, without errors for lines that are not JSON.
SAID = 'msg="msg",message="message",err="err.message"'
QUIETLY = "| drop __error__,__error_details__"

#: An error's message; for a stack trace without JSON the lines that are not indented.
WORDS = (
    "or .err .msg .message (regexReplaceAll "
    r'"(?m)^(\\s.*|Traceback .*)\\n?" __line__ "")'
)

#: Whom a line is about. The data source makes links of these.
ABOUT = (
    "{{ if .conversation_id }}  conversation={{ .conversation_id }}"
    "{{ else if .user }}  user={{ .user }}{{ end }}"
)

FAILURE = f"{{{{ if .event }}}}{{{{ .event }}}}: {{{{ end }}}}{{{{ {WORDS} }}}}{ABOUT}"

#: An event and its usual fields.
EVENT = (
    "{{ if .event }}{{ .event }}  {{ end }}"
    "{{ if .last4 }}***{{ .last4 }}  {{ end }}"
    "{{ if .minutes }}{{ .minutes }} min  {{ end }}"
    "{{ if .messages }}{{ .messages }} messages  {{ end }}"
    "{{ if .words }}{{ .words }} new words  {{ end }}"
    "{{ if .left }}{{ .left }} days left  {{ end }}"
    '{{ if or (not .event) (not (eq .level "info")) }}'
    f"{{{{ {WORDS} }}}}{{{{ end }}}}"
    f"{ABOUT}"
)


def log_options(*, wrap: bool) -> Json:
    """Options of a `logs` panel: the newest line first."""
    return {
        "dedupStrategy": "none",
        "enableLogDetails": True,
        "prettifyLogMessage": False,
        "showCommonLabels": False,
        "showLabels": False,
        "showTime": True,
        "sortOrder": "Descending",
        "wrapLogMessage": wrap,
    }


def story_row(app: App) -> Row:
    """What went wrong, and what happened around it."""
    events = "|".join(app.dashboard.events)
    chosen = f'| event=~"{events}" or level=~"warn|error|fatal"' if events else ""
    panels = [
        Panel(
            key="failures",
            kind="logs",
            title="Latest failures",
            description="The newest lines with level error or fatal. Open one for the "
            "links to all lines of its conversation or its user.",
            queries=(
                Query(
                    "loki",
                    f"{APP_ERRORS} | json {SAID} {QUIETLY} | line_format `{FAILURE}`",
                    how="logs",
                    limit=20,
                ),
            ),
            no_value="no failure in this time",
            options=log_options(wrap=True),
            links=[link("All errors in Explore", APP_ERRORS)],
        ),
        Panel(
            key="activity",
            kind="logs",
            title="Activity stream",
            description="What the app did, newest first. Open a line for its fields.",
            queries=(
                Query(
                    "loki",
                    f'{{app="$app",level!~"debug|trace"}} {chosen} '
                    f'| json {SAID},last4="phone_last4",minutes="duration_minutes",'
                    'messages="message_count",words="new_words",left="days_left" '
                    f"{QUIETLY} | line_format `{EVENT}`",
                    how="logs",
                    limit=50,
                ),
            ),
            no_value="no line in this time",
            options=log_options(wrap=False),
            links=[link("The whole log in Explore", APP)],
        ),
    ]
    return Row(6, panels)


def troubles_row() -> Row:
    """Errors and warnings over time, with deployments and notes."""
    panel = Panel(
        key="troubles_per_hour",
        kind="timeseries",
        title="Errors and warnings per hour",
        description="Lines with level warn, error and fatal in each hour. The "
        "vertical lines are deployments, notes and alerts.",
        queries=(troubles_per_hour(),),
        no_value="no error or warning in this time",
        min=0,
        decimals=0,
        color="orange",
        custom={
            "axisPlacement": "left",
            "barAlignment": -1,
            "drawStyle": "bars",
            "fillOpacity": 75,
            "lineWidth": 0,
            "stacking": {"group": "A", "mode": "normal"},
        },
        overrides=[
            override("warn", color=fixed("yellow")),
            override("error", color=fixed("red")),
            override("fatal", color=fixed("dark-red")),
        ],
        options={
            "legend": {
                "showLegend": True,
                "displayMode": "list",
                "placement": "bottom",
                "calcs": ["sum"],
            },
            "tooltip": {"mode": "multi", "sort": "none"},
        },
        interval="1h",
        max_points=1000,
    )
    return Row(5, [panel])
