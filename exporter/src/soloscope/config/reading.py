"""How one value of the file is read. Nothing here knows an option by name.

A parser takes a JSON value, its option path and the list of problems, and returns
what the value means. It raises `Rejected` with what would be accepted; `Section`
turns that into a problem and goes on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import time
from pathlib import Path
from typing import Any, Literal, TypeVar, cast
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

from soloscope.config.shape import RedisUrl
from soloscope.errors import Problem
from soloscope.secret import Secret

T = TypeVar("T")


class Rejected(Exception):  # noqa: N818 (never leaves this module)
    """Raised by a value parser; the message is what would be accepted."""


_MISSING: Any = object()
Parser = Callable[[Any, str, list[Problem]], T]


# The password in a URL; a wrong one may have any characters in it.
_PASSWORD = re.compile(r"(://[^:/@]*):.*@")


def show(value: object) -> str:
    """The value as JSON, short enough for one line of an error message.

    The line may land in a log, so a password in a URL is not in it.
    """
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = _PASSWORD.sub(r"\1:***@", text)
    return text if len(text) <= 60 else text[:57] + "…"


class Section:
    """One JSON object while it is read: hands out values, then reports leftovers."""

    def __init__(self, value: object, path: str, problems: list[Problem]) -> None:
        self.path = path
        self.problems = problems
        self.known: list[str] = []
        if isinstance(value, dict):
            # The module leaves null out; whoever writes it means "not set".
            self.values = {k: v for k, v in value.items() if v is not None}
        else:
            self.values = {}
            problems.append(Problem(path or "the file", show(value), "an object"))
            # Nothing more can be said about what is not an object.
            self.problems = []

    def at(self, key: str) -> str:
        """The full option path of `key`."""
        return f"{self.path}.{key}" if self.path else key

    def get(self, key: str, parser: Parser[T], default: T = _MISSING) -> T:
        """The parsed value of `key`, or `default`; a problem when neither works.

        After a problem the default, or None, stands in: `parse` never returns then.
        """
        self.known.append(key)
        if key not in self.values:
            if default is _MISSING:
                self.problems.append(Problem(self.at(key), "", "must be set"))
                return None  # type: ignore[return-value]
            return default
        value = self.values[key]
        try:
            return parser(value, self.at(key), self.problems)
        except Rejected as rejected:
            self.problems.append(Problem(self.at(key), show(value), str(rejected)))
        return None if default is _MISSING else default  # type: ignore[return-value]

    def reject(self, key: str, accepted: str) -> None:
        """Report the value of `key`, which is well-formed but does not fit."""
        shown = show(self.values.get(key))
        self.problems.append(Problem(self.at(key), shown, accepted))

    def close(self) -> None:
        """Report keys that nobody asked for."""
        for key in self.values.keys() - set(self.known):
            # difflib is needed only to word an error.
            from difflib import get_close_matches

            near = get_close_matches(key, self.known, n=1, cutoff=0.6)
            hint = (
                f"did you mean `{near[0]}`?"
                if near
                else "known here: " + ", ".join(sorted(self.known))
            )
            self.problems.append(Problem(self.at(key), "", f"unknown option; {hint}"))


NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
APP_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]*\Z")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z")
_HOST = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?\Z")
# Prometheus: common/model/time.go, ParseDuration; each unit once, largest first.
_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?\Z"
)
_UNITS = (365 * 86400.0, 7 * 86400.0, 86400.0, 3600.0, 60.0, 1.0, 0.001)


def read_string(value: object, _path: str, _problems: list[Problem]) -> str:
    """Any text of whole characters."""
    if not isinstance(value, str):
        raise Rejected("a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            raise Rejected("a string of whole characters") from None
    return value


def read_filled(value: object, path: str, problems: list[Problem]) -> str:
    """Text that is not blank."""
    text = read_string(value, path, problems)
    if not text.strip():
        raise Rejected("a string that is not empty")
    return text


def read_boolean(value: object, _path: str, _problems: list[Problem]) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Rejected("true or false")
    return value


def read_integer(low: int, high: int) -> Parser[int]:
    """A parser for a whole number from `low` to `high`."""

    def parser(value: object, _path: str, _problems: list[Problem]) -> int:
        # bool is an int in Python, not in the file.
        if isinstance(value, bool) or not isinstance(value, int):
            raise Rejected(f"a whole number from {low} to {high}")
        if not low <= value <= high:
            raise Rejected(f"a whole number from {low} to {high}")
        return value

    return parser


def read_choice(*accepted: str) -> Parser[Any]:
    """A parser for one of a few words."""

    def parser(value: object, _path: str, _problems: list[Problem]) -> str:
        if not isinstance(value, str) or value not in accepted:
            raise Rejected("one of " + ", ".join(f"`{a}`" for a in accepted))
        return value

    return parser


def duration(text: str) -> float | None:
    """The seconds in "30s" or "1h30m", as Prometheus writes them; None otherwise.

    Zero is None too: nothing here can take no time.
    """
    match = _DURATION.match(text)
    if match is None:
        return None
    parts = zip(match.groups(), _UNITS, strict=True)
    return sum(int(part) * unit for part, unit in parts if part) or None


def read_seconds(value: object, _path: str, _problems: list[Problem]) -> float:
    """A duration such as "30s", in seconds."""
    seconds = duration(value) if isinstance(value, str) else None
    if seconds is None:
        raise Rejected("a duration above zero such as `30s`, `5m` or `1h30m`")
    return seconds


def read_positive(value: object, _path: str, _problems: list[Problem]) -> float:
    """A number above zero."""
    ok = isinstance(value, int | float) and not isinstance(value, bool)
    if not ok or not 0 < value < float("inf"):  # type: ignore[operator]
        raise Rejected("a number above zero")
    return float(value)  # type: ignore[arg-type]


def read_zone(value: object, _path: str, _problems: list[Problem]) -> ZoneInfo:
    """A time zone of the IANA database."""
    # ZoneInfo answers a bad key with any of these, a folder's name included.
    try:
        return ZoneInfo(value)  # type: ignore[arg-type]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Rejected(
            "a time zone of the IANA database such as `UTC` or `Europe/Berlin`"
        ) from None


def read_clock(value: object, _path: str, _problems: list[Problem]) -> time:
    """A time of day such as "04:00"."""
    match = _CLOCK.match(value) if isinstance(value, str) else None
    if match is None:
        raise Rejected("a time of day such as `04:00`")
    return time(int(match[1]), int(match[2]))


def read_address(value: object, _path: str, _problems: list[Problem]) -> str:
    """An IP address or a host name."""
    accepted = "an IP address or a host name"
    if not isinstance(value, str):
        raise Rejected(accepted)
    if ":" in value:
        import ipaddress

        try:
            ipaddress.IPv6Address(value)
        except ValueError:
            raise Rejected(accepted + " without a port") from None
    elif not _HOST.match(value):
        raise Rejected(accepted)
    return value


def read_http_url(value: object, _path: str, _problems: list[Problem]) -> str:
    """An http or https URL."""
    accepted = "a URL such as `http://127.0.0.1:8080/api/health`"
    if not isinstance(value, str):
        raise Rejected(accepted)
    try:
        parts = urlsplit(value)
        bad = parts.scheme not in {"http", "https"} or not parts.hostname
        bad = bad or parts.port == 0
    except ValueError:
        bad = True
    if bad or any(c.isspace() for c in value):
        raise Rejected(accepted)
    if not value.isascii() or not value.isprintable():
        raise Rejected("a URL in ASCII, with all else percent-encoded")
    if parts.password:
        raise Rejected("a URL without a password in it; secrets belong in files")
    return value


def read_tcp_url(value: object, _path: str, _problems: list[Problem]) -> str:
    """`tcp://HOST:PORT`."""
    accepted = "`tcp://HOST:PORT`"
    if not isinstance(value, str):
        raise Rejected(accepted)
    try:
        parts = urlsplit(value)
        ok = parts.scheme == "tcp" and bool(parts.hostname) and bool(parts.port)
    except ValueError:
        ok = False
    if not ok or parts.path or parts.query:
        raise Rejected(accepted)
    return value


def read_redis_url(value: object, _path: str, _problems: list[Problem]) -> RedisUrl:
    """A Redis URL, in its parts."""
    accepted = "`redis://HOST:PORT/DB`, `rediss://HOST:PORT/DB` or `unix:///PATH?db=DB`"
    if not isinstance(value, str):
        raise Rejected(accepted)
    try:
        parts = urlsplit(value)
        port = 6379 if parts.port is None else parts.port
    except ValueError:
        raise Rejected(accepted) from None
    if parts.password is not None:
        raise Rejected("a URL without a password in it; set `passwordFile` instead")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    username = unquote(parts.username) if parts.username else None
    db = query.pop("db", "")
    if query or parts.fragment:
        raise Rejected(accepted)
    if parts.scheme == "unix":
        path = unquote(parts.path)
        if not path.startswith("/") or path == "/" or parts.hostname:
            raise Rejected("`unix:///PATH?db=DB` with an absolute path")
        host = None
    elif parts.scheme in {"redis", "rediss"} and parts.hostname and port:
        path, host = None, parts.hostname
        if parts.path.strip("/"):
            if db:
                raise Rejected("the database either in the path or in `?db=`")
            db = parts.path.strip("/")
    else:
        raise Rejected(accepted)
    if db and (not db.isascii() or not db.isdigit()):
        raise Rejected("a database number, as in `redis://127.0.0.1:6379/0`")
    return RedisUrl(
        url=value,
        scheme=cast("Literal['redis', 'rediss', 'unix']", parts.scheme),
        host=host,
        port=port,
        path=path,
        username=username,
        db=int(db or 0),
    )


def redis_url(text: str) -> RedisUrl:
    """Read a Redis URL that `parse` has accepted, as a check of kind redis has it."""
    return read_redis_url(text, "", [])


def read_redis_url_text(value: object, path: str, problems: list[Problem]) -> str:
    """A Redis URL as it was written."""
    return read_redis_url(value, path, problems).url


def read_path(value: object, _path: str, _problems: list[Problem]) -> Path:
    """An absolute path."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise Rejected("an absolute path")
    return Path(value)


def read_secret(value: object, path: str, problems: list[Problem]) -> Secret:
    """Where a secret is: a credential or a file."""
    accepted = '{ "credential": "NAME" } or { "file": "/PATH" }'
    if not isinstance(value, dict):
        # Not shown: it may be the secret itself.
        problems.append(Problem(path, "", f"must be an object, {accepted}"))
        return Secret()
    section = Section(value, path, problems)
    credential = section.get("credential", read_filled, "")
    file = section.get("file", read_filled, "")
    section.close()
    if bool(credential) == bool(file):
        problems.append(Problem(path, "", f"must be either {accepted}"))
    if "/" in credential or credential in {".", ".."}:
        section.reject("credential", "a credential's name, not a path")
    if file and not file.startswith("/"):
        problems.append(Problem(path, "", f"must be {accepted}, an absolute path"))
    return Secret(credential=credential or None, file=file or None)


def read_prefix(value: object, path: str, problems: list[Problem]) -> str:
    """What Redis keys begin with."""
    text = read_string(value, path, problems)
    if any(c.isspace() or not c.isprintable() for c in text):
        raise Rejected("a prefix without white space, such as `metrics:`")
    return text


def read_strings(
    value: object, _path: str, _problems: list[Problem]
) -> tuple[str, ...]:
    """A list of texts, none empty."""
    if not isinstance(value, list) or not all(
        isinstance(item, str) and item for item in value
    ):
        raise Rejected("a list of names")
    return tuple(value)


def items(one: Parser[T]) -> Parser[tuple[T, ...]]:
    """A parser for a list."""

    def parser(value: object, path: str, problems: list[Problem]) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise Rejected("a list")
        return tuple(
            one(item, f"{path}[{index}]", problems) for index, item in enumerate(value)
        )

    return parser


def record(build: Callable[[Section], T]) -> Parser[T]:
    """A parser for one JSON object with fixed keys."""

    def parser(value: object, path: str, problems: list[Problem]) -> T:
        section = Section(value, path, problems)
        built = build(section)
        section.close()
        return built

    return parser


def table(
    build: Callable[[Section], T], name: re.Pattern[str] = NAME
) -> Parser[Mapping[str, T]]:
    """A parser for an object whose keys are names that the user chose."""
    one = record(build)
    letters = (
        "letters, digits and underscores, not starting with a digit"
        if name is NAME
        else "letters, digits, dashes and underscores"
    )

    def parser(value: object, path: str, problems: list[Problem]) -> Mapping[str, T]:
        if not isinstance(value, dict):
            raise Rejected("an object")
        read: dict[str, T] = {}
        for key, item in value.items():
            if not name.match(key):
                problems.append(Problem(path, show(key), f"a name of {letters}"))
            elif item is not None:
                read[key] = one(item, f"{path}.{key}", problems)
        return read

    return parser
