"""The file that `soloscope probe` writes for `soloscope serve`.

{"version": 1, "results": {"languagebuddy": {"openai":
  {"ok": true, "detail": "answered 200", "at": 1763424000.0, "seconds": 0.214}}}}

`at` is Unix time. The file contains no key and no body of an answer.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from soloscope.checks.model import CheckFailed, Outcome
from soloscope.errors import OTHER_SHAPE
from soloscope.files import replace_file

__all__ = ["Probed", "probed", "read", "write"]

VERSION = 1
UNIT = "soloscope-probe.timer"


@dataclass(frozen=True, slots=True)
class Probed:
    """The result of one outside API. `at`: Unix time; `seconds`: how long it took."""

    ok: bool
    detail: str
    at: float
    seconds: float | None = None


Results = Mapping[str, Mapping[str, Probed]]


def write(path: Path, results: Results) -> None:
    """Replace the file. Raises SoloscopeError."""
    value = {
        "version": VERSION,
        "results": {
            app: {name: asdict(one) for name, one in mine.items()}
            for app, mine in results.items()
        },
    }
    replace_file(path, json.dumps(value, indent=1) + "\n")


def read(path: Path) -> dict[str, dict[str, Probed]]:
    """The file's results. Raises OSError, and ValueError for an invalid file."""
    data = path.read_bytes()
    try:
        value = json.loads(data)
        if value["version"] != VERSION:
            raise ValueError(f"version {value['version']!r}, expected {VERSION}")
        return {
            str(app): {str(name): _probed(one) for name, one in mine.items()}
            for app, mine in value["results"].items()
        }
    except OTHER_SHAPE as error:
        raise ValueError(f"not a file of results: {error!r}") from None


def _probed(one: Mapping[str, Any]) -> Probed:
    at, seconds = float(one["at"]), one["seconds"]
    if not math.isfinite(at):
        raise ValueError("a time that is none")
    seconds = None if seconds is None else float(seconds)
    return Probed(bool(one["ok"]), str(one["detail"]), at, seconds)


def probed(
    path: Path,
    app: str,
    name: str,
    *,
    now: Callable[[], float] = time.time,
) -> Callable[[float], Outcome]:
    """The passive check that reads one result from the file."""

    def run(_timeout: float) -> Outcome:
        try:
            one = read(path)[app][name]
        except FileNotFoundError:
            raise CheckFailed(f"no result yet: is {UNIT} running?") from None
        except KeyError:
            raise CheckFailed(f"not asked yet: is {UNIT} running?") from None
        except OSError as error:
            raise CheckFailed(f"{path}: {error.strerror}") from None
        except ValueError:
            raise CheckFailed(f"{path} is not a file of results") from None
        # A time in the future means that a clock jumped; treated like an old one.
        age = abs(now() - one.at)
        if not one.ok:
            raise CheckFailed(one.detail, one.seconds, age=age)
        return Outcome(one.detail, one.seconds, age)

    return run
