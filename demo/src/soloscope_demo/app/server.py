"""The sample app: prints and counts what a TypeScript backend with pino would.

It plays each day's plan as its time comes, prints one JSON line per event, counts
in Redis, and answers over HTTP:

    GET  /api/health    200, or 503 without Redis
    GET  /metrics       requests, queries, messages, logins, … (meters.py)
    POST /api/webhook   a message of a user: a whole conversation follows
    POST /api/do        {"event": "digest_failed"}: makes that event happen now;
                        {"defect": "digests"}: makes that fault happen (defects.py)

With a history it first plays the days before, oldest first. The progress is
stored in Redis, so the same state is never filled twice.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import random
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import redis
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.exposition import ThreadingWSGIServer

from ..errors import DemoError
from .defects import DEFECTS
from .ledger import Ledger
from .meters import OWN_ROUTES, Meters
from .plan import (
    ERROR,
    EXPIRY,
    INFO,
    TRIAL_MESSAGES,
    Occurrence,
    User,
    conversation,
    critical,
    digest,
    digest_failure,
    gauges,
    messages_of,
    plan,
    throttled,
    users,
)

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

#: Who asks for these is no user: they are not counted.
ROUTES = (("GET", "/api/health"), ("GET", "/metrics"), *OWN_ROUTES)


@dataclass(frozen=True)
class Settings:
    """The app's settings. `history` and `lines_back` are in days, today included.

    `zone` is where its days begin; `visit_every` is seconds between visits of its own
    to the webhook, 0 for none. Its own metrics count from `since` (POSIX seconds), 0
    for its start.
    """

    port: int
    redis: str
    truth: Path
    prefix: str = "metrics:"
    zone: dt.tzinfo = dt.UTC
    seed: int = 7
    history: int = 0
    lines_back: float = 7
    visit_every: float = 60
    since: float = 0


class RefusedError(Exception):
    """The user has no messages left today."""


class App:
    """The app's state: its ledger, its own metrics, its standard output.

    It is a WSGI application.
    """

    def __init__(self, settings: Settings) -> None:
        """Connects to Redis at the first use, not here."""
        self.settings = settings
        self.ledger = Ledger(settings.redis, settings.prefix, settings.truth)
        self._print_lock = threading.Lock()
        # What happens outside the plans is new each time.
        self._chance = random.Random()  # noqa: S311 - believable, not secret
        self._conversations = 0
        #: Messages outside the plan, by user and day.
        self._visits: dict[tuple[str, dt.date], int] = {}
        self.meters = Meters(settings.seed, settings.since or time.time())

    # Printing

    def line(self, occurrence: Occurrence) -> str:
        """The line that pino would print."""
        return json.dumps(
            {
                "level": occurrence.level,
                "time": round(occurrence.at.timestamp() * 1000),
                "pid": os.getpid(),
                "hostname": socket.gethostname(),
                "reqId": f"req-{occurrence.at.timestamp() * 1000:.0f}",
                **occurrence.fields,
                "msg": occurrence.message,
            },
            separators=(",", ":"),
        )

    def print(self, occurrences: Sequence[Occurrence]) -> None:
        """Print what happened, one line each."""
        text = "".join(f"{self.line(occurrence)}\n" for occurrence in occurrences)
        with self._print_lock:
            sys.stdout.write(text)
            sys.stdout.flush()

    def say(
        self, event: str, message: str, level: int = INFO, **fields: object
    ) -> None:
        """A line about the app itself; it counts nothing."""
        now = dt.datetime.now(dt.UTC)
        self.print([Occurrence(now, level, message, {"event": event, **fields})])

    # Playing plans

    def plan(self, day: dt.date) -> tuple[Occurrence, ...]:
        """What is to happen on a day."""
        return plan(self.settings.seed, day, self.settings.zone)

    def today(self, now: dt.datetime) -> dt.date:
        """The day that it is for the app."""
        return now.astimezone(self.settings.zone).date()

    def fill(self, now: dt.datetime) -> None:
        """Play what the plans say until `now`, oldest first.

        At the first start that is `history` days with today; later it is what
        happened since, so days without the app are filled too.
        """
        played = self.ledger.played()
        today = self.today(now)
        if played:
            first = max(
                dt.date.fromisoformat(max(played)),
                today - dt.timedelta(EXPIRY.days - 1),
            )
        else:
            first = today - dt.timedelta(max(0, self.settings.history - 1))
        if not played and not self.settings.history:
            before = [o for o in self.plan(today) if o.at <= now]
            self.ledger.skip(today, len(before))
        self.ledger.register(users(self.settings.seed, today))
        day = first
        while day <= today:
            self.play(day, now)
            day += dt.timedelta(1)
        self.ledger.set_gauges(
            {
                **gauges(self.settings.seed, today),
                "digests_pending": self._chance.randint(0, 3),
                "conversations_active": 0,
            }
        )

    def play(self, day: dt.date, now: dt.datetime) -> dt.datetime | None:
        """Play what is due of a day's plan; when the next of it is due, if any."""
        whole = self.plan(day)
        done = self.ledger.played().get(day.isoformat(), 0)
        due = [occurrence for occurrence in whole[done:] if occurrence.at <= now]
        if due or not done:
            # What is older than Loki takes is counted but not printed.
            oldest = now - dt.timedelta(self.settings.lines_back)
            old = [occurrence for occurrence in due if occurrence.at < oldest]
            new = due[len(old) :]
            self.ledger.count(day, old, printed=False, played=done + len(old))
            self.ledger.count(day, new, printed=True, played=done + len(due))
            self.print(new)
        rest = whole[done + len(due) :]
        return rest[0].at if rest else None

    def play_on(self) -> None:
        """Play plans as their time comes, for ever."""
        while True:
            now = dt.datetime.now(dt.UTC)
            today = self.today(now)
            day = dt.date.fromisoformat(max(self.ledger.played(), default=f"{today}"))
            upcoming = None
            # Once more for a day that has ended: the rest of its plan.
            while day <= today:
                upcoming = self.play(day, now)
                day += dt.timedelta(1)
            # The next day begins at midnight, before anything happens on it.
            midnight = dt.datetime.combine(day, dt.time(), self.settings.zone)
            wait = (min(upcoming or midnight, midnight) - now).total_seconds()
            time.sleep(min(30.0, max(0.05, wait)))

    # What happens outside the plans

    def happen(self, occurrences: Sequence[Occurrence]) -> None:
        """Count and print something that happens now."""
        now = dt.datetime.now(dt.UTC)
        self.ledger.count(self.today(now), occurrences, printed=True)
        self.print(occurrences)

    def converse(self, user_id: str | None) -> dict[str, object]:
        """A whole conversation at once: its events and counts."""
        now = dt.datetime.now(dt.UTC)
        registered = users(self.settings.seed, self.today(now))
        if user_id is None:
            # Who pays may write as often as they like.
            user = self._chance.choice([user for user in registered if user.premium])
        else:
            known = {user.id: user for user in registered}
            if user_id not in known:
                raise KeyError(user_id)
            user = known[user_id]
        room = self._room(user, now)
        if room == 0:
            self.happen([throttled(now, user)])
            raise RefusedError
        events = self._visited(user, now, room)
        # Compressed to this moment, a millisecond apart, in their order.
        moments = [
            replace(event, at=now + dt.timedelta(milliseconds=number))
            for number, event in enumerate(events)
        ]
        self.happen(moments)
        return {"conversation_id": moments[0].fields["conversation_id"]}

    def _room(self, user: User, now: dt.datetime) -> int | None:
        """How many messages a user may write beside today's plan; None: any number."""
        if user.premium:
            return None
        day = self.today(now)
        planned = messages_of(o for o in self.plan(day) if o.fields["user"] == user.id)
        return max(0, TRIAL_MESSAGES - planned - self._visits.get((user.id, day), 0))

    def _visited(
        self, user: User, now: dt.datetime, room: int | None
    ) -> list[Occurrence]:
        """A conversation outside the plan."""
        self._conversations += 1
        index = 1000 + self._conversations
        events = list(conversation(self._chance, user, now, index, None, room))
        key = (user.id, self.today(now))
        self._visits[key] = self._visits.get(key, 0) + messages_of(events)
        return events

    def be_throttled(self, registered: Sequence[User], now: dt.datetime) -> None:
        """Someone who was not here today writes until the trial's limit."""
        free = [u for u in registered if self._room(u, now) == TRIAL_MESSAGES]
        user = self._chance.choice(free)
        events: list[Occurrence] = []
        while room := self._room(user, now):
            events += self._visited(user, now, room)
        self.happen(
            [
                replace(one, at=now + dt.timedelta(milliseconds=number))
                for number, one in enumerate(events)
            ]
        )

    def spoil(self, name: str) -> None:
        """Make the fault of DEFECTS happen. Raises `KeyError` for an unknown one."""
        defect, premium = DEFECTS[name]
        now = dt.datetime.now(dt.UTC)
        registered = users(self.settings.seed, self.today(now))
        user = self._chance.choice([u for u in registered if u.premium is premium])
        made, afterwards = defect(self._chance, user, now, self.ledger.redis)
        self.happen([made])
        afterwards()

    def make_happen(self, event: str) -> None:
        """Make one event happen now. Raises `KeyError` for an unknown one."""
        now = dt.datetime.now(dt.UTC)
        registered = users(self.settings.seed, self.today(now))
        user = self._chance.choice(registered)
        makers: dict[str, Callable[[], Occurrence]] = {
            "digest_created": lambda: digest(self._chance, user, now),
            "digest_failed": lambda: digest_failure(self._chance, user, now),
            "critical_error": lambda: critical(self._chance, registered, now),
        }
        if event == "conversation":
            self.converse(None)
        elif event == "throttled":
            self.be_throttled(registered, now)
        else:
            self.happen([makers[event]()])

    def visit(self) -> None:
        """Send messages to the app's own webhook at intervals, as users do."""
        url = f"http://127.0.0.1:{self.settings.port}/api/webhook"
        while True:
            request = urllib.request.Request(url, data=b"{}", method="POST")
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    answer.read()
            except (urllib.error.URLError, OSError):
                # Redis is down; /api/health reports it.
                pass
            time.sleep(self.settings.visit_every)

    # Answering

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        """Answer one request."""
        method, route = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        started = time.perf_counter()
        try:
            status, content = self._content(method, route, body)
        except redis.RedisError as error:
            status, content = 500, {"error": f"redis: {error}"}
        except Exception as error:  # noqa: BLE001 (unexpected errors are logged)
            told = {"type": type(error).__name__, "message": str(error)}
            self.say("unhandled_error", "Request failed", ERROR, err=told)
            status, content = 500, {"error": str(error)}
        if (method, route) in OWN_ROUTES:
            seconds = time.perf_counter() - started
            self.meters.count(method, route, status, seconds)
        text = isinstance(content, bytes)
        data: bytes = content if text else json.dumps(content).encode()
        kind = CONTENT_TYPE_LATEST if text else "application/json"
        head = [("Content-Type", kind), ("Content-Length", str(len(data)))]
        start(f"{status} {HTTPStatus(status).phrase}", head)
        return [data]

    def _content(self, method: str, route: str, body: bytes) -> tuple[int, Any]:
        if (method, route) not in ROUTES:
            return 404, {"error": f"no {method} {route}"}
        if route == "/metrics":
            return 200, self.meters.text(time.time())
        if route == "/api/health":
            try:
                self.ledger.redis.ping()
            except redis.RedisError as error:
                return 503, {"status": "failed", "redis": str(error)}
            return 200, {"status": "ok"}
        try:
            asked = json.loads(body or b"{}")
            if route == "/api/webhook":
                return 200, self.converse(asked.get("user"))
            if "defect" in asked:
                self.spoil(asked["defect"])
            else:
                self.make_happen(asked["event"])
        except RefusedError:
            return 429, {"error": "the trial allows no more messages today"}
        except (ValueError, AttributeError) as error:
            return 400, {"error": f"not a JSON object: {error}"}
        except KeyError as error:
            return 400, {"error": f"unknown or missing: {error}"}
        return 200, {"status": "ok"}


class Handler(WSGIRequestHandler):
    """Requests are counted, not logged."""

    timeout = 30

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


def serve(settings: Settings) -> int:
    """Run the app until the process is ended or interrupted."""
    app = App(settings)
    try:
        server = make_server(
            "127.0.0.1", settings.port, app, ThreadingWSGIServer, Handler
        )
    except OSError as error:
        raise DemoError(
            f"the sample app cannot listen on 127.0.0.1:{settings.port}: "
            f"{error.strerror}"
        ) from error
    app.fill(dt.datetime.now(dt.UTC))
    app.say("app_started", "Listening", port=settings.port)
    threading.Thread(target=app.play_on, daemon=True).start()
    if settings.visit_every > 0:
        threading.Thread(target=app.visit, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


def main(**settings: Any) -> int:
    """The command: the settings are its options."""
    return serve(Settings(**settings))
