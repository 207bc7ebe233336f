"""Faults to be found: one for each validator that demo/declaration.nix declares.

The app prints and counts as ever, and gets one thing wrong in a user's records.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from .plan import DEFICIENCIES, Counts, Occurrence, User, digest, event, throttled

#: Makes what is printed and counted, then what Redis must hold afterwards.
Defect = Callable[[random.Random, User, dt.datetime, Any], tuple[Occurrence, Any]]


def _not_recorded(
    _: random.Random, user: User, now: dt.datetime, db: Any
) -> tuple[Occurrence, Any]:
    """A practised deficiency whose record does not move on."""
    kind = min(DEFICIENCIES)
    practised = event(
        now,
        "deficiency_practiced",
        user,
        f"Practised {kind}",
        counts=Counts({"deficiencies_practiced": 1}, {"deficiencies": {kind: 1}}),
        deficiency=kind,
    )
    old = json.dumps({"last_practiced_at": (now - dt.timedelta(20)).isoformat()})
    return practised, lambda: db.hset(f"deficiencies:{user.id}", kind, old)


def _not_kept(
    chance: random.Random, user: User, now: dt.datetime, db: Any
) -> tuple[Occurrence, Any]:
    """A digest that was made and is not in the profile."""
    return digest(chance, user, now), lambda: db.lpop(f"digests:{user.id}")


def _no_time(
    chance: random.Random, user: User, now: dt.datetime, db: Any
) -> tuple[Occurrence, Any]:
    """A digest without its time, older than the newest one."""
    undated = json.dumps({"new_words": 1, "struggles": 0, "breakthroughs": 0})
    made = digest(chance, user, now)
    return made, lambda: db.rpush(f"digests:{user.id}", undated)


def _wrongly_refused(
    _: random.Random, user: User, now: dt.datetime, __: Any
) -> tuple[Occurrence, Any]:
    """A user with a subscription who is refused."""
    return throttled(now, user), lambda: None


#: Validator -> its fault, and whether it needs a user with a subscription.
DEFECTS: Mapping[str, tuple[Defect, bool]] = {
    "deficiencies": (_not_recorded, False),
    "digests": (_not_kept, False),
    "timestamps": (_no_time, False),
    "throttling": (_wrongly_refused, True),
}
