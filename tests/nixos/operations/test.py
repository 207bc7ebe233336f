# ruff: noqa: F821, INP001, S101
FOLDERS = ["loki", "private/soloscope-promtail", "prometheus2", "soloscope-secrets"]
TOKEN = f"{SECRETS}/exporter-token"


def fingerprint(node: Any) -> str:
    """The files of our folders: names, contents, modes and names of owners."""
    node.succeed(f"cd /var/lib && ls -d {' '.join(FOLDERS)}")
    return node.succeed(
        f"cd /var/lib && find {' '.join(FOLDERS)} -type f -printf '%p %m ' -exec sha256sum {{}} ';' | sort"
    )


def time() -> str:
    """Now, in seconds since 1970."""
    return str(machine.succeed("date +%s").strip())


def remembered() -> list[str]:
    """The line that is in Loki only: the journal does not have it."""
    return [entry["line"] for entry in loki('{job="test"}')]


def counted(at: str) -> list[Any]:
    query = 'soloscope_count_total{name="orders"}'
    answer = json.loads(get(f"{PROMETHEUS}/api/v1/query", query=query, time=at))
    return [row["value"][1] for row in answer["data"]["result"]]


def is_up() -> None:
    for unit in ["loki", "prometheus", "soloscope-exporter", "soloscope-promtail"]:
        machine.wait_for_unit(f"{unit}.service", timeout=120)
    eventually("Loki is ready", lambda: "ready" in get(f"{LOKI}/ready"), True, 120)


start_all()
is_up()

with subtest("the page names every folder of our units"):
    folders = machine.succeed(
        "systemctl list-unit-files --plain --no-legend 'soloscope-*.service' loki.service"
        " prometheus.service | cut -d' ' -f1 | xargs systemctl show --value -p StateDirectory"
    ).split()
    assert len(folders) > 4, folders
    t.assertEqual([name for name in folders if name not in PAGE], [])

with subtest("there is something to lose"):
    now = time()
    stream = {"stream": {"job": "test"}, "values": [[f"{now}000000000", "remember me"]]}
    body = json.dumps({"streams": [stream]})
    json_type = ["--header", "Content-Type: application/json"]
    get(f"{LOKI}/loki/api/v1/push", *json_type, "--data", body)
    redis = "redis-cli -s /run/redis-app/redis.sock"
    machine.succeed(f"{redis} incrby metrics:$(date -u +%F):orders 3")
    eventually("the line", remembered, ["remember me"])
    eventually("the count", lambda: counted(time()), ["3"])
    moment = time()
    token = machine.succeed(f"cat {TOKEN}")

with subtest("back up"):
    machine.succeed(block("Back up"))
    is_up()
    t.assertEqual(machine.succeed(f"stat -c '%a %U' {BACKUP}").strip(), "600 root")

with subtest("a host where soloscope is switched off has no unit of it"):
    units = off.succeed("systemctl list-unit-files --plain --no-legend")
    for name in ["soloscope-", "loki", "prometheus", "grafana"]:
        assert name not in units, units
    off.fail("ls -d /var/lib/soloscope-secrets")

with subtest("and it leaves the data alone, at its next boot too"):
    machine.copy_from_machine(BACKUP)
    off.copy_from_host(str(machine.out_dir / "soloscope-backup.tar.gz"), BACKUP)
    off.succeed(f"tar --extract --gzip --file {BACKUP} --directory /var/lib")
    kept = fingerprint(off)
    off.shutdown()
    off.start()
    off.wait_for_unit("multi-user.target")
    t.assertEqual(fingerprint(off), kept)

with subtest("uninstall, with the data"):
    machine.succeed(
        "systemctl stop 'soloscope-*' loki 'prometheus*'", block("Uninstall")
    )
    for folder in [*FOLDERS, "*soloscope*", "private/soloscope*"]:
        machine.fail(f"ls -d /var/lib/{folder}")

with subtest("restore"):
    machine.succeed(block("Restore"))
    is_up()
    eventually("the line", remembered, ["remember me"])
    t.assertEqual(counted(moment), ["3"])
    t.assertEqual(machine.succeed(f"cat {TOKEN}"), token)

with subtest("another secret, of which the unit knows"):
    machine.succeed(block("Another secret"))
    is_up()
    fresh = machine.succeed(f"cat {TOKEN}")
    admin = "http://127.0.0.1:9847/api/admin/metrics"
    header = "--header", f"Authorization: Bearer {fresh.strip()}"
    eventually("an answer", lambda: get(admin, *header))
    t.assertNotEqual(fresh, token)

with subtest("a second disk"):
    machine.succeed(block("A second disk"))
    # What the declared file system is after the switch.
    machine.succeed("mount --bind /mnt /var/lib/loki")
    machine.succeed("systemctl start multi-user.target")
    is_up()
    t.assertEqual(machine.succeed("stat -c %U /var/lib/loki").strip(), "loki")
    eventually("the line", remembered, ["remember me"])
