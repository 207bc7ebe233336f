"""Writes each message of Alertmanager's down, if its token is right."""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

TOKEN = Path(os.environ["CREDENTIALS_DIRECTORY"], "token").read_text().strip()
MESSAGES = Path(os.environ["STATE_DIRECTORY"], "messages")


class Take(BaseHTTPRequestHandler):
    """Takes `POST /alerts`."""

    def do_POST(self) -> None:
        """One line of JSON."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        right = self.headers["Authorization"] == f"Bearer {TOKEN}"
        if right and self.path == "/alerts":
            with MESSAGES.open("ab") as file:
                file.write(body.strip() + b"\n")
        self.send_response(200 if right else 401)
        self.end_headers()


HTTPServer(("127.0.0.1", 8099), Take).serve_forever()
