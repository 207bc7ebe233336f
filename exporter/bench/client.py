"""HTTP clients that cost little themselves: keep-alive, raw sockets, no parsing.

`http.client` takes longer to parse an answer's head than the fastest exporter takes
to make the answer, so it would hide what is measured here.
"""

from __future__ import annotations

import gzip
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Final

__all__ = ["PLAIN", "PROMETHEUS", "Connection", "Load", "Reply", "load"]

#: What a person's curl sends.
PLAIN: Final = "Accept: */*\r\n"
#: What Prometheus 3.5.3 sends, as seen on a socket.
PROMETHEUS: Final = (
    "User-Agent: Prometheus/3.5.3\r\n"
    "Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2\r\n"
    "Accept-Encoding: gzip\r\n"
    "X-Prometheus-Scrape-Timeout-Seconds: 10\r\n"
)

_RECEIVE = 1 << 18


class Reply:
    """One HTTP/1.1 answer while it arrives, with a length or in chunks."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.status = 0
        self._head = b""
        self._body = 0
        self._chunked = False
        self._at = 0  # the end of the answer, or of the chunks that are whole

    def feed(self, data: bytes) -> bool:
        """Add what was received; True when the answer is whole.

        Raises ValueError for an answer that is not HTTP or has no length.
        """
        self.data += data
        if not self._head:
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return False
            self._read_head(end)
        if not self._chunked:
            return len(self.data) >= self._at
        while True:
            end = self.data.find(b"\r\n", self._at)
            if end < 0:
                return False
            size = int(self.data[self._at : end], 16)
            after = end + 2 + size + 2
            if len(self.data) < after:
                return False
            self._at = after
            if size == 0:
                return True

    def _read_head(self, end: int) -> None:
        self._head = bytes(self.data[:end]).lower()
        if not self._head.startswith(b"http/1.1 "):
            raise ValueError(f"no HTTP/1.1 answer: {self._head[:40]!r}")
        self.status = int(self._head[9:12])
        self._body = self._at = end + 4
        self._chunked = b"\r\ntransfer-encoding: chunked" in self._head
        if not self._chunked:
            _, found, rest = self._head.partition(b"\r\ncontent-length:")
            if not found:
                raise ValueError("an answer without a length")
            self._at += int(rest.partition(b"\r\n")[0])

    @property
    def size(self) -> int:
        """Bytes received, head included: what went over the wire."""
        return len(self.data)

    def text(self) -> bytes:
        """The body as the exporter wrote it, before chunks and compression."""
        body = bytes(self.data[self._body :])
        if self._chunked:
            parts = []
            at = self._body
            while True:
                end = self.data.index(b"\r\n", at)
                size = int(self.data[at:end], 16)
                if size == 0:
                    break
                parts.append(bytes(self.data[end + 2 : end + 2 + size]))
                at = end + 2 + size + 2
            body = b"".join(parts)
        if b"\r\ncontent-encoding: gzip" in self._head:
            body = gzip.decompress(body)
        return body


def _request(port: int, headers: str) -> bytes:
    head = f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n"
    return head.encode("ascii")


def _connect(port: int, timeout: float) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Connection:
    """A client that scrapes one exporter over one connection."""

    def __init__(self, port: int, headers: str, timeout: float = 60) -> None:
        self._sock = _connect(port, timeout)
        self._request = _request(port, headers)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def scrape(self) -> Reply:
        """One scrape. Raises OSError or ValueError when it fails."""
        reply = Reply()
        self._sock.sendall(self._request)
        while True:
            data = self._sock.recv(_RECEIVE)
            if not data:
                raise ConnectionError("the exporter closed the connection")
            if reply.feed(data):
                break
        if reply.status != 200:
            raise ValueError(f"the exporter answered {reply.status}")
        return reply


@dataclass(frozen=True)
class Load:
    """What several clients at once got: requests a second, and each one's seconds."""

    rate: float
    seconds: list[float]


def load(
    port: int,
    headers: str,
    clients: int,
    seconds: float,
    between: Callable[[], None],
) -> Load:
    """Let `clients` scrape as fast as they can for `seconds`.

    `between` is called after each answer, before the next scrape is asked for.

    All are served by one thread here, which needs about a tenth of one core.
    """
    request = _request(port, headers)
    durations: list[float] = []
    with selectors.DefaultSelector() as selector:
        sockets = [_connect(port, 60) for _ in range(clients)]
        try:
            state: dict[int, tuple[Reply, float]] = {}
            for sock in sockets:
                selector.register(sock, selectors.EVENT_READ)
            start = perf_counter()
            for sock in sockets:
                state[sock.fileno()] = (Reply(), perf_counter())
                sock.sendall(request)
            now = start
            while now - start < seconds:
                for key, _ in selector.select(timeout=60):
                    sock = key.fileobj  # type: ignore[assignment]
                    reply, sent = state[key.fd]
                    data = sock.recv(_RECEIVE)
                    if not data:
                        raise ConnectionError("the exporter closed the connection")
                    if not reply.feed(data):
                        continue
                    if reply.status != 200:
                        raise ValueError(f"the exporter answered {reply.status}")
                    now = perf_counter()
                    durations.append(now - sent)
                    between()
                    now = perf_counter()
                    state[key.fd] = (Reply(), now)
                    sock.sendall(request)
                now = perf_counter()
            return Load(len(durations) / (now - start), durations)
        finally:
            for sock in sockets:
                sock.close()
