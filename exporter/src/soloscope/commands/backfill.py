"""`soloscope backfill`: gives Prometheus the days that Redis still has.

Done once, by whoever may write Prometheus' data folder (root, or its own user), best
right after the installation. Prometheus is asked which labels its scrape sets, what it
knows already, where its data is and how long it keeps it. `promtool` makes the blocks;
Prometheus shows them without a restart.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from soloscope.backends.queries import PrometheusApi
from soloscope.backfill import plan as backfill
from soloscope.backfill.plan import Plan
from soloscope.config import App, Config, duration
from soloscope.counts.model import midnight
from soloscope.counts.store import Store
from soloscope.errors import BackendUnavailable, SoloscopeError
from soloscope.secret import Secret

__all__ = ["add_arguments", "run"]

JOB = "soloscope"
MARK = "soloscope-backfill.json"

_COUNTS = (
    "soloscope_count_total|soloscope_breakdown_total|soloscope_unique"
    "|soloscope_timing_seconds_count"
)


_KNOWN_STEP = 300.0
"""Seconds; a query sees five minutes back, so no sample falls between two steps."""

_MOST_STEPS = 10_000
"""Prometheus refuses a range query with more than 11,000 of them."""


class Refused(SoloscopeError):  # noqa: N818 (reads as a state)
    """Nothing was written, for the reason given."""


@dataclass(frozen=True, slots=True)
class Server:
    """What Prometheus says about itself. Times are in seconds, None is unknown."""

    target: Mapping[str, str]
    data: Path | None
    retention: float | None
    first_known: Mapping[str, float]


# --- the command --------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Give Prometheus the closed days that Redis still has, once: as blocks in its "
        "data folder (needs `promtool` and the right to write there), or as text."
    )
    parser.add_argument(
        "--app", metavar="NAME", help="only this app (default: every app with a Redis)"
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="write the OpenMetrics text to FILE, `-` for standard output, "
        "and make no blocks",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="Prometheus' data folder (default: the one that Prometheus names)",
    )
    parser.add_argument(
        "--redis-password-file",
        metavar="FILE",
        help="a file with the Redis password, when the configured one is a credential "
        "of the service",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be written, and stop"
    )


def run(config: Config, arguments: argparse.Namespace) -> int:
    """0 when the days are written. Raises SoloscopeError when nothing was."""
    from rich.console import Console

    # Progress and messages go to standard error: the data may go to standard output.
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    apps = _apps(config, arguments.app, arguments.redis_password_file)
    now = time.time()
    to_file = arguments.output is not None
    server = _ask(config, apps, now, offline_allowed=to_file, console=console)
    plans = [p for app in apps for p in _plan(config, app, server, now, console)]
    if not plans:
        raise Refused("there is no day to write; see above")
    for one in plans:
        console.print(
            f"{one.app}: {one.days[0]} to {one.days[-1]} ({len(one.days)} days), "
            f"{one.series} series, about {one.samples:,} samples"
        )
    if arguments.dry_run:
        return 0
    if to_file:
        _write_text(plans, arguments.output, console)
        return 0
    _make_blocks(plans, _folder(arguments.data_dir, server), console)
    return 0


def _apps(config: Config, only: str | None, password: str | None) -> list[App]:
    apps = [app for app in config.apps.values() if app.redis is not None]
    if only is not None:
        apps = [app for app in apps if app.name == only]
        if not apps:
            known = ", ".join(f"`{name}`" for name in config.apps) or "none"
            raise Refused(f"--app: `{only}` is no app with a Redis; declared: {known}")
    if not apps:
        raise Refused("no app declares a Redis: there is nothing to take days from")
    if password is None:
        return apps
    file = Secret(file=str(Path(password).absolute()))
    return [
        replace(app, redis=replace(app.redis, password=file)) if app.redis else app
        for app in apps
    ]


# --- asking Prometheus --------------------------------------------------------------


def _ask(
    config: Config,
    apps: Sequence[App],
    now: float,
    *,
    offline_allowed: bool,
    console: Any,
) -> Server:
    exporter = config.exporter
    guessed = {"job": JOB, "instance": f"{exporter.listen_address}:{exporter.port}"}
    if not config.prometheus.enable:
        raise Refused("`prometheus.enable` is false: there is nothing to fill")
    api = PrometheusApi.of(config)
    try:
        target = _target(api)
        if target is None:
            console.print(
                f"Prometheus has no scrape job `{JOB}` yet; "
                f"taking instance `{guessed['instance']}`"
            )
            target = guessed
        flags = api.get("/api/v1/status/flags")
        kept = api.get("/api/v1/status/runtimeinfo").get("storageRetention", "")
        oldest = now - max(config.exporter.history, 31) * 86400
        first = {a.name: _first_known(api, a.name, oldest, now) for a in apps}
    except BackendUnavailable as error:
        if not offline_allowed:
            # Without its answer nothing prevents the same days from standing twice.
            raise Refused(
                f"{error}; Prometheus must be running, for it says which days it has"
            ) from None
        console.print(f"{error}; taking instance `{guessed['instance']}`")
        return Server(guessed, None, None, {})
    data = Path(str(flags.get("storage.tsdb.path", "")))
    return Server(
        target=target,
        data=data if data.is_absolute() else None,
        # "30d", "1h30m or 5GB", or only a size.
        retention=duration(str(kept).partition(" or ")[0]),
        first_known={name: at for name, at in first.items() if at is not None},
    )


def _target(api: PrometheusApi) -> dict[str, str] | None:
    """The labels that the scrape of our own exporter gets."""
    targets = api.get("/api/v1/targets", state="active")["activeTargets"]
    for one in targets:
        if one["scrapePool"] == JOB:
            return {str(k): str(v) for k, v in one["labels"].items()}
    return None


def _first_known(
    api: PrometheusApi, app: str, oldest: float, now: float
) -> float | None:
    """The first moment since `oldest` for which there are counts of `app`."""
    step = _KNOWN_STEP
    query = f'count({{__name__=~"{_COUNTS}",app="{app}"}})'
    start = oldest - oldest % step
    while start <= now:
        end = min(start + _MOST_STEPS * step, now)
        found = [sample.at for sample in api.span(query, start, end, step)]
        if found:
            return min(found) - step
        start += (_MOST_STEPS + 1) * step
    return None


# --- planning -----------------------------------------------------------------------


def _plan(
    config: Config, app: App, server: Server, now: float, console: Any
) -> Iterable[Plan]:
    assert app.redis is not None  # noqa: S101 (chosen so in _apps)
    store = Store(app, app.redis, history=max(config.exporter.history, 31))
    try:
        snapshot = store.read()
    finally:
        store.close()
    if not snapshot.up:
        raise Refused(f"{app.name}: {snapshot.error}")
    known = server.first_known.get(app.name)
    oldest = 0.0 if server.retention is None else now - server.retention
    days = backfill.days_to_write(
        [v.day for v in snapshot.days], app.zone, now, known, oldest
    )
    made = backfill.plan(snapshot, days, server.target)
    if made is not None:
        yield made
        return
    console.print(f"{app.name}: {_why_none(app, days, now, known)}")


def _why_none(app: App, days: Sequence[Any], now: float, known: float | None) -> str:
    """Why no day of `app` is written, and what can be done about it."""
    if known is not None:
        # What is known may begin up to a step later.
        since = datetime.fromtimestamp(known + _KNOWN_STEP, app.zone)
        return (
            f"Prometheus has its counts since {since:%Y-%m-%d}, and Redis holds none "
            "of a whole day before that"
        )
    if days:
        return "Redis holds no count for any closed day"
    start = midnight(datetime.fromtimestamp(now, app.zone).date(), app.zone)
    free = datetime.fromtimestamp(start, app.zone) + timedelta(seconds=backfill.SETTLED)
    return (
        "the last day closed less than three hours ago, and Prometheus may still "
        f"write there; try again after {free:%H:%M %Z}"
    )


# --- writing ------------------------------------------------------------------------


def _write_text(plans: Sequence[Plan], output: str, console: Any) -> None:
    def write(file: IO[str]) -> None:
        for part in backfill.text(plans):
            file.write(part)

    if output == "-":
        write(sys.stdout)
        return
    try:
        with Path(output).open("w", encoding="utf-8") as file:
            write(file)
    except OSError as error:
        raise Refused(f"--output: {output}: {error.strerror}") from None
    console.print(
        f"Written to {output}. `promtool tsdb create-blocks-from "
        f"--max-block-duration=24h openmetrics {output} DIR` makes blocks of it"
    )


def _folder(given: Path | None, server: Server) -> Path:
    """Prometheus' data folder, checked as far as that can be done before the work."""
    folder = given if given is not None else server.data
    if folder is None:
        raise Refused("Prometheus does not name its data folder; give `--data-dir DIR`")
    if not (folder / "wal").is_dir() and not (folder / "chunks_head").is_dir():
        raise Refused(f"{folder}: not a data folder of Prometheus (no `wal` in it)")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refused(
            f"{folder}: not writable for you; run this as root or as Prometheus' user"
        )
    if shutil.which("promtool") is None:
        raise Refused(
            "`promtool` is not on PATH (it comes with Prometheus); "
            "with `--output FILE` the text is written for it"
        )
    return folder


def _marks(folder: Path) -> dict[str, Any]:
    try:
        value = json.loads((folder / MARK).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Refused(f"{folder / MARK}: {error}") from None
    return dict(value)


def _make_blocks(plans: Sequence[Plan], folder: Path, console: Any) -> None:
    from rich.progress import Progress

    marks = _marks(folder)
    done = [p.app for p in plans if p.app in marks]
    if done:
        raise Refused(
            f"{folder / MARK}: this was done for {', '.join(done)} before; the same "
            "days must not stand twice. If those blocks are gone, remove that file"
        )
    owner = folder.stat()
    # Inside the data folder, so that a block arrives there by one rename. Prometheus
    # passes by whatever is not named like a block.
    with (
        tempfile.TemporaryDirectory(prefix="soloscope-backfill-", dir=folder) as work,
        Progress(console=console) as progress,
    ):
        blocks = Path(work) / "blocks"
        blocks.mkdir()
        spans = backfill.windows(plans)
        task = progress.add_task("Making blocks", total=len(spans))
        for low, high in spans:
            _block(plans, low, high, Path(work) / "text", blocks)
            progress.advance(task)
        made = sorted(blocks.iterdir())
        for block in made:
            _own(block, owner)
        # The mark comes first: blocks without a mark could be written again.
        for one in plans:
            marks[one.app] = {
                "first": str(one.days[0]),
                "last": str(one.days[-1]),
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        (folder / MARK).write_text(json.dumps(marks, indent=1) + "\n", encoding="utf-8")
        with suppress(PermissionError):
            os.chown(folder / MARK, owner.st_uid, owner.st_gid)
        for block in made:
            block.rename(folder / block.name)
    console.print(
        f"{len(made)} blocks are in {folder}. Prometheus shows them within two minutes"
    )


def _block(
    plans: Sequence[Plan], low: float, high: float, file: Path, blocks: Path
) -> None:
    """One run of promtool for one span: it reads the whole file for each block."""
    with file.open("w", encoding="utf-8") as out:
        for part in backfill.text(plans, low, high):
            out.write(part)
    argv = ["promtool", "tsdb", "create-blocks-from", "--max-block-duration=24h"]
    argv += ["openmetrics", str(file), str(blocks)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        told = (done.stderr or done.stdout).strip().splitlines()
        raise Refused(f"promtool: {told[-1] if told else done.returncode}")


def _own(block: Path, owner: os.stat_result) -> None:
    """Give the block to whom the data folder belongs; root alone can and must."""
    if os.getuid() != 0:
        return
    for path in (block, *block.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
