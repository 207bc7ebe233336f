"""The dashboard files of the repository and the programs that their tests ask."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[2]
FOLDER = TOP / "dashboards"
FILES = sorted(
    path.relative_to(FOLDER).as_posix()
    for pattern in ("*.json", "light/*.json")
    for path in FOLDER.glob(pattern)
)

for room in ("dashboards/source", "demo/src"):
    if str(TOP / room) not in sys.path:
        sys.path.insert(0, str(TOP / room))


def load(name: str) -> dict[str, Any]:
    """The dashboard `name`, a path below `dashboards/`."""
    dashboard: dict[str, Any] = json.loads((FOLDER / name).read_text())
    return dashboard


def filled(expr: str, **values: str) -> str:
    """The expression with Grafana's variables replaced, as Grafana does it."""
    values = {"app": "languagebuddy", **values}
    return re.sub(r"\$\{?(\w+)\}?", lambda match: values.get(match[1], match[0]), expr)
