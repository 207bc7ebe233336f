# ruff: noqa: F821, INP001, S101
STATE = "/var/lib/soloscope-digest/sent.json"
STAMP = "/var/lib/systemd/timers/stamp-soloscope-digest.timer"
TOKEN = "/var/lib/soloscope-secrets/notify-token"


def sent() -> dict[str, Any]:
    """What the digest's folder says."""
    value: dict[str, Any] = json.loads(machine.succeed(f"cat {STATE}"))
    return value


def outbox(query: str) -> dict[str, Any]:
    """What `soloscope notify` says of a message."""
    header = f'"Authorization: Bearer $(cat {TOKEN})"'
    url = f"http://127.0.0.1:9848/api/v1/messages?{query}"
    return json.loads(machine.succeed(f"curl -fsS -H {header} '{url}'"))


def missed_morning() -> None:
    """As if the host had been off in the morning."""
    machine.succeed("systemctl stop soloscope-digest.timer")
    machine.succeed(f"touch -d '2 days ago' {STAMP}")
    machine.succeed("systemctl start soloscope-digest.timer")


def already_sent() -> int:
    text = machine.succeed("journalctl -u soloscope-digest --output=cat")
    return text.count('"event":"digest_already_sent"')


def lost() -> dict[str, str]:
    """Run the canary: leg -> what was lost."""
    machine.succeed("systemctl start soloscope-canary.service")
    last = json.loads(machine.succeed("cat /var/lib/soloscope-canary/last.json"))
    return {n: leg["detail"] for n, leg in last["legs"].items() if not leg["ok"]}


machine.start()
for unit in ("prometheus", "loki", "alertmanager", "soloscope-notify"):
    machine.wait_for_unit(f"{unit}.service", timeout=120)
machine.wait_for_unit("soloscope-exporter.service", timeout=60)

with subtest("the timer is at eight in the developer's zone"):
    shown = machine.succeed("systemctl show soloscope-digest.timer -p TimersCalendar")
    assert "*-*-* 08:00:00 Asia/Tokyo" in shown, shown

with subtest("a morning that was missed has its message, which is in the outbox"):
    missed_morning()
    eventually("it was sent", lambda: machine.execute(f"test -e {STATE}")[0], 0, 90)
    state = outbox(f"key=digest/{sent()['morning']}")
    assert state["state"] in ("waiting", "sending"), state
    eventually(
        "its metric",
        lambda: list(
            prometheus("soloscope_digest_last_success_timestamp_seconds").values()
        ),
        [sent()["at"]],
    )

with subtest("it is sent once a day, also after another start"):
    before = sent()
    missed_morning()
    eventually("it ran again", lambda: already_sent() > 0, True, 90)
    t.assertEqual(sent(), before)

with subtest("at the terminal it says what was reported"):
    text = machine.succeed("soloscope digest --dry-run")
    assert "📊 Shop Daily Report" in text, text
    assert "Invoices" in text, text

with subtest("a line, a count and an alert arrive"):
    eventually("what is lost", lost, {}, 180)
    eventually(
        "the metrics",
        lambda: {
            dict(key)["leg"]: value
            for key, value in prometheus("soloscope_canary_success").items()
        },
        {"log": 1.0, "count": 1.0, "alert": 1.0},
    )

with subtest("a shipper without its group is found"):
    folder = "/run/systemd/system/soloscope-promtail.service.d"
    machine.succeed(f"mkdir -p {folder}")
    machine.succeed(
        f"printf '[Service]\\nSupplementaryGroups=\\n' > {folder}/group.conf"
    )
    machine.succeed("systemctl daemon-reload; systemctl restart soloscope-promtail")
    t.assertEqual(lost(), {"log": "a line printed did not reach Loki"})
    machine.succeed(f"rm {folder}/group.conf; systemctl daemon-reload")
    machine.succeed("systemctl restart soloscope-promtail")
    eventually("what is lost", lost, {}, 180)

with subtest("both units are hardened as our others are"):
    for unit in ("soloscope-digest", "soloscope-canary"):
        machine.succeed(
            f"systemd-analyze security --threshold=15 --no-pager {unit} >&2"
        )
    machine.fail(f"journalctl --no-pager --output=cat | grep -Ff {TOKEN}")
