"""Prometheus' memory of the app's own metrics, as if it had scraped them before."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..app.meters import Meters
from ..errors import DemoError
from ..tools import programs
from ..tools.process import run

#: Seconds between two scrapes of the history.
STEP = 60

#: Blocks of Prometheus begin at multiples of their length (seconds).
BLOCK = 86400


def fill(
    data: Path, seed: int, since: float, until: float, labels: Mapping[str, str]
) -> None:
    """Write blocks into Prometheus' folder `data`, which must not be in use.

    `labels` are those that a scrape of the app adds.
    """
    promtool = programs.ensure(["promtool"])["promtool"]
    added = "".join(f'{key}="{value}",' for key, value in labels.items())
    samples = Meters(seed, since).history(until, STEP)
    for _, block in itertools.groupby(samples, lambda sample: sample[0] // BLOCK):
        with tempfile.NamedTemporaryFile("w", suffix=".om") as file:
            for at, name, own, value in block:
                file.write(f"{name}{{{added}{own}}} {value} {at:.3f}\n")
            file.write("# EOF\n")
            file.flush()
            argv = [str(promtool), "tsdb", "create-blocks-from"]
            argv += ["--max-block-duration=24h", "openmetrics", file.name, str(data)]
            done = run(argv)
            if done.returncode:
                raise DemoError(f"promtool: {done.stderr.strip()}")
