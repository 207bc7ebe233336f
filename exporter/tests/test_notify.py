"""The pure parts of the notifier: requests, texts, messages, codes, the outbox."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soloscope.errors import SoloscopeError
from soloscope.notify import intake
from soloscope.notify.messages import Message, compose
from soloscope.notify.notices import Notice, from_json, to_json
from soloscope.notify.outbox import Batch, Outbox
from soloscope.notify.pace import Limit, Pace, backoff
from soloscope.notify.providers import Outcome, apprise, cloud_api, twilio
from soloscope.notify.sender import Sender
from soloscope.notify.texts import clean, cut, isolated, one_line, units

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 18, 1, 50, tzinfo=UTC).timestamp()
TITLES = {"shop": "Shop"}


def alert(**change: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "Slow", "app": "shop", "severity": "warning"},
        "annotations": {"summary": "shop is slow", "description": "It takes 2.5 s."},
        "startsAt": "2026-11-18T01:10:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "f1",
        **change,
    }


def webhook(*alerts: dict[str, Any]) -> list[Notice]:
    body = {"groupKey": "g", "receiver": "notify", "alerts": list(alerts)}
    return intake.alertmanager(json.dumps(body).encode())


def told(
    *notices: Notice, late: float = 0, titles: Any = TITLES, again: bool = False
) -> Message:
    received = [(NOW - late, notice) for notice in notices]
    return compose(received, NOW, BERLIN, titles, repeated=again)


OVER = {"status": "resolved", "endsAt": "2026-11-18T01:45:00Z"}


def test_the_wording() -> None:
    (notice,) = webhook(
        alert(
            annotations={
                "summary": "shop is slow",
                "description": "It takes 2.5 s. Since 18 Nov 01:10 UTC.",
                "value": "2.5 s",
                "user": "+4915112345678",
                "dashboard": "https://g.example.org/d/x?from=1763427600000",
                "runbook_url": "javascript:alert(1)",
            }
        )
    )
    assert told(notice).text == (
        "⚠️ Warning\n\nshop is slow\nIt takes 2.5 s.\n\nUser: ***5678\nValue: 2.5 s\n"
        "Since: 02:10\nCheck logs for details\n"
        "Dashboard: https://g.example.org/d/x?from=1763427600000"
    )
    (over,) = webhook(alert(**OVER))
    assert told(over).text == (
        "✅ Resolved\n\nshop is slow\nIt takes 2.5 s.\n\nFired 02:10, resolved 02:45"
    )
    assert told(notice, over, late=2400).parameters[2] == (
        "Fired 02:10, resolved 02:45, sent late"
    )
    assert told(notice, again=True).text.endswith("(possibly repeated)")


def test_the_app_is_named_where_there_are_several() -> None:
    (notice,) = webhook(alert(annotations={"summary": "The database is gone"}))
    assert told(notice).parameters[1] == "The database is gone"
    both = {"shop": "Shop", "blog": "Blog"}
    assert told(notice, titles=both).parameters[1] == "Shop: The database is gone"


def test_many_messages_of_an_app_are_one() -> None:
    def said(text: str) -> Notice:
        return intake.message(json.dumps({"text": text, "app": "shop"}).encode())

    message = told(*[said("payment failed")] * 3, said("no stock"))
    assert message.text == (
        "🚨 Critical Error\n\n4 messages\n• payment failed (3 times, 02:50)\n"
        "• no stock (02:50)\n\nSince: 02:50\nCheck logs for details"
    )


def test_a_marked_alert_is_a_notice_of_its_own() -> None:
    canary = alert(labels={"alertname": "C", "canary": "1"}, fingerprint="f2")
    rehearsal = alert(labels={"alertname": "R", "rehearsal": "2"}, fingerprint="f3")
    notices = webhook(alert(), canary, rehearsal)
    assert [(n.mark, len(n.alerts)) for n in notices] == [
        ("", 1),
        ("canary:1", 1),
        ("rehearsal:2", 1),
    ]
    assert told(notices[2]).text.startswith("🔁 Rehearsal, nothing is wrong\n\n⚠️")
    assert webhook({**canary, **OVER}) == []


def test_a_repeat_has_the_same_key() -> None:
    (one,), (again,) = webhook(alert()), webhook(alert(annotations={}))
    assert one.key == again.key
    for change in (OVER, {"startsAt": "2026-11-18T01:11:00Z"}, {"fingerprint": "f2"}):
        assert webhook(alert(**change))[0].key != one.key


def test_a_digest_by_text_and_by_template() -> None:
    body = {"kind": "digest", "text": "📊 Report\n━━━\n👥 Users: 12", "key": "d/1"}
    report = intake.message(json.dumps(body).encode())
    assert told(report).text == body["text"]
    assert told(report).template == "alert"
    assert told(report).parameters[0] == "📊 Report"
    parameters = ["Shop", "18 Nov", "a\n b", "", "x" * 200, *"abcde"]
    body["parameters"] = parameters  # type: ignore[assignment]
    report = intake.message(json.dumps(body).encode())
    message = told(report)
    assert message.template == "digest"
    assert message.parameters[:4] == ("Shop", "18 Nov", "a b", "-")
    assert len(message.parameters) == 10
    assert max(map(len, message.parameters)) == 90


TEXT = st.text(st.characters(codec=None), max_size=6000)


@given(TEXT, TEXT, TEXT)
def test_any_text_keeps_the_limits(summary: str, description: str, user: str) -> None:
    notes = {"summary": summary, "description": description, "user": user}
    body = json.dumps({"alerts": [alert(annotations=notes)] * 12})
    (notice,) = intake.alertmanager(body.encode())
    assert from_json(to_json(notice)) == notice
    for message in (told(notice), told(notice, notice, again=True)):
        message.text.encode()
        assert units(message.text) <= 4096
        for parameter in message.parameters:
            assert parameter == one_line(parameter) != ""
        assert sum(map(units, message.parameters)) <= 1024 - 130


@given(TEXT, st.integers(1, 100))
def test_cut(text: str, limit: int) -> None:
    text = clean(text)
    short = cut(text, limit)
    assert units(short) <= limit
    assert text == short or short.endswith("…")


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 14, "👩‍👩‍👧‍👦…"),
        ("👍🏽👍🏽", 7, "👍🏽…"),
        ("ae\u0301e\u0301", 4, "ae\u0301…"),
        ("x🇩🇪", 4, "x…"),
        ("⚠️⚠️", 3, "⚠️…"),
    ],
)
def test_no_character_is_halved(text: str, limit: int, expected: str) -> None:
    assert cut(text, limit) == expected


def test_directions() -> None:
    assert isolated("abc") == "abc"
    assert isolated("\u05e9\u05dc") == "\u2068\u05e9\u05dc\u2069"
    # What would turn the rest of the message round is taken out.
    assert clean("a\u202eb\u2066c\u200f\r\nd\x00\x1b[1m") == "abc\nd[1m"
    assert all(unicodedata.category(c) != "Cc" for c in clean("\x85\x9b\x7f a"))


@pytest.mark.parametrize(
    ("kind", "meta", "of_twilio"),
    [
        ("template", [131047], [63016]),
        ("wait", [4, 80007, 130429, 131048, 131056, 368], [20429, 63018]),
        ("retry", [1, 2, 131000, 131016], [20500, 20503]),
        ("undeliverable", [131026, 131049, 130472], [21211, 21610, 63024]),
        (
            "refused",
            [
                *(0, 3, 10, 190, 200, 299, 33, 100, 131008, 131009, 131031, 131042),
                *(132000, 132001, 132005, 132012, 132015, 132016, 133010, 999999),
            ],
            [20003, 20404, 21617, 21656, 63007, 63028, 99999],
        ),
    ],
)
def test_codes(kind: str, meta: list[int], of_twilio: list[int]) -> None:
    assert {cloud_api.kind_of(code) for code in meta} == {kind}
    assert {twilio.kind_of(code) for code in of_twilio} == {kind}


@pytest.fixture
def outbox(tmp_path: Path) -> Any:
    made = Outbox(tmp_path, lambda: NOW)
    yield made
    made.close()


def test_a_repeat_is_one_unless_what_was_told_last_is_over(outbox: Outbox) -> None:
    (firing,), (over,) = webhook(alert()), webhook(alert(**OVER))
    assert outbox.accept(firing, ["a"]) == (1, False)
    assert outbox.accept(firing, ["a"]) == (1, True)
    assert outbox.accept(over, ["a"]) == (2, False)
    assert outbox.accept(over, ["a"]) == (2, True)
    # Prometheus was away; its alert had not ended.
    assert outbox.accept(firing, ["a"]) == (3, False)
    assert outbox.accept(firing, ["a"], within=0) == (4, False)


def test_the_worst_first_and_each_group_at_once(outbox: Outbox) -> None:
    (warning,) = webhook(alert())
    (over,) = webhook(alert(**OVER))
    critical = warning._replace(group="other", severity="critical", key="k")
    for notice in (warning, over, critical):
        outbox.accept(notice, ["a", "b"])
    batch, _ = outbox.next("a")
    assert batch is not None
    assert [d.notice.group for d in batch.deliveries] == ["other"]
    outbox.sending(batch.ids)
    batch, _ = outbox.next("a")
    assert batch is not None
    assert [d.notice_id for d in batch.deliveries] == [1, 2]
    outbox.put_off(batch.ids, NOW + 60, "later")
    assert outbox.next("a") == (None, NOW + 60)
    # It was due in a future of another clock.
    outbox.put_off(batch.ids, NOW + 86400, "later")
    assert outbox.next("a")[0] is not None


def test_what_fails_goes_to_a_channel_that_has_not_had_it(outbox: Outbox) -> None:
    (notice,) = webhook(alert())
    outbox.accept(notice, ["a", "b"])
    batch, _ = outbox.next("a")
    assert batch is not None
    assert not outbox.hand_over(batch.ids, ["b"], "no")
    assert outbox.hand_over(batch.ids, ["b", "c"], "no")
    assert outbox.next("a") == (None, None)
    found = outbox.find("id", "1")
    assert found is not None
    states = {d["channel"]: d["state"] for d in found["deliveries"]}
    assert states == {"a": "failed", "b": "waiting", "c": "waiting"}


class Phone:
    """A provider that does as it is told."""

    limit = Limit(100, 1.0)
    windowed = True

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.sent: list[tuple[str, bool]] = []

    def send(self, message: Message, *, free: bool) -> Outcome:
        self.sent.append((message.parameters[0], free))
        return self.outcomes.pop(0) if self.outcomes else Outcome("sent", "id")


def test_over_is_not_believed_while_prometheus_is_away(outbox: Outbox) -> None:
    """Its alerts end when it is away; what fires then is told at once."""
    now, ready, phone = [NOW], [False], Phone()
    outbox._now = lambda: now[0]

    def written(batch: Batch) -> Message:
        return told(*[d.notice for d in batch.deliveries])

    sender = Sender(
        "a",
        phone,
        outbox,
        others=[],
        written=written,
        ready=lambda: ready[0],
        now=lambda: now[0],
    )

    def pass_time(seconds: int) -> None:
        for _ in range(seconds):
            now[0] += 1
            while sender.step() == 0:
                pass

    (over,) = webhook(alert(**OVER))
    outbox.accept(over, ["a"])
    pass_time(600)
    assert not phone.sent
    ready[0] = True
    pass_time(30)
    assert not phone.sent
    (firing,) = webhook(alert())
    outbox.accept(firing, ["a"])
    pass_time(10)
    assert phone.sent == [("⚠️ Warning", False)]
    outbox.accept(over._replace(key="k"), ["a"])
    pass_time(61)
    assert [title for title, _ in phone.sent] == ["⚠️ Warning", "✅ Resolved"]


def test_what_nobody_expects_stops_nothing(
    outbox: Outbox, capsys: pytest.CaptureFixture[str]
) -> None:
    from soloscope import log

    log.set_up("info")
    phone, now, secret = Phone(), [NOW], "Anna"
    outbox._now = lambda: now[0]

    class Odd(Phone):
        def send(self, message: Message, *, free: bool) -> Outcome:
            raise KeyError(secret)

    def written(batch: Batch) -> Message:
        if batch.deliveries[0].notice.group == "odd":
            raise ValueError(secret)
        return told(batch.deliveries[0].notice, again=batch.repeated)

    def sender(provider: Phone) -> Sender:
        return Sender(
            "a",
            provider,
            outbox,
            others=[],
            written=written,
            ready=lambda: True,
            now=lambda: now[0],
        )

    (notice,) = webhook(alert())
    outbox.accept(notice._replace(group="odd", severity="critical"), ["a"])
    outbox.accept(notice._replace(key="k"), ["a"])
    odd = sender(Odd())
    assert [odd.step(), odd.step()] == [0, 0]
    # Both wait; the second one may have been sent.
    assert outbox.waiting()["a"][0] == 2
    now[0] += 10
    assert sender(phone).step() == 0
    assert len(phone.sent) == 1
    assert "(possibly repeated)" in phone.sent[0][0]
    said = capsys.readouterr().out
    assert "ValueError" in said
    assert "Anna" not in said


def test_the_window_is_a_day_and_needs_the_providers_calls(outbox: Outbox) -> None:
    phone = Phone(Outcome("template", error="error 131047"))

    def sender(calls: bool) -> Sender:
        return Sender(
            "a",
            phone,
            outbox,
            others=[],
            written=lambda batch: told(batch.deliveries[0].notice),
            ready=lambda: True,
            now=lambda: NOW,
            calls=calls,
        )

    outbox.set_replied("a", NOW - 3600)
    assert not sender(calls=False).in_window()
    for age, expected in ((-3600, False), (0, True), (85000, True), (86000, False)):
        outbox.set_replied("a", NOW - age)
        assert sender(calls=True).in_window() == expected, age
    # The provider knows better: at once again, as a template.
    outbox.set_replied("a", NOW - 3600)
    outbox.accept(webhook(alert())[0], ["a"])
    one = sender(calls=True)
    assert one.step() == 0
    one.step()
    assert phone.sent == [("⚠️ Warning", True), ("⚠️ Warning", False)]


def test_apprise_is_missed_with_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SoloscopeError, match=r"install `soloscope\[channels\]`"):
        apprise.need()


def test_an_alert_about_a_channel_goes_another_way() -> None:
    for labels, skipped in (
        ({"component": "notify", "channel": "phone"}, "phone"),
        ({"component": "notify"}, "whatsapp"),
        ({}, ""),
    ):
        (notice,) = webhook(alert(labels={"alertname": "A", **labels}))
        assert notice.skip == skipped


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SoloscopeError, match="must exist and be writable"):
        Outbox(tmp_path / "none", lambda: NOW)


def test_the_pace_outlives_a_restart_and_the_clock(tmp_path: Path) -> None:
    now = [NOW]
    outbox = Outbox(tmp_path, lambda: now[0])
    pace = Pace("a", Limit(2, 6.0), outbox, lambda: now[0])
    pace.take()
    pace.take()
    assert pace.wait() == 6
    outbox.close()
    outbox = Outbox(tmp_path, lambda: now[0])
    pace = Pace("a", Limit(2, 6.0), outbox, lambda: now[0])
    assert pace.wait() == 6
    now[0] -= 3600
    assert pace.wait() == 6
    now[0] += 3606
    assert pace.wait() == 0
    outbox.close()
    assert [backoff(n) for n in (1, 2, 9, 5000)] == [2, 4, 300, 300]
