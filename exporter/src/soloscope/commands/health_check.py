"""`soloscope health-check`: the state of every check, and the current gauges."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from soloscope.commands.options import seconds
from soloscope.config import App, Config
from soloscope.terminal import console, in_ascii, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from soloscope.checks.collect import Number, Report

__all__ = ["add_arguments", "run"]

# --- showing ------------------------------------------------------------------------


def _figure(value: Number | None, unit: str) -> str:
    """A number with its unit: `40 USD`, `12`, `0.5 s`; `?` when not known."""
    if value is None:
        return "?"
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
    # Units are Grafana's; its currencies are `currencyUSD`, `currencyEUR`, …
    shown = unit.removeprefix("currency") if unit not in {"", "short", "none"} else ""
    return f"{text} {shown}".rstrip()


def _parts(config: Config, report: Report) -> Iterator[tuple[str, App | None, Any]]:
    """Title, app and checks of each block, the apps first."""
    checks: list[Any] = list(report.document["checks"])
    for app in config.apps.values():
        yield app.title, app, [c for c in checks if c["app"] == app.name]
    rest = [c for c in checks if c["app"] not in config.apps]
    if rest:
        yield "soloscope", None, rest


def _render(config: Config, report: Report, *, ascii_only: bool) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    tick, cross = ("ok", "FAILED") if ascii_only else ("✓", "✗")
    blocks: list[RenderableType] = []
    for title, app, checks in _parts(config, report):
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for one in checks:
            well = one["status"] == "healthy"
            detail = printable(one["detail"]) + _when(one, well=well)
            mark = Text(tick if well else cross, "green" if well else "red")
            name = printable(one["name"])
            table.add_row(mark, name, Text(detail, "" if well else "red"))
        numbers = Table.grid(padding=(0, 2))
        gauges = report.gauges.get(app.name, {}) if app is not None else {}
        for name, value in gauges.items():
            gauge = app.gauges[name] if app is not None else None
            label = gauge.help or name if gauge is not None else name
            unit = gauge.unit if gauge is not None else ""
            numbers.add_row(" ", printable(label), Text(_figure(value, unit), "bold"))
        if not checks and not gauges:
            table.add_row("", Text("nothing is declared"), "")
        blocks += [
            Text(printable(title), "bold"),
            table,
            *([numbers] if gauges else []),
        ]
        blocks.append(Text(""))
    if report.unseen:
        blocks += [Text(report.unseen, "cyan"), Text("")]
    failed = [c for c in report.document["checks"] if c["status"] != "healthy"]
    if failed:
        names = ", ".join(printable(f"{c['app']} {c['name']}".strip()) for c in failed)
        blocks.append(Text(f"{len(failed)} failed: {names}", "bold red"))
    else:
        count = len(report.document["checks"])
        blocks.append(Text(f"All {count} checks are well", "bold green"))
    return Group(*blocks)


def _when(one: dict[str, Any], *, well: bool) -> str:
    """The time that the answer took, and its age when it is not current."""
    took, age = one["duration_ms"], one["age_seconds"]
    parts = [f"{took:g} ms"] if well and took is not None else []
    if age is not None and age >= 1:
        parts.append(f"{age:.0f} s ago")
    return f" ({', '.join(parts)})" if parts else ""


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
        type=seconds(0.1, 86400),
        const=5.0,
        metavar="SECONDS",
        help="show it again every SECONDS until interrupted (default: 5)",
    )


def run(config: Config, arguments: argparse.Namespace) -> int:
    """0 when every check succeeded, 1 when one failed."""
    from soloscope.checks.collect import collect

    watched, healthy = arguments.watch, True
    out = None if arguments.json else console()
    live = None
    if out is not None and watched is not None and out.is_terminal:
        from rich.live import Live

        # A file or a pipe gets every report; a terminal shows only the newest.
        live = Live(console=out, auto_refresh=False)
        live.start()
    try:
        while True:
            report = collect(config)
            healthy = report.healthy
            if out is None:
                indent = 2 if watched is None else None
                shown = json.dumps(report.json(), indent=indent, ensure_ascii=False)
                print(shown, flush=True)
            else:
                page = _render(config, report, ascii_only=in_ascii(out))
                if live is not None:
                    live.update(page, refresh=True)
                else:
                    out.print(page)
            if watched is None:
                break
            time.sleep(watched)
    except KeyboardInterrupt:
        if watched is None:
            raise
    finally:
        if live is not None:
            live.stop()
    return 0 if healthy else 1
