"""Masking, by the kinds of secrets and their positions.

Every name of a secret stands in every form in which programs print it, every way
of writing a number or an address in every sentence, and secrets are put at any
place of generated JSON. What is harmless stays as it is, to the byte. The share
that was found, and the share of what was found that was right, are printed
(docs/logs.md has them).
"""

from __future__ import annotations

import json
import random
import re
import string
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness import Factory

CORPUS = Path(__file__).parent / "corpus"
SECRET = "Zk9qW3xT7vB2nM5p"

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


def words(name: str) -> list[str]:
    """The lines of a corpus file; `#` begins a comment."""
    text = (CORPUS / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and line[:2] != "# "]


LETTERS = {
    "A": string.ascii_letters + string.digits,
    "B": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    "D": string.digits,
    "H": "0123456789abcdef",
    "L": string.ascii_lowercase + string.digits,
    "U": string.ascii_uppercase + string.digits,
}


def keys() -> list[str]:
    """A key of each format. None is in the repository: scanners would find it."""
    dice = random.Random(7)
    return [
        re.sub(
            r"<([A-Z])(\d+)>",
            lambda found: "".join(dice.choices(LETTERS[found[1]], k=int(found[2]))),
            shape,
        )
        for shape in words("keys.txt")
    ]


# Every spelling of a secret's name, in every form in which programs print one.
FORMS: dict[str, Callable[[str], str]] = {
    "json": lambda k: compact({"level": 30, k: SECRET, "x": 1}),
    "json with escapes": lambda k: json.dumps({k: SECRET + ' "q" \n', "x": 1}),
    "json list": lambda k: json.dumps({k: [SECRET, "a" + SECRET], "x": 1}),
    "json object": lambda k: json.dumps({k: {"a": SECRET, "b": {"c": SECRET}}}),
    "json in json": lambda k: json.dumps({"body": json.dumps({k: SECRET})}),
    "three deep": lambda k: json.dumps(
        {"b": json.dumps({"c": json.dumps({k: SECRET})})}
    ),
    "behind an escape": lambda k: json.dumps(
        {"msg": f"config:\n{k}: {SECRET}\nport: 1"}
    ),
    "python": lambda k: f"{{'level': 30, '{k}': '{SECRET}'}}",
    "logfmt": lambda k: f'level=info msg="x" {k}={SECRET} y=2',
    "environment": lambda k: f"{k}={SECRET}",
    "yaml": lambda k: f"{k}: {SECRET}",
    "url": lambda k: f"GET /x?a=1&{k}={SECRET}&b=2 HTTP/1.1",
}

SENTENCES = [
    "call %s",
    "from %s: hi",
    "to=%s",
    "phone: %s",
    "x (%s) y",
    "'%s'",
    "<%s>",
    "Tel.: %s.",
]
ADDRESSES = [
    "x %s",
    "GET /u/%s/edit",
    "e=%%22%s%%22",
    "Kim%%20%s",
    "**%s**",
    "-%s",
    "<%s>",
]
KEYS = [
    "401 for %s from upstream",
    "x=%s;",
    "'%s'",
    "Bearer %s",
    "https://x.example/?a=%s&b=1",
]


def compact(value: Json) -> str:
    """JSON as JavaScript writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Row:
    """A line, what must not be left of it, and the value behind a JSON line."""

    kind: str
    line: str
    gone: tuple[str, ...] = ()
    value: Json = None


def in_sentences(
    kind: str, secrets: Sequence[str], frames: Sequence[str]
) -> Iterator[Row]:
    """Each secret in each sentence, and behind escapes of JSON."""
    for secret in secrets:
        # The part that says most: what nothing else has.
        tail = (secret[-9:],)
        for frame in frames:
            yield Row(kind, frame % secret, tail)
        for text in (f"a\n{secret}\tb", f'"{secret}"'):
            yield Row(kind, json.dumps({"level": 30, "msg": text}), tail)
            yield Row(kind, compact({"level": 30, "list": [text], "n": 1}), tail)


def generated(count: int, seed: int = 9) -> Iterator[Row]:
    """JSON with secrets at any place: in texts, behind escapes, under names."""
    dice = random.Random(seed)
    secrets = [
        *words("addresses.txt"),
        *words("numbers.txt"),
        *keys(),
    ]
    names = words("names.txt")
    glue = [
        "\n",
        "\t",
        "\r\n",
        '"',
        "<",
        " ",
        "\\",
        "/",
        "\u00e9 ",
        "\u2028",
        "'",
        ", ",
    ]

    def text(gone: list[str]) -> str:
        parts = [dice.choice(["ok", "user", "it is", "42", "größer", "a/b"])]
        if dice.random() < 0.4:
            secret = dice.choice(secrets)
            gone.append(secret[-9:])
            # A path contains no phone number.
            before = dice.choice(glue).replace("/", "" if secret[0] in "0+" else "/")
            parts += [before + secret + dice.choice(["\n", '"', " ", ">"])]
        return dice.choice(glue).join(parts)

    def value(depth: int, gone: list[str]) -> Json:
        kind = dice.random()
        if depth and kind < 0.25:
            return table(depth - 1, gone)
        if depth and kind < 0.4:
            return [value(depth - 1, gone) for _ in range(dice.randrange(4))]
        if kind < 0.75:
            return text(gone)
        numbers: list[Json] = [
            0,
            -7,
            3.25,
            1795770000123,
            True,
            False,
            None,
            4503599627370496,
        ]
        return dice.choice(numbers)

    def secret_value() -> Json:
        values: list[Json] = [
            SECRET,
            [SECRET, SECRET],
            {"a": SECRET, "b": [SECRET]},
            None,
            True,
            9876543210123,
        ]
        return dice.choice(values)

    def table(depth: int, gone: list[str]) -> dict[str, Json]:
        made: dict[str, Json] = {}
        for _ in range(dice.randrange(1, 5)):
            if dice.random() < 0.25:
                made[dice.choice(names)] = secret_value()
                gone.append(SECRET)
            else:
                made[f"f{dice.randrange(1000)}"] = value(depth, gone)
        return made

    for _ in range(count):
        gone: list[str] = []
        made = table(3, gone)
        line = json.dumps(
            made,
            ensure_ascii=dice.random() < 0.5,
            separators=dice.choice([(",", ":"), (", ", ": ")]),
        )
        if dice.random() < 0.3:  # as Go writes it
            line = line.replace("<", "\\u003c").replace(">", "\\u003e")
        yield Row("generated JSON", line, tuple(gone), made)


def same_shape(before: Json, after: Json, secret: bool = False) -> None:
    """The same names, and values of the same type but where they are masked."""
    if isinstance(before, dict):
        assert isinstance(after, dict)
        assert list(after) == list(before)
        for name, value in before.items():
            same_shape(value, after[name], secret or name in NAMES)
    elif isinstance(before, list):
        assert isinstance(after, list)
        assert len(after) == len(before)
        for one, other in zip(before, after, strict=True):
            same_shape(one, other, secret)
    elif after != before or type(after) is not type(before):
        assert isinstance(after, str), (before, after)
        assert "***" in after, (before, after)
        assert secret or isinstance(before, str), (before, after)


NAMES = frozenset(words("names.txt"))
ROWS = [
    *(
        Row(f"name: {form}", make(name), (SECRET,))
        for name in words("names.txt")
        for form, make in FORMS.items()
    ),
    *in_sentences("phone number", words("numbers.txt"), SENTENCES),
    *in_sentences("address", words("addresses.txt"), ADDRESSES),
    *in_sentences("key", keys(), KEYS),
    *generated(400),
    *(Row("harmless", line) for line in words("harmless.txt")),
]


@pytest.fixture(scope="module")
def shipped(engine: str, paths: Factory) -> list[str]:
    """What arrived of each row."""
    path = paths(shipper=engine)
    path.start()
    times: list[int] = []
    for row in ROWS:
        # A unit for each: nothing is joined.
        fields = path.journal.fields(f"unit-{len(times) % 50}.service")
        times += path.journal.say_as(fields, row.line)
    path.wait_for('{job=~".+"}', len(ROWS), within=120)
    time.sleep(1)
    found = {entry.time // 1000: entry.line for entry in path.everything('{job=~".+"}')}
    return [found[when] for when in times]


def failures(shipped: list[str], kind: Callable[[str], bool]) -> list[Any]:
    """The rows of a kind that were not masked, with what arrived."""
    return [
        (row.kind, row.line, line)
        for row, line in zip(ROWS, shipped, strict=True)
        if kind(row.kind) and any(piece in line for piece in row.gone)
    ]


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_by_its_name(shipped: list[str], form: str) -> None:
    """Every spelling of the name, in this form."""
    assert failures(shipped, lambda kind: kind == f"name: {form}") == []


@pytest.mark.parametrize("kind", ["phone number", "address", "key", "generated JSON"])
def test_a_secret_by_its_shape(shipped: list[str], kind: str) -> None:
    """Every way of writing it, at every place."""
    assert failures(shipped, lambda other: other == kind) == []


def test_json_stays_json(shipped: list[str]) -> None:
    """A masked line has the names and the types that it had."""
    for row, line in zip(ROWS, shipped, strict=True):
        if row.line.startswith('{"'):
            try:
                after = json.loads(line)
            except ValueError as error:
                raise AssertionError(f"{row.line}\n{line}") from error
            same_shape(json.loads(row.line), after)


def test_the_harmless_stays(shipped: list[str]) -> None:
    """To the byte."""
    changed = [
        (row.line, line)
        for row, line in zip(ROWS, shipped, strict=True)
        if row.kind == "harmless" and line != row.line
    ]
    assert changed == []


def test_precision_and_recall(shipped: list[str]) -> None:
    """Printed for docs/logs.md."""
    secret = [row for row in ROWS if row.gone]
    missed = len(failures(shipped, lambda _: True))
    harmless = [(r, s) for r, s in zip(ROWS, shipped, strict=True) if not r.gone]
    wrong = sum(row.line != line for row, line in harmless if row.kind == "harmless")
    found = len(secret) - missed
    print(f"recall: {found} of {len(secret)}; precision: {found} of {found + wrong}")
    assert found / len(secret) > 0.99
    assert found / (found + wrong) > 0.99
