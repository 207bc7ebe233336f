# ruff: noqa: F821, INP001, S101
JOBS = {
    *("alertmanager", "loki", "node", "postgres", "prometheus", "promtail", "redis"),
    *("soloscope", "other-hosts"),
}


def alerts() -> dict[str, tuple[list[str], dict[str, str]]]:
    """What Alertmanager holds: the alert's name -> its receivers and its labels."""
    return {
        alert["labels"]["alertname"]: (
            [receiver["name"] for receiver in alert["receivers"]],
            alert["labels"],
        )
        for alert in json.loads(get("http://127.0.0.1:9093/api/v2/alerts"))
    }


def failing(node: Any) -> dict[str, str]:
    """What /api/health says is wrong: check -> its detail."""
    body = json.loads(
        node.succeed("curl -sS --max-time 5 http://127.0.0.1:9847/api/health")
    )
    return {
        check["name"]: check["detail"]
        for check in body["checks"]
        if check["status"] != "healthy"
    }


start_all()
for node in [machine, without]:
    node.wait_for_unit("soloscope-exporter.service", timeout=120)
    node.wait_for_unit("prometheus-postgres-exporter.service", timeout=120)

with subtest("the host's scrape jobs stand beside ours, and all answer"):
    eventually("the jobs that answer", jobs_up, JOBS, 120)

with subtest("Prometheus' folder and retention are the host's"):
    machine.succeed("test -d /var/lib/metrics/data/wal")
    machine.succeed("test ! -e /var/lib/prometheus2")
    flags = json.loads(get(f"{PROMETHEUS}/api/v1/status/flags"))["data"]
    t.assertEqual(flags["storage.tsdb.retention.time"], "90d")

with subtest("recording rules of both are there"):
    eventually("the host's", lambda: prometheus("mine:up:count"), {(): len(JOBS)})
    groups = json.loads(get(f"{PROMETHEUS}/api/v1/rules"))["data"]["groups"]
    expected = {"mine", "soloscope-days", "soloscope-http", "soloscope-info"}
    t.assertLessEqual(expected, {group["name"] for group in groups})

with subtest("alerts of both, from both, reach the host's receiver"):
    expected = {"OfTheHost", "Added", "AddedForLoki", "Watchdog"}
    eventually("the alerts", lambda: expected & set(alerts()), expected)
    assert all(to == ["mine"] for to, _ in alerts().values()), alerts()
    _, added = alerts()["Added"]
    t.assertEqual((added["severity"], added["team"]), ("info", "me"))


def rules_of_loki() -> dict[str, dict[str, Any]]:
    """Loki's rules by name, as its ruler shows them."""
    groups = json.loads(get(f"{LOKI}/prometheus/api/v1/rules"))["data"]["groups"]
    return {rule["name"]: rule for group in groups for rule in group["rules"]}


with subtest("our rules are switched off and changed by their names"):
    # It is "unknown" until the rule is evaluated.
    eventually("health", lambda: rules_of_loki()["ErrorSpike"]["health"], "ok", 120)
    rules = rules_of_loki()
    t.assertEqual(set(rules), {"AddedForLoki", "ErrorSpike", "NewErrorGroup"})
    assert "10 *" in rules["ErrorSpike"]["query"], rules["ErrorSpike"]

with subtest("Loki has the host's schema and retention"):
    told = get(f"{LOKI}/config")
    assert "prefix: mine_" in told, told
    assert "\n  retention_period: 1w\n" in told, told
    machine.succeed("curl -sS --fail -X POST http://127.0.0.1:3100/flush")
    eventually("a line", lambda: loki('{unit="redis-app.service"}'))

with subtest("the exporter that the host runs as the superuser has no role of ours"):
    eventually("pg_up", lambda: prometheus('pg_up{job="postgres"}'), {(): 1.0})
    machine.fail("systemctl cat soloscope-postgres-role.service")

with subtest("all is well, also the database where there is no Prometheus"):
    for node in [machine, without]:
        eventually("what fails", lambda node=node: failing(node), {}, 60)
        answer = node.succeed("curl -sS http://127.0.0.1:9847/health/overall")
        t.assertEqual(json.loads(answer)["services"]["database"], "healthy")
    without.fail("systemctl cat prometheus.service")
