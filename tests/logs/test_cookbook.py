"""Every example of docs/debugging-cookbook.md finds what it says."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import story
from harness import TOP, Factory, LogPath, need
from logql import bare_ranges
from soloscope_demo.stack.render import nix

DOCUMENT = TOP / "docs/debugging-cookbook.md"
BLOCK = re.compile(
    r"```(sh|logql)\n(.*?)\n```\n(?:<!-- (finds|prints): (.*?) -->)?", re.DOTALL
)
METRIC = re.compile(r"_over_time|\brate\(")

#: Without an answer that a test could count.
UNCOUNTED = {
    "soloscope errors",
    "soloscope why c-104",
    "soloscope debug-user --id u_7",
    "journalctl -fu languagebuddy-backend -o cat",
}


@dataclass(frozen=True)
class Example:
    """One block of the document, and what stands below it."""

    kind: str
    text: str
    verb: str
    says: str


EXAMPLES = [Example(*match) for match in BLOCK.findall(DOCUMENT.read_text("utf-8"))]
QUERIES = [example for example in EXAMPLES if example.kind == "logql"]
COMMANDS = [
    example
    for example in EXAMPLES
    if example.kind == "sh" and example.text not in UNCOUNTED
]


def annotation(path: LogPath) -> bytes:
    """What `soloscope annotate` sends to the journal."""
    config = path.root / "soloscope.json"
    config.write_text(json.dumps(path.files["soloscope.json"]))
    journal = path.root / "journal.socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(journal))
        receiver.settimeout(20)
        subprocess.run(
            [
                *(sys.executable, "-m", "soloscope", "--config", str(config)),
                *("annotate", "--kind", "deploy", "--journal", str(journal)),
                "switched to generation 42",
            ],
            check=True,
        )
        return receiver.recv(65536)


@pytest.fixture(scope="module")
def path(paths: Factory) -> LogPath:
    """A live Loki with a day of LanguageBuddy."""
    access = paths.folder("nginx") / "access.log"
    access.touch()
    nginx = {"format": "nginx-json", "paths": [str(access)]}
    made = paths({"logs": {"sources": {"nginx": nginx}, "host": "web1"}})
    made.start()
    entries = story.tell(made.journal, annotation(made))
    entries += story.write_nginx(access)
    made.wait_for('{job=~".+"}', entries, within=60)
    time.sleep(2)
    assert len(made.everything('{job=~".+"}')) == entries
    return made


def check_number(said: str, number: int) -> None:
    """`said` is a number, or `at least` one."""
    least = said.removeprefix("at least ")
    if least != said:
        assert number >= int(least)
    else:
        assert number == int(said)


def check_vector(said: str, rows: list[tuple[dict[str, str], float]]) -> None:
    """`said` is one number, or `label=value number, …` for each series."""
    if said.startswith("at least "):
        check_number(said, len(rows))
        return
    if "=" not in said:
        ((_, value),) = rows
        assert value == pytest.approx(float(said))
        return
    wanted = {}
    for part in said.split(", "):
        label, _, number = part.rpartition(" ")
        wanted[label] = float(number)
    found = {
        ",".join(f"{key}={value}" for key, value in labels.items()): number
        for labels, number in rows
    }
    assert found == wanted


@pytest.mark.parametrize("example", QUERIES, ids=lambda example: str(example.text))
def test_logql(path: LogPath, example: Example) -> None:
    """A query of the document finds what the document says."""
    assert example.verb == "finds", "every query says what it finds"
    if METRIC.search(example.text):
        check_vector(example.says, path.number(example.text))
    else:
        check_number(example.says, len(path.everything(example.text)))


@pytest.mark.parametrize("example", COMMANDS, ids=lambda example: str(example.text))
def test_journalctl(path: LogPath, example: Example) -> None:
    """The same questions, asked of the journal."""
    need("journalctl")
    assert example.verb, "every command says what it finds or prints"
    folder = path.root / "state/journal"
    command = example.text.replace("journalctl", f"journalctl -q -D {folder}", 1)
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    if example.verb == "prints":
        assert done.stdout.strip() == example.says
    else:
        check_number(example.says, len(done.stdout.splitlines()))


def test_nothing_of_the_document_is_left_out() -> None:
    """The parser above sees every block, and the document has both kinds."""
    text = DOCUMENT.read_text("utf-8")
    # Declarations in Nix are no question; docs/examples has those.
    assert len(re.findall(r"```(?!nix)\w+\n", text)) == len(EXAMPLES)
    assert len(QUERIES) >= 40
    assert {e.text for e in EXAMPLES if e.kind == "sh"} >= UNCOUNTED


@pytest.mark.parametrize("example", QUERIES, ids=lambda example: str(example.text))
def test_no_bare_range_aggregation_in_the_document(example: Example) -> None:
    """A query that counts is inside an aggregation."""
    assert bare_ranges(example.text) == []


def test_no_bare_range_aggregation_in_rules_and_dashboards() -> None:
    """The same for the queries of rules and dashboards."""
    looked_at = 0
    rules: dict[str, Any] = nix("tests/logs/rules.nix")
    for group in rules["groups"]:
        for rule in group["rules"]:
            looked_at += 1
            assert bare_ranges(rule["expr"]) == [], rule
    for file in sorted((TOP / "dashboards").rglob("*.json")):
        for query in loki_queries(json.loads(file.read_text("utf-8"))):
            looked_at += 1
            assert bare_ranges(query) == [], f"{file}: {query}"
    assert looked_at > 2


def loki_queries(node: Any) -> Iterator[str]:
    """The expressions of a dashboard that go to Loki."""
    if isinstance(node, dict):
        source = node.get("datasource")
        if isinstance(source, dict) and source.get("type") == "loki":
            if isinstance(node.get("expr"), str):
                yield node["expr"]
            for target in node.get("targets", []):
                if isinstance(target.get("expr"), str):
                    yield target["expr"]
        for value in node.values():
            yield from loki_queries(value)
    elif isinstance(node, list):
        for value in node:
            yield from loki_queries(value)


@pytest.mark.parametrize(
    ("query", "bare"),
    [
        ('count_over_time({a="b"}[5m])', 1),
        ('sum(count_over_time({a="b"}[5m]))', 0),
        ('sum by (x) (rate({a="b"} |= "sum(" [5m]))', 0),
        ('topk(3, sum by (x) (count_over_time({a="b"}[5m])))', 0),
        ('topk(3, count_over_time({a="b"}[5m]))', 0),
        ('avg_over_time({a="b"} | unwrap d [1h]) by (app)', 0),
        ('avg_over_time({a="b"} |= ") by (app)" | unwrap d [1h])', 1),
        ('sum(rate({a="b"}[5m])) / rate({a="b"}[5m])', 1),
        ('{a="b"} |= "rate(d)"', 1),
    ],
)
def test_the_lint_itself(query: str, bare: int) -> None:
    """It sees what is bare, and takes what is grouped. A word in a line filter that
    looks like a function is complained about: better than one overlooked.
    """
    assert len(bare_ranges(query)) == bare
