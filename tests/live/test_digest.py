"""The digest on the real stack: its numbers are the truth of the last full day."""

from __future__ import annotations

import json
import subprocess
import sys

from soloscope_demo.stack import APP, Stack


def soloscope(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the stack's configuration."""
    config = str(stack.root / "soloscope.json")
    return subprocess.run(
        [sys.executable, "-m", "soloscope", "--config", config, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_report_tells_the_truth(stack: Stack) -> None:
    yesterday = next(iter(stack.days(2)))
    done = soloscope(stack, "digest", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    mine = told["apps"][APP]
    truth = stack.truth()
    days = truth["days"]
    counted = days[mine["day"]]
    # Or the day after, when midnight has just passed.
    assert mine["day"] in (yesterday, next(iter(stack.days(2))))
    for name, value in counted["counters"].items():
        assert mine["numbers"][f"counters.{name}"] == value
    users = len(counted["uniques"]["active_users"])
    assert abs(mine["numbers"]["uniques.active_users"] - users) <= 2
    table = counted["breakdowns"]["deficiencies"]
    assert dict(mine["top"]["deficiencies"]) == table
    assert mine["error"] is None
    lines = told["text"].splitlines()
    assert lines[0] == "📊 LanguageBuddy Daily Report"
    conversations = counted["counters"]["conversations"]
    # Of yesterday or today: the app's day need not be that of the report's zone.
    said = f"💬 Conversations: {conversations} "
    assert any(line.startswith(said) for line in lines)
    revenue, premium = (
        truth["gauges"][name] for name in ("revenue_monthly", "users_premium")
    )
    assert f"💰 Revenue: {premium} premium (${revenue:,} MRR)" in lines
    # The demo keeps no disk budget; everything else is there.
    assert [one for one in told["unread"] if not one.startswith("disk budget")] == []
