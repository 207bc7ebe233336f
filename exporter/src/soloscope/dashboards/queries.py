"""The panels' queries, with and without Prometheus.

`FromPrometheus` queries the metrics that `soloscope serve` exports. `FromLoki`
queries the same numbers in the log lines that `soloscope serve` prints every 15
minutes when there is no Prometheus. Logs come from Loki in both.

Two rules apply everywhere. One metric has several units under its label
`name`, so every query selects one name and nothing is ever summed over names.
And every range aggregation over log lines groups by labels that it names:
structured metadata would otherwise make a series of each conversation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from soloscope.dashboards.grafana import Kind, Query

#: Events of the app that the activity stream shows.
ACTIVITY = "digest_.+|conversation_.+|trial_.+|throttled|critical_error"

#: The app's lines, and those of them that report errors.
APP = '{app="$app"}'
APP_ERRORS = '{app="$app",level=~"error|fatal"}'


class Source(ABC):
    """The source of an app's numbers. Names are those of its declaration.

    The private methods give the expressions, in the language of `kind`.
    """

    kind: ClassVar[Kind]

    def gauge(self, name: str) -> Query:
        """The gauge's value now."""
        return Query(self.kind, self._gauge(name))

    def window(self, name: str, window: str) -> Query:
        """A count, or an estimate of uniques, over `1d` (today), `7d`, `30d`."""
        return Query(self.kind, self._window(name, window))

    def share(self, part: str, whole: str) -> Query:
        """One gauge as a ratio of another; nothing when the other is 0."""
        return Query(self.kind, f"{self._gauge(part)} / ({self._gauge(whole)} > 0)")

    def success(self, good: str, bad: str, window: str) -> Query:
        """good / (good + bad) of two counters; nothing when both are 0."""
        done, failed = self._window(good, window), self._window(bad, window)
        return Query(self.kind, f"{done} / (({done} + {failed}) > 0)")

    def average(self, timing: str) -> Query:
        """Seconds that a call took on average today; nothing without calls."""
        return Query(self.kind, self._average(timing))

    def per_day(self, name: str, above: int | None = None) -> Query:
        """A table `day`, `Value` of today and the six days before.

        With `above` only the days with more than that. From Loki it has all
        days that are kept.
        """
        expr = self._per_day(name)
        if above is not None:
            expr = f"({expr}) > {above}"
        return Query(self.kind, expr, how="table")

    def top(self, breakdown: str, count: int) -> Query:
        """A table `key`, `Value` of a breakdown's largest in seven days."""
        return Query(self.kind, self._top(breakdown, count), how="table")

    def up(self) -> Query:
        """1 when soloscope can read the app's counts, 0 when it cannot."""
        return Query(self.kind, self._up())

    def jobs_late(self) -> Query:
        """1 when a job's deadline passed without it, else 0; one value per job.

        From Loki one value covers all jobs.
        """
        return Query(self.kind, self._jobs_late(), legend="{{name}}")

    @abstractmethod
    def _gauge(self, name: str) -> str: ...

    @abstractmethod
    def _window(self, name: str, window: str) -> str: ...

    @abstractmethod
    def _average(self, timing: str) -> str: ...

    @abstractmethod
    def _per_day(self, name: str) -> str: ...

    @abstractmethod
    def _top(self, breakdown: str, count: int) -> str: ...

    @abstractmethod
    def _up(self) -> str: ...

    @abstractmethod
    def _jobs_late(self) -> str: ...


class FromPrometheus(Source):
    """From Prometheus.

    One soloscope gives each series once. `max` and not `sum`, because for five
    minutes after it moved to another port it is there twice.
    """

    kind = "prometheus"

    @staticmethod
    def _one(metric: str, by: str = "app", **labels: str) -> str:
        """One series of `metric` for the app, with these exact labels."""
        wanted = {"app": "$app", **labels}
        matchers = ",".join(f'{key}="{value}"' for key, value in wanted.items())
        return f"max by ({by}) ({metric}{{{matchers}}})"

    def _gauge(self, name: str) -> str:
        return self._one("soloscope_value", name=name)

    def _window(self, name: str, window: str) -> str:
        return self._one("soloscope_window", name=name, window=window)

    def _average(self, timing: str) -> str:
        seconds = self._one("soloscope_timing_seconds_sum", name=timing)
        calls = self._one("soloscope_timing_seconds_count", name=timing)
        return f"{seconds} / ({calls} > 0)"

    def _per_day(self, name: str) -> str:
        return (
            f'max by (day) (soloscope_day{{app="$app",name="{name}"}} '
            'and on (app, day) (soloscope_day_age{app="$app"} < 7))'
        )

    def _top(self, breakdown: str, count: int) -> str:
        return (
            f"sort_desc(topk({count}, max by (key) (soloscope_window{{"
            f'app="$app",name="{breakdown}",window="7d",key!=""}})))'
        )

    def _up(self) -> str:
        return 'min by (app) (soloscope_up{app="$app"})'

    def _jobs_late(self) -> str:
        return 'max by (name) (soloscope_job_late{app="$app"})'


class FromLoki(Source):
    """From the lines of `soloscope serve` in Loki, in a stream of their own.

    The look-back is longer than the 15 minutes between two rounds of lines, so
    one round is always inside, and a soloscope that stopped is seen soon. The
    app's name is in the field `target`: `app` would collide with the label.
    """

    kind = "loki"
    look_back = "20m"

    def _last(self, event: str, by: str, parse: str, **exact: str) -> str:
        """The newest `value` for each `by` among lines with these exact fields.

        `parse` is what makes the labels `value` and `by` of a line.
        """
        wanted = {"event": event, "target": "$app", **exact}
        filters = " ".join(f'|= `"{key}":"{value}"`' for key, value in wanted.items())
        return (
            f'last_over_time({{job="soloscope-days"}} {filters} {parse} '
            f"| unwrap value [{self.look_back}]) by ({by})"
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

    def _average(self, timing: str) -> str:
        fields = ",".join(f'{f}="timings.{timing}.{f}"' for f in ("ms", "count"))
        return self._state(
            f'| json target="target",{fields} | count>0 '
            "| label_format value=`{{ divf .ms .count 1000 }}`"
        )

    def _per_day(self, name: str) -> str:
        return self._value("metrics_day", "day", name=name)

    def _top(self, breakdown: str, count: int) -> str:
        last = self._value("metrics_window", "key", name=breakdown, window="7d")
        return f"sort_desc(topk({count}, {last}))"

    def _up(self) -> str:
        return self._state(
            '| json target="target",up="up" '
            '| label_format value=`{{ if eq .up "true" }}1{{ else }}0{{ end }}`'
        )

    def _jobs_late(self) -> str:
        # The lines name the late jobs, and are absent without Redis.
        return self._state(
            '| json target="target",late="jobs_late" | late!="" '
            '| label_format value=`{{ if eq .late "[]" }}0{{ else }}1{{ end }}`'
        )


def errors(window: str) -> Query:
    """Error lines of the app in `window`; 0 only when it wrote lines at all.

    The last part never matches. With it Loki (3.6) queries the whole window once;
    without it, once for each hour, which takes ten times as long.
    """
    found, all_lines = (
        f"sum by (app) (count_over_time({selector} [{window}]))"
        for selector in (APP_ERRORS, APP)
    )
    return Query("loki", f"{found} or 0 * {all_lines} or vector(0) < 0")


def marks() -> str:
    """The annotations of `soloscope annotate` for the app, or for no app."""
    return (
        '{job="soloscope-annotate"} | event="annotation" '
        '| json kind="kind",text="text",target="target" | target="" or target="$app"'
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
