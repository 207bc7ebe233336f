# ruff: noqa: F821, INP001, S101
SERVE = "http://127.0.0.1:9847"


def overall() -> tuple[int, dict[str, Any]]:
    """Status and body of /health/overall."""
    text = machine.succeed(
        f"curl -sS --max-time 5 -w '\\n%{{http_code}}' {SERVE}/health/overall"
    )
    body, status = text.rsplit("\n", 1)
    return int(status), json.loads(body)


def failing() -> dict[str, str]:
    """What /api/health says is wrong: check -> its detail."""
    body = json.loads(machine.succeed(f"curl -sS --max-time 5 {SERVE}/api/health"))
    return {
        check["name"]: check["detail"]
        for check in body["checks"]
        if check["status"] != "healthy"
    }


def check_up() -> dict[tuple[tuple[str, str], ...], float]:
    return prometheus("soloscope_check_up")


machine.start()
for unit in ("prometheus", "soloscope-exporter", "prometheus-postgres-exporter"):
    machine.wait_for_unit(f"{unit}.service", timeout=120)
machine.wait_for_unit("soloscope-probe.timer", timeout=60)

with subtest("everything that was declared is asked and is well"):
    eventually("what fails", failing, {}, 120)
    t.assertEqual(overall()[0], 200)
    wanted = {
        labels(app="shop", name=name): 1.0
        for name in ("health", "mail", "openai", "redis", "postgres")
    }
    eventually(
        "soloscope_check_up",
        lambda: {k: v for k, v in check_up().items() if k in wanted},
        wanted,
    )
    _, body = overall()
    t.assertEqual(body["status"], "healthy")
    t.assertEqual(body["services"]["database"], "healthy")
    t.assertEqual(body["services"]["external_apis"], "healthy")

with subtest("the database shows its connections, and Prometheus has its series"):
    database = json.loads(get(f"{SERVE}/health/database"))
    t.assertEqual(database["connection_pool"]["size"], 100)
    performance = json.loads(get(f"{SERVE}/health/database/performance"))
    assert performance["metrics"]["response_time_p95_ms"] > 0, performance
    eventually("pg_up", lambda: prometheus('pg_up{job="postgres"}'), {(): 1.0})

with subtest("the blackbox exporter asks what answers over HTTP and TCP"):
    eventually(
        "probe_success",
        lambda: prometheus("probe_success"),
        {labels(app="shop", name=name): 1.0 for name in ("health", "mail")},
    )
    machine.succeed(
        "systemd-analyze security --threshold=30 --no-pager"
        " prometheus-blackbox-exporter >&2"
    )

with subtest("the exporter of the database is no superuser of it"):
    answer = machine.succeed(
        "sudo -u postgres psql -tAc "
        "\"select rolsuper from pg_roles where rolname = 'postgres-exporter'\""
    )
    t.assertEqual(answer.strip(), "f")

with subtest("a sick app is told by every path"):
    get("http://127.0.0.1:8080/sick")
    eventually("503", lambda: overall()[0], 503)
    status, answer = machine.execute("soloscope health-check")
    t.assertEqual(status, 1)
    eventually(
        "the metric",
        lambda: check_up().get(labels(app="shop", name="health")),
        0.0,
    )
    get("http://127.0.0.1:8080/well")
    eventually("200 again", lambda: overall()[0], 200)
    print(machine.succeed("soloscope health-check"))

with subtest("a stopped database is told, and comes back"):
    machine.succeed("systemctl stop postgresql.service")
    eventually("503", lambda: overall()[0], 503, 90)
    machine.succeed("systemctl start postgresql.target")
    eventually("200 again", lambda: overall()[0], 200, 90)

with subtest("a shipper that fails again and again is told, and comes back"):
    shipper = "soloscope-promtail.service"
    folder = f"/run/systemd/system/{shipper}.d"
    machine.succeed(f"mkdir -p {folder}")
    machine.succeed(
        f'printf \'[Service]\\nExecStart=\\nExecStart=/bin/sh -c "exit 7"\\n'
        f"RestartSec=30\\n' > {folder}/broken.conf"
    )
    machine.succeed(f"systemctl daemon-reload; systemctl restart {shipper} || true")
    eventually(
        "the shipper is not well",
        lambda: (
            shipper in machine.execute("soloscope health-check")[1].splitlines()[-1]
        ),
        True,
    )
    t.assertEqual(machine.execute("soloscope health-check")[0], 1)
    machine.succeed(f"rm {folder}/broken.conf; systemctl daemon-reload")
    machine.succeed(f"systemctl restart {shipper}")
    eventually("well", lambda: machine.execute("soloscope health-check")[0], 0)

with subtest("the disk budget reads the configuration file"):
    machine.succeed("systemctl start soloscope-loki-budget.service")
    machine.succeed("grep retention_period /var/lib/loki/soloscope-overrides.json")
    eventually("its metrics", lambda: len(prometheus("soloscope_loki_days_left")), 1)

with subtest("nobody but the probe sees the key of the outside API"):
    key = "/var/lib/test-secrets/api-key"
    # From the file: on a command line grep would find itself.
    machine.fail(f"journalctl --no-pager --output=cat | grep -Ff {key}")
    machine.fail(f"grep -aFf {key} /proc/[0-9]*/cmdline")
    machine.fail(f"grep -Ff {key} /run/soloscope-probe/results.json")
    machine.fail(f"grep -rFf {key} /etc/soloscope/")

with subtest("soloscope-probe is hardened as our other units are"):
    machine.succeed(
        "systemd-analyze security --threshold=15 --no-pager soloscope-probe >&2"
    )
