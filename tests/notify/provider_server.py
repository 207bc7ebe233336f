"""What the stand-ins of the two providers share: a server, faults, and its memory."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """An answer of a provider."""

    status: int
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request, in place of its usual answer.

    `after`: it happens once the message was taken, so the sender cannot know.
    """

    reply: Reply | None = None
    raw: bytes | None = None
    """Bytes in place of the whole answer; b"" only closes the connection."""
    delay: float = 0.0
    after: bool = False


@dataclass(frozen=True)
class Taken:
    """A message that the provider took: free text, or a template's parameters."""

    id: str
    to: str
    text: str | None
    template: str | None
    parameters: tuple[str, ...]
    at: float

    @property
    def said(self) -> str:
        """All that the user reads of it."""
        return self.text if self.text is not None else "\n".join(self.parameters)


@dataclass
class Provider:
    """Takes messages on a free port; a subclass judges requests in `answer`."""

    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    refused: list[Reply] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    at_step: Callable[[str], None] = lambda _: None
    """Called at "connected", "read", "taken" and "answered"."""
    window_until: float = 0.0
    """Until when free text is allowed (Unix time)."""

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Judge a request; what is right goes to `taken`."""
        raise NotImplementedError

    def take(
        self,
        id_: str,
        to: str,
        *,
        text: str | None = None,
        template: str | None = None,
        parameters: tuple[str, ...] = (),
    ) -> None:
        self.taken.append(Taken(id_, to, text, template, parameters, time.time()))

    @contextlib.contextmanager
    def served(self) -> Iterator[None]:
        """Listen, until the block ends."""
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                stand_in.at_step("connected")
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                stand_in.at_step("read")
                fault = stand_in.faults.popleft() if stand_in.faults else Fault()
                headers = {k.lower(): v for k, v in self.headers.items()}
                replaced = fault.reply or fault.raw is not None
                reply = fault.reply
                if not replaced or fault.after:
                    usual = stand_in.answer(self.path, headers, body)
                    if usual.status >= 400:
                        stand_in.refused.append(usual)
                    reply = reply or usual
                stand_in.at_step("taken")
                time.sleep(fault.delay)
                self.close_connection = True
                with contextlib.suppress(OSError):
                    if fault.raw is not None:
                        self.wfile.write(fault.raw)
                        self.connection.shutdown(socket.SHUT_RDWR)
                        return
                    assert reply is not None
                    said = json.dumps(reply.body).encode()
                    self.send_response(reply.status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(said)))
                    self.send_header("Connection", "close")
                    self.end_headers()
                    self.wfile.write(said)
                    self.wfile.flush()
                stand_in.at_step("answered")

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        self.port = int(server.server_address[1])
        run = server.serve_forever
        thread = threading.Thread(target=run, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)


class Pair:
    """A token bucket: at most `burst` at once, and one more every `seconds`."""

    def __init__(self, burst: int, seconds: float) -> None:
        self.burst, self.seconds = burst, seconds
        self.tokens, self.at = float(burst), time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.at) / self.seconds)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
