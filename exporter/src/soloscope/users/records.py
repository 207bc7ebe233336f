"""The declared keys of a user, read from Redis as sections of fields.

Each section is read in a bounded way: at most `limit` entries, no value over a
mebibyte, no hash or set with over a thousand fields.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from soloscope.config import App, UserRecord
from soloscope.errors import OTHER_SHAPE
from soloscope.redis.client import Command, RedisClient

__all__ = ["Field", "Loaded", "Section", "flat", "load", "moment", "records"]

LARGEST = 2**20
"""Bytes of a string that is still read."""

MOST = 1000
"""Fields of a hash or members of a set that are still read."""

#: Fields whose values are never shown.
_SECRET = re.compile(
    r"(?i)pass(?:word|wd|phrase)?\b|secret|token|hash|salt|api_?key|otp\b|session_?id"
)


class Field(NamedTuple):
    """One value: its name ("" for a plain value), its text, and its time if it has."""

    name: str
    text: str
    at: datetime | None = None


@dataclass(frozen=True)
class Section:
    """What one declared key holds. `note` says why there are no entries."""

    title: str
    key: str
    entries: Sequence[Sequence[Field]] = field(default=())
    note: str = ""


#: type of a key -> what counts its parts; and what reads at most so many of them.
_SIZES = {
    "string": "STRLEN",
    "hash": "HLEN",
    "list": "LLEN",
    "set": "SCARD",
    "zset": "ZCARD",
}


@dataclass(frozen=True)
class Loaded:
    """The entries of one key, the newest first. `note` says why there are none."""

    values: Sequence[Any] = field(default=())
    note: str = ""


def records(app: App, user: str, client: RedisClient) -> list[Section]:
    """A section for each declared record of `user`, in the order of declaration.

    Raises BackendUnavailable when Redis does not answer.
    """
    named = sorted(app.user.records.items(), key=lambda one: (one[1].order, one[0]))
    wanted = [(record.key.replace("{id}", user), record) for _, record in named]
    loaded = load(client, wanted)
    return [
        _section(record.title or name, key, record, one)
        for (name, record), (key, _), one in zip(named, wanted, loaded, strict=True)
    ]


def load(client: RedisClient, wanted: Sequence[tuple[str, UserRecord]]) -> list[Loaded]:
    """The entries of each key, in three round trips.

    Raises BackendUnavailable when Redis does not answer.
    """
    if not wanted:
        return []
    keys = [key for key, _ in wanted]
    kinds = [_text(kind) for kind in client.run([("TYPE", key) for key in keys])]
    sizes = _sizes(client, keys, kinds)
    asked: dict[int, Command] = {}
    found: dict[int, Loaded] = {}
    for index, (key, record) in enumerate(wanted):
        kind, size = kinds[index], sizes.get(index)
        if isinstance(size, ResponseError):
            found[index] = Loaded(note=f"Redis says: {size}")
        elif size is None:
            found[index] = Loaded(note=_absent(kind))
        elif kind == "string" and size > LARGEST:
            found[index] = Loaded(note=f"{size / 1e6:.1f} MB, too large to be shown")
        elif kind in {"hash", "set"} and size > MOST:
            found[index] = Loaded(note=f"{size} fields, too many to be shown")
        else:
            asked[index] = _read(record, kind, key)
    replies = client.run(list(asked.values())) if asked else []
    for index, reply in zip(asked, replies, strict=True):
        found[index] = _loaded(wanted[index][1], kinds[index], reply)
    return [found[index] for index in range(len(wanted))]


def _sizes(
    client: RedisClient, keys: Sequence[str], kinds: Sequence[str]
) -> dict[int, Any]:
    known = {i: kind for i, kind in enumerate(kinds) if kind in _SIZES}
    if not known:
        return {}
    asked = [(_SIZES[kind], keys[i]) for i, kind in known.items()]
    return dict(zip(known, client.run(asked), strict=True))


def _absent(kind: str) -> str:
    if kind == "none":
        return "no such key"
    if " " in kind:  # TYPE itself was refused
        return f"Redis says: {kind}"
    return f"a key of type {kind}, which is not read"


def _read(record: UserRecord, kind: str, key: str) -> Command:
    """The command that reads a key of this type."""
    last = record.limit - 1
    if kind == "list" and record.newest == "last":
        return ("LRANGE", key, -record.limit, -1)
    return {
        "string": ("GET", key),
        "hash": ("HGETALL", key),
        "list": ("LRANGE", key, 0, last),
        "set": ("SMEMBERS", key),
        "zset": ("ZREVRANGE", key, 0, last),
    }[kind]


def _loaded(record: UserRecord, kind: str, reply: Any) -> Loaded:
    if isinstance(reply, ResponseError):
        return Loaded(note=f"Redis says: {reply}")
    if reply is None:  # expired meanwhile
        return Loaded(note=_absent("none"))
    if kind == "hash":
        texts = [_text(part) for part in reply]
        return Loaded([dict(zip(texts[::2], map(_json, texts[1::2]), strict=True))])
    if kind == "string":
        value = _json(_text(reply))
        return Loaded(value[: record.limit] if isinstance(value, list) else [value])
    values = [_json(_text(part)) for part in reply]
    if kind == "set":
        values = sorted(values, key=str)[: record.limit]
    elif record.newest == "last":
        values.reverse()
    return Loaded(values)


def _section(title: str, key: str, record: UserRecord, loaded: Loaded) -> Section:
    entries = [fields for value in loaded.values if (fields := _fields(record, value))]
    note = loaded.note or ("" if entries else "nothing to show")
    return Section(title, key, entries, note)


def _fields(record: UserRecord, value: Any) -> list[Field]:
    """The fields of one entry that are to be shown, in the declared order."""
    leaves = dict(flat(value))
    if record.fields and set(leaves) != {""}:
        order = [
            name
            for wanted in record.fields
            for name in leaves
            if name == wanted or name.startswith(f"{wanted}.")
        ]
        leaves = {name: leaves[name] for name in order}
    return [_field(record, name, value) for name, value in leaves.items()]


def _field(record: UserRecord, name: str, value: Any) -> Field:
    if _SECRET.search(name):
        return Field(name, "***")
    if {name, name.rpartition(".")[2]} & set(record.times):
        at = moment(value)
        if at is not None:
            return Field(name, at.isoformat(), at)
    return Field(name, value if isinstance(value, str) else json.dumps(value))


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of an object with dotted names; a list is one leaf."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and not any(
        isinstance(v, (dict, list)) for v in value
    ):
        yield path, ", ".join(v if isinstance(v, str) else json.dumps(v) for v in value)
    else:
        yield path, value


def _json(text: str) -> Any:
    """`text` as JSON where it is an object or a list; else the text."""
    if text[:1] in {"{", "["}:
        try:
            return json.loads(text)
        except OTHER_SHAPE:
            pass
    return text


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def moment(value: Any) -> datetime | None:
    """A time in ISO 8601, or in seconds or milliseconds since 1970; None otherwise."""
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return None
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    if not math.isfinite(number) or number <= 0:
        return None
    # Seconds have 12 digits from the year 5138 on.
    try:
        return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
    except (*OTHER_SHAPE, OSError):
        return None
