"""Who a phone number belongs to: by the app's own key, or by the log's last digits."""

from __future__ import annotations

import re
from typing import NamedTuple

from redis.exceptions import ResponseError

from soloscope.backends.loki import LokiApi
from soloscope.config import App
from soloscope.errors import SoloscopeError
from soloscope.redis.client import RedisClient
from soloscope.timeline.lines import quoted

__all__ = ["Person", "by_digits", "by_phone", "phone_number"]


class Person(NamedTuple):
    """A user's opaque id, and how many lines of the log are about them."""

    id: str
    lines: int


def phone_number(text: str) -> str:
    """`text` as `+4912345678` (E.164). Raises ValueError with what is accepted."""
    bare = re.sub(r"[\s()./\u2010-\u2013-]", "", text)
    bare = re.sub(r"^00", "+", bare)
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", bare):
        raise ValueError("must be a whole number with its country, as +4912345678")
    return bare


def by_phone(app: App, phone: str, client: RedisClient) -> str | None:
    """The id in the app's own key; None when it has none, or none is declared.

    Raises BackendUnavailable, or SoloscopeError when the key cannot be read.
    """
    declared = app.user.id_by_phone
    if declared is None:
        return None
    key = declared.replace("{phone}", phone).replace("{digits}", phone[1:])
    (reply,) = client.run([("GET", key)])
    if isinstance(reply, ResponseError):
        raise SoloscopeError(f"apps.{app.name}.user.idByPhone: Redis says: {reply}")
    return None if reply is None else reply.decode("utf-8", "replace")


def by_digits(app: App, digits: str, since: str, loki: LokiApi) -> list[Person]:
    """Everyone whose lines of the last `since` have these last four digits.

    The most frequent first. Several people may share them.
    """
    shown = rf'phone_last4\\?"?\s*[:=]\s*\\?"?{digits}\b|\*\*\*{digits}\b'
    query = (
        f"sum by (user) (count_over_time({{app={quoted(app.name)}}} |= {quoted(digits)}"
        f' |~ `{shown}` | user != "" [{since}]))'
    )
    found = [Person(s.labels["user"], int(s.value)) for s in loki.instant(query)]
    return sorted(found, key=lambda person: (-person.lines, person.id))
