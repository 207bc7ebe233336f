"""The overview: is it working, are users getting anywhere, why did that fail.

The panels are those of LanguageBuddy, the app that soloscope was made for; an
app that declares the same names has them all, and a panel whose name an app
does not declare says so. Read from the top: two rows of single values (does it
work, where does it stand), the last seven days, then what went wrong beside
what happened. That much fits on one laptop screen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

from .grafana import (
    Dashboard,
    Json,
    Kind,
    Panel,
    Place,
    Query,
    data_source,
    data_source_variable,
    fixed,
    override,
    say,
    stat_options,
    thresholds,
)
from .queries import (
    ACTIVITY,
    APP,
    APP_ERRORS,
    Light,
    Source,
    errors,
    troubles_per_hour,
)

UID = "soloscope-overview"

#: A label is a string and no date, so each month is spelled by a rule of its own.
MONTHS = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]


def explore(expr: str) -> str:
    """A link that opens `expr` in Explore, over the dashboard's time range.

    Variables stay as they are, for Grafana to fill in.
    """
    left = {
        "datasource": "${loki_datasource}",
        "queries": [{"refId": "A", "expr": expr}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    text = json.dumps(left, separators=(",", ":"))
    return f"/explore?left={quote(text, safe='${}:.,_')}"


def link(title: str, expr: str) -> Json:
    """A link `title` that opens `expr` in Explore."""
    return {"title": title, "url": explore(expr), "targetBlank": False}


def spelled_days() -> list[Json]:
    """2026-11-18 shown as 18 Nov: it is short, and it is the app's own day."""
    return [
        {
            "type": "regex",
            "options": {
                "pattern": rf"\d{{4}}-{number:02}-(\d\d)",
                "result": {"text": f"$1 {month}", "index": number - 1},
            },
        }
        for number, month in enumerate(MONTHS, start=1)
    ]


def by_day(shape: Source, *names: str) -> list[Json]:
    """Turn the answers of `per_day` into a table with a row for each day."""
    renamed = {"Value": names[0]}
    renamed |= {f"Value #{chr(ord('A') + i)}": name for i, name in enumerate(names)}
    steps: list[Json] = []
    if isinstance(shape, Light):
        steps.append({"id": "labelsToFields", "options": {"mode": "columns"}})
    steps.append({"id": "merge", "options": {}})
    if isinstance(shape, Light):
        # For some minutes after midnight the look-back still holds an eighth day.
        steps += [
            {"id": "sortBy", "options": {"sort": [{"field": "day", "desc": True}]}},
            {"id": "limit", "options": {"limitField": 7}},
        ]
    steps += [
        {"id": "sortBy", "options": {"sort": [{"field": "day", "desc": False}]}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True},
                "indexByName": {},
                "renameByName": renamed,
            },
        },
    ]
    return steps


def bars(
    panel: int,
    title: str,
    description: str,
    place: Place,
    queries: Sequence[Query],
    steps: list[Json],
    no_value: str,
    color: str,
    overrides: Sequence[Json] = (),
) -> Panel:
    """A bar for each of the last seven days."""
    return Panel(
        id=panel,
        kind="barchart",
        title=title,
        description=description,
        place=place,
        queries=tuple(queries),
        no_value=no_value,
        min=0,
        decimals=0,
        color=color,
        custom={
            "fillOpacity": 75,
            "lineWidth": 0,
            "axisGridShow": False,
            "axisPlacement": "hidden",
        },
        overrides=[override("day", mappings=spelled_days()), *overrides],
        options={
            "barWidth": 0.8,
            "groupWidth": 0.8,
            "legend": {
                "showLegend": False,
                "displayMode": "list",
                "placement": "bottom",
                "calcs": [],
            },
            "orientation": "vertical",
            "showValue": "always",
            "stacking": "normal",
            "tooltip": {"mode": "multi", "sort": "none"},
            "xField": "day",
            "xTickLabelRotation": 0,
            "xTickLabelSpacing": 0,
        },
        transformations=steps,
    )


def stat(
    panel: int,
    title: str,
    description: str,
    column: int,
    row: int,
    query: Query,
    no_value: str,
    **more: object,
) -> Panel:
    """One of six single values in a row."""
    return Panel(
        id=panel,
        kind="stat",
        title=title,
        description=description,
        place=Place(4 * column, row, 4, 3),
        queries=(query,),
        no_value=no_value,
        **{"options": stat_options(), **more},  # type: ignore[arg-type]
    )


def health_row(shape: Source, y: int) -> list[Panel]:
    """Does it work: the job of last night, its results, errors, response times."""
    return [
        stat(
            1,
            "Nightly jobs",
            "Each declared job is late when its deadline has passed and the day's "
            "count is below its minimum.",
            0,
            y,
            shape.jobs_late(),
            "no job reported",
            mappings=say({0: ("on time", "green"), 1: ("LATE", "red")}),
            options=stat_options(background=True),
        ),
        stat(
            2,
            "Digest success, 7 days",
            "Digests created of all that were tried, today and the six days before.",
            1,
            y,
            shape.success("digests_created", "digests_failed", "7d"),
            "no digest tried",
            unit="percentunit",
            min=0,
            max=1,
            thresholds=thresholds((None, "red"), (0.8, "orange"), (0.95, "green")),
        ),
        stat(
            3,
            "Errors, 24 hours",
            "Lines of the app with level error or fatal in the last 24 hours. It is "
            "0 only when the app wrote other lines in that time.",
            2,
            y,
            errors("24h"),
            "no log line in 24 h",
            decimals=0,
            thresholds=thresholds((None, "green"), (1, "orange"), (10, "red")),
            links=[link("All errors in Explore", APP_ERRORS)],
        ),
        stat(
            4,
            "OpenAI, average today",
            "How long a call to OpenAI took on average since the app's midnight.",
            3,
            y,
            shape.average("openai"),
            "no call today",
            unit="s",
            thresholds=thresholds((None, "green"), (3, "orange"), (10, "red")),
        ),
        stat(
            5,
            "Redis, average today",
            "How long the app waited for Redis on average since its midnight.",
            4,
            y,
            shape.average("redis"),
            "no call today",
            unit="s",
            thresholds=thresholds((None, "green"), (0.02, "orange"), (0.1, "red")),
        ),
        stat(
            6,
            "soloscope",
            "Whether soloscope can read the app's counts. Without an answer it does "
            "not run, or nobody asks it.",
            5,
            y,
            shape.up(),
            "DOES NOT ANSWER",
            mappings=say({1: ("reads Redis", "green"), 0: ("NO REDIS", "red")}),
            options=stat_options(background=True),
        ),
    ]


def status_row(shape: Source, y: int) -> list[Panel]:
    """Where it stands: users, subscriptions, what today brought."""
    return [
        stat(
            7,
            "Total users",
            "Registered users, as the app last said.",
            0,
            y,
            shape.gauge("users_total"),
            "users_total not reported",
            decimals=0,
        ),
        stat(
            8,
            "Active today ≈",
            "Different users who wrote since the app's midnight. An estimate, exact "
            "to about one in a hundred.",
            1,
            y,
            shape.window("active_users", "1d"),
            "active_users not reported",
            unit="prefix:≈ ",
            decimals=0,
        ),
        stat(
            9,
            "Premium subscribers",
            "Users with a subscription, of all users.",
            2,
            y,
            shape.share("users_premium", "users_total"),
            "no user reported",
            unit="percentunit",
            min=0,
            max=1,
        ),
        stat(
            10,
            "Trials ending soon",
            "Users whose trial is about to end.",
            3,
            y,
            shape.gauge("users_trial_ending"),
            "users_trial_ending not reported",
            decimals=0,
        ),
        stat(
            11,
            "Conversations today",
            "Conversations since the app's midnight.",
            4,
            y,
            shape.window("conversations", "1d"),
            "conversations not reported",
            decimals=0,
        ),
        stat(
            12,
            "Digests today",
            "Digests created since the app's midnight.",
            5,
            y,
            shape.window("digests_created", "1d"),
            "digests_created not reported",
            decimals=0,
        ),
    ]


def week_row(shape: Source, y: int) -> list[Panel]:
    """The last seven days, by the app's calendar, and what they were about."""
    missing = "no day reported: soloscope does not answer, or the count is not declared"
    return [
        bars(
            13,
            "Users active per day ≈",
            "Different users who wrote on each day; today is the last bar and still "
            "grows. An estimate, exact to about one in a hundred.",
            Place(0, y, 6, 6),
            [shape.per_day("active_users")],
            by_day(shape, "active users ≈"),
            missing,
            "blue",
        ),
        bars(
            14,
            "Conversations per day",
            "Conversations of each day; today is the last bar and still grows.",
            Place(6, y, 6, 6),
            [shape.per_day("conversations")],
            by_day(shape, "conversations"),
            missing,
            "purple",
        ),
        bars(
            15,
            "Digests created per day",
            "Digests created on each day, and in red those that failed.",
            Place(12, y, 6, 6),
            [shape.per_day("digests_created"), shape.per_day("digests_failed")],
            by_day(shape, "created", "failed"),
            missing,
            "green",
            [override("failed", color=fixed("red"))],
        ),
        Panel(
            id=16,
            kind="bargauge",
            title="Top deficiencies this week",
            description="What was practised most, today and the six days before.",
            place=Place(18, y, 6, 6),
            queries=(shape.top("deficiencies", 5),),
            no_value="no deficiency practised in 7 days",
            min=0,
            decimals=0,
            color="orange",
            options={
                "displayMode": "basic",
                "minVizHeight": 10,
                "minVizWidth": 0,
                "orientation": "horizontal",
                "reduceOptions": {
                    "calcs": ["lastNotNull"],
                    "fields": "",
                    "values": False,
                },
                "showUnfilled": True,
                "valueMode": "text",
            },
        ),
    ]


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


def variables(shape: Source) -> list[Json]:
    """The app, and the data sources."""
    light = isinstance(shape, Light)
    label_values: str | Json = "label_values(soloscope_up, app)"
    if light:
        label_values = {"refId": "app", "type": 1, "label": "app", "stream": ""}
    kinds: Sequence[Kind] = ("loki",) if light else ("prometheus", "loki")
    app: Json = {
        "name": "app",
        "label": "App",
        "type": "query",
        "datasource": data_source("loki" if light else "prometheus"),
        "definition": "label_values(app)" if light else label_values,
        "query": label_values if light else {"query": label_values, "refId": "app"},
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 2,
        "regex": "",
        "skipUrlSync": False,
        "sort": 1,
    }
    return [data_source_variable(k) for k in kinds] + [app]


def deployments() -> Json:
    """A vertical line for each event `deploy`; see `soloscope annotate`."""
    return {
        "name": "Deployments",
        "datasource": data_source("loki"),
        "enable": True,
        "hide": False,
        "iconColor": "purple",
        "expr": '{job="soloscope-deploy"} | json message="message"',
        "titleFormat": "deploy",
        "textFormat": "{{message}}",
        "tagKeys": "app",
    }


def overview(shape: Source) -> Dashboard:
    """The overview in one shape; both have the same uid, title and panels."""
    return Dashboard(
        uid=UID,
        title="soloscope overview",
        description="Does it work, are users getting anywhere, why did that fail.",
        tags=("soloscope",),
        variables=variables(shape),
        panels=(
            *health_row(shape, 0),
            *status_row(shape, 3),
            *week_row(shape, 6),
            *story_row(12),
            *background_row(shape, 20),
        ),
        annotations=(deployments(),),
        links=(
            {
                "title": "Explore the log",
                "type": "link",
                "icon": "external link",
                "url": explore(APP),
                "tooltip": "Every line of this app",
                "targetBlank": False,
                "includeVars": False,
                "keepTime": False,
                "asDropdown": False,
                "tags": [],
            },
        ),
    )
