"""A run's results as docs/benchmarks.md. Pure: results in, Markdown out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench import run as names
from bench.goals import Verdict, judge
from bench.results import Answer, Results

__all__ = ["page"]

_INTRODUCTION = """\
# Benchmarks

How fast is `soloscope serve`, and what does it cost the host and Redis? This page
answers that against [redis_exporter](https://github.com/oliver006/redis_exporter),
the program that one would pick instead. `just bench` writes the page; do not edit it.
No build fails because of a number on it.

- **rex min** is redis_exporter told to do as little as it can
  (`-redis-only-metrics -exclude-latency-histogram-metrics`), on the same keys,
  named one by one (`-check-single-keys`). **By pattern** is `-check-keys`: keys have
  the day in their name, so a list of keys is wrong after midnight and the pattern is
  what one would run.
- **today** is soloscope with `exporter.history = 0`, **30 days** is the default.
- redis_exporter shows the length of a hash; soloscope shows each field of it. Both
  are asked for the same keys, and soloscope gives more from them.
- **SMALL** has 30 days of 50 counters and 20 breakdowns of 20 parts: 2,100 keys and
  13,500 values, of which 70 keys and 450 values are today's. **SMALL+1M** has a
  million keys more in the same database that are nobody's counts. **LARGE** has 333
  counters and 33 breakdowns of 100 parts over 30 days (10,980 keys, 109,000 values)
  and also a million others.
- All exporters of a table run side by side and are scraped in rounds, in an order
  drawn anew for each round. Times are medians over all rounds, ratios are ratios of
  these medians. Compare the ratios, not the milliseconds, with those of other runs.
- "Prometheus' headers" are the ones that Prometheus 3.5 sends: it asks for OpenMetrics
  and gzip. A plain scrape is what curl does.
- Before each scrape **every key of today is changed**, as a busy app would. "Quiet" is
  a plain scrape when nothing has changed since the last one, which soloscope notices.
  "Keys at rest" in the goals is the same.
- CPU is the kernel's count for the process, divided by the scrapes of a block.
"""

#: Why a goal can be missed, shown only when it is.
WHY: dict[str, str] = {
    "today": "Half of it comes with the changed values: making numbers of Redis' "
    "replies and writing their lines takes about a microsecond for each of 450 values "
    "in Python. The rest is the question to Redis, HTTP, gzip, and what the process "
    "says about itself and the checks; that alone is left while the keys are at rest.",
    "pure": "As above, and the protocol of Redis is taken apart in Python.",
    "month": "Only today and two or three other days are read; the rest is kept. What "
    "remains are the sums over 7 and 30 days, which change with every count of today, "
    "and with Prometheus' headers gzip.",
    "cpu": "It is the same work as in the times above: see there.",
    "redis": "Redis is asked for the keys in one round trip and nothing else; what is "
    "more than that comes from the size of the answers.",
    "foreign": "No command depends on the size of the database. A difference comes "
    "from the processor's caches, which a million keys fill.",
    "load": "One process of Python answers on one core, whatever the number of "
    "clients, while redis_exporter uses all. Scrapes that come together share one "
    "reading, but every answer is made anew.",
    "memory": "Python with what serves HTTP has 20 MB before the first value; the rest "
    "are the program and the days that are kept.",
    "start": "The table of starts shows how long Python needs here for a server that "
    "says nothing, and how much is CPU: the difference to the time is waiting for a "
    "core. The rest is loading soloscope's modules and its settings; Redis and the "
    "first answer are a sixth of it at most.",
    "stall": "Redis itself is busy for no longer than the column `Redis CPU` says. "
    "Compare with the line `nobody scrapes` of the table of delays: where that is "
    "above the goal too, the wait is for a core of the machine.",
}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    # The first column is words, the others are numbers.
    rule = ["---", *["---:" for _ in head[1:]]]
    lines = [head, rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _figure(value: float) -> str:
    """Three figures, as many decimals as that takes."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    if value >= 1:
        return f"{value:.2f}"
    return f"{value:.3f}" if value >= 0.01 else f"{value:.2g}"


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _mb(value: int) -> str:
    return f"{value / 1e6:.1f}"


def _goal(verdict: Verdict) -> Sequence[str]:
    sign = "≤" if verdict.relation == "at most" else "≥"
    times = "" if verdict.unit else " times"
    measured = f"{_figure(verdict.measured)}{verdict.unit or times}"
    sides = f"{verdict.ours} / {verdict.theirs}" if verdict.ours else ""
    met = "yes" if verdict.met else f"**no**, {(verdict.off - 1) * 100:.0f} % off"
    limit = f"{sign} {verdict.limit:g}{verdict.unit or times}"
    return verdict.what, limit, measured, sides, met


def _goals(verdicts: Sequence[Verdict]) -> str:
    met = sum(verdict.met for verdict in verdicts)
    out = [
        "## Goals\n",
        f"{met} of {len(verdicts)} are met.\n",
        _table(
            ("", "goal", "measured", "soloscope / other", "met"), map(_goal, verdicts)
        ),
    ]
    missed = [verdict for verdict in verdicts if not verdict.met]
    if missed:
        out.append("### What is missed, and why\n")
        for verdict in missed:
            why = WHY.get(verdict.why, "No reason is known yet.")
            out.append(
                f"- **{verdict.what}**: {_figure(verdict.measured)}{verdict.unit} "
                f"instead of {verdict.limit:g}{verdict.unit}. {why}"
            )
        out[-1] += "\n"
    return "\n".join(out)


def _answers(results: Results, keys: Sequence[str], against: dict[str, str]) -> str:
    head = (
        "",
        "series",
        "plain ms (middle half)",
        "CPU",
        "Redis CPU",
        "quiet ms",
        "Prometheus' headers ms",
        "CPU",
        "bytes",
        "memory MB",
        "ratio plain",
        "ratio Prometheus",
    )

    def row(key: str, answer: Answer) -> Sequence[str]:
        plain, prometheus = answer.plain, answer.prometheus
        other = results.answers.get(against.get(key, ""))
        return (
            key,
            f"{answer.series:,}",
            f"{_ms(plain.ms)} ({_ms(plain.low)}-{_ms(plain.high)})",
            _ms(plain.cpu),
            _ms(plain.redis_cpu),
            _ms(answer.quiet.ms),
            _ms(prometheus.ms),
            _ms(prometheus.cpu),
            f"{prometheus.size:,}",
            _mb(answer.memory),
            _figure(plain.ms / other.plain.ms) if other else "",
            _figure(prometheus.ms / other.prometheus.ms) if other else "",
        )

    return _table(
        head,
        [row(key, results.answers[key]) for key in keys if key in results.answers],
    )


def _scrapes(results: Results) -> str:
    small = {
        names.TODAY: names.REX_TODAY,
        names.TODAY_PURE: names.REX_TODAY,
        names.REX_TODAY: names.REX_TODAY,
        names.REX_STOCK: names.REX_TODAY,
        names.MONTH: names.REX_MONTH,
        names.REX_MONTH: names.REX_MONTH,
    }
    million = dict.fromkeys(
        (
            names.MILLION_NONE,
            names.MILLION,
            names.REX_MILLION_SINGLE,
            names.REX_MILLION,
        ),
        names.REX_MILLION,
    )
    large = dict.fromkeys((names.LARGE_MONTH, names.REX_LARGE), names.REX_LARGE)
    return "\n".join(
        [
            "## Scrapes\n",
            "Milliseconds of one scrape and of CPU for it; `bytes` are those of an "
            "answer to Prometheus; memory is after the scrapes.\n",
            "### SMALL\n",
            _answers(results, list(small), small),
            "### SMALL+1M\n",
            _answers(results, list(million), million),
            "### LARGE\n",
            _answers(results, list(large), large),
        ]
    )


def _rest(results: Results) -> str:
    return "\n".join(
        [
            f"## {names.CLIENTS} clients at once\n",
            "Plain scrapes of SMALL, each client over its own connection, as fast as "
            "they get answers; every key of today is changed after each answer.\n",
            _table(
                ("", "requests a second", "p99 ms", "memory MB after"),
                [
                    (key, _ms(load.rate), _ms(load.p99), _mb(load.memory))
                    for key, load in results.loads.items()
                ],
            ),
            "## Start\n",
            "Milliseconds from the start of the process until its port is open, and "
            "until a first whole answer has arrived, and CPU until then (medians).\n",
            _table(
                ("", "listens", "has answered", "CPU", "starts"),
                [
                    (
                        key,
                        _ms(start.listens),
                        _ms(start.answers),
                        _ms(start.cpu),
                        str(start.starts),
                    )
                    for key, start in results.starts.items()
                ],
            ),
            "## Delays of another client of Redis\n",
            "Another process sends PING every half millisecond; counted are those that "
            "met a scrape (ms). The first line is the machine's own noise.\n",
            _table(
                ("while", "p50", "p99", "p99.9", "longest", "PINGs"),
                [
                    (
                        key,
                        _ms(stall.p50),
                        _ms(stall.p99),
                        _ms(stall.p999),
                        _ms(stall.longest),
                        f"{stall.pings:,}",
                    )
                    for key, stall in results.stalls.items()
                ],
            ),
        ]
    )


def _growth(results: Results) -> str:
    out = [
        "## Growth\n",
        "Milliseconds of a plain scrape, on a logarithmic scale: the lower quartile, "
        "because waiting for a core is no growth.\n",
        "![Growth against days, names, apps and foreign keys](benchmarks-growth.svg)\n",
    ]
    for name, lines in results.growth.items():
        xs = sorted({x for points in lines.values() for x, _ in points})
        rows = [
            (line, *(_ms(dict(points)[x]) if x in dict(points) else "" for x in xs))
            for line, points in lines.items()
        ]
        out.append(_table((name, *(f"{x:,.0f}" for x in xs)), rows))
    return "\n".join(out)


def page(results: Results) -> str:
    """The whole page. Results must be of a run with all parts."""
    machine = [f"- {name}: {value}" for name, value in results.machine.items()]
    return "\n".join(
        [
            _INTRODUCTION,
            "## Machine and versions\n",
            "\n".join(machine) + "\n",
            _goals(judge(results)),
            _scrapes(results),
            _rest(results),
            _growth(results),
        ]
    )
