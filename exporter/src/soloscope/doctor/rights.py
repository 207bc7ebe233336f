"""What the exporter's Redis user may do.

Rights are tried, not read: `ACL` itself is a right that few users have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError

from soloscope.doctor.finding import Finding, wrong

if TYPE_CHECKING:
    from soloscope.config import App

__all__ = ["lacking", "needed"]


def needed(app: App) -> dict[str, tuple[bytes, ...]]:
    """Each command that a scrape uses, with arguments for a key that is not there."""
    assert app.redis is not None  # noqa: S101 (only such apps are looked at)
    key = f"{app.redis.prefix}doctor".encode()
    found: dict[str, tuple[bytes, ...]] = {"ping": (), "ttl": (key,)}
    if app.counters:
        found |= {"get": (key,)}
    if app.breakdowns or app.timings or app.gauges:
        found |= {"hgetall": (key,)}
    if any(not unique.exact for unique in app.uniques.values()):
        found |= {"pfcount": (key,)}
    if any(unique.exact for unique in app.uniques.values()):
        found |= {"scard": (key,), "sunion": (key,)}
    return found


def lacking(app: App, replies: Mapping[str, Any]) -> Iterator[Finding]:
    """The missing rights in the replies to `needed`, with the commands that grant them.

    Redis has the same error class for a forbidden command and a forbidden key. It names
    the command, but not the key: a message for several commands is about keys.
    """
    assert app.redis is not None  # noqa: S101 (only such apps are looked at)
    refused = {
        command: str(reply)
        for command, reply in replies.items()
        if isinstance(reply, NoPermissionError)
    }
    times = Counter(refused.values())
    denied = [command for command, said in refused.items() if times[said] == 1]
    user = app.redis.url.username or "default"
    if denied:
        listed = ", ".join(f"`{command}`" for command in denied)
        grant = " ".join(f"+{command}" for command in denied)
        what = f"the Redis user `{user}` may not run {listed}"
        yield wrong("acl", app.name, what, f"`ACL SETUSER {user} {grant}`")
    if len(denied) < len(refused):
        keys = f"{app.redis.prefix}*"
        what = f"the Redis user `{user}` may not read keys of `{keys}`"
        yield wrong("acl", app.name, what, f"`ACL SETUSER {user} %R~{keys}`")
