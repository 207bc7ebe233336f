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
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.openmetrics import exposition as openmetrics_oracle
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporting import UTC, an_app, configure, declare
from soloscope.counts.model import DayValues, JobState, Snapshot, midnight
from soloscope.exporter.exposition import (
    OPENMETRICS,
    TEXT,
    AppRenderer,
    Format,
    document,
    families,
    go_float,
)
from soloscope.exporter.process import ProcessMetrics

# These two are not annotated.
go_string: Any = utils.floatToGoString
parse_openmetrics: Any = openmetrics_parser.text_string_to_metric_families

TODAY = date(2026, 11, 18)

PLAIN = """\
# HELP soloscope_up Whether the app's Redis answered this scrape
# TYPE soloscope_up gauge
soloscope_up{app="shop"} 1.0
# HELP soloscope_count_total Events counted today in Redis, `<prefix><day>:<name>`; \
zero at the app's midnight
# TYPE soloscope_count_total counter
soloscope_count_total{app="shop",name="conversations"} 31.0
soloscope_count_total{app="shop",name="digests_created"} 0.0
# HELP soloscope_breakdown_total Events counted today in Redis by key, hash \
`<prefix><day>:<name>`
# TYPE soloscope_breakdown_total counter
soloscope_breakdown_total{app="shop",key="a\\"b\\\\c\\nd",name="deficiencies"} 4.0
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
# HELP soloscope_window Total of whole days in the app's zone, today included; calls \
for a timing
# TYPE soloscope_window gauge
soloscope_window{app="shop",name="conversations",window="7d"} 62.0
soloscope_window{app="shop",key="k",name="deficiencies",window="7d"} 5.0
# HELP soloscope_day Total of one day in the app's zone; calls for a timing
# TYPE soloscope_day gauge
soloscope_day{app="shop",day="2026-11-18",name="conversations"} 31.0
soloscope_day{app="shop",day="2026-11-17",name="conversations"} 31.0
# HELP soloscope_day_age How many days ago a day was
# TYPE soloscope_day_age gauge
soloscope_day_age{app="shop",day="2026-11-18"} 0.0
soloscope_day_age{app="shop",day="2026-11-17"} 1.0
# HELP soloscope_metric_info What was declared under a name
# TYPE soloscope_metric_info gauge
soloscope_metric_info{app="shop",help="Started \\"by\\" \\\\ user",kind="counter",\
name="conversations",unit=""} 1.0
# HELP soloscope_job_late Whether a job had not run five minutes after its time of day
# TYPE soloscope_job_late gauge
soloscope_job_late{app="shop",name="digest"} 1.0
# HELP soloscope_job_last_success_timestamp_seconds When a job last succeeded; the \
deadline of that day when nobody watched
# TYPE soloscope_job_last_success_timestamp_seconds gauge
soloscope_job_last_success_timestamp_seconds{app="shop",name="digest"} 1.7633916e+09
# HELP soloscope_keys_without_expiry Keys of declared names that Redis would keep for \
ever
# TYPE soloscope_keys_without_expiry gauge
soloscope_keys_without_expiry{app="shop"} 2.0
# HELP soloscope_keys_dropped Breakdown keys left out: above the limit, or too long \
for a label
# TYPE soloscope_keys_dropped gauge
soloscope_keys_dropped{app="shop"} 7.0
"""


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
        jobs={"digest": JobState(True, 1763391600.0)},
        keys_without_expiry=2,
        keys_dropped=7,
    )


def render(snapshot: Snapshot, form: Format) -> bytes:
    texts = AppRenderer(snapshot.app, form).render(snapshot)
    return document(families([texts], form), form)


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
    renderer = AppRenderer(away.app, TEXT)
    before = b"".join(t.encode() for t in renderer.render(a_snapshot()).values())
    assert b"soloscope_count_total" in before
    left = document(families([renderer.render(away)], TEXT), TEXT).decode()
    assert [line for line in left.splitlines() if line[0] != "#"] == [
        'soloscope_up{app="shop"} 0.0',
        'soloscope_metric_info{app="shop",help="Started \\"by\\" \\\\ user",'
        'kind="counter",name="conversations",unit=""} 1.0',
    ]


def test_unchanged_parts_are_not_written_again_and_changed_ones_are() -> None:
    renderer = AppRenderer(a_snapshot().app, TEXT)
    first = a_snapshot()
    one = renderer.render(first)
    assert renderer.render(first) == one
    assert first.today is not None
    other = replace(
        first,
        today=replace(first.today, counters={"conversations": 32}),
        days=(DayValues(TODAY, {"conversations": 32}), *first.days[1:]),
    )
    two = "".join(renderer.render(other).values())
    assert 'soloscope_count_total{app="shop",name="conversations"} 32.0' in two
    assert 'day="2026-11-18",name="conversations"} 32.0' in two
    assert 'day="2026-11-17",name="conversations"} 31.0' in two
    tomorrow = replace(first, midnight=first.midnight + 86400)
    om = AppRenderer(first.app, OPENMETRICS)
    assert om.render(first) != om.render(tomorrow)


# --- agreement with prometheus_client ----------------------------------------------

# Before 0.23 prometheus_client wrote three digits from 1e+010 on.
LARGEST = 1e300 if go_string(1e11) == "1e+11" else 9e9


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
def test_what_is_remembered_changes_no_byte(form: Format) -> None:
    """The same as a renderer that has not rendered before, whatever came before."""
    first = a_snapshot()
    own = first.today
    assert own is not None
    more = replace(
        own,
        counters={**own.counters, "conversations": 2_000_000, "half": 0.5},
        breakdowns={"deficiencies": {"100%s": 4, "%d": 1.0, 'a"b\\c\nd': 4}},
    )
    tomorrow = TODAY + timedelta(days=1)
    snapshots = [
        first,
        replace(first, today=more),
        replace(first, today=replace(more, breakdowns={"deficiencies": {"100%s": 5}})),
        replace(first, today=None, up=False),
        replace(
            first,
            today=replace(own, day=tomorrow),
            midnight=midnight(tomorrow, UTC),
            windows={"7d": {"conversations": 63}, "30d": {"conversations": 63}},
        ),
        first,
    ]
    renderer = AppRenderer(first.app, form)
    for snapshot in snapshots:
        known = document(families([renderer.render(snapshot)], form), form)
        assert known == render(snapshot, form)


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
counts = st.integers(0, 10**9) | st.floats(0, 1e9)
keys = st.text(
    st.characters(blacklist_categories=["Cs"]) | st.sampled_from('"\\\n{},= '),
    max_size=12,
)
tables = st.dictionaries(keys, counts, max_size=4)
help_texts = st.text(st.sampled_from('ab"\\\nü '), max_size=12)


@st.composite
def day_values(draw: st.DrawFn, day: date) -> DayValues:
    timing = st.tuples(st.integers(0, 10**9), st.integers(0, 10**9))
    return DayValues(
        day,
        draw(st.dictionaries(names, counts)),
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
        windows=draw(st.dictionaries(windows, st.dictionaries(names, counts))),
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
    """A snapshot as prometheus_client's metric families."""

    def __init__(self, snapshot: Snapshot, helps: dict[str, str], om: bool) -> None:
        self.snapshot = snapshot
        self.helps = helps
        self.om = om

    def collect(self) -> Iterable[Metric]:
        return [metric for metric in self._all() if metric.samples]

    def _all(self) -> Iterator[Metric]:
        s, app = self.snapshot, self.snapshot.app
        today = s.today
        assert today is not None
        created = s.midnight if self.om else None

        def gauge(name: str, *labels: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(name, self.helps[name], labels=["app", *labels])

        up = gauge("soloscope_up")
        up.add_metric([app.name], s.up)
        yield up
        count = CounterMetricFamily(
            "soloscope_count", self.helps["soloscope_count"], labels=["app", "name"]
        )
        for name, value in today.counters.items():
            count.add_metric([app.name, name], value, created=created)
        yield count
        breakdown = CounterMetricFamily(
            "soloscope_breakdown",
            self.helps["soloscope_breakdown"],
            labels=["app", "name", "key"],
        )
        for name, table in today.breakdowns.items():
            for key, value in table.items():
                breakdown.add_metric([app.name, name, key], value, created=created)
        yield breakdown
        unique = gauge("soloscope_unique", "name")
        for name, size in today.uniques.items():
            unique.add_metric([app.name, name], size)
        yield unique
        timing = SummaryMetricFamily(
            "soloscope_timing_seconds",
            self.helps["soloscope_timing_seconds"],
            labels=["app", "name"],
        )
        for name, (calls, milliseconds) in today.timings.items():
            timing.add_metric([app.name, name], calls, milliseconds / 1000)
            if created is not None:
                labels = {"app": app.name, "name": name}
                timing.add_sample("soloscope_timing_seconds_created", labels, created)
        yield timing
        now = gauge("soloscope_value", "name")
        for name, value in s.gauges.items():
            now.add_metric([app.name, name], value)
        yield now
        window = gauge("soloscope_window")
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
        day = gauge("soloscope_day", "day", "name")
        age = gauge("soloscope_day_age", "day")
        for values in s.days:
            for name, value in values.plain().items():
                day.add_metric([app.name, str(values.day), name], value)
            age.add_metric([app.name, str(values.day)], (today.day - values.day).days)
        yield day
        yield age
        info = InfoMetricFamily(
            "soloscope_metric",
            self.helps["soloscope_metric"],
            labels=["app", "name", "kind"],
        )
        for kind, table_of in (
            ("counter", app.counters),
            ("breakdown", app.breakdowns),
            ("unique", app.uniques),
            ("timing", app.timings),
            ("gauge", app.gauges),
        ):
            for name, one in table_of.items():
                unit = "seconds" if kind == "timing" else getattr(one, "unit", "")
                told = {"unit": unit, "help": one.help}
                info.add_metric([app.name, name, kind], told)
        yield info
        late = gauge("soloscope_job_late", "name")
        success = gauge("soloscope_job_last_success_timestamp_seconds", "name")
        for name, state in s.jobs.items():
            late.add_metric([app.name, name], state.late)
            if state.last_success is not None:
                success.add_metric([app.name, name], state.last_success)
        yield late
        yield success
        without = gauge("soloscope_keys_without_expiry")
        without.add_metric([app.name], s.keys_without_expiry)
        yield without
        dropped = gauge("soloscope_keys_dropped")
        dropped.add_metric([app.name], s.keys_dropped)
        yield dropped


def oracle(snapshot: Snapshot, form: Format) -> bytes:
    from soloscope.exporter.exposition import FAMILIES

    registry = CollectorRegistry()
    helps = {family.name: family.help for family in FAMILIES}
    collector: Any = Textbook(snapshot, helps, form.openmetrics)
    registry.register(collector)
    generate: Any = text_oracle.generate_latest
    if form.openmetrics:
        generate = openmetrics_oracle.generate_latest
    return bytes(generate(registry))


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
@settings(max_examples=60)
@given(snapshot=snapshots())
def test_both_say_the_same_bytes(form: Format, snapshot: Snapshot) -> None:
    assert render(snapshot, form) == oracle(snapshot, form)


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


# --- our own process ---------------------------------------------------------------


def test_process_metrics_have_the_names_of_prometheus_client() -> None:
    from prometheus_client import ProcessCollector

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    theirs = {m.name: m for m in registry.collect()}
    text = ProcessMetrics().render(TEXT)
    ours = {m.name: m for m in parse_text(text)}
    assert ours.keys() == theirs.keys()
    for name, metric in ours.items():
        assert metric.type == theirs[name].type
        assert metric.documentation == theirs[name].documentation
        value, other = metric.samples[0].value, theirs[name].samples[0].value
        assert value == pytest.approx(other, rel=0.3, abs=2)


def test_promtool_finds_nothing(promtool: str) -> None:
    config = configure(declare("/x"))
    snapshot = replace(a_snapshot(), app=config.apps["shop"])
    text = render(snapshot, TEXT) + ProcessMetrics().render(TEXT).encode()
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
