"""One HTTP GET with a deadline for the whole of it.

`http.client` and not requests: `serve` has the former loaded for its own server,
and requests would cost it 6 MB and 40 ms at start. Redirects are not followed: a
check says which status is right, and a redirect to a login page is not it.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from soloscope.checks.model import CheckFailed

__all__ = ["LARGE", "LIMIT", "Answer", "base_url", "fetch"]

LIMIT = 4 * 1024 * 1024
"""More bytes of a body than this are not read."""

LARGE = 64 * 1024 * 1024
"""The limit for our own servers, whose answers are read whole."""


def base_url(address: str, port: int) -> str:
    """`http://ADDRESS:PORT`, also for an IPv6 address."""
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body (cut at the limit) and how long both took, in seconds."""

    status: int
    body: bytes
    seconds: float
    headers: Mapping[str, str]


def fetch(
    url: str,
    timeout: float,
    headers: Mapping[str, str] | None = None,
    limit: int = LIMIT,
) -> Answer:
    """GET `url`. Raises CheckFailed when there is no whole answer in time.

    `timeout` (seconds) is for all of it, so a server that sends one byte at a time
    does not hold the caller longer.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    make = (
        http.client.HTTPSConnection
        if parts.scheme == "https"
        else http.client.HTTPConnection
    )
    start = time.monotonic()
    connection = make(host, parts.port, timeout=timeout)

    def remaining() -> float:
        left = timeout - (time.monotonic() - start)
        if left <= 0:
            raise TimeoutError
        return left

    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    try:
        connection.request(
            "GET",
            target,
            headers={
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                "Connection": "close",
                "User-Agent": "soloscope",
                **(headers or {}),
            },
        )
        socket = connection.sock
        socket.settimeout(remaining())
        response = connection.getresponse()
        chunks: list[bytes] = []
        size = 0
        # The last byte closes the answer and its socket (as of Python 3.13 at once).
        while size < limit and not response.isclosed():
            socket.settimeout(remaining())
            chunk = response.read1(65536)
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
        return Answer(
            status=response.status,
            body=b"".join(chunks)[:limit],
            seconds=time.monotonic() - start,
            headers={k.lower(): v for k, v in response.getheaders()},
        )
    except TimeoutError:
        raise CheckFailed(
            f"no answer within {timeout:g} s", time.monotonic() - start
        ) from None
    except OSError as error:
        raise CheckFailed(_reason(error), time.monotonic() - start) from None
    except (http.client.HTTPException, ValueError) as error:
        # Either may quote what was sent; only the kind of error is told.
        raise CheckFailed(
            f"not an HTTP answer ({type(error).__name__})", time.monotonic() - start
        ) from None
    finally:
        connection.close()


def _reason(error: OSError) -> str:
    """The error in the system's own words, without an errno."""
    text = error.strerror or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]
