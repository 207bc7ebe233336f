"""Two incidents on the real stack, each told once when it begins and once when it ends.

All ten are `just bench-alerts` (incidents.py).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from incidents import INCIDENTS, lab, measure, unexpected


def test_an_incident_is_one_message_and_one_when_it_is_over(tmp_path: Path) -> None:
    two = [one for one in INCIDENTS if one.name in ("app stopped", "late job")]
    with lab(tmp_path) as made:
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(lambda one: measure(made, one), two))
        assert {one.incident.name: one.messages for one in found} == {
            "app stopped": ["firing", "resolved"],
            "late job": ["firing", "resolved"],
        }
        assert unexpected(made) == []
        # Alerts say from which host they come.
        host = made.stack.files["prometheus.yml"]["global"]["external_labels"]["host"]
        (first, *_) = made.told("ServiceDown")
        assert first.alerts[0]["labels"]["host"] == host
