"""Every rendered file is accepted by the real program that will read it.

Each check is shown to refuse something as well: a check that takes anything
proves nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from soloscope_demo.stack.render import nix
from soloscope_demo.tools.venvs import checkout

Rendered = Callable[..., tuple[Path, dict[str, Any]]]
Accepted = Callable[..., str]
Program = Callable[[str], str]

#: Declarations that change the programs' configuration.
SHAPES: dict[str, dict[str, Any]] = {
    "demo": {},
    "without Alertmanager": {"alertmanager": {"enable": False}},
    "without Prometheus": {"prometheus": {"enable": False}},
    "other ports": {"loki": {"port": 3101, "grpcPort": 9196}},
    "short retention": {"loki": {"retention": "7d"}, "prometheus": {"retention": "7d"}},
    "a second app": {
        "apps": {"other": {"units": ["other.service", "other-worker@1.service"]}}
    },
    "every kind of check": {
        "domain": "grafana.example.org",
        "apps": {
            "other": {
                "health": {"url": "https://other.example.org/health"},
                "checks": {
                    "page": {
                        "kind": "http",
                        "url": "http://localhost/?a=b",
                        "status": 204,
                        "body": '"ok":true (a+b)\\',
                        "maxSeconds": 0.5,
                    },
                    "mail": {"kind": "tcp", "url": "tcp://localhost:25"},
                    "cache": {"kind": "redis", "url": "redis://localhost"},
                    "outside": {"kind": "api", "url": "https://example.org"},
                },
            }
        },
    },
    "nothing to ask": {"apps": {"languagebuddy": {"health": None}}},
}


def refused(*argv: str) -> str:
    """Run a check that must fail; its words."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode != 0, f"{' '.join(argv)} took a wrong file"
    return done.stdout + done.stderr


@pytest.fixture(params=SHAPES)
def shape(
    request: pytest.FixtureRequest, rendered: Rendered
) -> tuple[Path, dict[str, Any]]:
    """A rendered folder of one shape."""
    return rendered(**SHAPES[request.param])


def test_loki_takes_its_file(
    shape: tuple[Path, dict[str, Any]], program: Program, accepted: Accepted
) -> None:
    folder, _ = shape
    accepted(program("loki"), "-verify-config", f"-config.file={folder}/loki.yaml")


def test_promtail_takes_its_file(
    shape: tuple[Path, dict[str, Any]], program: Program, accepted: Accepted
) -> None:
    folder, _ = shape
    (folder / "state/promtail").mkdir(parents=True)
    accepted(
        program("promtail"), "-check-syntax", f"-config.file={folder}/promtail.yaml"
    )


def test_prometheus_takes_its_file_and_rules(
    shape: tuple[Path, dict[str, Any]], program: Program, accepted: Accepted
) -> None:
    folder, files = shape
    if "prometheus.yml" not in files:
        assert not files["soloscope.json"]["prometheus"]["enable"]
        return
    said = accepted(program("promtool"), "check", "config", f"{folder}/prometheus.yml")
    assert "rules found" in said
    for rules in (folder / "rules").glob("*.yml"):
        accepted(program("promtool"), "check", "rules", str(rules))


def test_alertmanager_takes_its_file(
    shape: tuple[Path, dict[str, Any]], program: Program, accepted: Accepted
) -> None:
    folder, files = shape
    if "alertmanager.yml" not in files:
        assert not files["soloscope.json"]["alertmanager"]["enable"]
        return
    said = accepted(program("amtool"), "check-config", f"{folder}/alertmanager.yml")
    assert "1 receivers" in said


def test_the_blackbox_exporter_takes_its_file(
    shape: tuple[Path, dict[str, Any]], program: Program, accepted: Accepted
) -> None:
    folder, files = shape
    jobs = files.get("prometheus.yml", {"scrape_configs": []})["scrape_configs"]
    asked = [
        target["labels"]["__param_module"]
        for job in jobs
        if job["job_name"] == "blackbox"
        for target in job["static_configs"]
    ]
    assert ("blackbox.json" in files) == bool(asked)
    if asked:
        assert sorted(asked) == sorted(files["blackbox.json"]["modules"])
        argv = ("--config.check", f"--config.file={folder}/blackbox.json")
        accepted(program("blackbox_exporter"), *argv)


def test_loki_takes_its_rules(
    shape: tuple[Path, dict[str, Any]], program: Program, accepted: Accepted
) -> None:
    folder, _ = shape
    # logcli reads a query as Loki's own parser does.
    for path in sorted((folder / "loki/rules").rglob("*.yaml")):
        for group in json.loads(path.read_text())["groups"]:
            for rule in group["rules"]:
                accepted(program("logcli"), "fmt", stdin=rule["expr"])


def test_the_exporter_takes_its_file(shape: tuple[Path, dict[str, Any]]) -> None:
    from soloscope import config

    folder, files = shape
    read = config.load(folder / "soloscope.json")
    assert set(read.apps) == set(files["soloscope.json"]["apps"])


def test_nginx_takes_its_locations(
    tmp_path: Path, program: Program, accepted: Accepted
) -> None:
    nginx = program("nginx")
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(nginx_file(tmp_path, ""))
    argv = [nginx, "-e", str(tmp_path / "error.log"), "-p", str(tmp_path)]
    accepted(*argv, "-t", "-c", str(configuration))
    configuration.write_text(nginx_file(tmp_path, "no_such_directive on;"))
    assert "no_such_directive" in refused(*argv, "-t", "-c", str(configuration))


def test_nginx_passes_every_websocket_on(tmp_path: Path, program: Program) -> None:
    """Loki's live tail as well as Grafana's own updates."""
    configuration = tmp_path / "nginx.conf"
    grafana = socket.create_server(("127.0.0.1", 0))
    text = nginx_file(tmp_path, "").replace(
        "proxy_pass http://127.0.0.1:3000",
        f"proxy_pass http://127.0.0.1:{grafana.getsockname()[1]}",
    )
    configuration.write_text(f"daemon off; {text}")
    argv = [program("nginx"), "-e", str(tmp_path / "error.log"), "-p", str(tmp_path)]
    nginx = subprocess.Popen([*argv, "-c", str(configuration)])
    try:
        path = "/api/datasources/proxy/uid/loki/loki/api/v1/tail"
        with socket.socket(socket.AF_UNIX) as browser:
            until_connected(browser, tmp_path / "socket")
            browser.sendall(
                f"GET {path} HTTP/1.1\r\nHost: g.example.org:8443\r\n"
                "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n".encode()
            )
            grafana.settimeout(10)
            upstream, _ = grafana.accept()
            with upstream:
                head = upstream.recv(65536).decode().lower()
                assert head.startswith(f"get {path} http/1.1\r\n")
                assert "\r\nupgrade: websocket\r\n" in head
                assert "\r\nconnection: upgrade\r\n" in head
                assert "\r\nhost: g.example.org:8443\r\n" in head
    finally:
        nginx.terminate()
        nginx.wait(timeout=10)
        grafana.close()
    (line,) = (tmp_path / "soloscope.log").read_text().splitlines()
    assert json.loads(line)["path"] == path


def until_connected(browser: socket.socket, place: Path) -> None:
    """Connect to a server that is just starting."""
    end = time.monotonic() + 10
    while True:
        try:
            browser.connect(str(place))
            return
        except OSError:
            assert time.monotonic() < end, f"nothing answers at {place}"
            time.sleep(0.05)


def nginx_file(folder: Path, extra: str) -> str:
    """A whole nginx.conf around the locations of modules/nginx/settings.nix."""
    wrapper = folder / "locations.nix"
    modules = checkout() / "modules"
    wrapper.write_text(
        f"""
        let
          soloscope = import {modules}/with-defaults.nix (
            import {checkout()}/demo/declaration.nix // {{ domain = "g.example.org"; }}
          );
          paths = (import {modules}/paths.nix).host;
        in
        {{
          inherit (import {modules}/nginx/settings.nix {{ inherit soloscope paths; }})
            locations
            logFormat
            ;
        }}
        """
    )
    settings = nix(str(wrapper))
    blocks = []
    for path, told in settings["locations"].items():
        upgrade = ""
        if told.get("proxyWebsockets"):
            # What nixpkgs' option proxyWebsockets writes.
            upgrade = (
                "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
                'proxy_set_header Connection "upgrade";'
            )
        proxy = f"proxy_pass {told['proxyPass']};" if told.get("proxyPass") else ""
        blocks.append(
            f"location {path} {{ {proxy} {upgrade} {told.get('extraConfig', '')} }}"
        )
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = (
        f"pid {folder}/pid; events {{}} http {{ {temporary} access_log off; "
        f"{settings['logFormat']} "
        f"server {{ listen unix:{folder}/socket; server_name g.example.org; {extra} "
        f"{' '.join(blocks)} }} }}"
    )
    return text.replace("/var/log/nginx", str(folder))


def spoiled(folder: Path, name: str, *path: str) -> Path:
    """The rendered file with an unknown key below `path`."""
    content = json.loads((folder / name).read_text())
    place = content
    for key in path:
        place = place[int(key)] if isinstance(place, list) else place[key]
    place["no_such_key"] = 1
    wrong = folder / f"wrong-{Path(name).name}"
    wrong.write_text(json.dumps(content))
    return wrong


def test_the_checks_refuse_what_is_wrong(rendered: Rendered, program: Program) -> None:
    folder, _ = rendered()
    (folder / "state/promtail").mkdir(parents=True)
    wrong = spoiled(folder, "loki.yaml", "limits_config")
    argv = ("-verify-config", f"-config.file={wrong}")
    assert "no_such_key" in refused(program("loki"), *argv)

    wrong = spoiled(folder, "promtail.yaml", "scrape_configs", "0", "journal")
    argv = ("-check-syntax", f"-config.file={wrong}")
    assert "no_such_key" in refused(program("promtail"), *argv)

    wrong = spoiled(folder, "prometheus.yml", "global")
    said = refused(program("promtool"), "check", "config", str(wrong))
    assert "no_such_key" in said

    wrong = spoiled(folder, "blackbox.json", "modules")
    argv = ("--config.check", f"--config.file={wrong}")
    assert "unmarshal" in refused(program("blackbox_exporter"), *argv)

    wrong = spoiled(folder, "alertmanager.yml", "route")
    said = refused(program("amtool"), "check-config", str(wrong))
    assert "no_such_key" in said

    wrong = spoiled(folder, "rules/soloscope.yml", "groups", "0")
    assert "no_such_key" in refused(program("promtool"), "check", "rules", str(wrong))


def test_render_writes_what_design_lists(rendered: Rendered) -> None:
    folder, _ = rendered()
    for name in (
        "loki.yaml",
        "promtail.yaml",
        "prometheus.yml",
        "rules/soloscope.yml",
        "blackbox.json",
        "loki/rules/fake/critical.yaml",
        "loki/rules/fake/warning.yaml",
        "alertmanager.yml",
        "grafana/grafana.ini",
        "grafana/provisioning/datasources/soloscope.yaml",
        "grafana/provisioning/dashboards/soloscope.yaml",
        "dashboards/soloscope-overview.json",
        "soloscope.json",
    ):
        assert (folder / name).is_file(), name


def test_nothing_rendered_listens_beyond_localhost(rendered: Rendered) -> None:
    folder, files = rendered()
    for name in files:
        assert "0.0.0.0" not in (folder / name).read_text(), name
    server = files["loki.yaml"]["server"]
    assert server["http_listen_address"] == server["grpc_listen_address"] == "127.0.0.1"


def test_the_demo_is_described_whole_by_the_command(tmp_path: Path) -> None:
    """`just render` writes the same files as the fixture, through its command."""
    done = subprocess.run(
        [shutil.which("soloscope-demo") or "soloscope-demo", "render", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    written = [Path(line) for line in done.stdout.splitlines()]
    assert tmp_path / "loki.yaml" in written
    assert all(path.is_file() for path in written)
