"""Two rows of single values: does it work, and where does it stand.

The first step of the thresholds is the colour of what is not there.
"""

from __future__ import annotations

from ..explore import link
from ..grafana import Panel, Place, Query, say, stat_options, thresholds
from ..queries import APP_ERRORS, Source, errors


def stat(
    panel: int,
    title: str,
    description: str,
    column: int,
    row: int,
    query: Query,
    no_value: str,
    height: int = 3,
    **more: object,
) -> Panel:
    """One of six single values in a row."""
    return Panel(
        id=panel,
        kind="stat",
        title=title,
        description=description,
        place=Place(4 * column, row, 4, height),
        queries=(query,),
        no_value=no_value,
        **{"options": stat_options(size=0 if height > 2 else 26), **more},  # type: ignore[arg-type]
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
            thresholds=thresholds((None, "orange")),
            mappings=say({0: ("on time", "green"), 1: ("LATE", "red")}),
            options=stat_options(background=True),
        ),
        stat(
            2,
            "Digest success rate",
            "Digests created of all that were tried, today and the six days before "
            "(counters `digests_created` and `digests_failed`).",
            1,
            y,
            shape.success("digests_created", "digests_failed", "7d"),
            "no digest reported",
            unit="percentunit",
            min=0,
            max=1,
            thresholds=thresholds(
                (None, "text"), (0, "red"), (0.8, "orange"), (0.95, "green")
            ),
        ),
        stat(
            3,
            "Error count, 24 h",
            "Lines of the app with level error or fatal in the last 24 hours. It is "
            "0 only when the app wrote other lines in that time.",
            2,
            y,
            errors("24h"),
            "no log line in 24 h",
            decimals=0,
            thresholds=thresholds(
                (None, "text"), (0, "green"), (1, "orange"), (10, "red")
            ),
            links=[link("All errors in Explore", APP_ERRORS)],
        ),
        stat(
            4,
            "OpenAI response avg",
            "How long a call to OpenAI took on average since the app's midnight "
            "(timing `openai`).",
            3,
            y,
            shape.average("openai"),
            "no call reported",
            unit="s",
            thresholds=thresholds(
                (None, "text"), (0, "green"), (3, "orange"), (10, "red")
            ),
        ),
        stat(
            5,
            "Redis response avg",
            "How long the app waited for Redis on average since its midnight "
            "(timing `redis`).",
            4,
            y,
            shape.average("redis"),
            "no call reported",
            unit="s",
            thresholds=thresholds(
                (None, "text"), (0, "green"), (0.02, "orange"), (0.1, "red")
            ),
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
            thresholds=thresholds((None, "red")),
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
            "Registered users, as the app last said (gauge `users_total`).",
            0,
            y,
            shape.gauge("users_total"),
            "not reported",
            decimals=0,
            height=2,
        ),
        stat(
            8,
            "Active today ≈",
            "Different users who wrote since the app's midnight. An estimate, exact "
            "to about one in a hundred (unique `active_users`).",
            1,
            y,
            shape.window("active_users", "1d"),
            "not reported",
            unit="prefix:≈ ",
            decimals=0,
            height=2,
        ),
        stat(
            9,
            "Premium subscribers",
            "Users with a subscription, of all users (gauges `users_premium` and "
            "`users_total`).",
            2,
            y,
            shape.share("users_premium", "users_total"),
            "not reported",
            unit="percentunit",
            min=0,
            max=1,
            height=2,
        ),
        stat(
            10,
            "Trials ending soon",
            "Users whose trial is about to end (gauge `users_trial_ending`).",
            3,
            y,
            shape.gauge("users_trial_ending"),
            "not reported",
            decimals=0,
            height=2,
        ),
        stat(
            11,
            "Conversations today",
            "Conversations since the app's midnight (counter `conversations`).",
            4,
            y,
            shape.window("conversations", "1d"),
            "not reported",
            decimals=0,
            height=2,
        ),
        stat(
            12,
            "Digests today",
            "Digests created since the app's midnight (counter `digests_created`).",
            5,
            y,
            shape.window("digests_created", "1d"),
            "not reported",
            decimals=0,
            height=2,
        ),
    ]
