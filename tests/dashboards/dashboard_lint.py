"""Rules for dashboard files.

The first seventeen are those of Grafana's dashboard-linter, under its names, so
that whoever has that program can run it on the same files: it reads the same
`.lint` beside a dashboard for what is left out, and why. The rest are ours.
Whether a query parses is asked of the real programs, in test_parse.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from dashboard_files import UIDS

Json = dict[str, Any]

#: What a variable that holds a data source is called, and its label.
DATA_SOURCES = {
    "prometheus": ("prometheus_datasource", "Prometheus data source"),
    "loki": ("loki_datasource", "Loki data source"),
}

#: Units of Grafana that our dashboards may use.
UNITS = {
    "short", "locale", "none", "string", "percentunit", "percent", "s", "ms", "bytes",
    "currencyUSD", "currencyEUR", "dateTimeFromNow", "reqps", "ops", "Bps", "pps",
}  # fmt: skip

#: Words of LogQL and PromQL that take a range of time.
RATES = re.compile(r"\b(rate|irate|increase)\s*\(")
LOG_RANGES = re.compile(r"\b(\w+_over_time|rate|rate_counter|bytes_rate)\s*\(")

#: Metrics that hold several units under their label `name`.
BY_NAME = re.compile(
    r"\b(soloscope_(?:count_total|breakdown_total|unique|timing_seconds_\w+"
    r"|value|window|day)(?!\w))\s*(\{[^}]*\})?"
)


@dataclass(frozen=True)
class Finding:
    """A rule's finding about a dashboard, or about one panel or target of it."""

    rule: str
    text: str
    panel: str | None = None
    target: int | None = None


Rule = Callable[[Json], Iterator[Finding]]
RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    """Enter a function as the rule `name`."""

    def enter(function: Rule) -> Rule:
        RULES[name] = function
        return function

    return enter


def panels(dashboard: Json) -> list[Json]:
    """Every panel that shows something (rows do not), also in folded rows."""
    found: list[Json] = []
    for panel in dashboard["panels"]:
        found += panels(panel) if panel["type"] == "row" else [panel]
    return found


def targets(dashboard: Json) -> Iterator[tuple[Json, int, Json]]:
    """Each (panel, index, target)."""
    for panel in panels(dashboard):
        for index, target in enumerate(panel.get("targets", [])):
            yield panel, index, target


def queries(dashboard: Json, kind: str) -> Iterator[tuple[Json, int, str]]:
    """Each (panel, index, expression) in the language of a kind of data source."""
    for panel, index, target in targets(dashboard):
        if target.get("datasource", {}).get("type") == kind:
            yield panel, index, target["expr"]


def variables(dashboard: Json) -> list[Json]:
    """The dashboard's variables."""
    return list(dashboard["templating"]["list"])


def kinds(dashboard: Json) -> set[str]:
    """Kinds of data source that its targets ask."""
    return {target["datasource"]["type"] for _, _, target in targets(dashboard)}


def inside(text: str, start: int) -> str:
    """The text in the parenthesis that opens before `start`, quotes respected."""
    depth, quote = 1, ""
    for position in range(start, len(text)):
        char = text[position]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'`":
            quote = char
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                return text[start:position]
    return text[start:]


# The rules of dashboard-linter


@rule("template-datasource-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    found = {
        v["query"]: (v["name"], v["label"])
        for v in variables(dashboard)
        if v["type"] == "datasource"
    }
    for kind in kinds(dashboard):
        if found.get(kind) != DATA_SOURCES[kind]:
            yield Finding(
                "template-datasource-rule",
                f"{kind} is asked, but {DATA_SOURCES[kind][0]} is not its variable",
            )


def _template(name: str) -> Rule:
    def check(dashboard: Json) -> Iterator[Finding]:
        if not any(v["name"] == name for v in variables(dashboard)):
            yield Finding(f"template-{name}-rule", f"no variable `{name}`")

    return check


RULES["template-job-rule"] = _template("job")
RULES["template-instance-rule"] = _template("instance")


@rule("template-label-promql-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    for variable in _label_values(dashboard):
        query = variable["query"]["query"]
        if not re.fullmatch(
            r"label_values\((?:[a-z_:]+(?:\{[^{}]*\})?,\s*)?[a-z_]+\)", query
        ):
            yield Finding(
                "template-label-promql-rule",
                f"variable `{variable['name']}`: `{query}` is no label_values(…)",
            )


@rule("template-on-time-change-reload-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    for variable in variables(dashboard):
        if variable["type"] == "query" and variable.get("refresh") != 2:
            yield Finding(
                "template-on-time-change-reload-rule",
                f"variable `{variable['name']}` is not read again with the time range",
            )


def _label_values(dashboard: Json) -> Iterator[Json]:
    for variable in variables(dashboard):
        if (
            variable["type"] == "query"
            and variable["datasource"]["type"] == "prometheus"
        ):
            yield variable


@rule("panel-datasource-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    for panel in panels(dashboard):
        for holder in (panel, *panel.get("targets", [])):
            source = holder.get("datasource") or {}
            known = DATA_SOURCES.get(str(source.get("type")))
            if known is None or source.get("uid") != f"${{{known[0]}}}":
                yield Finding(
                    "panel-datasource-rule",
                    f"data source {source.get('uid')!r} is no variable",
                    panel["title"],
                )


@rule("panel-title-description-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    for panel in panels(dashboard):
        for key in ("title", "description"):
            if not panel.get(key, "").strip():
                yield Finding(
                    "panel-title-description-rule",
                    f"no {key} (panel {panel['id']})",
                    panel.get("title"),
                )


@rule("panel-units-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    for panel in panels(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        if defaults.get("mappings") or panel["type"] == "logs":
            continue
        units = [defaults.get("unit")]
        units += [
            prop["value"]
            for override in panel["fieldConfig"]["overrides"]
            for prop in override["properties"]
            if prop["id"] == "unit"
        ]
        for unit in units:
            known = unit in UNITS or str(unit).startswith(("prefix:", "suffix:"))
            if not known:
                yield Finding(
                    "panel-units-rule", f"unknown unit {unit!r}", panel["title"]
                )


@rule("panel-no-targets-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    for panel in panels(dashboard):
        if not panel.get("targets"):
            yield Finding("panel-no-targets-rule", "asks nothing", panel["title"])


@rule("target-logql-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    for panel, index, expr in queries(dashboard, "loki"):
        if "{" not in expr:
            yield Finding(
                "target-logql-rule", "no stream selector", panel["title"], index
            )


@rule("target-logql-auto-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    for panel, index, expr in queries(dashboard, "loki"):
        for span in re.findall(r"\[([^\]\n]+)\]", _unquoted(expr)):
            # Grafana 9 has only the second, for the same.
            if span not in ("$__auto", "$__interval"):
                yield Finding(
                    "target-logql-auto-rule", f"[{span}]", panel["title"], index
                )


@rule("target-promql-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    for panel, index, expr in queries(dashboard, "prometheus"):
        plain = _unquoted(expr)
        for opened, closed in ("()", "{}", "[]"):
            if plain.count(opened) != plain.count(closed):
                yield Finding(
                    "target-promql-rule",
                    f"{opened}{closed} do not pair",
                    panel["title"],
                    index,
                )


@rule("target-rate-interval-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    for panel, index, expr in queries(dashboard, "prometheus"):
        for match in RATES.finditer(expr):
            part = inside(expr, match.end())
            if not part.rstrip().endswith("[$__rate_interval]"):
                yield Finding("target-rate-interval-rule", part, panel["title"], index)


def _matcher(label: str) -> Rule:
    def check(dashboard: Json) -> Iterator[Finding]:
        for kind in ("prometheus", "loki"):
            for panel, index, expr in queries(dashboard, kind):
                if not re.search(rf'[{{,]\s*{label}=~"\${label}"', expr):
                    yield Finding(
                        f"target-{label}-rule",
                        f"no matcher for ${label}",
                        panel["title"],
                        index,
                    )

    return check


RULES["target-job-rule"] = _matcher("job")
RULES["target-instance-rule"] = _matcher("instance")


@rule("target-counter-agg-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    for panel, index, expr in queries(dashboard, "prometheus"):
        counted = [
            (match.end(), match.end() + len(inside(expr, match.end())))
            for match in RATES.finditer(expr)
        ]
        for match in re.finditer(r"\b\w+_total\b(?!\")", expr):
            if not any(start <= match.start() < end for start, end in counted):
                yield Finding(
                    "target-counter-agg-rule",
                    f"{match[0]} outside rate, irate and increase",
                    panel["title"],
                    index,
                )


@rule("uneditable-dashboard")
def _(dashboard: Json) -> Iterator[Finding]:
    if dashboard.get("editable") is not False:
        yield Finding("uneditable-dashboard", "`editable` is not false")


# Ours


@rule("grid-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    """Panels are on the grid of 24 columns and none covers another."""
    places = [(p["title"], p["gridPos"]) for p in dashboard["panels"]]
    for title, at in places:
        if at["x"] < 0 or at["y"] < 0 or at["x"] + at["w"] > 24 or at["w"] < 1:
            yield Finding("grid-rule", f"off the grid: {at}", title)
    for (title, a), (other, b) in combinations(places, 2):
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        if not apart:
            yield Finding("grid-rule", f"covers `{other}`", title)


@rule("identity-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    """A listed uid, no database id, panel ids once each, nothing of an export."""
    if dashboard.get("uid") not in UIDS:
        yield Finding("identity-rule", f"unknown uid {dashboard.get('uid')!r}")
    if dashboard.get("id") is not None:
        yield Finding("identity-rule", "a database id")
    for what in ("id", "title"):
        each = [panel[what] for panel in panels(dashboard)]
        if len(each) != len(set(each)):
            yield Finding("identity-rule", f"panel {what}s are not unique: {each}")
    for key in ("__inputs", "__requires", "__elements"):
        if key in dashboard:
            yield Finding("identity-rule", f"`{key}` of an export")


@rule("no-value-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    """Every panel describes what no value means."""
    for panel in panels(dashboard):
        if not panel["fieldConfig"]["defaults"].get("noValue", "").strip():
            yield Finding("no-value-rule", "no `noValue`", panel["title"])


@rule("bars-from-zero-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    """Without a minimum of 0 the smallest bar has no width."""
    for panel in panels(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        bars = panel["type"] in ("barchart", "bargauge")
        bars = bars or defaults.get("custom", {}).get("drawStyle") == "bars"
        if bars and defaults.get("min") != 0:
            yield Finding("bars-from-zero-rule", "`min` is not 0", panel["title"])


@rule("one-name-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    """One metric holds several units by `name`: every selector picks one."""
    for panel, index, expr in queries(dashboard, "prometheus"):
        for metric, selector in BY_NAME.findall(expr):
            if not re.search(r'[{,]\s*name="[^"]+"', selector):
                yield Finding(
                    "one-name-rule",
                    f'{metric} without name="…"',
                    panel["title"],
                    index,
                )
    for panel, index, expr in queries(dashboard, "loki"):
        lines = re.search(r"metrics_(day|window|now|timing)", expr)
        if lines and '"name":"' not in expr:
            yield Finding("one-name-rule", "lines of every name", panel["title"], index)


@rule("grouped-range-rule")
def _(dashboard: Json) -> Iterator[Finding]:
    """A range over log lines is grouped, or each conversation becomes a series."""
    for panel, index, expr in queries(dashboard, "loki"):
        for match in LOG_RANGES.finditer(expr):
            part = inside(expr, match.end())
            after = expr[match.end() + len(part) + 1 :]
            before = expr[: match.start()]
            own = re.match(r"\s*by\s*\(\s*\w", after)
            outer = re.search(
                r"\b(sum|max|min|avg|topk)\s+by\s*\([^)]+\)\s*\($", before
            )
            if not (own or outer):
                yield Finding(
                    "grouped-range-rule", f"{match[1]}(…)", panel["title"], index
                )


def _unquoted(expr: str) -> str:
    """The expression without quoted text."""
    return re.sub(r"\"(?:[^\"\\]|\\.)*\"|`[^`]*`", '""', expr)


def exclusions(path: Path) -> Json:
    """Rule -> {reason, entries} of the `.lint` beside a dashboard.

    The file is JSON, which dashboard-linter reads as the YAML that it is.
    """
    file = path.parent / ".lint"
    if not file.is_file():
        return {}
    found: Json = json.loads(file.read_text())["exclusions"]
    return found


def lint(dashboard: Json, left_out: Json | None = None) -> list[Finding]:
    """The findings of all rules that are not left out."""
    findings = [f for check in RULES.values() for f in check(dashboard)]
    return [f for f in findings if not _left_out(f, dashboard, left_out or {})]


def _left_out(finding: Finding, dashboard: Json, left_out: Json) -> bool:
    excluded = left_out.get(finding.rule)
    if excluded is None:
        return False
    entries = excluded.get("entries")
    here = {"dashboard": dashboard["title"], "panel": finding.panel}
    return not entries or here in entries
