# ruff: noqa: F821, INP001, S101
def messages(name: str = "NoCounts") -> list[tuple[str, str]]:
    """What the receiver was sent of an alert: its state and its summary."""
    text = machine.execute("cat /var/lib/private/receiver/messages")[1]
    return [
        (body["status"], body["commonAnnotations"]["summary"])
        for body in map(json.loads, text.splitlines())
        if body["groupLabels"]["alertname"] == name
    ]


def alerts() -> list[dict[str, Any]]:
    """What `soloscope alerts` shows of the rule of this test."""
    lines = machine.succeed("soloscope alerts --json").splitlines()
    found = [json.loads(line) for line in lines]
    return [one for one in found if one["alert"] == "NoCounts"]


SUMMARY = "shop's counts cannot be read"

machine.start()
for unit in ("alertmanager", "prometheus", "soloscope-exporter", "receiver"):
    machine.wait_for_unit(f"{unit}.service", timeout=120)
eventually("the counts are read", lambda: prometheus("soloscope_up == 1"))

with subtest("an alert reaches the receiver, with the token, once"):
    t.assertEqual(messages(), [])
    machine.succeed("systemctl stop redis-app.service")
    eventually("the message", messages, [("firing", SUMMARY)])

with subtest("the command shows it, and who silenced it"):
    (alert,) = alerts()
    t.assertEqual(alert["labels"]["app"], "shop")
    t.assertEqual(alert["labels"]["host"], machine.succeed("hostname").strip())
    status, text = machine.execute("soloscope silence NoCount 2h 'a typo' 2>&1")
    t.assertEqual(status, 2)
    assert "there are: NoCounts" in text, text
    machine.succeed("soloscope silence NoCounts 2h 'Redis moves' --app shop >&2")
    eventually(
        "the silence",
        lambda: [one["why"] for one in alerts()[0]["silences"]],
        ["Redis moves"],
    )
    print(machine.succeed("soloscope alerts"))
    machine.succeed("soloscope silence NoCounts --end --app shop >&2")

with subtest("it is told once when it is over"):
    machine.succeed("systemctl start redis-app.service")
    eventually("the message", messages, [("firing", SUMMARY), ("resolved", SUMMARY)])
    eventually("nothing fires", alerts, [])

with subtest("a dead Alertmanager is named"):
    machine.succeed("systemctl stop alertmanager.service")
    status, text = machine.execute("soloscope alerts 2>&1")
    t.assertEqual(status, 1)
    assert "http://127.0.0.1:9093/api/v2/alerts" in text, text
    machine.succeed("systemctl start alertmanager.service")

with subtest("nothing listens beyond 127.0.0.1, and the token is nowhere else"):
    machine.wait_for_unit("alertmanager.service", timeout=60)
    t.assertEqual(beyond_loopback(), [])
    secrets_are_kept(["exporter-token"], "/var/lib/test-secrets/token")
