"""A table of routes as one WSGI callable (PEP 3333), which tests call without a socket.

It implements what all responses share: HEAD, gzip, the errors 400, 404, 405, 413
and 500, and the headers. The server in front of it reads the requests.
"""

from __future__ import annotations

import logging
import traceback
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from soloscope.log import event

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = [
    "Request",
    "Response",
    "Route",
    "Routes",
    "accepts_gzip",
    "application",
    "preferences",
]

GZIP_FROM = 1024
"""Bytes: smaller answers are not compressed."""


class Request(NamedTuple):
    """A request. `headers` have names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


class Response(NamedTuple):
    """A response. `headers` come in addition to type and length."""

    body: bytes
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = MappingProxyType({})


class Route(NamedTuple):
    """The handler of a path. `title` puts it on the start page.

    `max_body` is the maximum size of a request body in bytes; 0 for none.
    """

    handler: Callable[[Request], Response]
    methods: tuple[str, ...] = ("GET", "HEAD")
    title: str = ""
    max_body: int = 0


Routes = Mapping[str, Route]


def preferences(header: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    """What an Accept header lists: value, parameters and weight (RFC 9110, 12.4.2).

    All is in lower case. A weight that is no number is 0.
    """
    for item in header.lower().split(","):
        value, *rest = (part.strip() for part in item.split(";"))
        pairs = (part.partition("=") for part in rest)
        parameters = {name.strip(): text.strip(' "') for name, _, text in pairs}
        try:
            weight = float(parameters.get("q", "1"))
        except ValueError:
            weight = 0.0
        yield value, parameters, weight


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header allows gzip (RFC 9110, 12.5.3)."""
    return any(c == "gzip" and weight > 0 for c, _, weight in preferences(header))


def application(routes: Routes) -> WSGIApplication:
    """The WSGI callable that answers by `routes`."""

    def answer(
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        response = _respond(routes, environ)
        body = response.body
        headers = {
            "Content-Type": response.content_type,
            "X-Content-Type-Options": "nosniff",
            **response.headers,
        }
        if len(body) >= GZIP_FROM:
            headers["Vary"] = "Accept, Accept-Encoding"
            if accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
                # Level 1 takes a fifth of the time for a quarter more bytes.
                body = zlib.compress(body, 1, 31)
                headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(body))
        phrase = HTTPStatus(response.status).phrase
        start_response(f"{response.status} {phrase}", list(headers.items()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return answer


def _respond(routes: Routes, environ: WSGIEnvironment) -> Response:
    # PEP 3333 decodes the path's bytes as Latin-1.
    path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
    route = routes.get(path)
    size = int(environ.get("CONTENT_LENGTH") or 0)
    if size and (route is None or not route.max_body):
        return Response(b"Send no body.\n", 400)
    if route is None:
        return Response(b"Not found. The start page / has the paths.\n", 404)
    if size > route.max_body:
        return Response(f"At most {route.max_body} bytes.\n".encode(), 413)
    if environ["REQUEST_METHOD"] not in route.methods:
        allowed = ", ".join(route.methods)
        text = f"Method not allowed. Use {allowed}.\n".encode()
        return Response(text, 405, headers={"Allow": allowed})
    request = Request(
        environ["REQUEST_METHOD"],
        path,
        environ.get("QUERY_STRING", ""),
        {
            name[5:].lower().replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        },
        environ["wsgi.input"].read(size) if size else b"",
    )
    try:
        return route.handler(request)
    except Exception:  # noqa: BLE001 (the edge: one request must not end the rest)
        event(
            "request_failed",
            "An unexpected error while answering a request",
            level=logging.ERROR,
            path=path,
            traceback=traceback.format_exc(limit=20),
        )
        return Response(b"Internal error. The log says more.\n", 500)
