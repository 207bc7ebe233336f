"""The digest of docs/examples/languagebuddy.nix is S0's message, to the letter."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from soloscope_demo.stack.render import nix
from soloscope_demo.tools.venvs import checkout

from soloscope import config
from soloscope.counts.model import DayValues, Snapshot, days_back
from soloscope.digest.report import Report, text
from soloscope.digest.values import of_snapshot

MESSAGE = """\
📊 LanguageBuddy Daily Report
━━━━━━━━━━━━━━━━━━
👥 Users: 12 total (8 active today)
💬 Conversations: 23 today
📝 Digests created: 8 last night
💰 Revenue: 2 premium ($40 MRR)
⚠️ Issues: 1 digest failure

Top 3 deficiencies practiced:
1. Past tense (5 users)
2. Articles (3 users)
3. Pronunciation (2 users)"""

COUNTS = {"conversations": 23, "digests_created": 8, "digests_failed": 1}
KEYS = {"past_tense": 5, "articles": 3, "pronunciation": 2, "word_order": 1}
GAUGES = {"users_total": 12, "users_premium": 2, "revenue_monthly": 40}


def test_the_example_gives_the_message_to_the_letter(tmp_path: Path) -> None:
    modules = checkout() / "modules"
    wrapper = tmp_path / "configuration.nix"
    wrapper.write_text(
        f"""
        (import {modules}/configuration/settings.nix {{
          soloscope = import {modules}/with-defaults.nix
            (import {checkout()}/docs/examples/languagebuddy.nix).services.soloscope;
          paths = (import {modules}/paths.nix).host;
        }}).configuration
        """
    )
    app = config.parse(nix(str(wrapper))).apps["languagebuddy"]
    zone = ZoneInfo("Europe/Berlin")
    # It is the report of a day that still runs, so it says "today".
    at = datetime(2025, 11, 18, 20, tzinfo=zone)
    none = dict.fromkeys(app.counters, 0)
    today, *before = days_back(at.date(), 31)
    days = [
        DayValues(today, none | COUNTS, {"deficiencies": KEYS}, {"active_users": 8}),
        *(DayValues(day, none, {}, {"active_users": 0}) for day in before),
    ]
    snapshot = Snapshot(app, up=True, days=days, gauges=GAUGES)
    values = of_snapshot(snapshot, today, at.timestamp())
    assert text(Report(at.timestamp(), zone, [values])) == MESSAGE
