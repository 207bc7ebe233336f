"""The dashboard files of the repository and the forms in which they exist."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[2]
FOLDER = TOP / "dashboards"

if str(TOP / "demo/src") not in sys.path:
    sys.path.insert(0, str(TOP / "demo/src"))


@dataclass(frozen=True)
class Listed:
    """A dashboard of the repository: its uid, its form, its file below `FOLDER`."""

    uid: str
    form: str
    file: str


#: A form of the dashboards -> the folder of its files.
FORMS = {"with-prometheus": "", "without-prometheus": "light/"}

LISTED = [
    Listed(path.stem, form, f"{folder}{path.name}")
    for form, folder in FORMS.items()
    for path in sorted((FOLDER / folder).glob("*.json"))
]
FILES = [listed.file for listed in LISTED]
UIDS = {listed.uid for listed in LISTED}
OVERVIEW = "soloscope-overview"


def in_form(form: str, *uids: str) -> list[dict[str, Any]]:
    """The dashboards that have this form: all, or those with these uids."""
    return [
        load(listed.file)
        for listed in LISTED
        if listed.form == form and listed.uid in (uids or UIDS)
    ]


def load(name: str) -> dict[str, Any]:
    """The dashboard `name`, a path below `dashboards/`."""
    dashboard: dict[str, Any] = json.loads((FOLDER / name).read_text())
    return dashboard


#: The variables of the dashboards, and those of Grafana at a range of six hours.
VARIABLES = {
    "app": "languagebuddy",
    "level": ".*",
    "search": "",
    "who": "",
    "__range": "21600s",
    "__range_s": "21600",
    "__interval": "1m",
    "__rate_interval": "1m",
}


def filled(expr: str, **values: str) -> str:
    """The expression with Grafana's variables replaced, as Grafana does it."""
    values = {**VARIABLES, **values}
    return re.sub(r"\$\{?(\w+)\}?", lambda match: values.get(match[1], match[0]), expr)
