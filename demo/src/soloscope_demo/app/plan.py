"""What happens in the sample app on a day: pure, and the same for the same seed.

A plan is a list of occurrences in order of time. Each has a log line and what it
counts, so the sum of the plans is the truth that tests compare panels with. Days
have a rhythm (weekdays, evenings), grow slowly, and some things fail.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

#: pino's numbers for levels.
INFO, WARN, ERROR, FATAL = 30, 40, 50, 60

LANGUAGES = ("German", "Spanish", "French", "Italian")
LANGUAGE_LEVELS = ("A1", "A2", "B1", "B2")

#: Kinds of deficiencies and their relative frequency.
DEFICIENCIES = {
    "past_tense": 8,
    "articles": 6,
    "pronunciation": 4,
    "word_order": 3,
    "prepositions": 3,
    "plural": 2,
    "conditional": 1,
}

#: Share of a normal day, Monday first.
WEEKDAYS = (1.0, 1.05, 1.1, 1.0, 0.9, 0.65, 0.75)

#: How many messages a day a user of the trial may write.
TRIAL_MESSAGES = 30

#: The contract: every day's key lives for 30 days after its last write.
EXPIRY = dt.timedelta(days=30)

#: The day that the app's growth is counted from.
LAUNCH = dt.date(2026, 1, 1)


@dataclass(frozen=True)
class Counts:
    """What one occurrence adds to its day, by name and kind of the contract."""

    counters: Mapping[str, int] = field(default_factory=dict)
    breakdowns: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    uniques: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: name -> (calls, milliseconds)
    timings: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Occurrence:
    """Something that happens `at` (UTC): one log line and its counts."""

    at: dt.datetime
    level: int
    message: str
    fields: Mapping[str, object]
    counts: Counts = field(default_factory=Counts)


@dataclass(frozen=True)
class User:
    """A user of the sample app. The phone number is from a range nobody has."""

    id: str
    phone: str
    language: str
    language_level: str
    premium: bool


def _random(*parts: object) -> random.Random:
    """A generator of its own for these parts, the same in every process."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return random.Random(digest)  # noqa: S311 - believable, not secret


@cache
def _user(seed: int, index: int) -> User:
    chance = _random(seed, "user", index)
    return User(
        id=f"u_{index:03d}",
        phone=f"+4915550{chance.randrange(10**6):06d}",
        language=chance.choice(LANGUAGES),
        language_level=chance.choice(LANGUAGE_LEVELS),
        premium=chance.random() < 0.2,
    )


def users(seed: int, day: dt.date) -> list[User]:
    """Who is registered on `day`: about one more every three days."""
    number = 12 + min(200, max(0, (day - LAUNCH).days // 3))
    return [_user(seed, index) for index in range(number)]


def gauges(seed: int, day: dt.date) -> dict[str, int]:
    """The values of `metrics:now` that follow from who is registered."""
    registered = users(seed, day)
    premium = sum(user.premium for user in registered)
    chance = _random(seed, "gauges", day)
    return {
        "users_total": len(registered),
        "users_premium": premium,
        "users_trial_ending": chance.randint(0, 4),
        "revenue_monthly": 20 * premium,
        "users_to_reengage": chance.randint(2, 9),
    }


@lru_cache(32)
def plan(seed: int, day: dt.date, zone: dt.tzinfo = dt.UTC) -> tuple[Occurrence, ...]:
    """All that happens on `day` in a time zone, in order of time."""
    midnight = dt.datetime.combine(day, dt.time(), zone)
    chance = _random(seed, "day", day)
    registered = users(seed, day)
    busy = 0.55 * len(registered) * WEEKDAYS[day.weekday()]
    conversations = max(1, round(chance.gauss(busy, 0.12 * busy)))
    found: list[Occurrence] = []
    starts = []
    for _ in range(conversations):
        # Evenings are busiest; nobody writes before six.
        hour = min(22.5, max(6.0, chance.gauss(18.0, 3.5)))
        start = _moment(midnight, hour * 3600 + chance.uniform(0, 900))
        starts.append((start, chance.choice(registered)))
    found.extend(_conversations(chance, sorted(starts, key=lambda one: one[0])))
    found.extend(_digests(chance, registered, midnight, conversations))
    found.extend(_trials(chance, registered, midnight))
    if chance.random() < 0.12:
        found.append(critical(chance, registered, _moment(midnight, 12.3 * 3600)))
    found.extend(
        occurrence
        for back in (-1, 0, 1)
        for occurrence in background(seed, day + dt.timedelta(back))
        if occurrence.at.astimezone(zone).date() == day
    )
    return tuple(sorted(found, key=lambda occurrence: occurrence.at))


#: Event -> how many of it there are in a day, and whether it is a warning. Failed
#: requests come on top, as errors.
BACKGROUND: dict[str, tuple[int, int]] = {
    "login_failed": (8, WARN),
    "rate_limited": (4, WARN),
    "access_denied": (2, WARN),
    "audit": (4, INFO),
    "socket_disconnected": (9, INFO),
    "message_failed": (3, WARN),
    "token_refresh_failed": (1, WARN),
    "task_failed": (2, WARN),
}
LOGIN_REASONS = ("wrong_password", "unknown_user", "locked")
AUDITED = ("user.ban", "room.delete", "member.remove", "role.assign")
LOST = ("ping_timeout", "transport_error", "server_shutdown")
CHANNELS = ("whatsapp", "sms")
PROVIDERS = ("google", "apple", "openai", "stripe")
OAUTH = ("google", "apple")
TASKS = ("create_digest", "send_reminder", "sync_billing")


@lru_cache(64)
def background(seed: int, day: dt.date) -> tuple[Occurrence, ...]:
    """What fails or is recorded on a day of UTC, beside the users' conversations.

    Each of these is also in the app's own metrics (traffic.py).
    """
    midnight = dt.datetime.combine(day, dt.time(), dt.UTC)
    chance = _random(seed, "background", day)
    registered = users(seed, day)
    found = []
    for name, (mean, level) in BACKGROUND.items():
        for _ in range(round(mean * chance.uniform(0.5, 1.5))):
            at = _moment(midnight, chance.uniform(0, 86399))
            user = chance.choice(registered)
            found.append(_recorded(chance, name, user, level, at))
    for _ in range(chance.choice((0, 1, 1, 2))):
        at = _moment(midnight, chance.uniform(0, 86399))
        found.append(request_failed(chance, chance.choice(registered), at))
    if chance.random() < 0.25:
        # Ten minutes in which the database has no connection left.
        start = chance.uniform(7 * 3600, 21 * 3600)
        for _ in range(6):
            at = _moment(midnight, start + chance.uniform(0, 600))
            found.append(request_failed(chance, chance.choice(registered), at, 503))
    return tuple(found)


def _recorded(
    chance: random.Random, name: str, user: User, level: int, at: dt.datetime
) -> Occurrence:
    """One occurrence of BACKGROUND."""
    reason, lost = chance.choice(LOGIN_REASONS), chance.choice(LOST)
    channel = chance.choice(CHANNELS)
    details: dict[str, tuple[str, dict[str, object]]] = {
        "login_failed": (f"Login failed: {reason}", {"reason": reason}),
        "rate_limited": (
            "Too many requests",
            {"code": "RATE_LIMITED", "status": 429, "path": "/api/messages"},
        ),
        "access_denied": (
            "Not allowed",
            {"code": "FORBIDDEN", "status": 403, "path": "/api/profile"},
        ),
        "audit": ("Recorded", {"action": chance.choice(AUDITED)}),
        "socket_disconnected": (f"Connection lost: {lost}", {"reason": lost}),
        "message_failed": (
            f"{channel} was not delivered",
            {"channel": channel, "code": 131026},
        ),
        "token_refresh_failed": (
            "Token not refreshed",
            {"provider": chance.choice(OAUTH)},
        ),
        "task_failed": ("Task failed, tried again", {"task": chance.choice(TASKS)}),
    }
    message, fields = details[name]
    fields["trace_id"] = f"{chance.getrandbits(128):032x}"
    return event(at, name, user, message, level, Counts(), **fields)


def request_failed(
    chance: random.Random, user: User, at: dt.datetime, status: int = 500
) -> Occurrence:
    """A request that was answered with 500, or with 503."""
    method, path = chance.choice((("GET", "/api/profile"), ("POST", "/api/messages")))
    kind = "TypeError" if status == 500 else "PoolTimeout"
    message = (
        "cannot read properties of undefined (reading 'level')"
        if status == 500
        else "no database connection within 5 s"
    )
    return event(
        at,
        "request_failed",
        user,
        f"{method} {path} failed",
        ERROR,
        trace_id=f"{chance.getrandbits(128):032x}",
        method=method,
        path=path,
        status=status,
        duration_ms=5000 if status == 503 else chance.randint(20, 300),
        err=_error(kind, message),
    )


def event(
    at: dt.datetime,
    name: str,
    user: User,
    message: str,
    level: int = INFO,
    counts: Counts | None = None,
    **fields: object,
) -> Occurrence:
    """An occurrence that is about a user."""
    about = {"event": name, "user": user.id, "phone_last4": user.phone[-4:], **fields}
    return Occurrence(at, level, message, about, counts or Counts())


def _conversations(
    chance: random.Random, starts: list[tuple[dt.datetime, User]]
) -> Iterator[Occurrence]:
    """The conversations of a day, oldest first.

    Nobody has two at once, and a trial allows so many messages a day.
    """
    ends: dict[str, dt.datetime] = {}
    written: dict[str, int] = {}
    for index, (start, user) in enumerate(starts):
        room = None if user.premium else TRIAL_MESSAGES - written.get(user.id, 0)
        last = ends.get(user.id)
        if room == 0 or (last is not None and start <= last):
            continue
        happened = list(conversation(chance, user, start, index, last, room))
        yield from happened
        ended = next(o for o in happened if o.fields["event"] == "conversation_ended")
        ends[user.id] = ended.at
        written[user.id] = written.get(user.id, 0) + int(
            str(ended.fields["message_count"])
        )


def messages_of(events: Iterable[Occurrence]) -> int:
    """How many messages were written in conversations that ended."""
    return sum(
        int(str(o.fields["message_count"]))
        for o in events
        if o.fields["event"] == "conversation_ended"
    )


def conversation(
    chance: random.Random,
    user: User,
    start: dt.datetime,
    index: int,
    last: dt.datetime | None = None,
    room: int | None = None,
) -> Iterator[Occurrence]:
    """A conversation from its start to its end, with what is practised in it.

    `last` is when the user's conversation before ended, if that was today; `room` is
    how many messages the user may still write today, None for as many as wanted.
    """
    common: dict[str, Any] = {
        "user": user,
        "conversation_id": f"c_{start:%Y%m%d}_{index:03d}_{chance.getrandbits(32):x}",
        "trace_id": f"{chance.getrandbits(128):032x}",
        "language": user.language,
    }
    weights = list(DEFICIENCIES.values())
    practised = chance.choices(
        list(DEFICIENCIES), weights, k=chance.choice((0, 1, 1, 2))
    )
    messages = min(chance.randint(4, 24), 24 if room is None else room)
    length = dt.timedelta(minutes=chance.uniform(3, 25))
    yield event(
        start,
        "conversation_started",
        message="Conversation started",
        counts=Counts({"conversations": 1}, uniques={"active_users": (user.id,)}),
        language_level=user.language_level,
        has_deficiencies=bool(practised),
        **common,
    )
    gap = None if last is None else (start - last).total_seconds() / 3600
    if gap is not None:
        yield event(
            start + dt.timedelta(seconds=1),
            "time_gap",
            message=f"{gap:.1f} hours since the last conversation",
            gap_hours=round(gap, 1),
            **common,
        )
    for number, kind in enumerate(practised, start=1):
        yield event(
            start + length * number / (len(practised) + 1),
            "deficiency_practiced",
            message=f"Practised {kind}",
            counts=Counts({"deficiencies_practiced": 1}, {"deficiencies": {kind: 1}}),
            deficiency=kind,
            **common,
        )
    if chance.random() < 0.01:
        # The question of the night: why did that conversation fail?
        yield event(
            start + 0.9 * length,
            "conversation_failed",
            message="Reply failed",
            level=ERROR,
            err=_error("TimeoutError", "OpenAI did not answer within 30 s"),
            **common,
        )
    openai = sum(round(chance.lognormvariate(6.7, 0.4)) for _ in range(messages))
    calls = 3 * messages
    redis = sum(chance.choices((1, 1, 2, 3), k=calls))
    yield event(
        start + length,
        "conversation_ended",
        message="Conversation ended",
        counts=Counts(timings={"openai": (messages, openai), "redis": (calls, redis)}),
        duration_minutes=round(length.total_seconds() / 60),
        message_count=messages,
        **common,
    )
    if messages == room:
        yield throttled(start + length + dt.timedelta(seconds=20), **common)


def digest(chance: random.Random, user: User, at: dt.datetime) -> Occurrence:
    """One digest that was made."""
    return event(
        at,
        "digest_created",
        user,
        "Digest created",
        new_words=chance.randint(3, 14),
        struggles=chance.randint(0, 4),
        breakthroughs=chance.randint(0, 2),
        counts=Counts(
            {"digests_created": 1},
            timings={"openai": (1, round(chance.lognormvariate(8.2, 0.3)))},
        ),
    )


def digest_failure(chance: random.Random, user: User, at: dt.datetime) -> Occurrence:
    """One digest that failed."""
    kind = chance.choice(("RateLimitError", "TimeoutError", "InvalidResponseError"))
    return event(
        at,
        "digest_failed",
        user,
        "Digest creation failed",
        ERROR,
        Counts({"digests_failed": 1}),
        err=_error(kind, "OpenAI did not answer as expected"),
    )


def critical(chance: random.Random, who: list[User], at: dt.datetime) -> Occurrence:
    """A critical error with a phone number in its text, as careless code writes it."""
    user = chance.choice(who)
    return event(
        at,
        "critical_error",
        user,
        f"Critical error: payment for {user.phone} was refused",
        FATAL,
        err=_error("StripeCardError", "Your card was declined"),
    )


def throttled(at: dt.datetime, user: User, **fields: Any) -> Occurrence:
    """A user of the trial who wrote more than it allows."""
    return event(
        at,
        "throttled",
        user,
        "Daily limit reached",
        WARN,
        limit=TRIAL_MESSAGES,
        **fields,
    )


def _error(kind: str, message: str) -> dict[str, str]:
    return {"type": kind, "message": message}


def _digests(
    chance: random.Random, who: list[User], midnight: dt.datetime, conversations: int
) -> Iterator[Occurrence]:
    """The nightly run, from three o'clock: one in forty fails, on bad days a third."""
    bad = chance.random() < 0.07
    at = _moment(midnight, 3 * 3600)
    for user in chance.sample(who, min(len(who), round(0.5 * conversations) + 2)):
        at += dt.timedelta(seconds=chance.uniform(5, 40))
        fails = chance.random() < (0.33 if bad else 0.025)
        yield (digest_failure if fails else digest)(chance, user, at)


def _trials(
    chance: random.Random, who: list[User], midnight: dt.datetime
) -> Iterator[Occurrence]:
    trial = [user for user in who if not user.premium]
    for user in chance.sample(trial, chance.choice((0, 1, 1, 2))):
        yield event(
            _moment(midnight, 9 * 3600 + chance.uniform(0, 600)),
            "trial_warning",
            user,
            "Trial ends soon",
            days_left=chance.randint(1, 3),
        )
    if chance.random() < 0.2:
        user = chance.choice(trial)
        yield event(
            _moment(midnight, 10 * 3600 + chance.uniform(0, 36000)),
            "trial_converted",
            user,
            "Trial became a subscription",
            counts=Counts({"trial_conversions": 1}),
        )


def _moment(midnight: dt.datetime, seconds: float) -> dt.datetime:
    """The UTC time at which the local clock shows `seconds` after midnight.

    To the millisecond, as in pino's time.
    """
    wall = midnight + dt.timedelta(milliseconds=round(1000 * seconds))
    return wall.astimezone(dt.UTC)


def days(text: str) -> int:
    """`30d` -> 30. Raises `ValueError` for anything but 1d to 30d, or 0."""
    match = re.fullmatch(r"(\d+)d?", text)
    if match is None or int(match[1]) > EXPIRY.days:
        raise ValueError(f"{text!r} is not a number of days up to {EXPIRY.days}d")
    return int(match[1])
