"""Alertmanager's rendered configuration: who hears of which alert, asked of amtool."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

Rendered = Callable[..., tuple[Path, dict[str, Any]]]
Accepted = Callable[..., str]
Program = Callable[[str], str]

#: Every channel and every option of it.
RECEIVERS: dict[str, Any] = {
    "me": {
        "email": {
            "to": "me@example.org",
            "from": "alerts@example.org",
            "smarthost": "smtp.example.org:587",
            "username": "alerts",
            "passwordFile": "/run/secrets/smtp",
        }
    },
    "team": {
        "severities": ["critical", "warning", "info"],
        "slack": {"urlFile": "/run/secrets/slack", "channel": "#ops"},
        "webhook": {"url": "http://127.0.0.1:8080/a?b=$c", "tokenFile": "/run/token"},
    },
    "pager": {
        "severities": ["critical"],
        "after": "30m",
        "pagerduty": {"keyFile": "/run/secrets/pagerduty"},
        "webhook": {"urlFile": "/run/secrets/url"},
    },
}
FULL: dict[str, Any] = {
    "timeZone": "Asia/Tokyo",
    "alertmanager": {
        "receivers": RECEIVERS,
        "heartbeat": {"urlFile": "/run/secrets/heartbeat"},
        "quietHours": {"from": "22:00", "to": "07:00"},
    },
}

HEARS = {"critical": "me,pager,team", "warning": "me,team", "info": "team"}


@pytest.fixture
def written(rendered: Rendered) -> Callable[[dict[str, Any]], Path]:
    """The rendered alertmanager.yml of some options."""
    return lambda options: rendered(**options)[0] / "alertmanager.yml"


def routed(
    program: Program, accepted: Accepted, file: Path, receivers: str, **labels: str
) -> None:
    """The alert with these labels goes to `receivers`, or the test fails."""
    accepted(
        *(program("amtool"), "config", "routes", "test", f"--config.file={file}"),
        f"--verify.receivers={receivers}",
        *(f"{name}={value}" for name, value in labels.items()),
    )


def test_each_severity_of_each_app_reaches_those_who_want_it(
    written: Callable[[dict[str, Any]], Path], program: Program, accepted: Accepted
) -> None:
    file = written(FULL)
    assert "5 receivers" in accepted(program("amtool"), "check-config", str(file))
    for severity, app in product(HEARS, ("languagebuddy", "other", "")):
        labels = {"alertname": "X", "severity": severity, "app": app}
        routed(program, accepted, file, HEARS[severity], **labels)
    watchdog = {"alertname": "Watchdog", "severity": "info"}
    routed(program, accepted, file, "heartbeat", **watchdog)
    # What has another severity, or none, is shown and sent to nobody.
    routed(program, accepted, file, "nobody", alertname="X")
    with pytest.raises(AssertionError, match="WARNING"):
        routed(program, accepted, file, "me", alertname="X", severity="info")


def test_soloscope_notify_is_a_receiver_where_it_is_enabled(
    rendered: Rendered, program: Program, accepted: Accepted
) -> None:
    folder, files = rendered(
        notify={"channels": {"phone": {"urlFile": "/run/url", "severities": []}}},
        alertmanager={
            "receivers": {"late": {"after": "30m", "notify": {"channel": "phone"}}}
        },
    )
    file = folder / "alertmanager.yml"
    accepted(program("amtool"), "check-config", str(file))
    for severity, receivers in (("critical", "late,notify"), ("info", "nobody")):
        routed(program, accepted, file, receivers, alertname="X", severity=severity)
    _, late, notify = files["alertmanager.yml"]["receivers"]
    urls = [one["webhook_configs"][0]["url"] for one in (late, notify)]
    assert urls == [
        "http://127.0.0.1:9848/alertmanager?channel=phone",
        "http://127.0.0.1:9848/alertmanager",
    ]


def test_without_receivers_nobody_is_notified(
    written: Callable[[dict[str, Any]], Path], program: Program, accepted: Accepted
) -> None:
    file = written({})
    for severity in HEARS:
        routed(program, accepted, file, "nobody", alertname="X", severity=severity)
    routed(program, accepted, file, "nobody", alertname="Watchdog", severity="info")


def test_routes_group_repeat_escalate_and_are_quiet(rendered: Rendered) -> None:
    _, files = rendered(**FULL)
    route = files["alertmanager.yml"]["route"]
    assert route["group_by"] == ["alertname", "app"]
    assert (route["group_wait"], route["group_interval"]) == ("30s", "5m")
    watchdog, aftermath, *routes = route["routes"]
    assert aftermath["receiver"] == "nobody"
    assert (watchdog["group_interval"], watchdog["repeat_interval"]) == (
        "1m",
        "50000ms",
    )
    for one in routes:
        assert one["continue"]
        (matcher,) = one["matchers"]
        severity = matcher.split('"')[1]
        repeat = {"critical": "4h", "warning": "12h", "info": "24h"}[severity]
        assert one["repeat_interval"] == repeat
        quiet = [] if severity == "critical" else ["quiet"]
        assert one.get("mute_time_intervals", []) == quiet
        late = one["receiver"] == "pager"
        assert one.get("group_by") == (["..."] if late else None)
        assert one.get("group_wait") == ("30m" if late else None)


@pytest.mark.parametrize(
    ("start", "end", "ranges"),
    [
        ("22:00", "07:00", [("22:00", "24:00"), ("00:00", "07:00")]),
        ("22:00", "00:00", [("22:00", "24:00")]),
        ("00:00", "07:00", [("00:00", "07:00")]),
        ("13:00", "14:30", [("13:00", "14:30")]),
    ],
)
def test_quiet_hours_end_on_the_day_that_is_meant(
    rendered: Rendered,
    program: Program,
    accepted: Accepted,
    start: str,
    end: str,
    ranges: list[tuple[str, str]],
) -> None:
    folder, files = rendered(
        timeZone="Asia/Tokyo",
        alertmanager={
            "receivers": RECEIVERS,
            "quietHours": {"from": start, "to": end},
        },
    )
    accepted(program("amtool"), "check-config", f"{folder}/alertmanager.yml")
    (quiet,) = files["alertmanager.yml"]["time_intervals"]
    (interval,) = quiet["time_intervals"]
    assert interval["location"] == "Asia/Tokyo"
    assert interval["times"] == [
        {"start_time": first, "end_time": last} for first, last in ranges
    ]


def test_no_secret_is_in_the_configuration(rendered: Rendered) -> None:
    """Each is a file's path: nothing but `*_file` names a secret of RECEIVERS."""
    _, files = rendered(**FULL)
    found: set[str] = set()

    def walk(value: Any, key: str = "") -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, name)
        elif isinstance(value, list):
            for inner in value:
                walk(inner, key)
        elif isinstance(value, str) and value.startswith("/run/"):
            assert key.endswith("_file")
            found.add(value)

    walk(files["alertmanager.yml"])
    names = ("smtp", "slack", "pagerduty", "url", "heartbeat")
    assert found == {"/run/token", *(f"/run/secrets/{name}" for name in names)}
