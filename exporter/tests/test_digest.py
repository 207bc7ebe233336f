"""The digest's text from values: S0's report to the letter, and what may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from exporting import parse
from soloscope.config import App
from soloscope.counts.jobs import JobState
from soloscope.counts.model import DayValues, Snapshot
from soloscope.digest.collect import last_full_day
from soloscope.digest.lines import known
from soloscope.digest.report import (
    MOST,
    PARAMETER_MOST,
    PARAMETERS,
    Disk,
    Fired,
    Report,
    parameters,
    text,
)
from soloscope.digest.values import AppValues, of_snapshot
from soloscope.digest.words import amount, readable
from soloscope.error_groups import Group
from soloscope.errors import ConfigError

BERLIN = ZoneInfo("Europe/Berlin")

S0 = """\
📊 LanguageBuddy Daily Report
━━━━━━━━━━━━━━━━━━
👥 Users: 12 total (8 active today)
💬 Conversations: 23 today
📝 Digests created: 8 last night
💰 Revenue: 2 premium ($40 MRR)
⚠️ Issues: 1 digest failure

Top 3 deficiencies practiced:
1. Past tense (5 users)
2. Articles (3 users)
3. Pronunciation (2 users)"""

#: As docs/examples/languagebuddy.nix declares it (tests/settings reads that).
LANGUAGEBUDDY: dict[str, Any] = {
    "title": "LanguageBuddy",
    "redis": {"url": "redis://127.0.0.1:6379"},
    "counters": {
        "conversations": {"help": "Conversations started"},
        "digests_created": {"help": "Digests created"},
        "digests_failed": {"help": "Digests that failed"},
        "trial_conversions": {"help": "Trials that became subscriptions"},
        "trials_expired": {"help": "Trials that ended without"},
    },
    "breakdowns": {"deficiencies": {"help": "Deficiencies practised, by kind"}},
    "uniques": {"active_users": {"help": "Users who wrote"}},
    "gauges": {
        "users_total": {"help": "Registered users"},
        "users_premium": {"help": "Users with a subscription"},
        "revenue_monthly": {"unit": "currencyUSD"},
    },
    "jobs": {
        "digest": {
            "counter": "digests_created",
            "failures": "digests_failed",
            "by": "04:00",
        }
    },
    "dashboard": {
        "ratios": {
            "trial_conversion": {
                "help": "Trials that became subscriptions",
                "part": "counters.trial_conversions",
                "of": ["counters.trial_conversions", "counters.trials_expired"],
                "group": "",
                "order": 100,
            }
        }
    },
    "digest": {
        "lines": [
            "👥 Users: {gauges.users_total} total "
            "({uniques.active_users} active {day})",
            "💬 Conversations: {counters.conversations} {day}",
            "📝 Digests created: {jobs.digest} last night",
            "💰 Revenue: {gauges.users_premium} premium ({gauges.revenue_monthly} MRR)",
            "🎯 Trials that became premium in 7 days: {ratios.trial_conversion}",
            "⚠️ Issues: {jobs.digest.failures|digest failure|digest failures}",
        ],
        "top": {
            "deficiencies": {
                "title": "Top 3 deficiencies practiced:",
                "line": "{key} ({count|user|users})",
            }
        },
    },
}

DAY = date(2025, 11, 18)
MORNING = datetime(2025, 11, 19, 8, 0, tzinfo=BERLIN).timestamp()


def app(declared: dict[str, Any] = LANGUAGEBUDDY) -> App:
    return parse({"apps": {"languagebuddy": declared}}).apps["languagebuddy"]


def day(then: date, **given: Any) -> DayValues:
    of = app()
    counters = dict.fromkeys(of.counters, 0) | given.pop("counters", {})
    uniques = {"active_users": 0} | given.pop("uniques", {})
    return DayValues(then, counters=counters, uniques=uniques, **given)


def snapshot(*days: DayValues, **given: Any) -> Snapshot:
    """A snapshot whose days without values are there, as Redis answers them."""
    first = max(one.day for one in days)
    have = {one.day: one for one in days}
    back = [first - timedelta(n) for n in range(31)]
    filled = tuple(have.get(then, day(then)) for then in back)
    gauges = {"users_total": 12, "users_premium": 2, "revenue_monthly": 40}
    return Snapshot(app(), up=True, days=filled, **{"gauges": gauges, **given})


def s0_day(then: date, **counters: int) -> DayValues:
    counts = {"conversations": 23, "digests_created": 8, "digests_failed": 1}
    return day(
        then,
        counters={**counts, **counters},
        uniques={"active_users": 8},
        breakdowns={
            "deficiencies": {
                "pronunciation": 2,
                "past_tense": 5,
                "word_order": 1,
                "articles": 3,
            }
        },
    )


def report(*apps: AppValues, at: float = MORNING, **given: Any) -> Report:
    return Report(at, BERLIN, apps, **given)


def lines_of(
    declared: dict[str, Any], numbers: Mapping[str, float], **more: Any
) -> str:
    """The report of an app with these numbers."""
    of = app(declared)
    runs = dict.fromkeys(of.jobs, DAY + timedelta(1))
    jobs = {
        name: JobState(late=done < 1, last_success=None, done=done, over=True)
        for name in of.jobs
        if (done := numbers.get(f"jobs.{name}")) is not None
    }
    return text(report(AppValues(of, DAY, numbers, runs=runs, jobs=jobs, **more)))


# --- S0 -----------------------------------------------------------------------------


def test_s0s_text_to_the_letter_on_s0s_numbers() -> None:
    # S0 is asked on the day itself.
    evening = datetime(2025, 11, 18, 20, 0, tzinfo=BERLIN).timestamp()
    values = of_snapshot(snapshot(s0_day(DAY)), DAY, evening)
    assert text(report(values, at=evening)) == S0


def test_in_the_morning_it_is_yesterdays_and_last_nights() -> None:
    night = s0_day(DAY + timedelta(1), digests_created=9, digests_failed=0)
    values = of_snapshot(snapshot(night, s0_day(DAY)), DAY, MORNING)
    expected = S0.replace("today", "yesterday").replace("8 last", "9 last")
    expected = expected.replace("1 digest failure", "0 digest failures")
    assert text(report(values)) == expected


def test_against_the_same_weekday_before() -> None:
    week = s0_day(DAY - timedelta(7), conversations=31)
    night = s0_day(DAY + timedelta(1))
    values = of_snapshot(snapshot(night, s0_day(DAY), week), DAY, MORNING)
    compared = (
        "📈 Against Tue 11 Nov: Conversations started 23 (was 31), "
        "Users who wrote 8 (was 8)"
    )
    assert compared in text(report(values)).splitlines()


def test_a_share_of_nothing_has_no_line_and_another_has() -> None:
    converted = s0_day(DAY, trial_conversions=1, trials_expired=3)
    told = text(report(of_snapshot(snapshot(converted), DAY, MORNING)))
    assert "🎯 Trials that became premium in 7 days: 25 %" in told.splitlines()
    told = text(report(of_snapshot(snapshot(s0_day(DAY)), DAY, MORNING)))
    assert "🎯" not in told


# --- jobs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("created", "failed", "line"),
    [
        (1, 33, "❌ Digest: 1 today (due 04:00 UTC), 33 failures"),
        (0, 0, "❌ Digest: 0 today (due 04:00 UTC), expected at least 1"),
        (0, 1, "❌ Digest: 0 today (due 04:00 UTC), expected at least 1, 1 failure"),
    ],
)
def test_a_bad_night_does_not_sound_fine(created: int, failed: int, line: str) -> None:
    night = s0_day(DAY + timedelta(1), digests_created=created, digests_failed=failed)
    told = text(report(of_snapshot(snapshot(night, s0_day(DAY)), DAY, MORNING)))
    assert line in told.splitlines()


def test_much_less_than_usual_does_not_sound_fine() -> None:
    days = [s0_day(DAY + timedelta(1), digests_created=2, digests_failed=0)]
    days += [s0_day(DAY - timedelta(n), digests_created=30) for n in range(7)]
    told = text(report(of_snapshot(snapshot(*days), DAY, MORNING)))
    assert "⚠️ Digest: 2 today (due 04:00 UTC), usually 30" in told.splitlines()


def test_a_job_that_is_due_later_tells_of_its_last_run() -> None:
    declared = {**LANGUAGEBUDDY, "digest": {"lines": []}}
    declared["jobs"] = {
        "noon": {"counter": "digests_created", "by": "12:00", "help": "Noon's mails"}
    }
    of = app(declared)
    shot = replace(snapshot(s0_day(DAY + timedelta(1)), s0_day(DAY)), app=of)
    told = text(report(of_snapshot(shot, DAY, MORNING)))
    assert "✅ Noon's mails: 8 yesterday (due 12:00 UTC)" in told.splitlines()


# --- an app without lines -----------------------------------------------------------

README = {
    "redis": {"url": "redis://127.0.0.1:6379"},
    "counters": {"signups": {"help": "Sign-ups"}},
    "jobs": {"nightly": {"counter": "signups", "by": "04:00"}},
}


def test_readmes_ten_lines_give_a_report() -> None:
    numbers = {"counters.signups": 12, "counters.signups.before": 9, "jobs.nightly": 3}
    assert lines_of({**README, "title": "myapp"}, numbers) == (
        "📊 myapp Daily Report\n"
        "━━━━━━━━━━━━━━━━━━\n"
        "Yesterday, Tue 18 Nov:\n"
        "✅ Nightly: 3 today (due 04:00 UTC)\n"
        "• Sign-ups: 12 (a week before: 9)"
    )


def test_an_estimate_is_marked_and_an_exact_count_is_not() -> None:
    base = {"redis": README["redis"]}
    uniques: Any = {"buyers": {"help": "Buyers"}}
    told = lines_of({**base, "uniques": uniques}, {"uniques.buyers": 8})
    assert "• Buyers: ≈ 8" in told
    uniques = {"buyers": {"help": "Buyers", "exact": True}}
    told = lines_of({**base, "uniques": uniques}, {"uniques.buyers": 8})
    assert "• Buyers: 8" in told


def test_the_first_ten_and_how_many_more() -> None:
    counters = {f"c{n:02}": {"order": 100 - n} for n in range(14)}
    declared = {"redis": README["redis"], "counters": counters}
    numbers = {f"counters.{name}": 1.0 for name in counters}
    told = lines_of(declared, numbers).splitlines()
    assert told[3:5] == ["• C13: 1", "• C12: 1"]
    assert told[-1] == "… 4 more on the dashboards"
    assert len(told) == 3 + 10 + 1
    told = lines_of({**declared, "digest": {"limit": 14}}, numbers).splitlines()
    assert len(told) == 3 + 14


def test_no_limit_hides_a_job_that_failed() -> None:
    jobs = {f"j{n}": {"counter": "signups", "by": "04:00"} for n in range(3)}
    declared = {**README, "jobs": jobs, "digest": {"limit": 1}}
    told = lines_of(declared, {"jobs.j0": 1, "jobs.j1": 1, "jobs.j2": 0})
    assert "❌ J2: 0 today" in told


def test_an_app_that_declares_nothing() -> None:
    assert "It declares nothing to count" in lines_of({}, {})


# --- missing values -----------------------------------------------------------------


def test_the_first_day_says_that_nothing_was_counted_before() -> None:
    values = of_snapshot(snapshot(s0_day(DAY + timedelta(1))), DAY, MORNING)
    told = text(report(values))
    assert "Nothing was counted until then" in told
    assert "📈" not in told
    # The night's job belongs to today, and did run.
    assert "📝 Digests created: 8 last night" in told


def test_redis_that_did_not_answer_is_said_and_no_number_is_made_up() -> None:
    down = Snapshot(app(), up=False, error="redis://127.0.0.1:6379 db 0: no answer")
    told = text(report(of_snapshot(down, DAY, MORNING)))
    assert told == (
        "📊 LanguageBuddy Daily Report\n━━━━━━━━━━━━━━━━━━\n"
        "❓ The counts could not be read: redis://127.0.0.1:6379 db 0: no answer"
    )


def test_an_unknown_value_is_a_question_mark() -> None:
    shot = snapshot(s0_day(DAY + timedelta(1)), s0_day(DAY), gauges={"users_total": 12})
    told = text(report(of_snapshot(shot, DAY, MORNING)))
    assert "💰 Revenue: ? premium (? MRR)" in told
    lost = replace(s0_day(DAY + timedelta(1)), counters={})
    told = text(report(of_snapshot(snapshot(lost, s0_day(DAY)), DAY, MORNING)))
    assert "❓ Digest: ? today (due 04:00 UTC)" in told


def test_what_could_not_be_read_is_listed() -> None:
    values = of_snapshot(snapshot(s0_day(DAY)), DAY, MORNING)
    told = text(report(values, unread=["Loki: connection refused"]))
    assert told.endswith("❓ Could not be read:\n• Loki: connection refused")


# --- the host -----------------------------------------------------------------------


def test_alerts_errors_and_the_disk() -> None:
    def at(hour: int, minute: int = 0) -> float:
        return datetime(2025, 11, 19, hour, minute, tzinfo=BERLIN).timestamp()

    then = datetime(2025, 11, 19, tzinfo=UTC)
    old = Group("shop", "", "KeyError", "'x'", 90, then, then, new=False)
    new = Group(
        "shop",
        "",
        "TypeError",
        "no number of +49 151 23456789",
        3,
        then,
        then,
        new=True,
    )
    told = text(
        report(
            of_snapshot(snapshot(s0_day(DAY)), DAY, MORNING),
            alerts=[
                Fired("HighErrorRate", "shop", at(2, 10), at(2, 45), firing=False),
                Fired("DiskFull", "", at(6, 30), MORNING, firing=True),
            ],
            errors=[old, new],
            disk=Disk(1.25 * 2**30, 10 * 2**30, 41.2, blocked=False),
        )
    )
    assert told.endswith(
        "\n\n🔔 Alerts in 24 hours: 2, 1 still firing\n"
        "• DiskFull since 06:30\n"
        "• HighErrorRate shop 02:10 to 02:45\n"
        "🆕 New errors in 24 hours: 1\n"
        "• shop TypeError: no number of ***6789 (3 times)\n"
        "💾 Logs: 1.2 of 10 GiB, room for 41 days"
    )


def test_a_full_disk_is_no_footnote() -> None:
    values = of_snapshot(snapshot(s0_day(DAY)), DAY, MORNING)
    disk = Disk(2**30, 2**30, 3.0, blocked=False)
    assert "⚠️ Logs: 1.0 of 1 GiB, room for 3 days" in text(report(values, disk=disk))
    disk = disk._replace(blocked=True)
    assert "❌ Logs are refused" in text(report(values, disk=disk))
    disk = Disk(0, 2**30, float("inf"), blocked=False)
    assert "room for years" in text(report(values, disk=disk))


def test_people_in_keys_are_masked() -> None:
    keys = {"+49 151 23456789": 2, "anna@example.org": 1, "a\nb": 1}
    tables = {"deficiencies": list(keys.items())}
    values = AppValues(app(), DAY, tables=tables, runs={"digest": DAY})
    told = text(report(values))
    assert "1. ***6789 (2 users)" in told
    assert "2. ***@*** (1 user)" in told
    assert "3. A\\nb (1 user)" in told


def test_two_apps_have_a_title_each() -> None:
    one = of_snapshot(snapshot(s0_day(DAY)), DAY, MORNING)
    two = AppValues(
        app({**README, "title": "Shop"}),
        DAY,
        {"counters.signups": 1},
        runs={"nightly": DAY},
    )
    told = text(report(one, two))
    assert "\n\n📊 Shop Daily Report\n━" in told


# --- days ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", "yesterday"),
        ("Asia/Tokyo", "yesterday"),
        ("America/Los_Angeles", "on Mon 17 Nov"),
    ],
)
def test_the_last_full_day_of_the_apps_zone(zone: str, expected: str) -> None:
    of = app({**LANGUAGEBUDDY, "timeZone": zone})
    full = last_full_day(of, MORNING)
    values = AppValues(of, full, {"counters.conversations": 23}, runs={"digest": full})
    assert f"💬 Conversations: 23 {expected}" in text(report(values))


@pytest.mark.parametrize("changed", [date(2026, 3, 29), date(2026, 10, 25)])
def test_the_morning_of_a_clock_change(changed: date) -> None:
    at = datetime(
        changed.year, changed.month, changed.day, 8, tzinfo=BERLIN
    ).timestamp()
    of = app({**LANGUAGEBUDDY, "timeZone": "Europe/Berlin"})
    full = last_full_day(of, at)
    assert full == changed - timedelta(1)
    night = s0_day(changed)
    values = of_snapshot(replace(snapshot(night, s0_day(full)), app=of), full, at)
    assert values.runs == {"digest": changed}
    assert "(8 active yesterday)" in text(report(values, at=at))


# --- words --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (None, "", "?"),
        (1234567, "", "1,234,567"),
        (40, "currencyUSD", "$40"),
        (40.5, "currencyEUR", "€40.50"),
        (-3, "currencyUSD", "-$3"),
        (40, "currencyCHF", "40 CHF"),
        (0.9996, "percentunit", "99.9 %"),
        (1, "percentunit", "100 %"),
        (0.0001, "percentunit", "0.1 %"),
        (0, "percentunit", "0 %"),
        (244.6, "ms", "245 ms"),
        (0.333, "", "0.33"),
    ],
)
def test_amounts(value: float | None, unit: str, expected: str) -> None:
    assert amount(value, unit) == expected


def test_keys_as_words() -> None:
    assert readable("past_tense") == "Past tense"
    assert readable("_") == "_"
    assert readable("iPhone") == "IPhone"


# --- limits -------------------------------------------------------------------------


def test_a_message_has_a_longest_length() -> None:
    lines = [f"{'x' * 200} {{counters.conversations}} {{day}}"] * 40
    declared = {**LANGUAGEBUDDY, "digest": {"lines": lines}}
    told = lines_of(declared, {"counters.conversations": 1, "jobs.digest": 1})
    assert len(told) <= MOST
    assert told.endswith("… the rest is on the dashboards")


def test_parameters_are_what_a_template_takes() -> None:
    night = s0_day(DAY + timedelta(1), digests_failed=0)
    values = of_snapshot(snapshot(night, s0_day(DAY)), DAY, MORNING)
    assert parameters(report(values)) == [
        "LanguageBuddy",
        "Tue 18 Nov",
        "👥 Users: 12 total (8 active yesterday)",
        "💬 Conversations: 23 yesterday",
        "📝 Digests created: 8 last night",
        "💰 Revenue: 2 premium ($40 MRR)",
        "⚠️ Issues: 0 digest failures",
        "Top 3 deficiencies practiced: 1. Past tense (5 users), "
        "2. Articles (3 users), 3. Pronunci…",
        "-",
        "-",
    ]


def test_urgent_parts_have_a_place_among_the_parameters() -> None:
    lines = [f"line {n}" for n in range(20)]
    of = app({**LANGUAGEBUDDY, "digest": {"lines": lines}})
    values = AppValues(of, DAY, runs={"digest": DAY})
    fired = [Fired("X", "", MORNING, MORNING, firing=True)]
    unread = ["Loki:\n\tno    answer"]
    given = parameters(report(values, unread=unread, alerts=fired))
    assert len(given) == PARAMETERS
    assert all(one and len(one) <= PARAMETER_MOST for one in given)
    assert all(not any(c in one for c in "\n\t") and "  " not in one for one in given)
    whole = "\n".join(given)
    for urgent in ("❓ Digest", "❓ Could not be read", "🔔 Alerts"):
        assert urgent in whole
    assert given[-1].endswith("more on the dashboards")


# --- bad declarations ---------------------------------------------------------------


def refused(line: str, **digest: Any) -> str:
    declared = {**README, "digest": {"lines": [line] if line else [], **digest}}
    with pytest.raises(ConfigError) as told:
        app(declared)
    return str(told.value)


def test_an_unknown_placeholder_names_option_placeholder_and_the_known_ones() -> None:
    said = refused("Orders: {counters.signup}")
    assert "apps.languagebuddy.digest.lines[0]" in said
    assert (
        "`{counters.signup}` is not declared; did you mean `{counters.signups}`?"
        in said
    )
    for name in known(app(README)):
        assert name in said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{counters.signups", "`{` alone"),
        ("100 }", "`}` alone"),
        ("{counters.signups|order}", "two nouns"),
        ("{counters.signups||}", "two nouns"),
        ("{}", "`{}` is not declared"),
        ("a\nb", "without a line break"),
        ("{jobs.nightly.failures}", "not declared"),
    ],
)
def test_a_line_that_is_wrong(line: str, words: str) -> None:
    assert words in refused(line)


def test_a_top_list_of_what_is_no_breakdown() -> None:
    said = refused("", top={"signups": {"line": "{name}"}})
    assert "digest.top.signups: " in said
    assert "a breakdown of this app: none" in said
    assert "`{name}` is not declared; known: key, count" in said


def test_doubled_braces_are_braces() -> None:
    declared = {**README, "digest": {"lines": ["{{x}} {date}"]}}
    assert "{x} Tue 18 Nov" in lines_of(declared, {"jobs.nightly": 1})
