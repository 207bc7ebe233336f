"""A day of LanguageBuddy and its neighbours, as lines of the journal.

What docs/debugging-cookbook.md says that its examples find, they find in this.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from harness import Journal, export

BACKEND = "languagebuddy-backend.service"
ASSISTANT = "personal_assistant_api.service"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def pino(level: int | str, message: str, **fields: Any) -> str:
    """A line of pino."""
    line = {"level": level, "time": time.time_ns() // 10**6, **fields, "msg": message}
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False)


def failure(kind: str) -> dict[str, str]:
    """What pino makes of an exception."""
    stack = f"{kind}: it did not work\n    at call (/app/dist/openai.js:88:13)"
    return {"type": kind, "message": "it did not work", "stack": stack}


def languagebuddy() -> list[str]:
    """The backend's lines."""
    lines = []
    for number in range(12):
        who = {"user": "u_7", "phone_last4": "1234"} if number == 4 else {}
        lines.append(
            pino(30, "digest created", event="digest_created", new_words=number, **who)
        )
    lines += [
        pino(50, "digest failed", event="digest_failed", err=failure(kind))
        for kind in ("TimeoutError", "RateLimitError", "TimeoutError")
    ]
    lines += [
        pino(
            30,
            "conversation started",
            event="conversation_started",
            conversation_id=f"c-{number}",
            phone_last4=f"{number:04d}",
            user=f"u_{100 + number}",
        )
        for number in range(8)
    ]
    failing = {"conversation_id": "c-104"}
    lines += [
        pino(
            30,
            "conversation started",
            event="conversation_started",
            user="u_7",
            phone_last4="1234",
            **failing,
        ),
        pino(30, "message received", **failing),
        pino(30, "asking the model", **failing),
        pino(40, "the model is slow", **failing),
        pino("error", "upstream failed", event="conversation_broken", **failing),
    ]
    for minutes, user in ((5, "u_7"), (10, "u_20"), (15, "u_21")):
        last = {"phone_last4": "1234"} if user == "u_7" else {}
        lines.append(
            pino(
                30,
                "conversation ended",
                event="conversation_ended",
                duration_minutes=minutes,
                user=user,
                **last,
            )
        )
    practised = {"user": "u_7", "phone_last4": "1234", "deficiency": "past_tense"}
    lines.append(pino(30, "practised", event="deficiency_practiced", **practised))
    lines += [
        pino(40, "too many messages", event="throttled", user=user)
        for user in ("u_8", "u_8", "u_9", "u_8")
    ]
    lines += [
        pino(30, "trial ends", event="trial_warning", days_left=2),
        pino(30, "gap computed", event="time_gap", days=3),
        pino(60, "going down", event="critical_error", err=failure("RangeError")),
        pino(50, "job gave up", event="job_failed", err=failure("TypeError")),
        pino(30, "again", event="job_retry", attempt=1),
        pino(40, "again", event="job_retry", attempt=3),
        pino(30, "banned", event="user.ban", by="u_1"),
        pino(30, "deleted", event="room.delete", by="u_1"),
    ]
    for reason in ("ping timeout", "transport close", "ping timeout"):
        lines.append(pino(30, "left", event="socket_disconnect", reason=reason))
    request = {"reqId": "req-501", "trace_id": TRACE}
    lines += [
        pino(30, "incoming", **request),
        pino(30, "looking up", **request),
        pino(50, "completed", **request, **http("/api/chat", 500, 1500)),
        pino(50, "completed", **http("/api/digest", 503, 2300)),
        pino(30, "completed", **http("/api/chat", 200, 1200)),
    ]
    lines += [
        pino(30, "completed", **http("/api/health", 200, 3 + n)) for n in range(4)
    ]
    for code, status in (
        ("RATE_LIMITED", 429),
        ("VALIDATION_ERROR", 400),
        ("RATE_LIMITED", 429),
    ):
        lines.append(pino(40, "refused", code=code, **http("/api/chat", status, 2)))
    lines.append('{"level":30,"msg":"cut off in the mid')
    return lines


def http(path: str, status: int, milliseconds: int) -> dict[str, Any]:
    """The fields of an answered request."""
    return {
        "method": "GET",
        "path": path,
        "status": status,
        "duration_ms": milliseconds,
        "userId": "u_30",
    }


def assistant() -> list[str]:
    """The lines of an API of many parts, by python-json-logger."""
    lines: list[dict[str, Any]] = [
        {"levelname": "INFO", "event": "slow_query", "duration": 1500},
        {"levelname": "INFO", "event": "slow_query", "duration": 300},
        {"levelname": "INFO", "event": "slow_query", "duration": 2500},
        {"levelname": "INFO", "event": "sms_routing", "route": "eu"},
        {"levelname": "ERROR", "event": "oauth", "message": "no consent"},
        {"levelname": "ERROR", "event": "authentication", "message": "refused"},
        {"levelname": "INFO", "event": "authentication", "message": "accepted"},
        {"levelname": "WARNING", "event": "database_connection", "pool": 20},
        {"levelname": "DEBUG", "event": "cache_miss", "key": "a"},
        {"levelname": "DEBUG", "event": "cache_miss", "key": "b"},
        {"levelname": "INFO", "event": "answered", "response_time": 6200},
        {"levelname": "INFO", "event": "answered", "response_time": 120},
    ]
    return [json.dumps(line) for line in lines]


def nginx() -> list[str]:
    """Lines of the JSON format that our nginx writes."""
    return [
        json.dumps(
            {
                "event": "http_request",
                "msec": float(f"{time.time() + number / 100:.3f}"),
                "request_id": f"r{number}",
                "method": "GET",
                "path": "/",
                "status": status,
            },
            separators=(",", ":"),
        )
        for number, status in enumerate((200, 200, 502, 200, 200, 502, 200))
    ]


def tell(journal: Journal, annotation: bytes) -> int:
    """Put the day into a journal; gives the number of entries that it makes.

    `annotation` is what `soloscope annotate` sent to the journal's socket.
    """
    lines = languagebuddy()
    journal.say(BACKEND, *lines)
    journal.say(
        BACKEND,
        "Traceback (most recent call last):",
        '  File "/app/worker.py", line 10, in <module>',
        "    connect()",
        "redis.exceptions.ConnectionError: Connection refused",
    )
    said = [f"{BACKEND}: Main process exited, code=exited, status=1/FAILURE"]
    said.append(f"{BACKEND}: Failed with result 'exit-code'.")
    journal.say("init.scope", *said, UNIT=BACKEND, PRIORITY="4", _PID="1")
    journal.say(ASSISTANT, *assistant())
    kernel = journal.fields("x", _TRANSPORT="kernel", PRIORITY="3")
    del kernel["_SYSTEMD_UNIT"]
    journal.say_as(kernel, "Out of memory: Killed process 23145 (node)")
    journal.say(
        "systemd-journald.service", "Suppressed 1234 messages from flood.service"
    )
    dropped = {"level": "warn", "event": "lines_dropped", "target": "flood.service"}
    journal.say("soloscope-loki-budget.service", json.dumps({**dropped, "lines": 7}))
    sent = dict(line.split("=", 1) for line in annotation.decode().splitlines())
    message = sent.pop("MESSAGE")
    fields = {**journal.fields("session-4.scope"), **sent}
    journal.add([export(fields, message.encode(), journal.stamp())])
    return len(lines) + 1 + 2 + len(assistant()) + 1 + 1 + 1 + 1


def write_nginx(path: Path) -> int:
    """Append nginx' lines; gives how many."""
    lines = nginx()
    with path.open("a") as handle:
        handle.writelines(f"{line}\n" for line in lines)
    return len(lines)
