"""Dashboards of a user's own: files beside ours, and those edited in the browser."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection
from difflib import unified_diff
from pathlib import Path
from typing import Any
from urllib.parse import quote

from soloscope.backends.http import fetch
from soloscope.dashboards.grafana import Json
from soloscope.errors import SoloscopeError

__all__ = ["difference", "exported", "from_file", "text_of"]


def text_of(dashboard: Json) -> str:
    """The text of a file, the same for the same dashboard."""
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"


def from_file(path: Path, taken: Collection[str]) -> Json:
    """The dashboard of a file. Raises SoloscopeError when Grafana could not show it.

    `taken` are the uids of the other files: Grafana shows one dashboard for a uid.
    """
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise SoloscopeError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise SoloscopeError(f"{path}: must be JSON: {error}") from None
    if not isinstance(found, dict) or "panels" not in found:
        why = "must be a dashboard in Grafana's classic JSON, with `panels`"
        raise SoloscopeError(f"{path}: {why}")
    if found.get("__inputs"):
        why = (
            "export it without “Export for sharing externally”: nobody fills `__inputs`"
        )
        raise SoloscopeError(f"{path}: {why}")
    uid = found.get("uid")
    if not isinstance(uid, str) or not 0 < len(uid) <= 40:
        raise SoloscopeError(f"{path}: `uid` must be a text of at most 40 characters")
    if uid in taken:
        raise SoloscopeError(f"{path}: another dashboard has the uid `{uid}`")
    return stripped(found)


def stripped(dashboard: Json) -> Json:
    """Without what belongs to one Grafana's database."""
    gone = ("version", "iteration", "__requires", "__elements", "__inputs")
    kept = {key: value for key, value in dashboard.items() if key not in gone}
    return {**kept, "id": None}


def exported(url: str, uid: str, user: str, password: str) -> Json:
    """The dashboard as it is in Grafana now. Raises SoloscopeError.

    Grafana's HTTP API, "Get dashboard by uid".
    """
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    answer = fetch(
        f"{url}/api/dashboards/uid/{quote(uid, safe='')}",
        10.0,
        {"Authorization": f"Basic {login}"},
    )
    if answer.status == 404:
        raise SoloscopeError(f"Grafana has no dashboard with the uid `{uid}`")
    if answer.status != 200:
        why = "wrong user or password" if answer.status == 401 else "see its log"
        raise SoloscopeError(f"{url}: Grafana answers {answer.status}: {why}")
    found: dict[str, Any] = json.loads(answer.body)
    return stripped(found["dashboard"])


def difference(path: Path, new: str) -> str:
    """What `new` changes in the file, as a unified diff; "" for a file that is not."""
    if not path.is_file():
        return ""
    old = path.read_text(encoding="utf-8").splitlines(keepends=True)
    lines = unified_diff(old, new.splitlines(keepends=True), str(path), "Grafana")
    return "".join(lines)
