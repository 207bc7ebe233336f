"""Days, windows, numbers, labels and deadlines."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporting import an_app
from soloscope.config import Job
from soloscope.counts import jobs, model
from soloscope.counts.model import DayValues

BERLIN = ZoneInfo("Europe/Berlin")


def unix(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("utc", "zone", "day"),
    [
        ("2026-11-18T23:59:59.999", "UTC", "2026-11-18"),
        ("2026-11-19T00:00:00", "UTC", "2026-11-19"),
        ("2026-11-18T22:59:59", "Europe/Berlin", "2026-11-18"),
        ("2026-11-18T23:00:00", "Europe/Berlin", "2026-11-19"),
        # The last Sunday of March: 02:00 becomes 03:00.
        ("2026-03-28T22:59:59", "Europe/Berlin", "2026-03-28"),
        ("2026-03-28T23:00:00", "Europe/Berlin", "2026-03-29"),
        ("2026-03-29T21:59:59", "Europe/Berlin", "2026-03-29"),
        ("2026-03-29T22:00:00", "Europe/Berlin", "2026-03-30"),
        # The last Sunday of October has 25 hours.
        ("2026-10-25T22:59:59", "Europe/Berlin", "2026-10-25"),
        ("2026-10-25T23:00:00", "Europe/Berlin", "2026-10-26"),
        ("2028-02-28T15:00:00", "Asia/Tokyo", "2028-02-29"),
        ("2028-02-29T15:00:00", "Asia/Tokyo", "2028-03-01"),
        ("2027-02-28T15:00:00", "Asia/Tokyo", "2027-03-01"),
        ("2026-11-18T18:14:59", "Asia/Kathmandu", "2026-11-18"),
        ("2026-11-18T18:15:00", "Asia/Kathmandu", "2026-11-19"),
    ],
)
def test_golden_days(utc: str, zone: str, day: str) -> None:
    assert model.today(unix(utc), ZoneInfo(zone)).isoformat() == day


@pytest.mark.parametrize(
    ("day", "zone", "utc"),
    [
        ("2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00"),
        ("2026-03-30", "Europe/Berlin", "2026-03-29T22:00:00"),
        ("2026-10-26", "Europe/Berlin", "2026-10-25T23:00:00"),
        # Beirut skips midnight: the day begins at one o'clock.
        ("2026-03-29", "Asia/Beirut", "2026-03-28T22:00:00"),
        # Havana shows midnight twice: the day begins with the first.
        ("2026-11-01", "America/Havana", "2026-11-01T04:00:00"),
    ],
)
def test_golden_midnights(day: str, zone: str, utc: str) -> None:
    when = date.fromisoformat(day)
    assert model.midnight(when, ZoneInfo(zone)) == unix(utc)


zones = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/Havana",
        "Asia/Beirut",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "Africa/Casablanca",
    ]
).map(ZoneInfo)
days = st.dates(date(2015, 1, 1), date(2036, 12, 31))


@given(days, zones)
def test_a_day_begins_at_its_midnight(day: date, zone: ZoneInfo) -> None:
    start = model.midnight(day, zone)
    assert model.today(start, zone) == day
    assert model.today(start - 1, zone) < day


@given(st.floats(1.5e9, 2.1e9), zones)
def test_now_is_within_today(now: float, zone: ZoneInfo) -> None:
    day = model.today(now, zone)
    tomorrow = model.midnight(day + timedelta(days=1), zone)
    assert model.midnight(day, zone) <= now < tomorrow


def test_seven_days_are_today_and_the_six_before() -> None:
    window = model.days_back(date(2028, 3, 3), 7)
    assert window[0] == date(2028, 3, 3)
    assert window[-1] == date(2028, 2, 26)
    assert date(2028, 2, 29) in window


@pytest.mark.parametrize(
    ("history", "labels"),
    [
        (0, []),
        (1, ["1d"]),
        (6, ["1d"]),
        (7, ["1d", "7d"]),
        (366, ["1d", "7d", "30d"]),
    ],
)
def test_no_window_is_longer_than_the_history(history: int, labels: list[str]) -> None:
    assert [w.label for w in model.windows_within(history)] == labels


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (None, 0),
        (b"0", 0),
        (b"31", 31),
        (b"-5", -5),
        (b"007", 7),
        (b"1.5", 1.5),
        (b".5", 0.5),
        (b"1e3", 1000.0),
        (b"9007199254740993", 9007199254740993),
        (b"9223372036854775807", 2**63 - 1),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"", None),
        (b" 1", None),
        (b"1 ", None),
        (b"1\n", None),
        (b"1_000", None),
        (b"0x10", None),
        (b"inf", None),
        (b"nan", None),
        (b"1e999", None),
        (b"-", None),
        (b".", None),
        (b"31 conversations", None),
        ("٣".encode(), None),
        (b"9" * 65, None),
        (b"\xff", None),
    ],
)
def test_numbers(raw: bytes | None, value: float | None) -> None:
    assert model.number(raw) == value


@given(st.binary(max_size=70))
def test_any_bytes_are_a_finite_number_or_none(raw: bytes) -> None:
    value = model.number(raw)
    assert value is None or abs(value) < float("inf")


@given(st.binary(max_size=400))
def test_any_field_is_a_label_or_too_long(raw: bytes) -> None:
    text = model.label(raw)
    if text is None:
        assert len(raw) > model.LABEL_LIMIT
    else:
        text.encode()
        assert not any(ord(c) < 32 and c != "\n" for c in text)


def test_bad_bytes_are_spelt_out_and_stay_apart() -> None:
    assert model.label(b"a\xffb") == r"a\xffb"
    assert model.label(b"a\xfeb") == r"a\xfeb"
    assert model.label(b"nul\0tab\t") == r"nul\x00tab\x09"
    assert model.label("Übung\n".encode()) == "Übung\n"


def test_the_largest_keys_are_kept_in_a_steady_order() -> None:
    totals = {"b": 2, "a": 1, "c": 2, "d": 9}
    assert model.keep_largest(totals, 3) == ["b", "c", "d"]
    assert model.keep_largest(totals, 4) == ["a", "b", "c", "d"]


JOB = Job("digests_created", time(4, 0), 1, "")


@pytest.mark.parametrize(
    ("now", "judged"),
    [
        ("2026-11-18T00:00:00", None),
        ("2026-11-18T04:04:59", None),
        ("2026-11-18T04:05:00", "2026-11-18"),
        ("2026-11-18T23:59:59", "2026-11-18"),
        ("2026-11-19T00:00:00", None),
    ],
)
def test_a_job_is_judged_five_minutes_after_its_time(
    now: str, judged: str | None
) -> None:
    found = jobs.job_day(JOB, unix(now), ZoneInfo("UTC"))
    assert (found.isoformat() if found else None) == judged


def test_a_job_late_in_the_evening_is_judged_after_midnight() -> None:
    job = Job("digests_created", time(23, 58), 1, "")
    zone = ZoneInfo("UTC")
    assert jobs.job_day(job, unix("2026-11-19T00:02:59"), zone) is None
    assert jobs.job_day(job, unix("2026-11-19T00:03:00"), zone) == date(2026, 11, 18)
    assert jobs.job_day(job, unix("2026-11-19T12:00:00"), zone) == date(2026, 11, 18)


def test_deadlines_follow_the_zone_through_both_changes() -> None:
    # 02:30 does not exist on this day; it means the time after the jump.
    gap = Job("digests_created", time(2, 30), 1, "")
    spring = jobs.job_deadline(gap, date(2026, 3, 29), BERLIN)
    assert spring == unix("2026-03-29T01:30:00")
    # 02:30 exists twice; the first one counts.
    autumn = jobs.job_deadline(gap, date(2026, 10, 25), BERLIN)
    assert autumn == unix("2026-10-25T00:30:00")
    summer = jobs.job_deadline(JOB, date(2026, 7, 1), BERLIN)
    assert summer == unix("2026-07-01T02:00:00")


@pytest.mark.parametrize(
    ("clock", "today", "yesterday", "told"),
    [
        # (done, failed) of two days -> the verdict, done, failed
        ("12:00", (34, 0), (30, 0), (jobs.Verdict.ON_TIME, 34, 0)),
        ("12:00", (30, 4), (30, 0), (jobs.Verdict.SOME_FAILED, 30, 4)),
        ("12:00", (1, 33), (30, 0), (jobs.Verdict.MOST_FAILED, 1, 33)),
        ("12:00", (14, 0), (30, 0), (jobs.Verdict.FEW_DONE, 14, 0)),
        ("12:00", (15, 0), (30, 0), (jobs.Verdict.ON_TIME, 15, 0)),
        ("12:00", (0, 33), (30, 0), (jobs.Verdict.LATE, 0, 33)),
        # Last night is yesterday's until today's run begins.
        ("01:00", (0, 0), (30, 0), (jobs.Verdict.ON_TIME, 30, 0)),
        ("01:00", (0, 0), (1, 33), (jobs.Verdict.MOST_FAILED, 1, 33)),
        ("01:00", (0, 0), (14, 0), (jobs.Verdict.FEW_DONE, 14, 0)),
        # It is red before its deadline, but not for what is still to come.
        ("03:30", (0, 1), (30, 0), (jobs.Verdict.MOST_FAILED, 0, 1)),
        ("03:30", (2, 0), (30, 0), (jobs.Verdict.ON_TIME, 2, 0)),
    ],
)
def test_a_job_is_judged_by_its_last_night(
    clock: str,
    today: tuple[int, int],
    yesterday: tuple[int, int],
    told: tuple[jobs.Verdict, int, int],
) -> None:
    counts = [today, yesterday, *[(30, 0)] * 9]
    app = an_app(
        counters={"made": {}, "failed": {}},
        jobs={"digest": {"counter": "made", "by": "04:00", "failures": "failed"}},
    )
    days = [
        DayValues(date(2026, 11, 18) - timedelta(n), {"made": made, "failed": failed})
        for n, (made, failed) in enumerate(counts)
    ]
    states = jobs.JobWatch(app).states(days, unix(f"2026-11-18T{clock}:00"))
    state = states["digest"]
    assert (state.verdict, state.done, state.failed) == told
    assert state.usual == 30


def test_a_job_that_counts_no_failures_is_only_late_or_not() -> None:
    app = an_app(
        counters={"made": {}}, jobs={"digest": {"counter": "made", "by": "04:00"}}
    )
    days = [DayValues(date(2026, 11, 18), {"made": 1})]
    state = jobs.JobWatch(app).states(days, unix("2026-11-18T12:00:00"))["digest"]
    assert (state.verdict, state.failed, state.usual) == (0, None, None)
