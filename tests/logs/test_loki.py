"""Loki's settings: accepted, without what 4.0 removes, ready and answering at once."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import story
from harness import Factory, evaluate, evaluate_text, need
from soloscope_demo.stack import until

#: What Loki 3.8 or 4.0 no longer knows, by any path.
REMOVED = {
    "unordered_writes",
    "allow_deletes",
    "table_manager",
    "row_shards",
    "chunks",
    "tags",
    "shared_store",
    "per_tenant_override_config",
    "boltdb_shipper",
    "boltdb",
    "remote_write",
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is rendered without any declaration of ours."""
    return evaluate(tmp_path_factory.mktemp("settings"), {})


def keys(node: Any) -> Iterator[str]:
    """Every key, at every depth."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from keys(value)
    elif isinstance(node, list):
        for value in node:
            yield from keys(value)


def test_nothing_that_is_going_away(settings: dict[str, Any]) -> None:
    """The file is free of what later versions refuse."""
    assert REMOVED & set(keys(settings["loki.yaml"])) == set()


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"alertmanager": {"enable": True}},
        {"loki": {"retention": "90d", "shorter": {"debug": {"retention": None}}}},
    ],
)
def test_loki_takes_it(overrides: dict[str, Any], tmp_path: Path) -> None:
    """`loki -verify-config` accepts what is rendered."""
    need("loki")
    file = tmp_path / "loki.yaml"
    file.write_text(json.dumps(evaluate(tmp_path, overrides)["loki.yaml"]))
    subprocess.run(["loki", "-verify-config", f"-config.file={file}"], check=True)


def test_only_this_machine(settings: dict[str, Any]) -> None:
    """HTTP, gRPC and the ring are on 127.0.0.1, and nothing is reported home."""
    told = settings["loki.yaml"]
    assert told["server"]["http_listen_address"] == "127.0.0.1"
    assert told["server"]["grpc_listen_address"] == "127.0.0.1"
    assert told["common"]["instance_addr"] == "127.0.0.1"
    assert told["common"]["ring"]["instance_addr"] == "127.0.0.1"
    assert told["analytics"]["reporting_enabled"] is False


def test_retention(settings: dict[str, Any]) -> None:
    """30 days by the compactor; debug for a week; a query may span everything."""
    limits = settings["loki.yaml"]["limits_config"]
    assert limits["retention_period"] == "30d"
    assert limits["max_query_length"] == "0s"
    (debug,) = limits["retention_stream"]
    assert debug["selector"] == '{level=~"debug|trace"}'
    assert debug["period"] == "7d"
    compactor = settings["loki.yaml"]["compactor"]
    assert compactor["retention_enabled"] is True
    assert compactor["delete_request_store"] == "filesystem"


def test_ready_and_answering(paths: Factory) -> None:
    """Under two seconds from its start to the answer of a query; also a second time."""
    path = paths()
    first = path.start_loki()
    path.stop_loki()
    second = path.start_loki()
    print(f"first start {first:.2f} s, second {second:.2f} s")
    assert min(first, second) < 2


def test_the_streams_of_a_busy_day_stay_few(paths: Factory) -> None:
    """Thousands of lines of many users, sessions and connections: a handful of streams.

    Ten units with up to six levels each, and one stream for all sessions, one for all
    connections of sshd, one for all transient units.
    """
    path = paths()
    path.start()
    lines = story.languagebuddy()
    expected = 0
    for number in range(200):
        path.journal.say(f"session-{number}.scope", f"opened {number}")
        peer = f"203.0.113.1:22-198.51.100.{number}:{40000 + number}"
        path.journal.say(f"sshd@{number}-{peer}.service", f"from {number}")
        path.journal.say(f"run-u{number}.service", f"ran {number}")
        path.journal.say(f"user@{1000 + number}.service", f"user {number}")
        expected += 4
    for number in range(20):
        for unit in range(5):
            path.journal.say(
                f"unit{unit}.service",
                *(line.replace("u_", f"u{number}_") for line in lines),
            )
            expected += len(lines)
    path.wait_for('{unit="session.scope"}', 200)

    def all_there() -> bool:
        rows = path.number('sum(count_over_time({unit=~".+"}[1h]))')
        return bool(rows) and rows[0][1] >= expected

    until("all lines", all_there, within=60)
    now = time.time_ns()
    answer = requests.get(
        f"{path.loki_url}/loki/api/v1/series",
        params={"match[]": '{unit=~".+"}', "start": str(now - 3600 * 10**9)},
        timeout=20,
    )
    series = answer.json()["data"]
    units = {one["unit"] for one in series}
    assert {"session.scope", "sshd@.service", "transient.service"} <= units
    # The story has lines of four levels: info, warn, error, fatal.
    assert len(series) == 4 + 5 * 4
    counted = sum(
        value for _, value in path.number('sum(count_over_time({unit=~".+"}[1h]))')
    )
    assert counted == expected


def test_no_rule_has_a_label_for_a_person() -> None:
    """The guard that refuses a declared label finds nothing in our own rules."""
    found = evaluate_text(
        """
        let
          guard = import ./modules/logs/guard.nix;
          given = {
            soloscope =
              import ./modules/with-defaults.nix (import ./demo/declaration.nix);
            paths = (import ./modules/paths.nix).under "/x";
          };
          recording = (import ./modules/prometheus/settings.nix given).rules;
          alerts = import ./modules/alerts/settings.nix given;
          files = [ recording ] ++ builtins.concatMap builtins.attrValues [
            alerts.prometheus
            alerts.loki
          ];
          labels = builtins.concatMap (rule: builtins.attrNames (rule.labels or { })) (
            builtins.concatMap (group: group.rules) (
              builtins.concatMap (file: file.groups) files
            )
          );
        in
        {
          names = labels;
          bad = guard.offending labels;
        }
        """
    )
    assert found["bad"] == []
    assert found["names"]
