"""The plans as text, or as blocks of Prometheus that `promtool` makes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from soloscope.backfill.plan import Plan, text, windows
from soloscope.errors import SoloscopeError

__all__ = ["MARK", "Refused", "check_folder", "make"]

MARK = "soloscope-backfill.json"


class Refused(SoloscopeError):  # noqa: N818 (reads as a state)
    """Nothing was written, for the reason given."""


def check_folder(folder: Path | None) -> Path:
    """Prometheus' data folder, after all checks that are possible in advance."""
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


def make(
    plans: Sequence[Plan], folder: Path, progress: Callable[[int, int], None]
) -> int:
    """Make the blocks and return their number. Raises Refused.

    `progress` gets the number of spans that are done, and of all.
    """
    marks = _marks(folder)
    done = [p.app for p in plans if p.app in marks]
    if done:
        raise Refused(
            f"{folder / MARK}: this was done for {', '.join(done)} before; the same "
            "days must not stand twice. If those blocks are gone, remove that file"
        )
    try:
        return _make(plans, folder, marks, progress)
    except OSError as error:
        raise Refused(f"{error.filename or folder}: {error.strerror}") from None


def _marks(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / MARK).read_bytes()))
    except FileNotFoundError:
        return {}
    except (OSError, RecursionError, TypeError, ValueError) as error:
        raise Refused(f"{folder / MARK}: {error}") from None


def _make(
    plans: Sequence[Plan],
    folder: Path,
    marks: dict[str, Any],
    progress: Callable[[int, int], None],
) -> int:
    owner = folder.stat()
    # Inside the data folder, so that a block is moved there by one rename. Prometheus
    # ignores names that are not block names.
    with tempfile.TemporaryDirectory(prefix="soloscope-backfill-", dir=folder) as work:
        blocks = Path(work) / "blocks"
        blocks.mkdir()
        spans = windows(plans)
        for number, (low, high) in enumerate(spans):
            progress(number, len(spans))
            _block(plans, low, high, Path(work) / "text", blocks)
        progress(len(spans), len(spans))
        made = sorted(blocks.iterdir())
        for block in made:
            _own(block, owner)
        # The marker comes first: blocks without a marker could be written again.
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
    return len(made)


def _block(
    plans: Sequence[Plan], low: float, high: float, file: Path, blocks: Path
) -> None:
    """One run of promtool for one span: it reads the whole file for each block."""
    with file.open("w", encoding="utf-8") as out:
        out.writelines(text(plans, low, high))
    argv = ["promtool", "tsdb", "create-blocks-from", "--max-block-duration=24h"]
    argv += ["openmetrics", str(file), str(blocks)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Refused(f"promtool: {said[-1] if said else done.returncode}")


def _own(block: Path, owner: os.stat_result) -> None:
    """Change the block's owner to that of the data folder, which only root can do."""
    if os.getuid() != 0:
        return
    for path in (block, *block.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
