"""Two rows of single values: does it work, and its state today.

The first step of the thresholds is the colour of a missing value.
"""

from __future__ import annotations

from soloscope.dashboards.explore import link
from soloscope.dashboards.grafana import (
    Panel,
    Query,
    Row,
    say,
    stat_options,
    thresholds,
)
from soloscope.dashboards.queries import APP_ERRORS, Source, errors


def stat(
    key: str,
    title: str,
    description: str,
    query: Query,
    no_value: str,
    **more: object,
) -> Panel:
    """A single value."""
    return Panel(
        key=key,
        kind="stat",
        title=title,
        description=description,
        queries=(query,),
        no_value=no_value,
        **{"options": stat_options(), **more},  # type: ignore[arg-type]
    )


def small(
    key: str, title: str, description: str, query: Query, **more: object
) -> Panel:
    """A single value in a low row, so in smaller letters."""
    options = stat_options(size=26)
    return stat(key, title, description, query, "not reported", options=options, **more)


def health_row(source: Source) -> Row:
    """Does it work: the job of last night, its results, errors, response times."""
    panels = [
        stat(
            "jobs",
            "Nightly jobs",
            "Each declared job is late when its deadline has passed and the day's "
            "count is below its minimum.",
            source.jobs_late(),
            "no job reported",
            thresholds=thresholds((None, "orange")),
            mappings=say({0: ("on time", "green"), 1: ("LATE", "red")}),
            options=stat_options(background=True),
        ),
        stat(
            "digest_success",
            "Digest success rate",
            "Digests created of all that were tried, today and the six days before "
            "(counters `digests_created` and `digests_failed`).",
            source.success("digests_created", "digests_failed", "7d"),
            "no digest reported",
            unit="percentunit",
            min=0,
            max=1,
            thresholds=thresholds(
                (None, "text"), (0, "red"), (0.8, "orange"), (0.95, "green")
            ),
        ),
        stat(
            "errors",
            "Error count, 24 h",
            "Lines of the app with level error or fatal in the last 24 hours. It is "
            "0 only when the app wrote other lines in that time.",
            errors("24h"),
            "no log line in 24 h",
            decimals=0,
            thresholds=thresholds(
                (None, "text"), (0, "green"), (1, "orange"), (10, "red")
            ),
            links=[link("All errors in Explore", APP_ERRORS)],
        ),
        stat(
            "openai",
            "OpenAI response avg",
            "How long a call to OpenAI took on average since the app's midnight "
            "(timing `openai`).",
            source.average("openai"),
            "no call reported",
            unit="s",
            thresholds=thresholds(
                (None, "text"), (0, "green"), (3, "orange"), (10, "red")
            ),
        ),
        stat(
            "redis",
            "Redis response avg",
            "How long the app waited for Redis on average since its midnight "
            "(timing `redis`).",
            source.average("redis"),
            "no call reported",
            unit="s",
            thresholds=thresholds(
                (None, "text"), (0, "green"), (0.02, "orange"), (0.1, "red")
            ),
        ),
        stat(
            "soloscope",
            "soloscope",
            "Whether soloscope can read the app's counts. Without an answer it does "
            "not run, or nobody asks it.",
            source.up(),
            "DOES NOT ANSWER",
            thresholds=thresholds((None, "red")),
            mappings=say({1: ("reads Redis", "green"), 0: ("NO REDIS", "red")}),
            options=stat_options(background=True),
        ),
    ]
    return Row(3, panels)


def status_row(source: Source) -> Row:
    """Its state: users, subscriptions, today's counts."""
    panels = [
        small(
            "users",
            "Total users",
            "Registered users, as the app last said (gauge `users_total`).",
            source.gauge("users_total"),
            decimals=0,
        ),
        small(
            "active_today",
            "Active today ≈",
            "Different users who wrote since the app's midnight. An estimate, exact "
            "to about one in a hundred (unique `active_users`).",
            source.window("active_users", "1d"),
            unit="prefix:≈ ",
            decimals=0,
        ),
        small(
            "premium",
            "Premium subscribers",
            "Users with a subscription, of all users (gauges `users_premium` and "
            "`users_total`).",
            source.share("users_premium", "users_total"),
            unit="percentunit",
            min=0,
            max=1,
        ),
        small(
            "trials_ending",
            "Trials ending soon",
            "Users whose trial is about to end (gauge `users_trial_ending`).",
            source.gauge("users_trial_ending"),
            decimals=0,
        ),
        small(
            "conversations_today",
            "Conversations today",
            "Conversations since the app's midnight (counter `conversations`).",
            source.window("conversations", "1d"),
            decimals=0,
        ),
        small(
            "digests_today",
            "Digests today",
            "Digests created since the app's midnight (counter `digests_created`).",
            source.window("digests_created", "1d"),
            decimals=0,
        ),
    ]
    return Row(2, panels)
