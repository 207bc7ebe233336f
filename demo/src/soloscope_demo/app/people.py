"""What the sample app keeps about each user, in Redis beside the counts.

    user:<id>          hash    profile and subscription
    phone:<number>     string  the id of the number's owner
    conversation:<id>  hash    the current conversation
    deficiencies:<id>  hash    kind -> {"last_practiced_at": …}
    digests:<id>       list    the last ten as JSON, the newest first

demo/declaration.nix declares these keys (`user`), so `soloscope debug-user` shows them.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from .plan import LAUNCH, Occurrence, User

NAMES = ("Ada", "Bruno", "Chiara", "Dario", "Elif", "Farid", "Greta", "Hugo", "Ines")
TRIAL = dt.timedelta(days=14)
DIGESTS = 10


def joined(user: User) -> dt.datetime:
    """When the user registered, as in `plan.users`."""
    number = int(user.id.partition("_")[2])
    return dt.datetime.combine(LAUNCH, dt.time(12), dt.UTC) + dt.timedelta(
        days=3 * max(0, number - 11)
    )


def register(pipe: Any, user: User) -> None:
    """Write the profile of `user` and who has the number."""
    since = joined(user)
    profile = {
        "name": NAMES[hash_of(user) % len(NAMES)],
        "phone": user.phone,
        "language": user.language,
        "language_level": user.language_level,
        "plan": "premium" if user.premium else "trial",
        "created_at": since.isoformat(),
    }
    if not user.premium:
        profile["trial_ends_at"] = (since + TRIAL).isoformat()
    pipe.hset(f"user:{user.id}", mapping=profile)
    pipe.set(f"phone:{user.phone}", user.id)


def hash_of(user: User) -> int:
    """A number that is the same in every process."""
    return int(user.phone[-6:])


def remember(pipe: Any, occurrence: Occurrence) -> None:
    """Write what an occurrence changes about its user."""
    fields, at = occurrence.fields, occurrence.at.isoformat()
    event, user = fields.get("event"), fields.get("user")
    if user is None:
        return
    if event == "conversation_started":
        pipe.delete(f"conversation:{user}")
        state = {"conversation_id": fields["conversation_id"], "started_at": at}
        pipe.hset(f"conversation:{user}", mapping={**state, "state": "active"})
    elif event == "conversation_ended":
        state = {"messages": fields["message_count"], "ended_at": at}
        pipe.hset(f"conversation:{user}", mapping={**state, "state": "ended"})
    elif event == "conversation_failed":
        pipe.hset(f"conversation:{user}", "state", "failed")
    elif event == "deficiency_practiced":
        value = json.dumps({"last_practiced_at": at})
        pipe.hset(f"deficiencies:{user}", str(fields["deficiency"]), value)
    elif event == "digest_created":
        names = ("new_words", "struggles", "breakthroughs")
        value = json.dumps({"created_at": at, **{n: fields[n] for n in names}})
        pipe.lpush(f"digests:{user}", value)
        pipe.ltrim(f"digests:{user}", 0, DIGESTS - 1)
