# ruff: noqa: F821, INP001, S101
def messages() -> list[str]:
    """What the phone got: the title and the text of each message.

    A message that was under way at a kill says that it may be a repeat.
    """
    text = machine.execute("cat /var/lib/private/provider/messages")[1]
    return [
        ": ".join(message[:2]).replace(" (possibly repeated)", "")
        for message in json.loads(text or "[]")
    ]


CRITICAL = "🚨 Critical Error: "
SUMMARY = "shop's counts cannot be read"

machine.start()
for unit in ("alertmanager", "prometheus", "soloscope-notify", "provider"):
    machine.wait_for_unit(f"{unit}.service", timeout=120)
eventually("the counts are read", lambda: prometheus("soloscope_up == 1"))

with subtest("root hands over a message at the terminal, others may not"):
    machine.succeed("soloscope notify --message 'hello' >&2")
    eventually("the message", messages, [CRITICAL + "hello"])
    status, text = machine.execute(
        "su --shell /bin/sh nobody -c 'soloscope notify --message x' 2>&1"
    )
    t.assertEqual(status, 1)
    assert "run this as root" in text, text

with subtest("an alert is a message when it begins and when it is over"):
    machine.succeed("systemctl stop redis-app.service")
    firing = [CRITICAL + "hello", CRITICAL + SUMMARY]
    eventually("the message", messages, firing)
    machine.succeed("systemctl start redis-app.service")
    eventually("the next one", messages, [*firing, "✅ Resolved: " + SUMMARY])

with subtest("a restart keeps what waits"):
    machine.succeed("systemctl stop provider.service")
    machine.succeed("rm /var/lib/private/provider/messages")
    machine.succeed("soloscope notify --message 'while it is away' >&2")
    machine.succeed("systemctl restart soloscope-notify.service")
    machine.succeed("systemctl kill --signal=KILL soloscope-notify.service")
    machine.succeed("systemctl start provider.service")
    eventually("the message", messages, [CRITICAL + "while it is away"])

with subtest("a rehearsal goes the whole way"):
    print(machine.succeed("soloscope rehearse NoCounts --app shop"))
    rehearsed = "Rehearsal " + CRITICAL + SUMMARY
    eventually("the message", messages, [CRITICAL + "while it is away", rehearsed])

with subtest("its metrics are scraped"):
    eventually("the job", lambda: prometheus('up{job="notify"} == 1'))
    t.assertEqual(
        list(prometheus("soloscope_notify_waiting").values()),
        [0.0],
    )

with subtest("the unit is hardened"):
    unit = "soloscope-notify.service"
    print(machine.succeed(f"systemd-analyze security --no-pager {unit} | tail -1"))
    machine.succeed(f"systemd-analyze security --threshold=15 --no-pager {unit} >&2")

with subtest("nothing listens beyond 127.0.0.1, and the secrets are nowhere else"):
    t.assertEqual(beyond_loopback(), [])
    secrets_are_kept(
        ["exporter-token", "notify-token"], "/var/lib/test-secrets/whatsapp"
    )
    log = machine.succeed("journalctl --unit soloscope-notify.service --output cat")
    assert "4915123456789" not in log
    assert "hello" not in log
