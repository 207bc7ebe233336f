"""How each kind of check works. Every function raises CheckFailed, takes the
time-out in seconds, and opens a new connection: an existing one could still work
when new clients can no longer connect.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from soloscope.backends.http import LIMIT, Answer, NoAnswer, fetch
from soloscope.checks.model import CheckFailed, Outcome

__all__ = ["expect", "get", "grafana", "http", "in_time", "loki", "ready", "tcp"]


def get(url: str, timeout: float, key: str | None = None, limit: int = LIMIT) -> Answer:
    """Any answer. `key` is sent as WhatsApp's API, OpenAI and Stripe all accept it."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    try:
        return fetch(url, timeout, headers, limit)
    except NoAnswer as failed:
        raise CheckFailed(str(failed), failed.seconds) from None


def expect(
    answer: Answer,
    *,
    status: int = 200,
    body: str | None = None,
    max_seconds: float | None = None,
) -> Outcome:
    """Compare an answer with the declaration."""
    if answer.status != status:
        where = answer.headers.get("location")
        hint = f", to {where.partition('?')[0]}" if where else ""
        raise CheckFailed(
            f"answered {answer.status}, expected {status}{hint}", answer.seconds
        )
    if body is not None and body.encode() not in answer.body:
        raise CheckFailed(
            f"answered {answer.status} without `{body}` in the body", answer.seconds
        )
    in_time(answer.seconds, max_seconds)
    return Outcome(f"answered {answer.status}", answer.seconds)


def in_time(seconds: float, most: float | None) -> None:
    """Fail when an answer took longer than was declared."""
    if most is not None and seconds > most:
        raise CheckFailed(f"took {seconds:.2f} s, allowed are {most:g} s", seconds)


def http(
    url: str,
    *,
    status: int = 200,
    body: str | None = None,
    max_seconds: float | None = None,
) -> Callable[[float], Outcome]:
    """A URL that answers `status`, with `body` in its text, within `max_seconds`."""

    def run(timeout: float) -> Outcome:
        return expect(
            get(url, timeout), status=status, body=body, max_seconds=max_seconds
        )

    return run


def tcp(url: str, *, max_seconds: float | None = None) -> Callable[[float], Outcome]:
    """`tcp://HOST:PORT` accepts a connection."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 0

    def run(timeout: float) -> Outcome:
        start = time.monotonic()
        try:
            socket.create_connection((host, port), timeout).close()
        except TimeoutError:
            raise CheckFailed(f"no connection within {timeout:g} s") from None
        except OSError as error:
            text = error.strerror or str(error)
            raise CheckFailed(text[:1].lower() + text[1:]) from None
        seconds = time.monotonic() - start
        in_time(seconds, max_seconds)
        return Outcome("accepts connections", seconds)

    return run


def loki(base: str) -> Callable[[float], Outcome]:
    """Loki answers a query.

    Its /ready can say 200 while every query hangs until the time-out (seen with
    3.6.4 when the query frontend announces an address it does not listen on).
    """
    return _well(f"{base}/loki/api/v1/query?query=vector(1)", "answers queries")


def ready(base: str) -> Callable[[float], Outcome]:
    """Prometheus and Alertmanager: 200 on /-/ready when they are ready."""
    return _well(f"{base}/-/ready", "ready")


def _well(url: str, detail: str) -> Callable[[float], Outcome]:
    def run(timeout: float) -> Outcome:
        return replace(expect(get(url, timeout)), detail=detail)

    return run


def grafana(base: str, root_url: str) -> Callable[[float], Outcome]:
    """Grafana's /api/health, which is 503 when its database fails.

    With `serve_from_sub_path` the path of the root URL is its prefix.
    """
    prefix = urlsplit(root_url).path.rstrip("/")

    def run(timeout: float) -> Outcome:
        answer = get(f"{base}{prefix}/api/health", timeout)
        if answer.status == 404 and prefix:
            answer = get(f"{base}/api/health", timeout)
        expect(answer)
        try:
            database = json.loads(answer.body)["database"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise CheckFailed(
                "answered 200, but not with Grafana's health", answer.seconds
            ) from None
        if database != "ok":
            raise CheckFailed(f"its database is `{database}`", answer.seconds)
        return Outcome("database ok", answer.seconds)

    return run
