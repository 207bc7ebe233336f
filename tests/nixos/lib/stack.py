# ruff: noqa: F821, INP001, S101
import time

# What is counted below is of one UTC day: wait when it is about to end.
left = 86400 - time.time() % 86400
if left < 300:
    time.sleep(left)

UNITS = [
    "loki",
    "prometheus",
    "prometheus-node-exporter",
    "prometheus-redis-exporter",
    "redis-app",
    "shop",
    "soloscope-exporter",
    f"soloscope-{SHIPPER}",
    "soloscope-secrets",
]
JOBS = {"loki", "node", "prometheus", SHIPPER, "redis", "soloscope"}
OURS = [
    "loki",
    "soloscope-annotate",
    "soloscope-exporter",
    "soloscope-loki-budget",
    f"soloscope-{SHIPPER}",
    "soloscope-secrets",
]


def everything_is_up() -> None:
    for unit in UNITS:
        machine.wait_for_unit(f"{unit}.service", timeout=120)
    eventually("the jobs that answer", jobs_up, JOBS, 120)
    t.assertEqual(machine.succeed("systemctl --failed --plain --no-legend").strip(), "")


def lines(unit: str) -> list[str]:
    return [entry["line"] for entry in loki(f'{{unit="{unit}"}}')]


machine.start()

with subtest("one app and `enable` bring up the whole stack"):
    everything_is_up()

with subtest("a JSON line of the unit is in Loki with exactly our labels"):
    eventually("the line is found", lambda: loki('{app="shop"} |= "Order placed"'))
    (entry,) = loki('{app="shop"} |= "Order placed"')
    host = machine.succeed("hostname").strip()
    t.assertEqual(
        entry["labels"],
        {
            "app": "shop",
            "host": host,
            "job": "shop",
            "level": "info",
            "service_name": "shop",
            "unit": "shop.service",
        },
    )
    t.assertEqual(
        entry["structuredMetadata"],
        {"conversation_id": "c-7", "event": "order_placed", "user": "u-42"},
    )
    t.assertEqual(json.loads(entry["line"])["amount"], 12.5)
    # An entry's time is the journal's, not the app's.
    assert int(entry["time"]) > 1763452800000 * 10**6 + 10**15, entry["time"]

with subtest("levels follow the app, and other units have no app"):
    eventually("an error", lambda: loki('{app="shop",level="error"} |= "refused"'))
    eventually("a plain line", lambda: loki('{app="shop"} |= "a plain line"'))
    eventually("another unit", lambda: loki('{unit="redis-app.service"}'))
    for entry in loki('{unit=~".+",unit!="shop.service"}'):
        assert "app" not in entry["labels"], entry

with subtest("every kind of count is in Prometheus with its value"):
    day = machine.succeed("date -u +%F").strip()
    before = machine.succeed("date -u -d yesterday +%F").strip()
    shop: dict[str, str] = {"app": "shop"}
    expected = {
        "soloscope_count_total": {labels(**shop, name="orders"): 3},
        "soloscope_breakdown_total": {
            labels(**shop, name="refusals", key="limit"): 2,
            labels(**shop, name="refusals", key="stolen card"): 1,
        },
        "soloscope_unique": {
            labels(**shop, name="buyers"): 2,
            labels(**shop, name="sellers"): 3,
        },
        "soloscope_timing_seconds_sum": {labels(**shop, name="payment"): 0.49},
        "soloscope_timing_seconds_count": {labels(**shop, name="payment"): 2},
        "soloscope_value": {labels(**shop, name="users_total"): 12},
        'soloscope_window{name="orders"}': {
            labels(**shop, name="orders", window="1d"): 3,
            labels(**shop, name="orders", window="7d"): 8,
            labels(**shop, name="orders", window="30d"): 8,
        },
        f'soloscope_day{{name="orders",day=~"{day}|{before}"}}': {
            labels(**shop, name="orders", day=day): 3,
            labels(**shop, name="orders", day=before): 5,
        },
        "soloscope_job_late": {labels(**shop, name="invoices"): 0},
        "soloscope_keys_without_expiry": {labels(**shop): 0},
        "soloscope_up": {labels(**shop): 1},
        "redis_up": {labels(**shop): 1},
    }
    for query, values in expected.items():
        eventually(query, lambda q=query: prometheus(q), values)

with subtest("Loki's folder is where the host says, with all that is in it"):
    machine.succeed("test -d /srv/loki/wal")
    machine.succeed("test -s /srv/loki/soloscope-overrides.json")
    machine.fail("test -e /var/lib/loki")

with subtest("the disk budget measures it, and Prometheus has what it found"):
    machine.succeed("systemctl start soloscope-loki-budget.service")
    eventually(
        "the budget",
        lambda: prometheus("soloscope_loki_budget_bytes"),
        {(): 10 * 2**30},
    )
    eventually("the folder", lambda: prometheus('soloscope_loki_bytes{part="wal"} > 0'))
    eventually("its event", lambda: loki('{unit="soloscope-loki-budget.service"}'))
    overrides = json.loads(machine.succeed("cat /srv/loki/soloscope-overrides.json"))
    t.assertEqual(overrides["overrides"]["fake"]["retention_period"], "720h")

with subtest("the command `soloscope` reads the host's configuration"):
    machine.succeed("test -s /etc/soloscope/soloscope.json")
    machine.succeed("soloscope --help >/dev/null")

with subtest("nothing listens beyond 127.0.0.1"):
    t.assertEqual(beyond_loopback(), [])

with subtest("the units are hardened"):
    for unit in OURS:
        print(machine.succeed(f"systemd-analyze security --no-pager {unit} | tail -1"))
        machine.succeed(
            f"systemd-analyze security --threshold=15 --no-pager {unit} >&2"
        )

with subtest("secrets are root's alone, and in no store, command line or journal"):
    secrets_are_kept(["exporter-token"], "/var/lib/test-secrets/redis")

with subtest("a reboot keeps the secrets, the lines and the counts"):
    sums = machine.succeed(f"sha256sum {SECRETS}/*")
    eventually("the lines are there", lambda: len(lines("shop.service")) >= 3)
    machine.succeed("journalctl --sync")
    machine.shutdown()
    machine.start()
    everything_is_up()
    t.assertEqual(machine.succeed(f"sha256sum {SECRETS}/*"), sums)
    eventually(
        "the line from before and the one from after",
        lambda: len(loki('{app="shop"} |= "Order placed"')),
        2,
    )
    eventually(
        "the app counted again",
        lambda: prometheus("soloscope_count_total"),
        {labels(app="shop", name="orders"): 6},
    )
