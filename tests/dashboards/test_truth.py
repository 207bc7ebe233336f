"""Whatever the day and the hour, the demo's plans have something for the panels."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from dashboard_files import OVERVIEW
from soloscope_demo.app.ledger import add, nothing
from soloscope_demo.app.plan import ERROR, WARN, plan
from truth import Truth

ZONE = ZoneInfo("Europe/Berlin")


def planned(now: dt.datetime) -> Truth:
    """The truth of an app that has played its plans of a week until now."""
    truth = Truth({"days": {}, "gauges": {}}, now.astimezone(dt.UTC), 7, ZONE)
    for back in range(7):
        day = nothing()
        for occurrence in plan(7, truth.day(back), ZONE):
            if occurrence.at <= truth.now:
                add(day, occurrence, printed=True)
        truth.content["days"][truth.day(back).isoformat()] = day
    return truth


def test_a_week_has_something_of_every_kind_on_any_day() -> None:
    # Just after midnight there is least; a year has every night of a clock change.
    for day in range(366):
        date = dt.date(2026, 11, 27) + dt.timedelta(day)
        truth = planned(dt.datetime.combine(date, dt.time(0, 1), ZONE))
        levels = [o.level for o in truth.happened(dt.timedelta(days=6, hours=20))]
        assert WARN in levels, date
        assert ERROR in levels, date
        assert len(levels) > 50, date
        assert len(truth.practised()) >= 5, date
        assert truth.count("digests_created", 7), date


def test_an_average_has_a_colour_from_twenty_calls_on() -> None:
    midnight = dt.datetime(2026, 11, 27, tzinfo=ZONE)
    shown = {}
    for minute in range(0, 24 * 60, 17):
        now = midnight + dt.timedelta(minutes=minute)
        truth = planned(now)
        shown[now.time()] = [
            index
            for index in (0, 1)
            if not truth.silent(OVERVIEW, "Redis response, average today", index)
        ]
    # Nobody writes before six.
    assert shown[dt.time(0)] == shown[dt.time(5, 57)] == []
    assert shown[max(shown)] == [0]
