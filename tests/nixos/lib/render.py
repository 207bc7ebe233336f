# ruff: noqa: F821, INP001, S101
import configparser
import json
import re
import shlex
from typing import Any

GRAFANA_FOLDERS = "services.grafana has folders of its own"
HOST = "a host has a name (networking.hostName)"

# file -> pattern of a key -> why the host differs. A key is a path of names and
# list positions. Every difference is stated here, and every statement is true.
DIFFERENCES: dict[str, dict[str, str]] = {
    "loki.yaml": {"ruler/external_labels/host": HOST},
    "loki/overrides.json": {},
    "loki/rules/fake/critical.yaml": {},
    "loki/rules/fake/info.yaml": {},
    "loki/rules/fake/warning.yaml": {},
    "promtail.yaml": {
        "scrape_configs/journal/journal/path": "a host reads the machine's own journal",
    },
    "rewind.json": {"3": "a host reads the machine's own journal"},
    "prometheus.yml": {
        "global/external_labels/host": HOST,
        "rule_files": "the rules are a file of the store, checked by promtool",
        r"scrape_configs/[^/]+/static_configs/\d+/labels": "an option's empty default",
        "remote_(read|write)": "nixpkgs always writes it, empty",
    },
    "rules/critical.yml": {},
    "rules/info.yml": {},
    "rules/soloscope.yml": {},
    "rules/warning.yml": {},
    "alertmanager.yml": {},
    "blackbox.json": {},
    "soloscope.json": {
        "exporter/tokenFile/(file|credential)": "a unit has credentials, a process files",
    },
    "grafana/grafana.ini": {
        "paths/.*": GRAFANA_FOLDERS,
        "security/(admin_password|secret_key)": "a unit has credentials, a process files",
    },
    "grafana/provisioning/datasources/soloscope.yaml": {
        "deleteDatasources": "services.grafana always writes it, empty",
    },
    "grafana/provisioning/dashboards/soloscope.yaml": {},
    "with-defaults.nix": {
        "logs/host": HOST,
        "loki/dataDir": "a host has services.loki.dataDir",
    },
}


def entry_name(position: int, entry: Any) -> str:
    names = ("job_name", "uid", "name", "record", "alert")
    named = [entry[n] for n in names if n in entry] if isinstance(entry, dict) else []
    return str(named[0]) if named else str(position)


def flat(value: Any, at: str = "") -> dict[str, Any]:
    """{"a": [{"b": 1}]} -> {"a/0/b": 1}; what is empty stays as it is.

    A list's entries go by their names where they have some, else by position.
    """
    if isinstance(value, dict) and value:
        pairs = [(str(k), v) for k, v in value.items()]
    elif isinstance(value, list) and value:
        pairs = [(entry_name(i, v), v) for i, v in enumerate(value)]
        assert len(dict(pairs)) == len(pairs), f"{at}: two entries of one name"
    else:
        return {at: value}
    return {
        k: v
        for name, item in pairs
        for k, v in flat(item, f"{at}/{name}".lstrip("/")).items()
    }


class Ini(configparser.RawConfigParser):
    """An INI file whose keys keep their case."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def ini(text: str) -> dict[str, dict[str, str]]:
    parser = Ini()
    parser.read_string(text)
    return {section: dict(parser[section]) for section in parser.sections()}


def as_ini(value: Any) -> str:
    """A value of services.grafana.settings as it stands in the file."""
    if isinstance(value, list):
        return " ".join(map(as_ini, value))
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def yaml(path: str) -> Any:
    """A file that a program of the host reads, YAML or JSON."""
    program = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)"
    return json.loads(machine.succeed(f"python3 -c '{program}' {path}"))


def argument(unit: str, pattern: str) -> str:
    """What the running process of a unit was given, by a pattern with one group.

    A unit may be active before its program is executed: until then the process has
    the command line of systemd.
    """
    pid = f"$(systemctl show --value --property MainPID {unit})"
    line = machine.wait_until_succeeds(
        f"tr '\\0' ' ' < /proc/{pid}/cmdline | grep -P -- {shlex.quote(pattern)}",
        timeout=120,
    )
    found = re.search(pattern, line)
    assert found, f"{unit}: {pattern} is not in {line}"
    return found[1]


def compare(name: str, running: Any, rendered: Any) -> None:
    """Fails on a difference that is not stated. null is the same as nothing."""
    stated = DIFFERENCES[name]
    ours, theirs = flat(rendered), flat(running)
    different = {
        k
        for k in ours.keys() | theirs.keys()
        if ours.get(k, None) != theirs.get(k, None)
    }
    unstated = {
        key: {"rendered": ours.get(key), "running": theirs.get(key)}
        for key in sorted(different)
        if not any(re.fullmatch(f"{pattern}(/.*)?", key) for pattern in stated)
    }
    assert not unstated, f"{name}: {json.dumps(unstated, indent=1)}"
    for pattern, why in stated.items():
        assert any(re.fullmatch(f"{pattern}(/.*)?", key) for key in different), (
            f"{name}: no difference at {pattern} any more ({why}): take it out"
        )
    print(f"{name}: {len(ours)} keys, {len(different)} differ as stated")
    seen.add(name)


machine.start()
expected = json.loads(machine.succeed("cat /etc/expected.json"))
text = json.dumps(expected["rendered"])
# Longest first: a folder may lie in another.
for here, host in sorted(expected["folders"], key=lambda pair: -len(pair[0])):
    text = text.replace(here, host)
rendered = json.loads(text)
seen: set[str] = set()

with subtest("Loki"):
    running = yaml(argument("loki.service", r"-config\.file=(\S+)"))
    compare("loki.yaml", running, rendered["loki.yaml"])
    name = "loki/overrides.json"
    compare(name, yaml(running["runtime_config"]["file"]), rendered[name])
    folder = running["ruler"]["storage"]["local"]["directory"]
    for file in machine.succeed(f"find -L {folder} -type f").split():
        name = f"loki/rules/{file.removeprefix(f'{folder}/')}"
        compare(name, yaml(file), rendered[name])

with subtest("the log shipper"):
    path = argument("soloscope-promtail.service", r"-config\.file=(\S+)")
    compare("promtail.yaml", yaml(path), rendered["promtail.yaml"])
    before = machine.succeed(
        "systemctl show --value -p ExecStartPre soloscope-promtail"
    )
    command = re.search(r"argv\[\]=(\S*rewind .*?) ;", before)
    assert command, before
    # The program and the shipper's file of positions come first.
    compare("rewind.json", command[1].split()[2:], rendered["rewind.json"])

with subtest("Prometheus"):
    path = argument("prometheus.service", r"--config\.file=(\S+)")
    running = yaml(path)
    compare("prometheus.yml", running, rendered["prometheus.yml"])
    for file in running["rule_files"]:
        # Their names are the same: alerts have a severity, recording rules none.
        rules = yaml(file)
        labels = rules["groups"][0]["rules"][0].get("labels", {})
        name = f"rules/{labels.get('severity', 'soloscope')}.yml"
        compare(name, rules, rendered[name])
    for flag in rendered["programs.json"]["prometheus"]["argv"][1:]:
        name, _, value = flag.partition("=")
        if name in {"--config.file", "--storage.tsdb.path"}:
            continue  # the store, and the folder `data` in it
        found = argument("prometheus.service", rf"{re.escape(name)}=(\S+)")
        t.assertEqual(found, value, name)

with subtest("Alertmanager"):
    path = argument("alertmanager.service", r"--config\.file (\S+)")
    # The unit has a /tmp of its own.
    pid = machine.succeed("systemctl show --value -p MainPID alertmanager").strip()
    name = "alertmanager.yml"
    compare(name, yaml(f"/proc/{pid}/root{path}"), rendered[name])
    for flag in rendered["programs.json"]["alertmanager"]["argv"][1:]:
        name, _, value = flag.partition("=")
        if name != "--config.file":
            found = argument("alertmanager.service", rf"{re.escape(name)}[= ](\S*)")
            t.assertEqual(found, value, name)

with subtest("the exporters"):
    for unit, program in (("node", "node"), ("redis", "redis")):
        for flag in rendered["programs.json"][program]["argv"][1:]:
            name, _, value = flag.lstrip("-").partition("=")
            found = argument(
                f"prometheus-{unit}-exporter.service", rf"-{re.escape(name)}[= ](\S*)"
            )
            t.assertEqual(found, value, name)
    unit = "prometheus-blackbox-exporter.service"
    path = argument(unit, r"--config\.file (\S+)")
    compare("blackbox.json", yaml(path), rendered["blackbox.json"])
    address = rendered["programs.json"]["blackbox"]["argv"][-1].partition("=")[2]
    t.assertEqual(argument(unit, r"--web\.listen-address (\S+)"), address)

with subtest("soloscope"):
    path = "/etc/soloscope/soloscope.json"
    compare("soloscope.json", yaml(path), rendered["soloscope.json"])

if expected["options"]["grafana"]["enable"]:
    with subtest("Grafana"):
        path = argument("grafana.service", r"-config (\S+)")
        running = ini(machine.succeed(f"cat {path}"))
        ours = ini(rendered["grafana/grafana.ini"])
        # One kind of difference has no list: a setting that we do not touch has
        # the value that services.grafana alone gives it.
        touched = {
            section: {
                key: value
                for key, value in settings.items()
                if key in ours.get(section, {})
                or value != as_ini(expected["grafana"].get(section, {}).get(key, "?"))
            }
            for section, settings in running.items()
        }
        mine = {section: settings for section, settings in touched.items() if settings}
        compare("grafana/grafana.ini", mine, ours)
        for kind, file in (("datasources", "datasource"), ("dashboards", "dashboard")):
            name = f"grafana/provisioning/{kind}/soloscope.yaml"
            path = f"{running['paths']['provisioning']}/{kind}/{file}.yaml"
            compare(name, yaml(path), rendered[name])

with subtest("with-defaults.nix gives what the option system gives"):
    compare("with-defaults.nix", expected["options"], expected["completed"])

with subtest("nothing was left out"):
    # programs.json is how the demo starts programs; its flags are compared above
    files = set(rendered) - {"programs.json"}
    t.assertEqual(seen, files | {"with-defaults.nix"})
    t.assertLessEqual(seen, set(DIFFERENCES))
