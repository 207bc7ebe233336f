"""What Alertmanager notifies: in place of Slack, PagerDuty and a mail server."""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Post:
    """A POST of JSON, and when it came (Unix time)."""

    path: str
    headers: dict[str, str]
    body: Any
    at: float

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts of Alertmanager's own format."""
        return list(self.body["alerts"])

    @property
    def name(self) -> str:
        """The name of the alert, by which they are grouped."""
        return str(self.body["groupLabels"]["alertname"])

    @property
    def resolved(self) -> bool:
        """Whether it says that it is over."""
        return bool(self.body["status"] == "resolved")


@dataclass
class Posts:
    """An HTTP server that takes every POST."""

    port: int
    posts: list[Post] = field(default_factory=list)

    def url(self, path: str) -> str:
        """The address of a path, which begins with a slash."""
        return f"http://127.0.0.1:{self.port}{path}"

    def to(self, path: str) -> list[Post]:
        """What was posted to `path`, the oldest first."""
        return [post for post in self.posts if post.path == path]


@dataclass(frozen=True)
class Mail:
    """A mail, and what its sender said before it."""

    sender: str
    to: str
    login: tuple[str, str] | None
    message: EmailMessage


@dataclass
class Mails:
    """A mail server with AUTH PLAIN, without TLS."""

    port: int
    mails: list[Mail] = field(default_factory=list)


@contextlib.contextmanager
def posts() -> Iterator[Posts]:
    """Take every POST on a free port."""
    taken: list[Post] = []

    class Take(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            taken.append(Post(self.path, headers, json.loads(body), time.time()))
            # Slack answers "ok", PagerDuty 202 with JSON.
            answer = b'{"status":"success"}' if "enqueue" in self.path else b"ok"
            self.send_response(202 if "enqueue" in self.path else 200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    with _served(ThreadingHTTPServer(("127.0.0.1", 0), Take)) as port:
        yield Posts(port, taken)


@contextlib.contextmanager
def mails() -> Iterator[Mails]:
    """Take every mail on a free port: as much of RFC 5321 as a client needs."""
    taken: list[Mail] = []

    class Take(socketserver.StreamRequestHandler):
        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def handle(self) -> None:
            sender = to = ""
            login = None
            self.say("220 standin")
            while line := self.rfile.readline():
                verb, _, rest = line.decode().strip().partition(" ")
                match verb.upper():
                    case "EHLO":
                        self.say("250-standin")
                        self.say("250 AUTH PLAIN")
                    case "AUTH":
                        parts = base64.b64decode(rest.split()[1]).decode().split("\0")
                        login = (parts[1], parts[2])
                        self.say("235 ok")
                    case "MAIL":
                        sender = rest
                        self.say("250 ok")
                    case "RCPT":
                        to = rest
                        self.say("250 ok")
                    case "DATA":
                        self.say("354 go on")
                        lines = []
                        while (part := self.rfile.readline()) != b".\r\n":
                            lines.append(part)
                        policy = email.policy.default
                        message = email.message_from_bytes(
                            b"".join(lines), policy=policy
                        )
                        taken.append(Mail(sender, to, login, message))
                        self.say("250 taken")
                    case "QUIT":
                        self.say("221 bye")
                        return
                    case _:
                        self.say("502 what?")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with _served(Server(("127.0.0.1", 0), Take)) as port:
        yield Mails(port, taken)


@contextlib.contextmanager
def _served(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
