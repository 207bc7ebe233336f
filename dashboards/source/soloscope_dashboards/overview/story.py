"""What went wrong, what happened around it, and what waits."""

from __future__ import annotations

from ..explore import link
from ..grafana import Panel, Place, Query, fixed, override, stat_options
from ..queries import ACTIVITY, APP, APP_ERRORS, Source, troubles_per_hour


def story_row(y: int) -> list[Panel]:
    """What went wrong, and what happened around it."""
    conversation = '{app="$app"} | conversation_id="${__value.text}"'
    return [
        Panel(
            id=17,
            kind="table",
            title="Latest failures",
            description="The newest lines with level error or fatal: when, what, and "
            "in which conversation. A click on the conversation opens all its lines.",
            place=Place(0, y, 12, 8),
            queries=(
                Query(
                    "loki",
                    f"{APP_ERRORS} "
                    '| json msg="msg",message="message",err="err.message" '
                    "| line_format `{{ if .err }}{{ .err }}{{ else if .msg }}"
                    "{{ .msg }}{{ else if .message }}{{ .message }}{{ else }}"
                    "{{ __line__ }}{{ end }}`",
                    how="logs",
                    limit=20,
                ),
            ),
            no_value="no failure in this time",
            unit="string",
            custom={"align": "left", "filterable": False, "inspect": False},
            overrides=[
                override("when", unit="dateTimeFromNow", custom__width=120),
                override("event", custom__width=150),
                override(
                    "conversation",
                    custom__width=130,
                    links=[link("This conversation in Explore", conversation)],
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
                    "options": {
                        "format": "json",
                        "source": "labels",
                        "keepTime": False,
                        "replace": False,
                    },
                },
                {
                    "id": "organize",
                    "options": {
                        "excludeByName": dict.fromkeys(
                            (
                                "labels",
                                "tsNs",
                                "id",
                                "app",
                                "unit",
                                "job",
                                "host",
                                "service_name",
                                "level",
                                "msg",
                                "message",
                                "err",
                                "trace_id",
                                "user",
                                "labelTypes",
                            ),
                            True,
                        ),
                        "indexByName": {
                            "Time": 0,
                            "event": 1,
                            "conversation_id": 2,
                            "Line": 3,
                        },
                        "renameByName": {
                            "Time": "when",
                            "timestamp": "when",
                            "conversation_id": "conversation",
                            "Line": "what happened",
                            "body": "what happened",
                        },
                    },
                },
            ],
            links=[link("All errors in Explore", APP_ERRORS)],
        ),
        Panel(
            id=18,
            kind="logs",
            title="Activity stream",
            description="Digests, conversations that start and end, trial warnings, "
            "throttled users and errors, newest first. Open a line for its fields.",
            place=Place(12, y, 12, 8),
            queries=(
                Query(
                    "loki",
                    f'{APP} | event=~"{ACTIVITY}" or level=~"error|fatal" '
                    '| json msg="msg",last4="phone_last4",minutes="duration_minutes",'
                    'messages="message_count",words="new_words",err="err.message" '
                    "| line_format `{{ .event }}"
                    "{{ if .last4 }}  ***{{ .last4 }}{{ end }}"
                    "{{ if .minutes }}  {{ .minutes }} min{{ end }}"
                    "{{ if .messages }}  {{ .messages }} messages{{ end }}"
                    "{{ if .words }}  {{ .words }} new words{{ end }}"
                    "{{ if .err }}  {{ .err }}{{ else if .msg }}  {{ .msg }}{{ end }}"
                    "{{ if .conversation_id }}  {{ .conversation_id }}{{ end }}`",
                    how="logs",
                    limit=100,
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


def background_row(shape: Source, y: int) -> list[Panel]:
    """Below the fold: troubles over time with deployments, and what waits."""
    return [
        Panel(
            id=19,
            kind="timeseries",
            title="Errors and warnings per hour",
            description="Lines with level warn, error and fatal in each hour. The "
            "vertical lines are deployments.",
            place=Place(0, y, 16, 6),
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
            id=20,
            kind="stat",
            title="Under way and waiting",
            description="What the app says is open now, and what the month brought.",
            place=Place(16, y, 8, 6),
            queries=(
                shape.gauge("conversations_active", "conversations under way"),
                shape.gauge("digests_pending", "digests to make"),
                shape.gauge("users_to_reengage", "users to write to"),
                shape.window("digests_failed", "1d", "digests failed today"),
                shape.window("trial_conversions", "30d", "trials won, 30 days"),
                shape.gauge("revenue_monthly", "monthly revenue"),
            ),
            no_value="not reported",
            decimals=0,
            overrides=[override("monthly revenue", unit="currencyUSD")],
            options=stat_options(mode="value_and_name"),
        ),
    ]
