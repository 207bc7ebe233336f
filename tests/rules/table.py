"""The table of all alerts, docs/runbooks/README.md, from the rules themselves.

`./justw runbooks` writes the page; test_alerts.py fails when it is old.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from soloscope_demo.stack.render import nix

PAGE = Path(__file__).parents[2] / "docs/runbooks/README.md"

HEAD = """\
# Alerts and their runbooks

Every rule of soloscope's, by severity, with its threshold and how long it must hold by
default. `./justw runbooks` writes this page from `modules/alerts/rules`.

A rule about something that a host does not have (a database, a certificate, messages)
is switched off there. Each is changed by its name:

```nix
services.soloscope.alerts.rules = {
  SlowAPI = { threshold = 3; for = "30m"; };
  HighCPUUsage.enable = false;
  JobLate.severity = "warning";
};
```

`alerts.runbooks` is where the links in messages lead. [alerts.md](../alerts.md) says
who is notified, and when.
"""

MEANING = {
    "critical": "at once, also at night",
    "warning": "within hours",
    "info": "when there is time; nobody is notified by default",
}


def page() -> str:
    """The page as the rules are now."""
    rules: dict[str, dict[str, Any]] = nix("tests/rules/rules.nix", overrides="{}")
    text = HEAD
    for severity, meaning in MEANING.items():
        rows = [
            f"| [{name}]({name}.md) | {_summary(rule)} | {_threshold(rule)} "
            f"| {rule['for'] or ''} | {_reads(rule)} |"
            for name, rule in sorted(rules.items())
            if rule["severity"] == severity
        ]
        text += f"\n## {severity.capitalize()}: {meaning}\n\n"
        text += "| alert | it says | threshold | for | evaluated by |\n"
        text += "|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    return text


def _summary(rule: dict[str, Any]) -> str:
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"*\1*", rule["summary"])


def _threshold(rule: dict[str, Any]) -> str:
    return "" if rule["threshold"] is None else f"{rule['threshold']:g}"


def _reads(rule: dict[str, Any]) -> str:
    return {"prometheus": "Prometheus", "loki": "Loki"}[rule["source"]]


if __name__ == "__main__":
    PAGE.write_text(page())
