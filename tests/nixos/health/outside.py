"""The app's health endpoint, and an API that answers only with the right key.

The test says `/sick` and `/well` to change what `/health` answers.
"""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

KEY = Path(os.environ["CREDENTIALS_DIRECTORY"], "key").read_text().strip()
well = True


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        global well  # noqa: PLW0603
        status = 200
        if self.path == "/v1/models":
            given = self.headers.get("Authorization")
            status = 200 if given == f"Bearer {KEY}" else 401
        elif self.path == "/health":
            status = 200 if well else 503
        elif self.path in ("/sick", "/well"):
            well = self.path == "/well"
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


ThreadingHTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
