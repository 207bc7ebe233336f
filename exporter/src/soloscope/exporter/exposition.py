r"""Snapshots as Prometheus text 0.0.4 or OpenMetrics 1.0, written directly.

prometheus_client takes about 5 us for a series, and rendering is most of a scrape; a
remembered line start and the number take a tenth of that. The result is byte for byte
what prometheus_client writes, which a property test holds. A sample:

    # HELP soloscope_count_total Events counted today in Redis, `<prefix><day>:<name>`
    # TYPE soloscope_count_total counter
    soloscope_count_total{app="languagebuddy",name="conversations"} 31.0

The counters are zero at the app's midnight, which OpenMetrics says as `_created`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from datetime import date

    from soloscope.config import App
    from soloscope.counts.model import DayValues, Number, Snapshot

__all__ = [
    "FAMILIES",
    "OPENMETRICS",
    "TEXT",
    "AppRenderer",
    "Family",
    "Format",
    "document",
    "escape",
    "families",
    "go_float",
    "lines",
]

Kind = Literal["counter", "gauge", "summary", "info"]


class Format(NamedTuple):
    """An exposition format. OpenMetrics has `_created` lines and an end."""

    content_type: str
    openmetrics: bool


TEXT: Final = Format("text/plain; version=0.0.4; charset=utf-8", openmetrics=False)
OPENMETRICS: Final = Format(
    "application/openmetrics-text; version=1.0.0; charset=utf-8", openmetrics=True
)


class Family(NamedTuple):
    """A metric's name without suffix, its kind and its help text."""

    name: str
    kind: Kind
    help: str

    @lru_cache(128)  # noqa: B019 (families live as long as the process)
    def head(self, format: Format) -> str:  # noqa: A002
        """The HELP and TYPE lines."""
        name, kind, text = self.name, self.kind, self.help.replace("\\", r"\\")
        text = text.replace("\n", r"\n")
        if format.openmetrics:
            text = text.replace('"', r"\"")
        elif kind == "counter":
            name += "_total"
        elif kind == "info":
            # Prometheus' own format knows no info.
            name, kind = name + "_info", "gauge"
        return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


UP: Final = Family(
    "soloscope_up", "gauge", "Whether the app's Redis answered this scrape"
)
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
GAUGE: Final = Family("soloscope_value", "gauge", "The value now, hash `<prefix>now`")
WINDOW: Final = Family(
    "soloscope_window",
    "gauge",
    "Total of whole days in the app's zone, today included; calls for a timing",
)
DAY: Final = Family(
    "soloscope_day", "gauge", "Total of one day in the app's zone; calls for a timing"
)
DAY_AGE: Final = Family("soloscope_day_age", "gauge", "How many days ago a day was")
METRIC: Final = Family("soloscope_metric", "info", "What was declared under a name")
JOB_LATE: Final = Family(
    "soloscope_job_late",
    "gauge",
    "Whether a job had not run five minutes after its time of day",
)
JOB_SUCCESS: Final = Family(
    "soloscope_job_last_success_timestamp_seconds",
    "gauge",
    "When a job last succeeded; the deadline of that day when nobody watched",
)
WITHOUT_EXPIRY: Final = Family(
    "soloscope_keys_without_expiry",
    "gauge",
    "Keys of declared names that Redis would keep for ever",
)
DROPPED: Final = Family(
    "soloscope_keys_dropped",
    "gauge",
    "Breakdown keys left out: above the limit, or too long for a label",
)
FAMILIES: Final = (
    UP,
    COUNT,
    BREAKDOWN,
    UNIQUE,
    TIMING,
    GAUGE,
    WINDOW,
    DAY,
    DAY_AGE,
    METRIC,
    JOB_LATE,
    JOB_SUCCESS,
    WITHOUT_EXPIRY,
    DROPPED,
)


# From here on Go writes an exponent.
_LONG: Final = 1_000_000
_INTEGER: Final = frozenset({int})


def escape(value: str) -> str:
    """A label's value between its quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def go_float(value: Number) -> str:
    """A number as client libraries write it: Go's exponents, at least one decimal.

    Integers beyond 2^53 lose what a float cannot hold, as they do in Prometheus.
    """
    if -_LONG < value < _LONG and isinstance(value, int):
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
    """Sample lines for what is rare: labels in the order of the alphabet."""
    out = []
    for labels, value in samples:
        inner = ",".join(f'{k}="{escape(v)}"' for k, v in sorted(labels.items()))
        braces = f"{{{inner}}}" if inner else ""
        out.append(f"{name}{braces} {go_float(value)}\n")
    return "".join(out)


class _Slot:
    """The text that was last made of some objects; valid while they are the same."""

    __slots__ = ("source", "text")

    def __init__(self) -> None:
        self.source: tuple[object, ...] = ()
        self.text = ""


class _Texts(dict["int | float", str]):
    """`go_float` of numbers, remembered for as many integers as are usual."""

    def __missing__(self, value: Number) -> str:
        text = go_float(value)
        if type(value) is int and len(self) < 4096:
            self[value] = text
        return text


class _Lines:
    """Lines of which only the values change: a text with a hole for each value.

    All holes are filled at once. This is where a scrape spends its time, so the holes
    are made for what usually stands there: integers that `go_float` would write with
    all their digits.
    """

    __slots__ = ("_make", "_names", "_text", "_texts", "_whole")

    def __init__(self, make: Callable[[str, str], str], texts: _Texts) -> None:
        self._make = make
        self._texts = texts
        self._names: tuple[str, ...] = ()
        self._text = ""
        self._whole = True

    def fill(self, values: Mapping[str, Number]) -> str:
        """The lines of these names and values."""
        names = tuple(values)
        numbers = tuple(values.values())
        whole = _INTEGER.issuperset(map(type, numbers)) and (
            not numbers or (max(numbers) < _LONG and min(numbers) > -_LONG)
        )
        if names != self._names or whole is not self._whole:
            hole = "%d.0" if whole else "%s"
            self._text = "".join([self._make(name, hole) for name in names])
            self._names, self._whole = names, whole
        if whole:
            return self._text % numbers
        return self._text % tuple(map(self._texts.__getitem__, numbers))


class AppRenderer:
    """The lines of one app, family by family. Not thread-safe."""

    def __init__(self, app: App, format: Format) -> None:  # noqa: A002
        self._openmetrics = format.openmetrics
        label = f'app="{escape(app.name)}"'
        self._app = label
        self._texts = _Texts()
        self._known: dict[tuple[str, ...], _Lines] = {}
        self._midnight = 0.0
        self._slots = {family: _Slot() for family in FAMILIES}
        self._day_texts: dict[date, tuple[DayValues, str]] = {}
        self._info = _metric_info(app)

    def render(self, snapshot: Snapshot) -> dict[Family, str]:
        """The lines of each family; what is unchanged is not written anew.

        A snapshot that is not up has only what does not come from Redis.
        """
        texts = {METRIC: self._info}
        if snapshot.app.redis is None:
            return texts
        texts[UP] = f"soloscope_up{{{self._app}}} {float(snapshot.up)}\n"
        today = snapshot.today
        if not snapshot.up or today is None:
            return texts
        own = (today, snapshot.midnight)
        if snapshot.midnight != self._midnight:
            # It is part of the lines.
            self._midnight = snapshot.midnight
            self._known.clear()
        created = go_float(snapshot.midnight) if self._openmetrics else None
        days = tuple(snapshot.days)
        texts |= {
            COUNT: self._once(COUNT, own, lambda: self._counts(today, created)),
            BREAKDOWN: self._once(BREAKDOWN, own, lambda: self._keys(today, created)),
            UNIQUE: self._once(UNIQUE, own, lambda: self._named(UNIQUE, today.uniques)),
            TIMING: self._once(TIMING, own, lambda: self._timings(today, created)),
            GAUGE: self._named(GAUGE, snapshot.gauges),
            WINDOW: self._once(
                WINDOW,
                (snapshot.windows, snapshot.breakdown_windows),
                lambda: self._windows(snapshot),
            ),
            DAY: self._once(DAY, days, lambda: self._days(days)),
            DAY_AGE: self._once(
                DAY_AGE, (today.day, *days), lambda: self._ages(today.day, days)
            ),
            JOB_LATE: self._named(
                JOB_LATE, {n: int(s.late) for n, s in snapshot.jobs.items()}
            ),
            JOB_SUCCESS: self._named(
                JOB_SUCCESS,
                {
                    n: state.last_success
                    for n, state in snapshot.jobs.items()
                    if state.last_success is not None
                },
            ),
            WITHOUT_EXPIRY: (
                f"{WITHOUT_EXPIRY.name}{{{self._app}}} "
                f"{go_float(snapshot.keys_without_expiry)}\n"
            ),
            DROPPED: (
                f"{DROPPED.name}{{{self._app}}} {go_float(snapshot.keys_dropped)}\n"
            ),
        }
        return texts

    def _once(
        self, family: Family, source: tuple[object, ...], make: Callable[[], str]
    ) -> str:
        """The text made before, when it was made of the same objects."""
        slot = self._slots[family]
        if len(slot.source) != len(source) or any(
            a is not b and not (isinstance(a, float) and a == b)
            for a, b in zip(slot.source, source, strict=True)
        ):
            slot.text, slot.source = make(), source
        return slot.text

    def _named(self, family: Family, values: Mapping[str, Number]) -> str:
        return self._lines(family.name).fill(values)

    def _lines(
        self,
        metric: str,
        name: str = "",
        window: str = "",
        day: str = "",
        created: str | None = None,
    ) -> _Lines:
        """The lines of a metric; with `name` they are by key, else by name.

        With `created`, each is followed by the counter's `_created`.
        """
        known = self._known.get((metric, name, window))
        if known is None or day:
            before = f'{self._app},day="{day}"' if day else self._app
            after = f',window="{window}"' if window else ""
            beginning = f"{metric.removesuffix('_total')}_created"

            def make(key: str, hole: str) -> str:
                own = f'key="{escape(key)}",name="{name}"' if name else f'name="{key}"'
                labels = f"{{{before},{own}{after}}}".replace("%", "%%")
                line = f"{metric}{labels} {hole}\n"
                return (
                    line
                    if created is None
                    else f"{line}{beginning}{labels} {created}\n"
                )

            known = _Lines(make, self._texts)
            if not day:
                self._known[metric, name, window] = known
        return known

    def _counts(self, today: DayValues, created: str | None) -> str:
        lines = self._lines("soloscope_count_total", created=created)
        return lines.fill(today.counters)

    def _keys(self, today: DayValues, created: str | None) -> str:
        metric = "soloscope_breakdown_total"
        return "".join(
            [
                self._lines(metric, name, created=created).fill(table)
                for name, table in today.breakdowns.items()
            ]
        )

    def _timings(self, today: DayValues, created: str | None) -> str:
        out = []
        for name, (count, milliseconds) in today.timings.items():
            labels = f'{{{self._app},name="{name}"}}'
            out.append(
                f"soloscope_timing_seconds_count{labels} {go_float(count)}\n"
                f"soloscope_timing_seconds_sum{labels} "
                f"{go_float(milliseconds / 1000)}\n"
            )
            if created is not None:
                out.append(f"soloscope_timing_seconds_created{labels} {created}\n")
        return "".join(out)

    def _windows(self, snapshot: Snapshot) -> str:
        out = [
            self._lines("soloscope_window", "", window).fill(row)
            for window, row in snapshot.windows.items()
        ]
        for window, tables in snapshot.breakdown_windows.items():
            out += [
                self._lines("soloscope_window", name, window).fill(table)
                for name, table in tables.items()
            ]
        return "".join(out)

    def _days(self, days: Sequence[DayValues]) -> str:
        texts: dict[date, tuple[DayValues, str]] = {}
        for values in days:
            known = self._day_texts.get(values.day)
            if known is None or known[0] is not values:
                text = self._lines("soloscope_day", day=str(values.day))
                known = (values, text.fill(values.plain()))
            texts[values.day] = known
        self._day_texts = texts
        return "".join([text for _, text in texts.values()])

    def _ages(self, today: date, days: Sequence[DayValues]) -> str:
        return "".join(
            [
                f'soloscope_day_age{{{self._app},day="{values.day}"}} '
                f"{go_float((today - values.day).days)}\n"
                for values in days
            ]
        )


def _metric_info(app: App) -> str:
    rows: list[tuple[str, str, str, str]] = []
    rows += [(n, "counter", c.unit, c.help) for n, c in app.counters.items()]
    rows += [(n, "breakdown", "", b.help) for n, b in app.breakdowns.items()]
    rows += [(n, "unique", "", u.help) for n, u in app.uniques.items()]
    rows += [(n, "timing", "seconds", t.help) for n, t in app.timings.items()]
    rows += [(n, "gauge", g.unit, g.help) for n, g in app.gauges.items()]
    return lines(
        "soloscope_metric_info",
        (
            ({"app": app.name, "name": n, "kind": k, "unit": u, "help": h}, 1)
            for n, k, u, h in rows
        ),
    )


def families(
    texts: Sequence[Mapping[Family, str]],
    format: Format,  # noqa: A002
) -> Iterable[str]:
    """All families of all apps, the lines of one family together."""
    for family in FAMILIES:
        parts = [text[family] for text in texts if text.get(family)]
        if parts:
            yield family.head(format)
            yield from parts


def document(parts: Iterable[str], format: Format) -> bytes:  # noqa: A002
    """The whole answer."""
    end = "# EOF\n" if format.openmetrics else ""
    return ("".join(parts) + end).encode()
