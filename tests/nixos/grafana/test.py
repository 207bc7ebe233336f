# ruff: noqa: F821, INP001, S101
import re

GRAFANA = "http://127.0.0.1:3000"
CA = "/var/tmp/authority.pem"


def status(node: Any, url: str, *options: str) -> str:
    """The HTTP status that `url` answers."""
    words = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *options, url]
    return node.succeed(shlex.join(words)).strip()


def sources_of(node: Any, password: str, path: str = "") -> dict[str, bool]:
    """The data sources of a host's Grafana: uid -> whether it is the default."""
    found = node.succeed(
        f"curl -sSf --user admin:{password} {GRAFANA}{path}/api/datasources"
    )
    return {source["uid"]: source["isDefault"] for source in json.loads(found)}


start_all()
for node in [machine, sub, without]:
    node.wait_for_unit("grafana.service")
for node in [machine, sub]:
    node.wait_for_unit("nginx.service")
client.wait_for_unit("multi-user.target")
machine.wait_until_succeeds(f"curl -sf {GRAFANA}/api/health", timeout=120)
sub.wait_until_succeeds(f"curl -sf {GRAFANA}/grafana/api/health", timeout=120)
without.wait_until_succeeds(f"curl -sf {GRAFANA}/api/health", timeout=120)
with subtest("nothing but nginx listens beyond 127.0.0.1"):
    beyond = [line for line in beyond_loopback() if '"nginx"' not in line]
    t.assertEqual(beyond, [])

with subtest("Grafana's secrets are root's alone, and nowhere else"):
    secrets_are_kept(["exporter-token", "grafana-admin-password", "grafana-secret-key"])

secret = f"{SECRETS}/grafana-admin-password"
password = machine.succeed(f"cat {secret}").strip()
admin = ["--user", f"admin:{password}"]


def api(path: str, **parameters: str) -> Any:
    return json.loads(get(f"{GRAFANA}{path}", *admin, **parameters))


with subtest("only the generated password opens the door"):
    t.assertRegex(password, r"^[A-Z2-7]{24}$")
    t.assertEqual(status(machine, f"{GRAFANA}/api/org", *admin), "200")
    t.assertEqual(status(machine, f"{GRAFANA}/api/org", "--user", "admin:admin"), "401")
    t.assertEqual(status(machine, f"{GRAFANA}/api/org"), "401")
    login = json.dumps({"user": "admin", "password": "admin"})
    json_type = ["--header", "Content-Type: application/json"]
    t.assertEqual(
        status(machine, f"{GRAFANA}/login", *json_type, "--data", login), "401"
    )
    login = json.dumps({"user": "admin", "password": password})
    t.assertEqual(
        status(machine, f"{GRAFANA}/login", *json_type, "--data", login), "200"
    )
    form = json.dumps({"email": "someone@example.org", "password": "secret-enough"})
    refused = status(machine, f"{GRAFANA}/api/user/signup", *json_type, "--data", form)
    assert refused in {"401", "403", "404"}, refused

with subtest("the data sources are there under fixed uids, and answer"):
    sources = {source["uid"]: source for source in api("/api/datasources")}
    t.assertEqual(set(sources), {"prometheus", "loki"})
    t.assertEqual([uid for uid, s in sources.items() if s["isDefault"]], ["prometheus"])
    assert all(source["readOnly"] for source in sources.values()), sources
    proxy = "/api/datasources/proxy/uid"
    eventually(
        "a query through the data source `prometheus`",
        lambda: api(f"{proxy}/prometheus/api/v1/query", query="up")["data"]["result"],
    )
    eventually(
        "a query through the data source `loki`",
        lambda: api(f"{proxy}/loki/loki/api/v1/labels", since="1h")["data"],
    )

with subtest("the overview is there, is the home page, and cannot be changed here"):
    eventually("the overview", lambda: api("/api/dashboards/uid/soloscope-overview"))
    overview = api("/api/dashboards/uid/soloscope-overview")
    assert overview["meta"]["provisioned"], overview["meta"]
    home = api("/api/dashboards/home")
    t.assertEqual(home["dashboard"]["uid"], "soloscope-overview")
    assert home["dashboard"]["panels"], home

with subtest("Grafana's keys are files that only the service has"):
    settings = api("/api/admin/settings")
    t.assertEqual(settings["analytics"]["reporting_enabled"], "false")
    t.assertEqual(settings["analytics"]["check_for_updates"], "false")
    pid = machine.succeed("systemctl show --value -p MainPID grafana.service").strip()
    environment = machine.succeed(f"tr '\\0' '\\n' < /proc/{pid}/environ")
    assert password not in environment

with subtest("docs/operations.md: a restore brings an account back"):

    def accounts() -> dict[str, int]:
        return {account["login"]: account["id"] for account in api("/api/users")}

    account = json.dumps({"login": "anna", "password": "long-enough-1"})
    get(f"{GRAFANA}/api/admin/users", *admin, *json_type, "--data", account)
    machine.succeed(block("Back up"))
    eventually("the account", lambda: "anna" in accounts(), True, 120)
    anna = f"{GRAFANA}/api/admin/users/{accounts()['anna']}"
    get(anna, *admin, "--request", "DELETE")
    assert "anna" not in accounts()
    machine.succeed(block("Restore"))
    eventually("the account", lambda: "anna" in accounts(), True, 120)

with subtest("from another machine: TLS, the login page, and nothing else"):
    machine.copy_from_machine("/var/lib/test-certificate/grafana.pem")
    pem = machine.succeed("cat /var/lib/test-certificate/grafana.pem")
    client.succeed(f"echo {shlex.quote(pem)} > {CA}")
    page = client.wait_until_succeeds(
        f"curl -sSf --cacert {CA} https://grafana.test/login", timeout=30
    )
    assert "<title>Grafana</title>" in page, page[:500]
    redirect = client.succeed(
        "curl -sS -o /dev/null -w '%{http_code} %{redirect_url}' http://grafana.test/login"
    )
    t.assertEqual(redirect.strip(), "301 https://grafana.test/login")
    cookies = client.succeed(
        f"curl -sSf --cacert {CA} -D - -o /dev/null -H 'Content-Type: application/json'"
        f" --data {shlex.quote(login)} https://grafana.test/login"
    )
    assert re.search(r"(?im)^set-cookie: grafana_session=.*secure", cookies), cookies
    for port in [3000, 3100, 9080, 9090, 9096, 9100, 9121, 9847]:
        client.fail(f"curl -sS --max-time 1 http://grafana.test:{port}/")

with subtest("a request is a JSON line in Loki"):
    query = '{job="nginx"} |= `"path":"/login"` |= `"method":"GET"`'
    eventually("the request", lambda: loki(query))
    entry = loki(query)[-1]
    t.assertEqual(entry["labels"]["unit"], "nginx.service")
    request = json.loads(entry["line"])
    t.assertEqual((request["status"], request["host"]), (200, "grafana.test"))

with subtest("through nginx a websocket works, for Grafana's own pages only"):
    command = f"python3 /etc/websocket.py grafana.test {CA} {{}} admin:{password}"
    answer = client.succeed(command.format("https://grafana.test"))
    print(answer)
    t.assertRegex(answer, r'^101 0x81 \{"id":1,"connect":\{"client":')
    answer = client.succeed(command.format("https://elsewhere.test"))
    t.assertRegex(answer, "^HTTP/1.1 403")

with subtest("through nginx Loki's live tail is a websocket"):
    tail = "https://grafana.test/api/datasources/proxy/uid/loki/loki/api/v1/tail"
    command = (
        f"curl -sSi --http1.1 --cacert {CA} --max-time 3 --user admin:{password}"
        " -H 'Connection: Upgrade' -H 'Upgrade: websocket'"
        " -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: c29sb3Njb3BlLXRlc3QhIQ=='"
        f" '{tail}?query=%7Bunit%3D~%22.%2B%22%7D' || true"
    )
    answer = client.succeed(command)
    assert answer.startswith("HTTP/1.1 101 "), answer[:500]

with subtest("under a path of a site that exists, without TLS"):
    page = client.succeed("curl -sSf http://sub.test/grafana/login")
    assert '"appSubUrl":"/grafana"' in page, page[:2000]
    t.assertEqual(client.succeed("curl -sSf http://sub.test/"), "the site")
    # Each page is in its own log.
    site = sub.succeed("cat /var/log/nginx/site.log")
    assert "GET / " in site, site
    assert "grafana" not in site, site
    ours = sub.succeed("cat /var/log/nginx/soloscope.log")
    paths = {json.loads(line)["path"].split("/")[1] for line in ours.splitlines()}
    t.assertEqual(paths, {"grafana"})

with subtest("a Grafana that was there before keeps its key, folder and default"):
    key = sub.succeed(f"cat {SECRETS}/grafana-secret-key").strip()
    t.assertEqual(key, "SW2YcwTIb9zpOOhoPsMm")
    modes = sub.succeed(f"stat -c '%a %U:%G' {SECRETS}/*").splitlines()
    t.assertEqual(set(modes), {"400 root:root"})
    sub.succeed("test -s /srv/grafana/data/grafana.db")
    other = sub.succeed(f"cat {secret}").strip()
    assert other != password
    found = sources_of(sub, other, "/grafana")
    t.assertEqual(found, {"loki": False, "mine": True, "prometheus": False})

with subtest("Prometheus reads Grafana's metrics below the path, too"):
    query = 'http://127.0.0.1:9090/api/v1/query?query=up{job="grafana"}'
    command = f"curl -sSfg '{query}'"
    sub.wait_until_succeeds(f"""{command} | grep -F ',"1"]'""", timeout=60)

with subtest("without Prometheus there is Loki, and the overview asks it alone"):
    other = without.succeed(f"cat {secret}").strip()
    t.assertEqual(sources_of(without, other), {"loki": True})
    found = without.wait_until_succeeds(
        f"curl -sSf --user admin:{other} {GRAFANA}/api/dashboards/uid/soloscope-overview",
        timeout=60,
    )
    assert '"uid":"prometheus"' not in found
    without.fail("systemctl is-active prometheus.service")

with subtest("after a reboot the keys are the same, and so are the accounts"):
    sums = machine.succeed(f"sha256sum {SECRETS}/*")
    machine.shutdown()
    machine.start()
    machine.wait_until_succeeds(f"curl -sf {GRAFANA}/api/health", timeout=120)
    t.assertEqual(machine.succeed(f"sha256sum {SECRETS}/*"), sums)
    t.assertEqual(status(machine, f"{GRAFANA}/api/org", *admin), "200")
    eventually("the jobs that answer", lambda: "grafana" in jobs_up())
