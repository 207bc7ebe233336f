"""What went wrong, what happened around it, and what waits."""

from __future__ import annotations

from soloscope.dashboards.explore import link
from soloscope.dashboards.grafana import (
    Panel,
    Query,
    Row,
    fixed,
    override,
    stat_options,
)
from soloscope.dashboards.queries import (
    ACTIVITY,
    APP,
    APP_ERRORS,
    Source,
    troubles_per_hour,
)

#: What Grafana calls the columns of log lines; newer versions have other names.
TIME = ("Time", "timestamp")
LINE = ("Line", "body")

#: Named fields of a line, without errors for lines that are not JSON.
SAID = 'msg="msg",message="message",err="err.message"'
QUIETLY = "| drop __error__,__error_details__"

#: An error's message; for a stack trace without JSON the lines that are not indented.
WORDS = (
    "or .err .msg .message (regexReplaceAll "
    r'"(?m)^(\\s.*|Traceback .*)\\n?" __line__ "")'
)

#: An event and its usual fields, in columns.
EVENT = (
    '{{ if .event }}{{ printf "%-20s  " .event }}{{ end }}'
    "{{ if .last4 }}***{{ .last4 }}  {{ end }}"
    "{{ if .minutes }}{{ .minutes }} min  {{ end }}"
    "{{ if .messages }}{{ .messages }} messages  {{ end }}"
    "{{ if .words }}{{ .words }} new words  {{ end }}"
    "{{ if .left }}{{ .left }} days left  {{ end }}"
    f'{{{{ if not (eq .level "info") }}}}{{{{ {WORDS} }}}}  {{{{ end }}}}'
    "{{ .conversation_id }}"
)


def story_row() -> Row:
    """What went wrong, and what happened around it."""
    about = '{app="$app"} |= "${__value.text}"'
    panels = [
        Panel(
            key="failures",
            kind="table",
            title="Latest failures",
            description="The newest lines with level error or fatal: when, what, and "
            "about which conversation, or else which user. A click on that opens all "
            "its lines.",
            queries=(
                Query(
                    "loki",
                    f"{APP_ERRORS} "
                    f"| json {SAID} {QUIETLY} "
                    "| label_format about=`{{ or .conversation_id .user }}` "
                    f"| line_format `{{{{ {WORDS} }}}}`",
                    how="logs",
                    limit=20,
                ),
            ),
            no_value="no failure in this time",
            unit="string",
            custom={"align": "left", "filterable": False, "inspect": False},
            overrides=[
                override("when", unit="dateTimeFromNow", custom__width=120),
                override(
                    "what happened",
                    custom__inspect=True,
                    custom__cellOptions={"type": "auto", "wrapText": True},
                ),
                override("event", noValue="-", custom__width=150),
                override(
                    "about",
                    noValue="-",
                    custom__width=168,
                    links=[link("All lines about this in Explore", about)],
                ),
            ],
            options={
                "cellHeight": "sm",
                "footer": {"show": False, "reducer": ["sum"], "fields": ""},
                "showHeader": True,
            },
            transformations=[
                {
                    "id": "extractFields",
                    "options": {"format": "json", "source": "labels"},
                },
                {
                    "id": "filterFieldsByName",
                    "options": {
                        "include": {"names": ["event", "about", *TIME, *LINE]},
                    },
                },
                {
                    "id": "organize",
                    "options": {
                        "excludeByName": {},
                        "indexByName": {
                            **dict.fromkeys(TIME, 0),
                            "event": 1,
                            "about": 2,
                            **dict.fromkeys(LINE, 3),
                        },
                        "renameByName": {
                            **dict.fromkeys(TIME, "when"),
                            **dict.fromkeys(LINE, "what happened"),
                        },
                    },
                },
                {
                    "id": "sortBy",
                    "options": {"sort": [{"field": "when", "desc": True}]},
                },
            ],
            links=[link("All errors in Explore", APP_ERRORS)],
        ),
        Panel(
            key="activity",
            kind="logs",
            title="Activity stream",
            description="Digests, conversations that start and end, trial warnings, "
            "throttled users and errors, newest first. Open a line for its fields.",
            queries=(
                Query(
                    "loki",
                    f'{APP} | event=~"{ACTIVITY}" or level=~"error|fatal" '
                    f'| json {SAID},last4="phone_last4",minutes="duration_minutes",'
                    'messages="message_count",words="new_words",left="days_left" '
                    f"{QUIETLY} | line_format `{EVENT}`",
                    how="logs",
                    limit=50,
                ),
            ),
            no_value="no event in this time",
            options={
                "dedupStrategy": "none",
                "enableLogDetails": True,
                "prettifyLogMessage": False,
                "showCommonLabels": False,
                "showLabels": False,
                "showTime": True,
                "sortOrder": "Descending",
                "wrapLogMessage": False,
            },
            links=[link("The whole log in Explore", APP)],
        ),
    ]
    return Row(8, panels)


def background_row(source: Source) -> Row:
    """Below the fold: troubles over time with deployments, and what waits."""
    waiting = {
        "open conversations": source.gauge("conversations_active"),
        "digests to make": source.gauge("digests_pending"),
        "users to write to": source.gauge("users_to_reengage"),
        "digests failed today": source.window("digests_failed", "1d"),
        "trials won, 30 days": source.window("trial_conversions", "30d"),
        "monthly revenue": source.gauge("revenue_monthly"),
    }
    panels = [
        Panel(
            key="troubles_per_hour",
            kind="timeseries",
            title="Errors and warnings per hour",
            description="Lines with level warn, error and fatal in each hour. The "
            "vertical lines are deployments and notes (`soloscope annotate`).",
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
        ),
        Panel(
            key="waiting",
            kind="stat",
            title="Under way and waiting",
            description="What the app says is open now, and what the month brought.",
            queries=tuple(waiting.values()),
            no_value="not reported",
            decimals=0,
            overrides=[
                override(chr(ord("A") + index), by="byFrameRefID", displayName=words)
                for index, words in enumerate(waiting)
            ]
            + [override("F", by="byFrameRefID", unit="currencyUSD")],
            options=stat_options(mode="value_and_name"),
        ),
    ]
    return Row(6, panels, widths=(16, 8))
