"""Parses the file into `Config`, driven by the types of its fields.

All problems are reported together, so that a user repairs the file once. A problem
names the option, the bad value and what is accepted. Unknown keys are problems too,
because a misspelt option would otherwise be silently ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import time
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, cast, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

from soloscope.config import values
from soloscope.config.options import Config, Names, Option
from soloscope.config.values import Reader, Rejected, show
from soloscope.errors import ConfigError, Problem
from soloscope.secret import Secret

_MISSING: Any = object()
_READERS: Mapping[Any, Reader] = {
    str: values.string,
    bool: values.boolean,
    Path: values.path,
    ZoneInfo: values.zone,
    time: values.clock,
    Secret: values.secret,
}


def parse(value: object, source: str = "configuration") -> Config:
    """Read a decoded JSON value. `source` is named in the error.

    Raises ConfigError with every problem found.
    """
    problems: list[Problem] = []
    config = _read(Config, value, "", problems)
    if problems:
        raise ConfigError(source, sorted(problems, key=lambda p: (p.path, p.accepted)))
    return cast("Config", config)


def load(path: Path) -> Config:
    """Read the file at `path`. Raises ConfigError with every problem found."""
    try:
        value = json.loads(
            path.read_bytes(), object_pairs_hook=_no_repeats, parse_int=_integer
        )
    except OSError as error:
        why = f"{error.strerror or error}; give the file with `--config FILE`"
    except RecursionError:
        why = "must be JSON that is not so deeply nested"
    except ValueError as error:  # bad JSON, bad UTF-8, a repeated key
        why = f"must be JSON: {error}"
    else:
        return parse(value, str(path))
    raise ConfigError(str(path), [Problem("the file", "", why)])


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {show(twice)} stands twice in one object")
    return table


def _integer(digits: str) -> int | float:
    # Python parses at most 4,300 digits, and no option accepts as many.
    return int(digits) if len(digits) < 400 else float("inf")


def _at(path: str, key: str) -> str:
    word = key if re.fullmatch("[a-zA-Z0-9_-]{1,100}", key) else show(key)
    return f"{path}.{word}" if path else word


@cache
def _fields(record: type) -> dict[str, tuple[str, Any, bool]]:
    """Option -> the field's name, its type, and whether it may be absent."""
    found = {}
    for name, hint in get_type_hints(record, include_extras=True).items():
        base, *extras = _parts(hint)
        optional = get_origin(base) is UnionType
        if optional:
            (base,) = (part for part in get_args(base) if part is not NoneType)
        option = re.sub("_(.)", lambda match: match[1].upper(), name)
        if extras and isinstance(extras[0], Option):
            option = extras.pop(0).name
        found[option] = (name, Annotated[base, *extras] if extras else base, optional)
    return found


def _parts(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) is Annotated else (hint,)


def _read(hint: Any, value: Any, path: str, problems: list[Problem]) -> Any:
    """`value` converted to the type `hint`; None, or nothing, where it is refused."""
    base, *extras = _parts(hint)
    kind = get_origin(base) or base
    try:
        if value is _MISSING:
            raise Rejected("must be set", shown=False)
        if kind is tuple:
            return _items(get_args(base)[0], value, path, problems)
        if kind is Mapping:
            return _table(get_args(base)[1], extras[0], value, path, problems)
        if kind is Literal:
            return values.choice(*get_args(base))(value)
        if extras or base in _READERS:
            return (extras[0] if extras else _READERS[base])(value)
        return _record(base, value, path, problems)
    except Rejected as rejected:
        at = _at(path, rejected.key) if rejected.key else path or "the file"
        shown = show(value) if rejected.shown else ""
        problems.append(Problem(at, shown, str(rejected)))
    return {Mapping: {}, tuple: ()}.get(kind)


def _items(hint: Any, value: Any, path: str, problems: list[Problem]) -> Any:
    if not isinstance(value, list):
        raise Rejected("a list")
    return tuple(
        _read(hint, item, f"{path}[{index}]", problems)
        for index, item in enumerate(value)
    )


def _table(
    hint: Any, names: Names, value: Any, path: str, problems: list[Problem]
) -> Any:
    if not isinstance(value, dict):
        raise Rejected("an object")
    table = {}
    for key, item in value.items():
        try:
            names.read(key)
        except Rejected as rejected:
            problems.append(Problem(path, show(key), str(rejected)))
        else:
            if item is not None:
                table[key] = _read(hint, item, _at(path, key), problems)
    return {key: item for key, item in table.items() if item is not None}


def _record(record: type, value: Any, path: str, problems: list[Problem]) -> Any:
    if not isinstance(value, dict):
        raise Rejected("an object")
    # The module omits null; in a hand-written file it means "not set".
    given = {key: item for key, item in value.items() if item is not None}
    fields = _fields(record)
    read: dict[str, Any] = {}
    for option, (name, hint, optional) in fields.items():
        item = given.get(option, _MISSING)
        if not option:
            read[name] = path.rpartition(".")[2]
        elif item is not _MISSING or not optional:
            read[name] = _read(hint, item, _at(path, option), problems)
    problems += (
        Problem(_at(path, key), "", _unknown(key, fields))
        for key in given.keys() - set(filter(None, fields))
    )
    result = record(**read)
    for option, accepted in getattr(result, "faults", tuple)():
        found: Any = given
        for key in option.split("."):
            found = found.get(key) if isinstance(found, dict) else None
        shown = "" if found is None or isinstance(found, dict) else show(found)
        problems.append(Problem(f"{path}.{option}".strip("."), shown, accepted))
    return result


def _unknown(key: str, fields: Iterable[str]) -> str:
    # difflib is needed only to word an error.
    from difflib import get_close_matches

    known = sorted(filter(None, fields))
    near = get_close_matches(key, known, n=1, cutoff=0.6)
    hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
    return f"unknown option; {hint}"
