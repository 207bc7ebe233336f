"""`just demo`: start the stack, show it, prove it, and stop it again."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from ..app.defects import DEFECTS
from ..errors import DemoError
from ..tools.cache import remove
from .child import Child
from .options import APP, Options
from .panels import ask
from .prove import prove
from .stack import Stack, Stopped, running

#: How many rows of an answer are shown.
_ROWS = 7

#: Replacements for a host's app and its journald: not part of the stack.
_OURS = ("app", "journal")


def stop_on_signals(stack: Stack) -> None:
    """Ctrl-C, SIGTERM and SIGHUP stop the stack.

    A handler that raises could interrupt between the start of a program and its
    registration; this one sets a flag, which the stack checks often.
    """
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stack.stopping.set())


def run(*, state: Path, once: bool, fresh: bool, defect: str, **how: Any) -> int:
    """Run the demo; 0 when all that is present was proven.

    Raises `DemoError` with one clear line when something is wrong.
    """
    if defect and defect not in DEFECTS:
        raise DemoError(f"no defect `{defect}`; there are: {', '.join(DEFECTS)}")
    console = Console(highlight=False, markup=False, soft_wrap=True)
    options = Options(state, **how)
    if fresh and options.root.exists():
        _forget(options.root)

    def begin(stack: Stack) -> None:
        stop_on_signals(stack)
        console.print(f"Starting the stack in {options.root} (about 20 s)")

    def progress(child: Child) -> None:
        console.print(f"  {child.name:<16} ready after {child.ready_after:.1f} s")

    try:
        with running(options, progress, begin) as stack:
            _show(stack, console, once=once)
            if defect:
                spoil(stack, defect)
                console.print(f"The app has the defect `{defect}` now; find it with")
                file = options.root / "soloscope.json"
                console.print(f"  soloscope --config {file} validate all")
            while not once:
                stack.check()
                time.sleep(0.2)
    except Stopped:
        console.print("Stopped: nothing is left running.")
    return 0


def spoil(stack: Stack, defect: str) -> None:
    """Have the sample app do something wrong that a validator finds."""
    url = f"{stack.url('app')}/api/do"
    answer = requests.post(url, json={"defect": defect}, timeout=10)
    if answer.status_code != 200:
        raise DemoError(f"the sample app refused the defect `{defect}`: {answer.text}")


def _forget(root: Path) -> None:
    """Remove a state folder; refuses any other folder."""
    if any(root.iterdir()) and not (root / "soloscope.json").exists():
        raise DemoError(f"{root} is no state folder of the demo: not removed")
    remove(root)


def _show(stack: Stack, console: Console, *, once: bool) -> None:
    ready = max(child.ready_after or 0.0 for child in stack.children)
    _addresses(stack, console)
    proofs = prove(
        stack, lambda proof: console.print(f"✓ {proof.what} ({proof.after:.1f} s)")
    )
    for name, reason in stack.absent.items():
        console.print(f"not shown: {name} ({reason})")
    if not stack.has("grafana"):
        _panels(stack, console)
    if once:
        _memory(stack, console)
    proven = max(proof.after for proof in proofs)
    without = f"; not shown: {', '.join(stack.absent)}" if stack.absent else ""
    console.print(
        f"Proven: {len(proofs)} of {len(proofs)}, {len(stack.children)} programs ready "
        f"after {ready:.1f} s, the whole path after {proven:.1f} s{without}"
    )
    if not once:
        console.print("Running until Ctrl-C.")


def _addresses(stack: Stack, console: Console) -> None:
    """The addresses and paths. Plain lines: a narrow terminal truncates nothing."""
    places = {}
    if stack.has("grafana"):
        password = stack.secret("grafana-admin-password")
        places["Grafana"] = f"{stack.url('grafana')}  login admin / {password}"
    for name in ("Prometheus", "Alertmanager"):
        if stack.has(name.lower()):
            places[name] = stack.url(name.lower())
    places |= {
        "Loki": f"{stack.url('loki')}  (no pages: its API)",
        "soloscope": f"{stack.url('soloscope')}/metrics",
        "sample app": f"{stack.url('app')}/metrics",
        "Redis": stack.redis_url,
        "their output": str(stack.root / "logs"),
    }
    console.print()
    for name, place in places.items():
        console.print(f"  {name:<12} {place}")
    console.print()


def _panels(stack: Stack, console: Console) -> None:
    """The overview at the terminal: each query and its panel's values."""
    dashboard = stack.root / "dashboards/soloscope-overview.json"
    if not dashboard.exists():
        raise DemoError(f"no {dashboard.name} among the dashboards")
    console.print("\nThe overview's queries and their answers:")
    for answer in ask(dashboard, stack.prometheus, stack.loki, APP):
        stack.check()
        console.print(f"\n{answer.panel} ({1000 * answer.seconds:.0f} ms)")
        console.print(f"  {answer.expression}", style="dim")
        if answer.error:
            console.print(f"  failed: {answer.error}")
        for line in answer.rows[:_ROWS]:
            console.print(f"  → {line[:100]}")
        if len(answer.rows) > _ROWS:
            console.print(f"  → … {len(answer.rows)} in all")
        if not answer.rows and not answer.error:
            console.print("  → (nothing)")
    console.print()


def _memory(stack: Stack, console: Console) -> None:
    used = {child.name: child.memory() for child in stack.children}
    sums = {
        "the stack": sum(size for name, size in used.items() if name not in _OURS),
        "with the sample app and its journal": sum(used.values()),
    }
    table = Table("program", "resident MB", title="Memory", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    rows = sorted(used.items(), key=lambda item: -item[1])
    for name, size in (*rows, *sums.items()):
        table.add_row(name, f"{size / 1e6:.0f}")
    console.print(table)
