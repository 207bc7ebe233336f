"""The list of dashboards, `dashboards.toml`, and the content of each file."""

from __future__ import annotations

import importlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from .grafana import Dashboard
from .queries import FromLoki, FromPrometheus, Source

#: The folder `dashboards/` of the repository.
FOLDER = Path(__file__).resolve().parents[2]

#: A key of the list -> the folder of these files, and the source of their numbers.
FORMS: dict[str, tuple[str, Source]] = {
    "with-prometheus": ("", FromPrometheus()),
    "without-prometheus": ("light/", FromLoki()),
}


@dataclass(frozen=True)
class Listed:
    """A dashboard in one form: its uid, the form's key, the file below `FOLDER`."""

    uid: str
    form: str
    file: str

    def text(self) -> str:
        """The file's content."""
        name = self.uid.removeprefix("soloscope-").replace("-", "_")
        module = importlib.import_module(f".{name}", __package__)
        made: Dashboard = module.dashboard(FORMS[self.form][1], self.uid)
        return json.dumps(made.as_json(), indent=2, ensure_ascii=False) + "\n"


def dashboards() -> list[Listed]:
    """Every dashboard in each of its forms. Raises ValueError for a faulty list."""
    found = []
    for uid, entry in tomllib.loads((FOLDER / "dashboards.toml").read_text()).items():
        if not uid.startswith("soloscope-"):
            raise ValueError(f"dashboards.toml: the uid {uid} is not soloscope-NAME")
        if entry.keys() != FORMS.keys() or not any(entry.values()):
            raise ValueError(
                f"dashboards.toml: {uid} must set {' and '.join(FORMS)}, one to true"
            )
        found += [
            Listed(uid, form, f"{folder}{uid}.json")
            for form, (folder, _) in FORMS.items()
            if entry[form]
        ]
    return found
