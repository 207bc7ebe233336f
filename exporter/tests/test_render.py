"""The text formats: exact bytes, and agreement with prometheus_client."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, utils
from prometheus_client import exposition as text_oracle
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics_oracle
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporting import UTC, an_app, configure, declare
from soloscope.counts.jobs import JobState
from soloscope.counts.model import DayValues, Snapshot, midnight
from soloscope.exporter.exposition import (
    BREAKDOWN,
    COUNT,
    DAY,
    DAY_AGE,
    OPENMETRICS,
    TEXT,
    WINDOW,
    Format,
    counts,
    go_float,
)
from soloscope.exporter.families import app_families, encode, metric_info

# These two are not annotated.
go_string: Any = utils.floatToGoString
parse_openmetrics: Any = openmetrics_parser.text_string_to_metric_families

TODAY = date(2026, 11, 18)

PLAIN = """\
# HELP soloscope_count_total Events counted today in Redis, `<prefix><day>:<name>`; \
zero at the app's midnight
# TYPE soloscope_count_total counter
soloscope_count_total{app="shop",name="conversations"} 31.0
soloscope_count_total{app="shop",name="digests_created"} 0.0
# HELP soloscope_breakdown_total Events counted today in Redis by key, hash \
`<prefix><day>:<name>`
# TYPE soloscope_breakdown_total counter
soloscope_breakdown_total{app="shop",key="a\\"b\\\\c\\nd",name="deficiencies"} 4.0
# HELP soloscope_window Total of whole days in the app's zone, today included; calls \
for a timing
# TYPE soloscope_window gauge
soloscope_window{app="shop",name="conversations",window="7d"} 62.0
soloscope_window{app="shop",key="k",name="deficiencies",window="7d"} 5.0
# HELP soloscope_day Total of one day in the app's zone; calls for a timing
# TYPE soloscope_day gauge
soloscope_day{app="shop",day="2026-11-18",name="conversations"} 31.0
soloscope_day{app="shop",day="2026-11-17",name="conversations"} 31.0
# HELP soloscope_day_age How many days ago a day was, and its name
# TYPE soloscope_day_age gauge
soloscope_day_age{app="shop",day="2026-11-18",weekday="Wed"} 0.0
soloscope_day_age{app="shop",day="2026-11-17",weekday="Tue"} 1.0
# HELP soloscope_up Whether the app's Redis answered this scrape
# TYPE soloscope_up gauge
soloscope_up{app="shop"} 1.0
# HELP soloscope_unique Different ones today, `<prefix><day>:<name>`; an estimate \
unless declared exact
# TYPE soloscope_unique gauge
soloscope_unique{app="shop",name="active_users"} 3.0
# HELP soloscope_timing_seconds Calls today and the time they took, hash \
`<prefix><day>:<name>`
# TYPE soloscope_timing_seconds summary
soloscope_timing_seconds_count{app="shop",name="openai"} 3.0
soloscope_timing_seconds_sum{app="shop",name="openai"} 0.745
# HELP soloscope_value The value now, hash `<prefix>now`
# TYPE soloscope_value gauge
soloscope_value{app="shop",name="users_total"} 1.234567e+06
# HELP soloscope_job_late Whether a job had not run five minutes after its time of day
# TYPE soloscope_job_late gauge
soloscope_job_late{app="shop",name="digest"} 1.0
# HELP soloscope_job_last_success_timestamp_seconds When a job last succeeded; the \
deadline of that day when nobody watched
# TYPE soloscope_job_last_success_timestamp_seconds gauge
soloscope_job_last_success_timestamp_seconds{app="shop",name="digest"} 1.7633916e+09
# HELP soloscope_job_verdict A job's last run: 0 well, 1 some failed, 2 few done, 3 \
most failed, 4 late
# TYPE soloscope_job_verdict gauge
soloscope_job_verdict{app="shop",name="digest"} 4.0
# HELP soloscope_job_done What a job's last run did, by its counter
# TYPE soloscope_job_done gauge
soloscope_job_done{app="shop",name="digest"} 0.0
# HELP soloscope_job_failed What failed in a job's last run, by its counter of failures
# TYPE soloscope_job_failed gauge
soloscope_job_failed{app="shop",name="digest"} 3.0
# HELP soloscope_job_usual What a run usually does: the median of the seven days before
# TYPE soloscope_job_usual gauge
soloscope_job_usual{app="shop",name="digest"} 34.5
# HELP soloscope_keys_without_expiry Keys of declared names that Redis would keep for \
ever
# TYPE soloscope_keys_without_expiry gauge
soloscope_keys_without_expiry{app="shop"} 2.0
# HELP soloscope_keys_dropped Breakdown keys left out: above the limit, or too long \
for a label
# TYPE soloscope_keys_dropped gauge
soloscope_keys_dropped{app="shop"} 7.0
# HELP soloscope_metric_info What was declared under a name
# TYPE soloscope_metric_info gauge
soloscope_metric_info{app="shop",help="Started \\"by\\" \\\\ user",kind="counter",\
name="conversations",unit=""} 1.0
"""


AGE = ("app", "day", "weekday")


def a_snapshot() -> Snapshot:
    app = an_app(
        counters={"conversations": {"help": 'Started "by" \\ user'}},
        breakdowns={},
        uniques={},
        timings={},
        gauges={},
    )
    own = DayValues(
        TODAY,
        {"conversations": 31, "digests_created": 0},
        {"deficiencies": {'a"b\\c\nd': 4}},
        {"active_users": 3},
        {"openai": (3, 745)},
    )
    days = tuple(
        DayValues(TODAY - timedelta(days=n), {"conversations": 31}) for n in range(2)
    )
    return Snapshot(
        app,
        up=True,
        today=own,
        midnight=midnight(TODAY, UTC),
        gauges={"users_total": 1234567},
        days=days,
        windows={"7d": {"conversations": 62}},
        breakdown_windows={"7d": {"deficiencies": {"k": 5}}},
        jobs={"digest": JobState(True, 1763391600.0, 0, 3, 34.5)},
        keys_without_expiry=2,
        keys_dropped=7,
    )


def render(snapshot: Snapshot, form: Format) -> bytes:
    metrics = [*app_families([snapshot], form), metric_info([snapshot.app])]
    return "".join(counts([snapshot], form)).encode() + encode(metrics, form)


def test_the_exact_bytes() -> None:
    assert render(a_snapshot(), TEXT).decode() == PLAIN


def test_the_exact_bytes_that_openmetrics_has_besides() -> None:
    text = render(a_snapshot(), OPENMETRICS).decode()
    assert text.endswith("\n# EOF\n")
    assert (
        "# TYPE soloscope_count counter\n"
        'soloscope_count_total{app="shop",name="conversations"} 31.0\n'
        'soloscope_count_created{app="shop",name="conversations"} 1.79496e+09\n'
    ) in text
    assert (
        'soloscope_breakdown_created{app="shop",key="a\\"b\\\\c\\nd",'
        'name="deficiencies"} 1.79496e+09\n'
    ) in text
    assert (
        'soloscope_timing_seconds_sum{app="shop",name="openai"} 0.745\n'
        'soloscope_timing_seconds_created{app="shop",name="openai"} 1.79496e+09\n'
    ) in text
    assert "# TYPE soloscope_metric info\n" in text


def test_redis_away_leaves_nothing_but_that() -> None:
    away = Snapshot(a_snapshot().app, up=False, error="refused")
    left = render(away, TEXT).decode()
    assert [line for line in left.splitlines() if line[0] != "#"] == [
        'soloscope_up{app="shop"} 0.0',
        'soloscope_metric_info{app="shop",help="Started \\"by\\" \\\\ user",'
        'kind="counter",name="conversations",unit=""} 1.0',
    ]


def test_what_is_not_known_is_not_claimed() -> None:
    text = render(replace(a_snapshot(), keys_without_expiry=None), TEXT).decode()
    assert "soloscope_keys_without_expiry" not in text
    assert "soloscope_keys_dropped" in text


# --- agreement with prometheus_client ----------------------------------------------

# Before 0.23 prometheus_client wrote three digits from 1e+010 on.
LARGEST = 1e300 if go_string(1e11) == "1e+11" else 9e9


@given(st.integers() | st.floats(allow_nan=True, allow_infinity=True))
@example(2**53 + 1)
@example(999_999)
@example(1_000_000)
@example(-1_000_000)
@example(10**400)
@example(-(10**400))
@example(-0.0)
def test_numbers_are_written_as_prometheus_client_does(value: float) -> None:
    if isinstance(value, int) and abs(value) > 10**308:
        assert go_float(value) == ("+Inf" if value > 0 else "-Inf")
    elif abs(value) <= LARGEST:
        assert go_float(value) == go_string(value)


names = st.sampled_from(["conversations", "digests_created"])
numbers = st.integers(0, 10**9) | st.floats(0, 1e9)
keys = st.text(
    st.characters(blacklist_categories=["Cs"]) | st.sampled_from('"\\\n{},= '),
    max_size=12,
)
tables = st.dictionaries(keys, numbers, max_size=4)
help_texts = st.text(st.sampled_from('ab"\\\nü '), max_size=12)


@st.composite
def day_values(draw: st.DrawFn, day: date) -> DayValues:
    timing = st.tuples(st.integers(0, 10**9), st.integers(0, 10**9))
    return DayValues(
        day,
        draw(st.dictionaries(names, numbers)),
        draw(st.dictionaries(st.just("deficiencies"), tables)),
        draw(st.dictionaries(st.just("active_users"), st.integers(0, 10**6))),
        draw(st.dictionaries(st.just("openai"), timing)),
    )


windows = st.sampled_from(["1d", "7d", "30d"])


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    today = draw(st.dates(date(2020, 2, 28), date(2030, 1, 1)))
    help_text = draw(help_texts)
    app = an_app(counters={"conversations": {"help": help_text, "unit": "{x}"}})
    own = draw(day_values(today))
    number = st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9)
    return Snapshot(
        app,
        up=True,
        today=own,
        midnight=midnight(today, UTC),
        gauges=draw(st.dictionaries(names, number)),
        days=tuple(
            draw(day_values(today - timedelta(days=n)))
            for n in range(draw(st.integers(0, 3)))
        ),
        windows=draw(st.dictionaries(windows, st.dictionaries(names, numbers))),
        breakdown_windows=draw(
            st.dictionaries(windows, st.dictionaries(st.just("deficiencies"), tables))
        ),
        jobs=draw(
            st.dictionaries(
                st.just("digest"),
                st.builds(JobState, st.booleans(), st.none() | st.floats(1e9, 2e9)),
            )
        ),
        keys_without_expiry=draw(st.integers(0, 10**7)),
        keys_dropped=draw(st.integers(0, 10**7)),
    )


class Textbook:
    """The large families of a snapshot as prometheus_client's."""

    def __init__(self, snapshot: Snapshot, om: bool) -> None:
        self.snapshot = snapshot
        self.om = om

    def collect(self) -> Iterable[Metric]:
        return [metric for metric in self._all() if metric.samples]

    def _all(self) -> Iterator[Metric]:
        s, app = self.snapshot, self.snapshot.app
        today = s.today
        assert today is not None
        created = s.midnight if self.om else None
        count = CounterMetricFamily(COUNT.name, COUNT.help, labels=["app", "name"])
        for name, value in today.counters.items():
            count.add_metric([app.name, name], value, created=created)
        yield count
        breakdown = CounterMetricFamily(
            BREAKDOWN.name, BREAKDOWN.help, labels=["app", "name", "key"]
        )
        for name, table in today.breakdowns.items():
            for key, value in table.items():
                breakdown.add_metric([app.name, name, key], value, created=created)
        yield breakdown
        window = GaugeMetricFamily(WINDOW.name, WINDOW.help)
        for label, row in s.windows.items():
            for name, value in row.items():
                labels = {"app": app.name, "name": name, "window": label}
                window.add_sample("soloscope_window", labels, value)
        for label, by_name in s.breakdown_windows.items():
            for name, table in by_name.items():
                for key, value in table.items():
                    labels = {"app": app.name, "name": name, "window": label}
                    labels["key"] = key
                    window.add_sample("soloscope_window", labels, value)
        yield window
        day = GaugeMetricFamily(DAY.name, DAY.help, labels=["app", "day", "name"])
        for values in s.days:
            for name, value in values.plain().items():
                day.add_metric([app.name, str(values.day), name], value)
        yield day
        age = GaugeMetricFamily(DAY_AGE.name, DAY_AGE.help, labels=AGE)
        for values in s.days:
            ago = (today.day - values.day).days
            age.add_metric([app.name, str(values.day), f"{values.day:%a}"], ago)
        yield age


def oracle(snapshot: Snapshot, form: Format) -> str:
    registry = CollectorRegistry()
    collector: Any = Textbook(snapshot, form.openmetrics)
    registry.register(collector)
    generate: Any = text_oracle.generate_latest
    if form.openmetrics:
        generate = openmetrics_oracle.generate_latest
    return bytes(generate(registry)).decode().removesuffix("# EOF\n")


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
@settings(max_examples=60)
@given(snapshot=snapshots())
def test_both_say_the_same_bytes(form: Format, snapshot: Snapshot) -> None:
    assert "".join(counts([snapshot], form)) == oracle(snapshot, form)


@settings(max_examples=40)
@given(snapshots())
def test_the_parsers_read_it_back(snapshot: Snapshot) -> None:
    text = render(snapshot, TEXT).decode()
    read = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }
    assert snapshot.today is not None
    for name, table in snapshot.today.breakdowns.items():
        for key, value in table.items():
            labels = (("app", "shop"), ("key", key), ("name", name))
            assert read["soloscope_breakdown_total", *labels] == pytest.approx(value)


def test_the_openmetrics_parser_reads_it() -> None:
    read = {
        f.name: f for f in parse_openmetrics(render(a_snapshot(), OPENMETRICS).decode())
    }
    assert read["soloscope_count"].type == "counter"
    assert read["soloscope_timing_seconds"].type == "summary"
    assert read["soloscope_metric"].type == "info"


def test_promtool_finds_nothing(promtool: str) -> None:
    config = configure(declare("/x"))
    snapshot = replace(a_snapshot(), app=config.apps["shop"])
    text = render(snapshot, TEXT)
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
