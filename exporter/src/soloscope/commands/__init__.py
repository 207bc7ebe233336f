"""The commands, one module each, imported only when it is run.

A module `soloscope.commands.<name>` (dashes become underscores) has
`add_arguments(parser)` and `run(config, args) -> int`, which is the exit code:
0 success, 1 a check failed, 2 wrong usage or configuration. `COMMANDS` names them with
the line that `soloscope --help` shows, because importing them all would take too long.
"""

from __future__ import annotations

__all__ = ["COMMANDS"]

COMMANDS = {
    "serve": "answer Prometheus, health checks and people over HTTP",
    "health-check": "say what is well and what is not, with the numbers of now",
    "probe": "ask the outside APIs once, with their keys",
    "notify": "send alerts and reports to the phone, or hand over a message",
    "rehearse": "send a rule's alert all the way to the phone, as a rehearsal",
    "doctor": "say what is wrong and how to repair it",
    "backfill": "give Prometheus the days that Redis still has",
    "errors": "show the errors of the last day in groups, the new ones marked",
    "canary": "prove that lines, counts and alerts still arrive",
    "digest": "send the report of yesterday, as each morning",
    "debug-user": "show what is known about one user",
    "why": "show what happened to a conversation, user or request, and what failed",
    "alerts": "show which alerts fire, since when, and who silenced them",
    "silence": "silence an alert for a time, or end a silence",
    "validate": "say whether declared features work, with evidence",
    "checklist": "print what to look at before and after a deployment, as far as known",
    "annotate": "set a mark that the graphs show",
    "dashboards": "write Grafana's dashboards from the configuration",
    "loki-budget": "keep Loki's folder under its budget",
    "check-config": "say what is wrong in the configuration file",
}
