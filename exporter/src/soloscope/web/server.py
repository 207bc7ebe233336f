"""A small HTTP/1.1 server on the standard library's, for a table of routes.

What it adds: time limits for a request's head and for idle connections, a cap on the
head's size, and a cap on connections. At the cap the connection that has waited
longest without a request is closed, so that half-open ones cannot lock a scrape out.
"""

from __future__ import annotations

import io
import logging
import re
import select
import socket
import socketserver
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote

from soloscope.log import event

__all__ = [
    "HttpServer",
    "Request",
    "Response",
    "Route",
    "Routes",
    "accepts_gzip",
    "preferences",
]

HEAD_LIMIT = 16 * 1024
"""The most bytes of a request's line and headers."""

HEAD_SECONDS = 5.0
"""How long a request may take to arrive, from its first byte."""

IDLE_SECONDS = 75.0
"""How long a connection may wait for its next request."""

GRACE_SECONDS = 0.1
"""How long a connection may be idle before it can be closed to make room."""

GZIP_FROM = 1024
"""Answers smaller than this are not compressed."""


class Request(NamedTuple):
    """What a client asks. `headers` have names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


class Response(NamedTuple):
    """What it is answered. `headers` come in addition to type and length."""

    body: bytes
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = MappingProxyType({})


Handler = Callable[[Request], Response]


class Route(NamedTuple):
    """How a path is answered. `title` puts it on the landing page.

    `max_body` is the most bytes a request may bring; 0 for none.
    """

    handler: Handler
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


@lru_cache(8)
def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header allows gzip (RFC 9110, 12.5.3)."""
    return any(c == "gzip" and weight > 0 for c, _, weight in preferences(header))


class _HeadTooLarge(OSError):  # noqa: N818 (never leaves this module)
    """Raised while reading a request that is longer than it may be."""


class _Channel(io.RawIOBase):
    """The bytes of a connection, with a limit and a deadline for each request."""

    def __init__(
        self, connection: socket.socket, waiting: Callable[[bool], None]
    ) -> None:
        self._connection = connection
        self._waiting = waiting
        self._deadline = 0.0
        self._left = 0
        self._begun = True
        self._patience = HEAD_SECONDS
        self.ended = False
        """Whether the client has ended the connection where more was expected."""

    def readable(self) -> bool:
        return True

    def next(self, *, first: bool) -> None:
        """Expect a new request."""
        self._begun = False
        self._left = HEAD_LIMIT
        self._patience = HEAD_SECONDS if first else IDLE_SECONDS

    def more(self, size: int) -> None:
        """Expect `size` bytes of a body."""
        self._left = size
        self._deadline = time.monotonic() + HEAD_SECONDS

    def readinto(self, buffer: Any) -> int:
        """Read what is there. Raises TimeoutError or _HeadTooLarge."""
        if self._left <= 0:
            raise _HeadTooLarge
        if self._begun:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
        else:
            left = self._patience
        self._connection.settimeout(left)
        self._waiting(True)
        count = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._waiting(False)
        if not self._begun:
            self._begun = True
            self._deadline = time.monotonic() + HEAD_SECONDS
        self._left -= count
        self.ended = count == 0
        return count


# Where http.client.parse_headers stops to read: after the first empty line.
_HEAD_END = re.compile(rb"(?:\A|\n)\r?\n")


class _Known(NamedTuple):
    """The last request of a connection, as bytes and as the parser understood it.

    `head` are the bytes after the line, up to the empty line; none if they were not
    seen whole.
    """

    line: bytes
    head: bytes
    command: str
    path: str
    text: str
    version: str


class _Handler(BaseHTTPRequestHandler):
    """Reads a request with the standard library's parser and answers by the table."""

    protocol_version = "HTTP/1.1"
    server: HttpServer
    rfile: io.BufferedReader

    def setup(self) -> None:
        self.connection = self.request
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        waiting = self.server.waiting
        self.channel = _Channel(
            self.connection, lambda yes: waiting(self.connection, yes)
        )
        self.rfile = io.BufferedReader(self.channel, 8192)
        self.first = True
        self.known: _Known | None = None

    def finish(self) -> None:
        self.server.waiting(self.connection, False)
        self.rfile.close()

    def handle_one_request(self) -> None:
        """Read and answer one request; sets `close_connection` when it was the last."""
        self.close_connection = True
        # What parse_request leaves unset when it refuses early.
        self.command, self.path, self.requestline = "", "", ""
        self.request_version = ""
        try:
            self.channel.next(first=self.first)
            self.first = False
            self.raw_requestline = self.rfile.readline(HEAD_LIMIT)
            if self.raw_requestline == b"\r\n":
                # Some clients send one line too many (RFC 9112, 2.2).
                self.raw_requestline = self.rfile.readline(HEAD_LIMIT)
            if not self.raw_requestline:
                return
            if self._parse() and not self.channel.ended:
                self._answer()
        except _HeadTooLarge:
            self.send_error(431)
        except (TimeoutError, OSError):
            self.close_connection = True

    def _parse(self) -> bool:
        """Read the headers; answers what is malformed, and sets `close_connection`.

        The same bytes as last time mean the same: the parser of the standard library
        takes as long as rendering a hundred lines.
        """
        line, known, self.known = self.raw_requestline, self.known, None
        head = b""
        if known is not None and known.line == line:
            # The parser went on to read headers after this line, so that looking
            # ahead waits for nothing that it would not wait for.
            ahead = self.rfile.peek()
            if known.head and ahead.startswith(known.head):
                self.rfile.read(len(known.head))
                self.command, self.path = known.command, known.path
                self.requestline, self.request_version = known.text, known.version
                self.close_connection = False
                self.known = known
                return True
            end = _HEAD_END.search(ahead)
            head = ahead[: end.end()] if end else b""
        if not self.parse_request():
            return False
        if not self.close_connection and "Expect" not in self.headers:
            self.known = _Known(
                line,
                head,
                self.command,
                self.path,
                self.requestline,
                self.request_version,
            )
        return True

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        if path.startswith(("http://", "https://")):
            # As one asks a proxy, which every server must understand (RFC 9112, 3.2.2).
            path = "/" + path.partition("://")[2].partition("/")[2]
        route = self.server.routes.get(unquote(path, errors="replace"))
        body = b""
        size, *more = self.headers.get_all("Content-Length", ["0"])
        if self.headers.defects:
            self.send_error(400, "bad header")
            return
        if "Transfer-Encoding" in self.headers:
            self.send_error(501, "send a Content-Length")
            return
        if more or not size.isascii() or not size.isdigit() or len(size) > 9:
            self.send_error(400, "bad Content-Length")
            return
        if int(size) > (route.max_body if route is not None else 0):
            self.send_error(413 if route is not None and route.max_body else 400)
            return
        if int(size):
            self.channel.more(int(size))
            body = self.rfile.read(int(size))
            if len(body) < int(size):
                self.close_connection = True
                return
        if route is None:
            self._send(Response(b"Not found. The start page / has the paths.\n", 404))
            return
        if self.command not in route.methods:
            allowed = ", ".join(route.methods)
            text = f"Method not allowed. Use {allowed}.\n".encode()
            self._send(Response(text, 405, headers={"Allow": allowed}))
            return
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            # One that comes twice is one list (RFC 9110, 5.3).
            known = headers.get(name.lower())
            headers[name.lower()] = value if known is None else f"{known}, {value}"
        request = Request(self.command, path, query, headers, body)
        try:
            response = route.handler(request)
        except Exception:  # noqa: BLE001 (the edge: one request must not end the rest)
            import traceback

            event(
                "request_failed",
                "An unexpected error while answering a request",
                level=logging.ERROR,
                path=path,
                traceback=traceback.format_exc(limit=20),
            )
            response = Response(b"Internal error. The log says more.\n", 500)
        self._send(response, gzip=accepts_gzip(headers.get("accept-encoding", "")))

    def _send(self, response: Response, *, gzip: bool = False) -> None:
        body = response.body
        phrase = HTTPStatus(response.status).phrase
        head = [
            f"HTTP/1.1 {response.status} {phrase}",
            f"Date: {self.server.date()}",
            f"Content-Type: {response.content_type}",
            "X-Content-Type-Options: nosniff",
        ]
        if len(body) >= GZIP_FROM:
            head.append("Vary: Accept, Accept-Encoding")
            if gzip:
                # Level 1 takes a fifth of the time for a quarter more bytes.
                packer = zlib.compressobj(1, zlib.DEFLATED, 31)
                body = packer.compress(body) + packer.flush()
                head.append("Content-Encoding: gzip")
        head.append(f"Content-Length: {len(body)}")
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        if self.close_connection:
            head.append("Connection: close")
        elif self.request_version == "HTTP/1.0":
            head.append("Connection: keep-alive")
        data = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1", "replace")
        self.connection.settimeout(HEAD_SECONDS)
        self.connection.sendall(data if self.command == "HEAD" else data + body)

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Answer what is no request, and close: nobody knows where the next begins."""
        del explain
        self.close_connection = True
        text = message or HTTPStatus(code).phrase
        # The message may quote the request; keep it one line of plain text.
        line = text.encode("ascii", "backslashreplace")[:200].replace(b"\n", b" ")
        try:
            self._send(Response(line + b"\n", code))
            self._drain()
        except OSError:
            return

    def _drain(self) -> None:
        """Read on for a moment before closing.

        Closing over unread bytes resets the connection, and a client still sending
        would lose the answer (RFC 9112, 9.6).
        """
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(0.5)
        end = time.monotonic() + 0.5
        while self.connection.recv(65536) and time.monotonic() < end:
            pass

    def send_response_only(self, code: int, message: str | None = None) -> None:
        """Called by the standard library for `100 Continue` only."""
        del message
        self.connection.sendall(f"HTTP/1.1 {code} Continue\r\n".encode())

    def end_headers(self) -> None:
        """Ends what `send_response_only` began."""
        self.connection.sendall(b"\r\n")


class HttpServer(socketserver.ThreadingTCPServer):
    """Listens when made; `serve_forever` answers by `routes` until `shutdown`.

    `max_connections` are open at most. Raises OSError when the address is taken.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(
        self, address: str, port: int, routes: Routes, max_connections: int
    ) -> None:
        if ":" in address:
            self.address_family = socket.AF_INET6
        self.routes = routes
        self._slots = threading.Semaphore(max_connections)
        self._batch = max(1, max_connections // 8)
        self._lock = threading.Lock()
        self._idle: dict[socket.socket, float] = {}
        self._stopping = False
        self._date = (0, "")
        super().__init__((address, port), _Handler)

    @property
    def port(self) -> int:
        """The port that is listened on, also when any free one was asked for."""
        return int(self.server_address[1])

    def date(self) -> str:
        """The time as HTTP writes it, made once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True))
        return self._date[1]

    def shutdown(self) -> None:
        """End `serve_forever`; from another thread only."""
        self._stopping = True
        super().shutdown()

    def waiting(self, connection: socket.socket, yes: bool) -> None:
        """Note whether `connection` waits for its client."""
        with self._lock:
            if yes:
                self._idle.setdefault(connection, time.monotonic())
            else:
                self._idle.pop(connection, None)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, as soon as there is room for it."""
        while not self._slots.acquire(timeout=0.01):
            if self._stopping:
                self.shutdown_request(request)
                return
            self._make_room()
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no more threads
            self._slots.release()
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The life of one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is its client's affair."""
        del request, client_address
        event("connection_broken", level=logging.DEBUG)

    def _make_room(self) -> None:
        """Close some of the connections that have waited longest for their client."""
        limit = time.monotonic() - GRACE_SECONDS
        closed = 0
        with self._lock:
            # Waiting connections stand in the order in which they began to wait.
            for connection, since in list(self._idle.items()):
                if since > limit or closed == self._batch:
                    break
                if _readable(connection):
                    # Its request has come; only its thread has had no turn yet.
                    continue
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
                closed += 1


def _readable(connection: socket.socket) -> bool:
    """Whether bytes are there to be read. (select would fail above 1024 files.)"""
    poll = select.poll()
    try:
        poll.register(connection, select.POLLIN)
    except (OSError, ValueError):
        return False
    return bool(poll.poll(0))
