"""Parsers of single values: strings, numbers, durations, URLs, secrets.

A parser takes a JSON value and returns the parsed value, or raises `Rejected` with what
would be accepted. Nothing here depends on an option's name.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from soloscope.secret import Secret
from soloscope.terminal import printable


class Rejected(Exception):  # noqa: N818 (never leaves this package)
    """A value is not accepted; the message says which values are.

    `key` is the part of the value that is wrong. A secret is not `shown`.
    """

    def __init__(self, accepted: str, *, key: str = "", shown: bool = True) -> None:
        super().__init__(accepted)
        self.key = key
        self.shown = shown


Reader = Callable[[Any], Any]

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
"""The name of a count, which is also the value of a label and a part of a Redis key."""

# The part before a URL's host may be a password, also in an invalid URL.
_LOGIN = re.compile(r'(?<=://).*@|[^/\s"]*:[^\s"]*@')


def show(value: object) -> str:
    """The value as one line of a message at a terminal or in a log.

    It is short, and contains no password of a URL.
    """
    try:
        quoted = isinstance(value, str)
        text = f'"{value}"' if quoted else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = "a value that is nested too deeply"
    return printable(_LOGIN.sub("***@", text), 60)


# --- texts and numbers ------------------------------------------------------------


def string(value: object) -> str:
    """Any text of valid characters."""
    if not isinstance(value, str):
        raise Rejected("a string")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise Rejected("a string of whole characters") from None
    return value


def filled(value: object) -> str:
    """Text that is not blank."""
    text = string(value)
    if not text.strip():
        raise Rejected("a string that is not empty")
    return text


def matching(pattern: str, accepted: str) -> Reader:
    """A reader for text that the whole `pattern` matches."""
    compiled = re.compile(pattern)

    def read(value: object) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise Rejected(accepted)
        return value

    return read


def prefix(value: object) -> str:
    """The prefix of Redis keys."""
    text = string(value)
    if any(c.isspace() or not c.isprintable() for c in text):
        raise Rejected("a prefix without white space, such as `metrics:`")
    return text


def boolean(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Rejected("true or false")
    return value


def choice(*accepted: str) -> Reader:
    """A reader for one of a few words."""

    def read(value: object) -> object:
        if not isinstance(value, str) or value not in accepted:
            raise Rejected("one of " + ", ".join(f"`{word}`" for word in accepted))
        return value

    return read


def whole(low: int, high: int) -> Reader:
    """A reader for a whole number from `low` to `high`."""

    def read(value: object) -> int:
        # bool is an int in Python, not in the file.
        number = isinstance(value, int) and not isinstance(value, bool)
        if not number or not low <= cast("int", value) <= high:
            raise Rejected(f"a whole number from {low} to {high}")
        return cast("int", value)

    return read


def any_number(value: object) -> float:
    """A finite number."""
    given = isinstance(value, int | float) and not isinstance(value, bool)
    if not given or not abs(cast("float", value)) < 1e300:
        raise Rejected("a number")
    return float(cast("float", value))


def number(below: float, accepted: str) -> Reader:
    """A reader for a number between zero and `below`, both excluded."""

    def read(value: object) -> float:
        given = isinstance(value, int | float) and not isinstance(value, bool)
        if not given or not 0 < cast("float", value) < below:
            raise Rejected(accepted)
        return float(cast("float", value))

    return read


# --- time -------------------------------------------------------------------------

# Prometheus: common/model/time.go, ParseDuration; each unit once, largest first.
_DURATION = re.compile(
    r"(?:(\d{1,9})y)?(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?"
    r"(?:(\d{1,9})m)?(?:(\d{1,9})s)?(?:(\d{1,9})ms)?",
    re.ASCII,
)
_UNITS = (365 * 86400.0, 7 * 86400.0, 86400.0, 3600.0, 60.0, 1.0, 0.001)


def duration(text: str) -> float | None:
    """The seconds in "30s" or "1h30m", as Prometheus writes them; None otherwise.

    Zero is None too: no option accepts it.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    parts = zip(match.groups(), _UNITS, strict=True)
    return sum(int(part) * unit for part, unit in parts if part) or None


def seconds(most: str) -> Reader:
    """A reader for a duration of at most `most`, such as "30s", in seconds."""
    high = duration(most) or 0.0

    def read(value: object) -> float:
        given = duration(value) if isinstance(value, str) else None
        if given is None or given > high:
            raise Rejected(f"a duration such as `1h30m`, above zero and at most {most}")
        return given

    return read


def zone(value: object) -> ZoneInfo:
    """A time zone of the IANA database."""
    # ZoneInfo raises any of these for a bad key, also for a folder's name.
    try:
        return ZoneInfo(cast("str", value))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Rejected(
            "a time zone of the IANA database such as `UTC` or `Europe/Berlin`"
        ) from None


def clock(value: object) -> time:
    """A time of day such as "04:00"."""
    accepted = "a time of day such as `04:00`"
    text = matching("([01][0-9]|2[0-3]):[0-5][0-9]", accepted)(value)
    return time.fromisoformat(text)


# --- hosts and URLs ---------------------------------------------------------------

# RFC 1123: labels of at most 63 letters, digits and dashes, 253 characters in all.
_LABEL = "[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}\.?$){_LABEL}(\.{_LABEL})*\.?")
# scheme :// [user[:password] @] host [: port] [/path] [?query], as parsed by
# modules/urls.nix: an accepted URL must have the same meaning there.
_URL = re.compile(
    r"([a-z]+)://(?:([^@/?#]*)@)?(\[[0-9a-fA-F:.]+\]|[^]@/?#: []*)"
    r"(?::(0|[1-9][0-9]{0,4}))?(/[^?# ]*)?(\?[^# ]*)?"
)


class Url(NamedTuple):
    """A parsed URL; `host` has no brackets, also for an IPv6 address."""

    scheme: str
    user: str
    host: str
    port: int | None
    path: str
    query: str


def is_host(text: str) -> bool:
    """Whether `text` is an IP address or a host name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return bool(_HOST.fullmatch(text))
    return True


def url(value: object, accepted: str) -> Url:
    """Parse a URL without a password. Raises Rejected with `accepted`."""
    match = _URL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Rejected(accepted)
    scheme, user, host, number, path, query = (part or "" for part in match.groups())
    host, bare = host.strip("[]"), user.partition(":")
    if bare[1]:
        raise Rejected("a URL without a password in it; secrets belong in files")
    if (host and not is_host(host)) or not match[0].isprintable():
        raise Rejected(accepted)
    if number and not 0 < int(number) < 65536:
        raise Rejected(accepted)
    port = int(number) if number else None
    return Url(scheme, user, host, port, path, query.removeprefix("?"))


def url_of(accepted: str, *schemes: str, bare: bool = False) -> Reader:
    """A reader for a URL with a host; a `bare` one has a port and nothing more."""

    def read(value: object) -> str:
        parts = url(value, accepted)
        if parts.scheme not in schemes or not parts.host:
            raise Rejected(accepted)
        if bare and (not parts.port or parts.user or parts.path or parts.query):
            raise Rejected(accepted)
        if not cast("str", value).isascii():
            raise Rejected("a URL in ASCII, with all else percent-encoded")
        return cast("str", value)

    return read


http_url = url_of("a URL such as `http://127.0.0.1:8080/api/health`", "http", "https")
tcp_url = url_of("`tcp://HOST:PORT`", "tcp", bare=True)
postgres_url = url_of(
    "`postgresql://USER@HOST:PORT/DATABASE`", "postgresql", "postgres"
)


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """The address of a Redis server: `path` for unix sockets, `host` otherwise."""

    url: str
    scheme: Literal["redis", "rediss", "unix"]
    host: str | None
    port: int
    path: str | None
    username: str | None
    db: int

    @property
    def server(self) -> str:
        """The address without user, for messages and for comparing two of them."""
        where = self.path if self.path is not None else f"{self.host}:{self.port}"
        return f"{self.scheme}://{where} db {self.db}"


def redis_url(value: object) -> RedisUrl:
    """A parsed Redis URL."""
    accepted = "`redis://HOST:PORT/DB`, `rediss://HOST:PORT/DB` or `unix:///PATH?db=DB`"
    parts = url(value, accepted)
    path, host = unquote(parts.path), parts.host or None
    query = re.fullmatch("(?:db=(.*))?", parts.query)
    if query is None:
        raise Rejected(accepted)
    db = query[1] or ""
    if parts.scheme == "unix":
        if not path.startswith("/") or path == "/" or host or parts.port:
            raise Rejected("`unix:///PATH?db=DB` with an absolute path")
        if not path.isprintable():
            raise Rejected("a path of printable characters")
    elif parts.scheme in {"redis", "rediss"} and host:
        if db and path[1:]:
            raise Rejected("the database either in the path or in `?db=`")
        db = db or path[1:]
    else:
        raise Rejected(accepted)
    if db and not re.fullmatch("[0-9]{1,6}", db):
        raise Rejected("a database number, as in `redis://127.0.0.1:6379/0`")
    return RedisUrl(
        url=cast("str", value),
        scheme=cast("Literal['redis', 'rediss', 'unix']", parts.scheme),
        host=host if parts.scheme != "unix" else None,
        port=parts.port or 6379,
        path=path if parts.scheme == "unix" else None,
        username=unquote(parts.user) or None,
        db=int(db or 0),
    )


def address(value: object) -> str:
    """An IP address or a host name."""
    if not isinstance(value, str) or not is_host(value):
        raise Rejected("an IP address or a host name, without a port")
    return value


# --- files ------------------------------------------------------------------------


def path(value: object) -> Path:
    """An absolute path."""
    text = isinstance(value, str) and value.startswith("/") and value.isprintable()
    if not text:
        raise Rejected("an absolute path")
    return Path(cast("str", value))


# systemd.exec(5): a valid file name without a colon.
_CREDENTIAL = re.compile(r"(?!\.{1,2}$)[!-.0-9;-~]{1,255}")


def secret(value: object) -> Secret:
    """The source of a secret: a credential or a file. Its value is never shown."""
    accepted = 'an object, { "credential": "NAME" } or { "file": "/PATH" }'
    items = value.items() if isinstance(value, dict) else ()
    given = [item for item in items if item[1] is not None]
    if len(given) != 1 or given[0][0] not in {"credential", "file"}:
        raise Rejected(f"must be {accepted}", shown=False)
    key, where = given[0]
    if key == "file":
        try:
            return Secret(file=str(path(where)))
        except Rejected as rejected:
            raise Rejected(f"must be {accepted}, {rejected}", shown=False) from None
    if not isinstance(where, str) or not _CREDENTIAL.fullmatch(where):
        raise Rejected("a credential's name, not a path", key=key, shown=False)
    return Secret(credential=where)
