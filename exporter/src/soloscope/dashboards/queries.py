"""The panels' queries, with and without Prometheus.

`FromPrometheus` queries the metrics that `soloscope serve` exports. `FromLoki`
queries the same numbers in the log lines that `soloscope serve` prints every 15
minutes when there is no Prometheus. Logs come from Loki in both.

Two rules apply everywhere. One metric has several units under its label
`name`, so every query selects one name and nothing is ever summed over names.
And every range aggregation over log lines groups by labels that it names:
structured metadata would otherwise make a series of each conversation.

An instant query answers for the end of the time range. Days are as many as the time
range is long, the last one being the day of its end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from soloscope.dashboards.grafana import Kind, Query

#: Events of the app that the activity stream shows beside its errors and warnings.
QUIET = "request|http_request|metrics_.+"

#: The app's lines, and those of them that report errors.
APP = '{app="$app"}'
APP_ERRORS = '{app="$app",level=~"error|fatal"}'

#: How long a finished day is shown after soloscope has stopped.
STAYS = "1h"

WEEK = "7d"

JobFigure = Literal["verdict", "done", "failed", "usual", "last_success"]
#: Which days of a time range: those that are over, the one that is not, all.
Days = Literal["over", "today", "all"]


@dataclass(frozen=True)
class Source(ABC):
    """The source of an app's numbers. Names are those of its declaration.

    `app` is a name, or the variable of the dashboard. The private methods give the
    expressions, in the language of `kind`.
    """

    app: str = "$app"
    kind: ClassVar[Kind]

    def about(self, app: str) -> Self:
        """The same for one app."""
        return replace(self, app=app)

    def gauge(self, name: str) -> Query:
        """The gauge's value now."""
        return Query(self.kind, self._gauge(name))

    def window(self, name: str, window: str) -> Query:
        """A count, or an estimate of uniques, over `1d` (today), `7d`, `30d`."""
        return Query(self.kind, self._window(name, window))

    def week_ago(self, name: str) -> Query:
        """The whole count of the same weekday a week ago."""
        return Query(self.kind, self._week_ago(name))

    def ratio(
        self, part: str, of: Sequence[str], window: str = WEEK, of_days: str = ""
    ) -> Query:
        """A name as a share of others' sum; nothing when that is 0.

        Names have their kind before them: `gauges.users_total`. `of_days` is the
        window of the others, where it is another.
        """

        def number(name: str, days: str = window) -> str:
            kind, _, own = name.partition(".")
            return self._gauge(own) if kind == "gauges" else self._window(own, days)

        whole = " + ".join(number(name, of_days or window) for name in of)
        if len(of) > 1:
            whole = f"({whole})"
        return Query(self.kind, f"{number(part)} / ({whole} > 0)")

    def average(
        self, timing: str, least: int | None = None, most: int | None = None
    ) -> Query:
        """Seconds that a call took on average today; nothing without calls.

        With `least` or `most` only when there were so many calls.
        """
        return Query(self.kind, self._average(timing, least or 1, most))

    def calls(self, timing: str) -> Query:
        """How many calls there were today."""
        return self.window(timing, "1d")

    def per_day(self, name: str, days: Days = "all", above: int | None = None) -> Query:
        """A table `day`, `date`, `Value` of the days in the time range.

        `date` is `Wed 2026-11-18`. With `above` only the days with more than that.
        """
        expr = self._per_day(name, days)
        if above is not None:
            expr = f"({expr}) > {above}"
        return Query(self.kind, expr, how="table")

    def top(self, breakdown: str, count: int, window: str = WEEK) -> Query:
        """A table `key`, `Value` of a breakdown's largest in a window."""
        return Query(self.kind, self._top(breakdown, count, window), how="table")

    def up(self) -> Query:
        """1 when soloscope can read the app's counts, 0 when it cannot."""
        return Query(self.kind, self._up())

    def job(self, name: str, figure: JobFigure) -> Query:
        """A figure of a job's last run; the last success in milliseconds of Unix."""
        return Query(self.kind, self._job(name, figure))

    def checks(self) -> Query:
        """1 for each health check that is well, 0 for each that is not."""
        return Query(self.kind, self._checks(), legend="{{name}}")

    @abstractmethod
    def _gauge(self, name: str) -> str: ...

    @abstractmethod
    def _window(self, name: str, window: str) -> str: ...

    @abstractmethod
    def _week_ago(self, name: str) -> str: ...

    @abstractmethod
    def _average(self, timing: str, least: int, most: int | None) -> str: ...

    @abstractmethod
    def _per_day(self, name: str, days: Days) -> str: ...

    @abstractmethod
    def _top(self, breakdown: str, count: int, window: str) -> str: ...

    @abstractmethod
    def _up(self) -> str: ...

    @abstractmethod
    def _job(self, name: str, figure: JobFigure) -> str: ...

    @abstractmethod
    def _checks(self) -> str: ...

    # From Loki in both forms.

    @property
    def lines(self) -> str:
        """The app's lines."""
        return f'{{app="{self.app}"}}'

    @property
    def error_lines(self) -> str:
        """Those of them that report errors."""
        return f'{{app="{self.app}",level=~"error|fatal"}}'

    def errors(self, window: str) -> Query:
        """Error lines of the app in `window`; 0 only when it wrote lines at all.

        The last part never matches. With it Loki (3.6) queries the whole window once;
        without it, once for each hour, which takes ten times as long.
        """
        found, all_lines = (
            f"sum by (app) (count_over_time({selector} [{window}]))"
            for selector in (self.error_lines, self.lines)
        )
        return Query("loki", f"{found} or 0 * {all_lines} or vector(0) < 0")


@dataclass(frozen=True)
class FromPrometheus(Source):
    """From Prometheus.

    One soloscope gives each series once. `max` and not `sum`, because for five
    minutes after it moved to another port it is there twice.
    """

    kind = "prometheus"

    def _one(self, metric: str, by: str = "app", **labels: str) -> str:
        """One series of `metric` for the app, with these exact labels."""
        wanted = {"app": self.app, **labels}
        matchers = ",".join(f'{key}="{value}"' for key, value in wanted.items())
        return f"max by ({by}) ({metric}{{{matchers}}})"

    def _gauge(self, name: str) -> str:
        return self._one("soloscope_value", name=name)

    def _window(self, name: str, window: str) -> str:
        return self._one("soloscope_window", name=name, window=window)

    def _day(self, name: str) -> str:
        """The count of each day, for a while also after soloscope has stopped."""
        return (
            f'last_over_time(soloscope_day{{app="{self.app}",name="{name}"}}[{STAYS}])'
        )

    @property
    def _age(self) -> str:
        """How many days ago each day was, with its weekday."""
        age = f'last_over_time(soloscope_day_age{{app="{self.app}"}}[{STAYS}])'
        return f"max by (app, day, weekday) ({age})"

    def _week_ago(self, name: str) -> str:
        return f"max by (app) ({self._day(name)} and on (app, day) {self._age} == 7)"

    def _average(self, timing: str, least: int, most: int | None) -> str:
        seconds = self._one("soloscope_timing_seconds_sum", name=timing)
        calls = self._one("soloscope_timing_seconds_count", name=timing)
        upper = "" if most is None else f" <= {most}"
        return f"{seconds} / ({calls} >= {least}{upper})"

    def _per_day(self, name: str, days: Days) -> str:
        age = {
            "over": f"({self._age} > 0 < $__range_s / 86400)",
            "today": f"({self._age} == 0)",
            "all": f"({self._age} < $__range_s / 86400)",
        }[days]
        # A number to the power of 0 is 1.
        counts = f"{self._day(name)} * on (app, day) group_left (weekday) {age} ^ 0"
        return (
            f'max by (day, date) (label_join({counts}, "date", " ", "weekday", "day"))'
        )

    def _top(self, breakdown: str, count: int, window: str) -> str:
        return (
            f"sort_desc(topk({count}, max by (key) (soloscope_window{{"
            f'app="{self.app}",name="{breakdown}",window="{window}",key!=""}}) > 0))'
        )

    def _up(self) -> str:
        return f'min by (app) (soloscope_up{{app="{self.app}"}})'

    def _job(self, name: str, figure: JobFigure) -> str:
        if figure == "last_success":
            moment = "soloscope_job_last_success_timestamp_seconds"
            return f"1000 * {self._one(moment, name=name)}"
        return self._one(f"soloscope_job_{figure}", name=name)

    def _checks(self) -> str:
        # That the counts are read has a panel of its own.
        return f'min by (name) (soloscope_check_up{{app="{self.app}",name!="scrape"}})'


@dataclass(frozen=True)
class FromLoki(Source):
    """From the lines of `soloscope serve` in Loki, in a stream of their own.

    The look-back is longer than the 15 minutes between two rounds of lines, so
    one round is always inside, and a soloscope that stopped is seen soon. The
    app's name is in the field `target`: `app` would collide with the label.
    """

    kind = "loki"
    look_back = "20m"

    def _last(
        self, event: str, by: str, parse: str, span: str = look_back, **exact: str
    ) -> str:
        """The newest `value` for each `by` among lines with these exact fields.

        `parse` is what makes the labels `value` and `by` of a line.
        """
        wanted = {"event": event, "target": self.app, **exact}
        filters = " ".join(f'|= `"{key}":"{value}"`' for key, value in wanted.items())
        return (
            f'last_over_time({{job="soloscope-days"}} {filters} {parse} '
            f"| unwrap value [{span}]) by ({by})"
        )

    def _value(self, event: str, by: str, **exact: str) -> str:
        """The field `value` of such lines."""
        return self._last(event, by, f'| json {by}="{by}",value="value"', **exact)

    def _state(self, parse: str) -> str:
        """What `parse` makes of the lines about the app as a whole."""
        return self._last("metrics_snapshot", "target", parse)

    def _gauge(self, name: str) -> str:
        return self._value("metrics_now", "target", name=name)

    def _window(self, name: str, window: str) -> str:
        return self._value("metrics_window", "target", name=name, window=window)

    def _week_ago(self, name: str) -> str:
        parse = f'| json target="target",ago="ago",value="value" | ago={7 * 86400}'
        return self._last("metrics_day", "target", parse, STAYS, name=name)

    def _average(self, timing: str, least: int, most: int | None) -> str:
        fields = ",".join(f'{f}="timings.{timing}.{f}"' for f in ("ms", "count"))
        upper = "" if most is None else f" | count<={most}"
        return self._state(
            f'| json target="target",{fields} | count>={least}{upper} '
            "| label_format value=`{{ divf .ms .count 1000 }}`"
        )

    def _per_day(self, name: str, days: Days) -> str:
        ago = {
            "over": "ago>0 and ago<$__range_s",
            "today": "ago=0",
            "all": "ago<$__range_s",
        }[days]
        fields = ",".join(f'{f}="{f}"' for f in ("day", "weekday", "ago", "value"))
        return self._last(
            "metrics_day",
            "day, date",
            f"| json {fields} | {ago} "
            "| label_format date=`{{.weekday}} {{.day}}`",
            STAYS,
            name=name,
        )

    def _top(self, breakdown: str, count: int, window: str) -> str:
        last = self._value("metrics_window", "key", name=breakdown, window=window)
        return f"sort_desc(topk({count}, {last} > 0))"

    def _up(self) -> str:
        return self._state(
            '| json target="target",up="up" '
            '| label_format value=`{{ if eq .up "true" }}1{{ else }}0{{ end }}`'
        )

    def _job(self, name: str, figure: JobFigure) -> str:
        parse = f'| json target="target",value="{figure}" | value!=""'
        found = self._last("metrics_job", "target", parse, name=name)
        return f"1000 * {found}" if figure == "last_success" else found

    def _checks(self) -> str:
        return self._value("metrics_check", "name")


def alerts(app: str) -> Query:
    """Alerts of Prometheus that are firing now, of the app or of no app; 0 or more."""
    return Query(
        "prometheus",
        f'count(ALERTS{{alertstate="firing",severity!="info",app=~"{app}|"}}) '
        "or vector(0)",
    )


def or_zero(expr: str, window: str) -> str:
    """`expr`, or 0 when the app wrote lines in `window`. Its only label is `app`.

    The last part never matches. With it Loki (3.6) queries the whole window once;
    without it, once for each hour, which takes ten times as long.
    """
    all_lines = f"sum by (app) (count_over_time({APP} [{window}]))"
    return f"{expr} or 0 * {all_lines} or vector(0) < 0"


def marks(*, any_app: bool = False) -> str:
    """The annotations of `soloscope annotate` for the app or for no app, or for all."""
    of_app = "" if any_app else ' | target="" or target="$app"'
    return (
        '{job="soloscope-annotate"} | event="annotation" '
        f'| json kind="kind",text="text",target="target"{of_app}'
    )


def troubles_per_hour() -> Query:
    """Errors and warnings of the app, by level, in each hour."""
    return Query(
        "loki",
        'sum by (level) (count_over_time({app="$app",level=~"warn|error|fatal"} [1h]))',
        how="range",
        legend="{{level}}",
        step="1h",
    )
