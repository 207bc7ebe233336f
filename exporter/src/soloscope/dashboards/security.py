"""Security: does somebody try to get in, and who changed what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soloscope.dashboards.grafana import Row
from soloscope.dashboards.pieces import apps_with, graph, lines, now, over, stat, steps
from soloscope.dashboards.shared import app_dashboard

if TYPE_CHECKING:
    from soloscope.config import Config
    from soloscope.dashboards.grafana import Dashboard
    from soloscope.dashboards.queries import Source

#: Events of the app that are about its security.
EVENTS = (
    "login_failed|rate_limited|access_denied|audit|token_refresh_failed"
    "|(auth|security|permission|mfa|password)_.+"
)
_LINES = f'{{app="$app"}} | event=~"{EVENTS}"'


def dashboards(config: Config, source: Source) -> Iterator[Dashboard]:
    """One for the apps with metrics of logins."""
    apps = apps_with(config, "security")
    if source.kind != "prometheus" or not apps:
        return
    yield app_dashboard(
        source,
        "soloscope-security",
        title="soloscope security",
        description="Does somebody try to get in, and who changed what.",
        rows=(_values(), _over_time(), _events()),
        since="now-24h",
        apps=apps,
    )


def _count(metric: str) -> str:
    return f'sum by (app) (increase({metric}{{app="$app"}}[24h]))'


def _values() -> Row:
    failed = _count("authentication_failures_total")
    return Row(
        4,
        [
            stat(
                "failed",
                "Logins that failed, 24 h",
                "Wrong passwords, unknown and locked users. Good is a few percent of "
                "all; a burst is an attack or a broken login page.",
                now(failed),
                "not reported",
                decimals=0,
                expr='{app="$app"} | event="login_failed"',
            ),
            stat(
                "failed_share",
                "Share of logins that failed",
                "Of all that were tried in 24 hours. Good is below 10 %.",
                now(f"{failed} / ({_count('authentication_attempts_total')} > 0)"),
                "no login in 24 hours",
                unit="percentunit",
                thresholds=steps(0.1, 0.3),
                expr='{app="$app"} | event="login_failed"',
            ),
            stat(
                "limited",
                "Slowed down, 24 h",
                "Requests refused because there were too many (429 and "
                "`security_event_total`). Good is a few.",
                now(_count("security_event_total")),
                "not reported",
                decimals=0,
                thresholds=steps(50, 500),
                expr='{app="$app"} | event="rate_limited"',
            ),
            stat(
                "denied",
                "Not allowed, 24 h",
                "Requests for what the user may not see. Good is a few: a broken link "
                "gives one, somebody who tries gives many.",
                now(_count("access_denied_total")),
                "not reported",
                decimals=0,
                thresholds=steps(20, 100),
                expr='{app="$app"} | event="access_denied"',
            ),
            stat(
                "resets",
                "Passwords reset, 24 h",
                "Passwords that were set anew. Good is what is usual.",
                now(_count("password_reset_total")),
                "not reported",
                decimals=0,
            ),
            stat(
                "audited",
                "Recorded actions, 24 h",
                "Entries of the audit log: who was banned, what was deleted.",
                now(_count("audit_log_total")),
                "not reported",
                decimals=0,
                expr='{app="$app"} | event="audit"',
            ),
        ],
    )


def _over_time() -> Row:
    return Row(
        8,
        [
            graph(
                "logins",
                "Logins per hour",
                "All that were tried, and those that failed. Good is that the second "
                "line does not follow the first.",
                [
                    over('app:authentication_attempts:increase1h{app="$app"}', "tried"),
                    over(
                        "sum by (app) (app_reason:authentication_failures:increase1h"
                        '{app="$app"})',
                        "failed",
                    ),
                ],
                "no login in this time",
                colors={"tried": "blue", "failed": "red"},
            ),
            graph(
                "reasons",
                "Why logins failed, per hour",
                "By reason. Many unknown users are somebody who guesses names.",
                [
                    over(
                        'app_reason:authentication_failures:increase1h{app="$app"}',
                        "{{reason}}",
                    )
                ],
                "none failed in this time",
                stacked=True,
            ),
            graph(
                "refused",
                "Requests refused, per second",
                "By status: 401 not logged in, 403 not allowed, 429 too many.",
                [
                    over(
                        'app_status:http_requests:rate5m{app="$app",status=~"401|403|429"}',
                        "{{status}}",
                    )
                ],
                "none refused in this time",
                unit="reqps",
                colors={"401": "yellow", "403": "orange", "429": "purple"},
            ),
        ],
    )


def _events() -> Row:
    return Row(
        8,
        [
            lines(
                "events",
                "What happened",
                "Failed logins, refused requests and recorded actions, newest first. "
                "Open a line for its user.",
                f'{_LINES} | json reason="reason",action="action",path="path" '
                "| drop __error__, __error_details__ "
                "| line_format `{{ .event }}  {{ .reason }}{{ .action }}{{ .path }}  "
                "{{ .user }}`",
                "nothing was logged in this time",
            )
        ],
    )
