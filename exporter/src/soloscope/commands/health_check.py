"""`soloscope health-check`: is everything well, and the numbers of this moment.

`serve` is asked for the checks and the gauges, because it holds the Redis passwords
and reads what the probe found out. When it does not answer, that is the first thing
told, and whatever needs no secret is asked from here.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from soloscope.backends.fetch import LARGE, base_url, fetch
from soloscope.checks.declared import checks
from soloscope.checks.model import CheckFailed, Result
from soloscope.checks.registry import Registry
from soloscope.checks.report import document
from soloscope.config import App, Config

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["Report", "add_arguments", "collect", "run"]

# Seconds that `serve` has to answer, and that checks asked from here have.
SERVE_TIMEOUT = 5.0
DIRECT_TIMEOUT = 12.0

Number = int | float


@dataclass(frozen=True, slots=True)
class Report:
    """The health document of checks/report.py, and the gauges by app and name.

    A gauge that is declared but not known is None. `source` says who asked.
    """

    document: Mapping[str, Any]
    gauges: Mapping[str, Mapping[str, Number | None]] = field(default_factory=dict)
    source: str = "serve"

    @property
    def healthy(self) -> bool:
        """Whether every check succeeded."""
        return bool(self.document["status"] == "healthy")

    def json(self) -> dict[str, Any]:
        """The document with the gauges in it."""
        return {**self.document, "gauges": self.gauges, "source": self.source}


# --- asking -------------------------------------------------------------------------


def collect(config: Config) -> Report:
    """Ask `serve`; when it does not answer, ask what can be asked without it."""
    exporter = config.exporter
    base = base_url(exporter.listen_address, exporter.port)
    try:
        answer = fetch(f"{base}/api/health", SERVE_TIMEOUT)
        try:
            found = json.loads(answer.body)
        except ValueError:
            found = None
        if not isinstance(found, dict) or "checks" not in found:
            raise CheckFailed(f"answered {answer.status}, but not as `soloscope serve`")
        metrics = fetch(f"{base}/metrics", SERVE_TIMEOUT, limit=LARGE)
    except CheckFailed as failed:
        return _direct(config, f"{base}: {failed}")
    known = _served_gauges(metrics.body.decode("utf-8", "replace"))
    return Report(found, _declared_gauges(config, known))


def _direct(config: Config, why: str) -> Report:
    # A password in a credential is for the service alone; the rest needs none.
    hidden = {app.name for app in config.apps.values() if _needs_secret(app)}
    registry = Registry(
        [c for c in checks(config) if not (c.kind == "redis" and c.app in hidden)]
    )
    registry.start()
    try:
        results = registry.results(wait=DIRECT_TIMEOUT)
    finally:
        registry.stop(0.1)
    serve = Result("", "serve", "scrape", False, why, interval=0.0)
    known: dict[tuple[str, str], Number] = {}
    from soloscope.counts.store import Store

    for app in config.apps.values():
        if app.redis is None or not app.gauges or app.name in hidden:
            continue
        store = Store(app, app.redis, history=0)
        try:
            snapshot = store.read()
        finally:
            store.close()
        known |= {(app.name, name): v for name, v in snapshot.gauges.items()}
    return Report(
        document((serve, *results), datetime.now(UTC)),
        _declared_gauges(config, known),
        source="direct",
    )


def _needs_secret(app: App) -> bool:
    return app.redis is not None and app.redis.password is not None


def _declared_gauges(
    config: Config, known: Mapping[tuple[str, str], Number]
) -> dict[str, dict[str, Number | None]]:
    return {
        app.name: {name: known.get((app.name, name)) for name in app.gauges}
        for app in config.apps.values()
    }


def _served_gauges(text: str) -> dict[tuple[str, str], Number]:
    from prometheus_client.parser import text_string_to_metric_families

    lines = [x for x in text.splitlines() if x.startswith("soloscope_value{")]
    if not lines:
        return {}
    found: dict[tuple[str, str], Number] = {}
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            place = (sample.labels.get("app", ""), sample.labels.get("name", ""))
            found[place] = sample.value
    return found


# --- showing ------------------------------------------------------------------------


def _figure(value: Number | None, unit: str) -> str:
    """A number as a person writes it: `40 USD`, `12`, `0.5 s`; `?` when not known."""
    if value is None:
        return "?"
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
    # Units are Grafana's; its currencies are `currencyUSD`, `currencyEUR`, …
    shown = unit.removeprefix("currency") if unit not in {"", "short", "none"} else ""
    return f"{text} {shown}".rstrip()


def _parts(config: Config, report: Report) -> Iterator[tuple[str, App | None, Any]]:
    """Title, app and checks of each block, the apps first."""
    told: list[Any] = list(report.document["checks"])
    for app in config.apps.values():
        yield app.title, app, [c for c in told if c["app"] == app.name]
    rest = [c for c in told if c["app"] not in config.apps]
    if rest:
        yield "soloscope", None, rest


def render(config: Config, report: Report, *, plain: bool = False) -> RenderableType:
    """What a person reads. `plain`: without characters beyond ASCII."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    tick, cross = ("ok", "FAILED") if plain else ("✓", "✗")
    blocks: list[RenderableType] = []
    for title, app, told in _parts(config, report):
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for one in told:
            well = one["status"] == "healthy"
            took = one["duration_ms"]
            detail = one["detail"]
            if well and took is not None:
                detail += f" ({took:g} ms)"
            style = "green" if well else "red"
            mark = Text(tick if well else cross, style=style)
            table.add_row(mark, Text(one["name"]), Text(detail, "" if well else "red"))
        numbers = Table.grid(padding=(0, 2))
        gauges = report.gauges.get(app.name, {}) if app is not None else {}
        for name, value in gauges.items():
            gauge = app.gauges[name] if app is not None else None
            label = gauge.help or name if gauge is not None else name
            unit = gauge.unit if gauge is not None else ""
            numbers.add_row(" ", Text(label), Text(_figure(value, unit), "bold"))
        if not told and not gauges:
            table.add_row("", Text("nothing is declared"), "")
        blocks += [Text(title, "bold"), table, *([numbers] if gauges else [])]
        blocks.append(Text(""))
    failed = [c for c in report.document["checks"] if c["status"] != "healthy"]
    if failed:
        names = ", ".join(f"{c['app']} {c['name']}".strip() for c in failed)
        blocks.append(Text(f"{len(failed)} failed: {names}", "bold red"))
    else:
        count = len(report.document["checks"])
        blocks.append(Text(f"All {count} checks are well", "bold green"))
    return Group(*blocks)


def _plain(console: Console) -> bool:
    return not (console.encoding or "").lower().startswith("utf")


# --- the command --------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Show which health checks are well, and the declared gauges. Exit code 1 when "
        "a check is not well."
    )
    parser.add_argument(
        "--json", action="store_true", help="print the results as JSON, one document"
    )
    parser.add_argument(
        "--watch",
        nargs="?",
        type=_interval,
        const=5.0,
        metavar="SECONDS",
        help="show it again every SECONDS until interrupted (default: 5)",
    )


def _interval(text: str) -> float:
    value = float(text)
    if not 0.1 <= value <= 86400:
        raise ValueError(text)
    return value


def run(config: Config, arguments: argparse.Namespace) -> int:
    """0 when every check is well, 1 when one is not."""
    if arguments.watch is None:
        report = collect(config)
        if arguments.json:
            print(json.dumps(report.json(), indent=2, ensure_ascii=False))
        else:
            _console_print(config, report)
        return 0 if report.healthy else 1
    return _watch(config, arguments.watch, as_json=arguments.json)


def _console_print(config: Config, report: Report) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(render(config, report, plain=_plain(console)))


def _watch(config: Config, interval: float, *, as_json: bool) -> int:
    healthy = True
    try:
        if as_json:
            while True:
                report = collect(config)
                healthy = report.healthy
                print(json.dumps(report.json(), ensure_ascii=False), flush=True)
                time.sleep(interval)
        from rich.console import Console
        from rich.live import Live

        console = Console(highlight=False)
        # A file or a pipe gets every report, a terminal the newest in its place.
        if not console.is_terminal:
            while True:
                report = collect(config)
                healthy = report.healthy
                console.print(render(config, report, plain=_plain(console)))
                time.sleep(interval)
        with Live(console=console, auto_refresh=False) as live:
            while True:
                report = collect(config)
                healthy = report.healthy
                live.update(render(config, report, plain=_plain(console)), refresh=True)
                time.sleep(interval)
    except KeyboardInterrupt:
        return 0 if healthy else 1
