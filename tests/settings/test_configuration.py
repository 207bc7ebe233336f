"""soloscope.json as the settings render it, against the program that reads it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from soloscope_demo.stack.render import nix
from soloscope_demo.tools.venvs import checkout

from soloscope import config
from soloscope.config import values
from soloscope.errors import ConfigError

#: One of everything that an app may have, with nothing that has a default.
BARE = """
{
  apps.shop = {
    redis.url = "unix:///run/redis.sock";
    counters.orders = { };
    breakdowns.refusals = { };
    uniques.buyers = { };
    timings.payment = { };
    gauges.users = { };
    jobs.invoices = { counter = "orders"; by = "04:00"; };
    health.url = "http://127.0.0.1:8080/";
    metrics.url = "http://127.0.0.1:8080/metrics";
    checks = {
      page = { kind = "http"; url = "http://127.0.0.1/"; };
      mail = { kind = "tcp"; url = "tcp://127.0.0.1:25"; };
      cache = { kind = "redis"; url = "redis://127.0.0.1:6379"; };
      api = { kind = "api"; url = "https://example.org/"; keyFile = "/run/key"; };
    };
    postgres.socket = "/run/postgresql";
  };
  notify = {
    whatsapp = {
      provider = "cloud-api";
      to = "+4915123456789";
      phoneNumberId = "1";
      tokenFile = "/run/token";
      webhook = {
        enable = true;
        url = "https://example.org/";
        appSecretFile = "/run/app";
      };
    };
    channels.phone.urlFile = "/run/ntfy";
  };
}
"""


@pytest.fixture
def bare(tmp_path: Path) -> Any:
    """The file of BARE on a host."""
    modules = checkout() / "modules"
    wrapper = tmp_path / "configuration.nix"
    wrapper.write_text(
        f"""
        (import {modules}/configuration/settings.nix {{
          soloscope = import {modules}/with-defaults.nix ({BARE});
          paths = (import {modules}/paths.nix).host;
        }}).configuration
        """
    )
    return nix(str(wrapper))


#: What may be absent.
OPTIONAL = {
    "apps.shop.checks.api.keyFile",
    "apps.shop.health",
    "apps.shop.metrics",
    "apps.shop.postgres",
    "exporter.tokenFile",
    "loki.budget",
    "notify",
    "notify.whatsapp",
    "notify.whatsapp.templates.alert",
    "notify.whatsapp.templates.digest",
    "notify.whatsapp.webhook",
    "notify.whatsapp.webhook.verifyTokenFile",
    "postgresExporter",
    "probe",
}
#: Their keys are names that users choose.
TABLES = {"apps", "breakdowns", "checks", "counters", "gauges", "jobs", "timings"}
TABLES |= {"channels", "uniques"}


def options(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every option, without what is inside a secret."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        if not path or path[-1] not in TABLES:
            yield (*path, key)
        if not key.endswith("File"):
            yield from options(inner, (*path, key))


def test_every_option_is_written_and_none_is_made_up(bare: Any) -> None:
    """Defaults stand in the modules alone: the program misses what is left out."""
    assert set(config.parse(bare).apps) == {"shop"}
    for path in options(bare):
        left = copy.deepcopy(bare)
        node = left
        for key in path[:-1]:
            node = node[key]
        del node[path[-1]]
        name = ".".join(path)
        if name in OPTIONAL:
            config.parse(left)
            continue
        with pytest.raises(ConfigError) as missed:
            config.parse(left)
        said = {problem.path for problem in missed.value.problems}
        # Counts miss the URL of their Redis, and a database needs one of two.
        assert said & {name, f"{name}.url", name.removesuffix(".socket")}, said


def test_checks_ask_as_often_as_their_kind_wants(bare: Any) -> None:
    checks = config.parse(bare).apps["shop"].checks
    assert {name: (c.interval, c.timeout) for name, c in checks.items()} == {
        "page": (30, 10),
        "mail": (30, 5),
        "cache": (10, 3),
        "api": (300, 10),
    }


URLS = [
    *("http://h", "https://h:443/a?b=c", "http://u@h/", "http://[::1]:9/", "HTTP://h"),
    *(
        "http://h:080/",
        "http://h:/",
        "http://h/#a",
        "http://h h/",
        "http://",
        "http:/h",
    ),
    *("tcp://h:25", "redis://h:6379/2", "redis://a@h?db=3", "unix:///run/a.sock?db=1"),
    *(
        "unix://me@/run/a.sock",
        "redis://:p@h",
        "redis://u:@h",
        "redis://:p@@h",
        "redis:h",
    ),
    *("postgresql://u@h/db?sslmode=off", "h:1", "", "//h", "1://h", "http://a:b", "x"),
]


def test_nix_and_python_read_a_url_in_one_way(tmp_path: Path) -> None:
    """What check-config accepts has the same meaning in scrape jobs and assertions."""
    wrapper = tmp_path / "urls.nix"
    listed = " ".join(json.dumps(url) for url in URLS)
    parse = f"(import {checkout()}/modules/urls.nix).parse"
    wrapper.write_text(f"{{ read = map {parse} [ {listed} ]; }}")
    for url, theirs in zip(URLS, nix(str(wrapper))["read"], strict=True):
        try:
            ours = values.url(url, "")
        except values.Rejected:
            # Nix may read more: what it reads of that never gets to a host.
            continue
        assert theirs is not None, url
        assert theirs["host"].strip("[]") == ours.host
        assert theirs["query"].removeprefix("?") == ours.query
        assert not theirs["hasPassword"]
        for part in ("scheme", "user", "port", "path"):
            assert theirs[part] == getattr(ours, part), (url, part)
