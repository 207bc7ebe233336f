"""The one HTTP client: a request with one deadline, a limit of bytes, and JSON.

Redirects are not followed: a check declares the expected status, which a redirect to a
login page does not have, and a key is sent to its own URL only. Proxies and ~/.netrc of
the environment are ignored.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from soloscope.config import Listener
from soloscope.errors import OTHER_SHAPE, BackendUnavailable

LIMIT = 4 * 1024 * 1024
"""More bytes of a body than this are not read."""

LARGE = 64 * 1024 * 1024
"""The limit for our own servers, whose answers are read whole."""

TIMEOUT = 15.0
"""Seconds for one query. People wait for these, so they may take a moment."""

_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "soloscope"}


class NoAnswer(BackendUnavailable):
    """No complete answer in time; `seconds` have passed.

    `unsent`: the server surely has nothing of the request.
    """

    def __init__(self, why: str, seconds: float, *, unsent: bool = False) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.unsent = unsent


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body (cut at the limit) and how long both took, in seconds."""

    status: int
    body: bytes
    seconds: float
    headers: Mapping[str, str]


def base_url(at: Listener) -> str:
    """`http://ADDRESS:PORT` of a program, also for an IPv6 address."""
    host = at.listen_address
    return f"http://{f'[{host}]' if ':' in host else host}:{at.port}"


def fetch(
    url: str,
    timeout: float,
    headers: Mapping[str, str] | None = None,
    limit: int = LIMIT,
    *,
    method: str = "GET",
    body: object = None,
) -> Answer:
    """Ask `url`, with `body` as it is when it is bytes, and as JSON otherwise.

    Raises NoAnswer, which quotes neither the request nor the answer.

    `timeout` (seconds) is for the whole body, so a server that sends one byte at a time
    does not hold the caller longer.
    """
    # Slow to import: a server does so after it is ready, a command only if needed.
    import ssl

    import requests
    from urllib3.exceptions import HTTPError, NewConnectionError

    paths = ssl.get_default_verify_paths()
    start = time.monotonic()
    said = bytearray()
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.request(
                method,
                url,
                data=body if isinstance(body, bytes) else None,
                json=None if isinstance(body, bytes) else body,
                headers={**_HEADERS, **(headers or {})},
                timeout=timeout,
                allow_redirects=False,
                stream=True,
                # The host's CA certificates ($SSL_CERT_FILE), not those of certifi.
                verify=paths.cafile or paths.capath or True,
            ) as response:
                while len(said) < limit and (chunk := response.raw.read1(65536)):
                    said += chunk
                    if time.monotonic() - start > timeout:
                        raise TimeoutError
    except (OSError, ValueError, HTTPError) as error:  # requests' own are OSErrors
        why = _reason(error, timeout)
        before = (requests.ConnectTimeout, requests.exceptions.SSLError)
        unsent = isinstance(error, before)
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        unsent |= isinstance(reason, NewConnectionError)
        seconds = time.monotonic() - start
        raise NoAnswer(why, seconds, unsent=unsent) from None
    seconds = time.monotonic() - start
    return Answer(response.status_code, bytes(said[:limit]), seconds, response.headers)


def _reason(error: BaseException, timeout: float) -> str:
    """The root cause of `error`, as the system's message."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    # Other messages may quote the request, including a key.
    return f"not an HTTP answer ({type(error).__name__})"


@contextmanager
def understood(where: str) -> Iterator[None]:
    """Turn errors in the block about the answer of `where` into BackendUnavailable."""
    try:
        yield
    except OTHER_SHAPE:
        raise BackendUnavailable(f"{where}: answered something else") from None


def ask(
    url: str, timeout: float, *, method: str = "GET", body: object = None
) -> Answer:
    """Ask `url` of a server of the stack; the error names the address."""
    try:
        return fetch(url, timeout, limit=LARGE, method=method, body=body)
    except NoAnswer as failed:
        raise BackendUnavailable(f"{url.partition('?')[0]}: {failed}") from None


def get_json(url: str, timeout: float = TIMEOUT) -> Any:
    """The JSON object at `url`."""
    where = url.partition("?")[0]
    answer = ask(url, timeout)
    try:
        value = json.loads(answer.body)
    except OTHER_SHAPE:
        value = None
    if answer.status != 200:
        # Both servers explain a rejected request in one line.
        said = value.get("error") if isinstance(value, dict) else None
        text = str(said or answer.body[:200].decode("utf-8", "replace")).strip()
        raise BackendUnavailable(f"{where}: answered {answer.status}: {text}")
    if not isinstance(value, dict):
        raise BackendUnavailable(f"{where}: answered something else")
    return value
