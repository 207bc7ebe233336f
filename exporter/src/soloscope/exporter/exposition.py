r"""The count families as Prometheus text 0.0.4 or OpenMetrics 1.0.

prometheus_client takes 5 us for a series, and a host with 30 days of history has
thousands in these families; everything else is prometheus_client's
(`soloscope.exporter.families`). A property test proves that both write the same:

    # HELP soloscope_count_total Events counted today in Redis, `<prefix><day>:<name>`
    # TYPE soloscope_count_total counter
    soloscope_count_total{app="languagebuddy",name="conversations"} 31.0

The counters are zero at the app's midnight, which is `_created` in OpenMetrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from soloscope.counts.model import weekday
from soloscope.web.application import preferences

if TYPE_CHECKING:
    from soloscope.counts.model import DayValues, Number, Snapshot

__all__ = [
    "BREAKDOWN",
    "COUNT",
    "DAY",
    "DAY_AGE",
    "OPENMETRICS",
    "TEXT",
    "TIMING",
    "UNIQUE",
    "WINDOW",
    "Family",
    "Format",
    "accepted_format",
    "counts",
    "escape",
    "go_float",
    "lines",
]


class Format(NamedTuple):
    """An exposition format. OpenMetrics has `_created` lines and an end."""

    content_type: str
    openmetrics: bool


TEXT: Final = Format("text/plain; version=0.0.4; charset=utf-8", openmetrics=False)
OPENMETRICS: Final = Format(
    "application/openmetrics-text; version=1.0.0; charset=utf-8", openmetrics=True
)


def accepted_format(accept: str) -> Format:
    """OpenMetrics when the Accept header prefers it, plain text otherwise.

    prometheus_client's choose_encoder ignores weights: it would send OpenMetrics to
    a client that refuses it with `q=0`.
    """
    best = {True: 0.0, False: 0.0}
    for media, parameters, weight in preferences(accept):
        if media == "application/openmetrics-text":
            # 0.0.1 is the draft, with which 1.0.0 is not fully compatible.
            if parameters.get("version", "1.0.0") == "1.0.0":
                best[True] = max(best[True], weight)
        elif media in {"text/plain", "text/*", "*/*"}:
            best[False] = max(best[False], weight)
    return OPENMETRICS if best[True] > 0 and best[True] >= best[False] else TEXT


class Family(NamedTuple):
    """A metric's name without suffix, its kind and its help text."""

    name: str
    kind: Literal["counter", "gauge", "summary"]
    help: str

    def head(self, format: Format) -> str:  # noqa: A002
        """The HELP and TYPE lines."""
        counter = self.kind == "counter" and not format.openmetrics
        name = self.name + ("_total" if counter else "")
        return f"# HELP {name} {self.help}\n# TYPE {name} {self.kind}\n"


COUNT: Final = Family(
    "soloscope_count",
    "counter",
    "Events counted today in Redis, `<prefix><day>:<name>`; zero at the app's midnight",
)
BREAKDOWN: Final = Family(
    "soloscope_breakdown",
    "counter",
    "Events counted today in Redis by key, hash `<prefix><day>:<name>`",
)
UNIQUE: Final = Family(
    "soloscope_unique",
    "gauge",
    "Different ones today, `<prefix><day>:<name>`; an estimate unless declared exact",
)
TIMING: Final = Family(
    "soloscope_timing_seconds",
    "summary",
    "Calls today and the time they took, hash `<prefix><day>:<name>`",
)
WINDOW: Final = Family(
    "soloscope_window",
    "gauge",
    "Total of whole days in the app's zone, today included; calls for a timing",
)
DAY: Final = Family(
    "soloscope_day", "gauge", "Total of one day in the app's zone; calls for a timing"
)
DAY_AGE: Final = Family(
    "soloscope_day_age", "gauge", "How many days ago a day was, and its name"
)


def escape(value: str) -> str:
    """A label's value between its quotes."""
    if value.isidentifier():  # nearly all are
        return value
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def go_float(value: Number) -> str:
    """A number as client libraries write it: Go's exponents, at least one decimal.

    Integers beyond 2^53 lose precision, as in Prometheus.
    """
    if isinstance(value, int) and -1_000_000 < value < 1_000_000:
        return f"{value}.0"
    try:
        text = repr(float(value))
    except OverflowError:
        return "+Inf" if value > 0 else "-Inf"
    dot = text.find(".")
    if dot > 6 and value > 0:
        mantissa = f"{text[0]}.{text[1:dot]}{text[dot + 1 :]}".rstrip("0.")
        return f"{mantissa}e+{dot - 1:02d}"
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text)


def lines(name: str, samples: Iterable[tuple[Mapping[str, str], Number]]) -> str:
    """Sample lines, with labels in alphabetical order."""
    out = []
    for labels, value in samples:
        inner = ",".join(f'{k}="{escape(v)}"' for k, v in sorted(labels.items()))
        braces = f"{{{inner}}}" if inner else ""
        out.append(f"{name}{braces} {go_float(value)}\n")
    return "".join(out)


def counts(snapshots: Sequence[Snapshot], format: Format) -> Iterator[str]:  # noqa: A002
    """Each family's text, with all apps whose Redis answered."""
    writers: dict[Family, Callable[[Snapshot, DayValues, bool], str]] = {
        COUNT: _count,
        BREAKDOWN: _breakdown,
        WINDOW: _window,
        DAY: _day,
        DAY_AGE: _day_age,
    }
    for family, write in writers.items():
        text = "".join(
            write(snapshot, snapshot.today, format.openmetrics)
            for snapshot in snapshots
            if snapshot.today is not None
        )
        if text:
            yield family.head(format) + text


def _count(snapshot: Snapshot, today: DayValues, openmetrics: bool) -> str:
    start = f'app="{escape(snapshot.app.name)}",name="'
    series = [(f'{start}{name}"', value) for name, value in today.counters.items()]
    return _counters(COUNT, series, snapshot, openmetrics)


def _breakdown(snapshot: Snapshot, today: DayValues, openmetrics: bool) -> str:
    start = f'app="{escape(snapshot.app.name)}",key="'
    series = [
        (f'{start}{escape(key)}",name="{name}"', value)
        for name, table in today.breakdowns.items()
        for key, value in table.items()
    ]
    return _counters(BREAKDOWN, series, snapshot, openmetrics)


def _counters(
    family: Family,
    series: Iterable[tuple[str, Number]],
    snapshot: Snapshot,
    openmetrics: bool,
) -> str:
    """The lines of a counter's series, given by their labels."""
    name = family.name
    created = go_float(snapshot.midnight)
    out = [
        f"{name}_total{{{labels}}} {go_float(n)}\n"
        f"{name}_created{{{labels}}} {created}\n"
        if openmetrics
        else f"{name}_total{{{labels}}} {go_float(n)}\n"
        for labels, n in series
    ]
    return "".join(out)


def _window(snapshot: Snapshot, _today: DayValues, _openmetrics: bool) -> str:
    start = f'soloscope_window{{app="{escape(snapshot.app.name)}"'
    out = [
        f'{start},name="{name}",window="{window}"}} {go_float(value)}\n'
        for window, row in snapshot.windows.items()
        for name, value in row.items()
    ]
    for window, tables in snapshot.breakdown_windows.items():
        for name, table in tables.items():
            end = f'",name="{name}",window="{window}"}}'
            out += [
                f'{start},key="{escape(key)}{end} {go_float(value)}\n'
                for key, value in table.items()
            ]
    return "".join(out)


def _day(snapshot: Snapshot, _today: DayValues, _openmetrics: bool) -> str:
    app = escape(snapshot.app.name)
    out = []
    for values in snapshot.days:
        start = f'soloscope_day{{app="{app}",day="{values.day}",name="'
        out += [
            f'{start}{name}"}} {go_float(value)}\n'
            for name, value in values.plain().items()
        ]
    return "".join(out)


def _day_age(snapshot: Snapshot, today: DayValues, _openmetrics: bool) -> str:
    start = f'soloscope_day_age{{app="{escape(snapshot.app.name)}",day="'
    ages = [((today.day - one.day).days, one.day) for one in snapshot.days]
    return "".join(
        [
            f'{start}{day}",weekday="{weekday(day)}"}} {go_float(age)}\n'
            for age, day in ages
        ]
    )
