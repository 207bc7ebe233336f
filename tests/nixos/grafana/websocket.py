"""Opens Grafana Live's websocket and prints Grafana's answer to a `connect`.

websocket.py HOST CA_FILE ORIGIN USER:PASSWORD. Standard library only: the
handshake and one frame each way (RFC 6455), the command as Grafana's own page
sends it. Prints the refusal instead when the handshake fails.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct
import sys


def frame(text: str) -> bytes:
    """A masked text frame, as clients must send them."""
    data, mask = text.encode(), os.urandom(4)
    assert len(data) < 126  # noqa: S101
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
    return struct.pack("!BB", 0x81, 0x80 | len(data)) + mask + body


def main(host: str, authority: str, origin: str, login: str) -> None:
    """Prints `101` and the first message, or the status line of the refusal."""
    context = ssl.create_default_context(cafile=authority)
    plain = socket.create_connection((host, 443), timeout=10)
    with context.wrap_socket(plain, server_hostname=host) as connection:
        headers = {
            "Host": host,
            "Origin": origin,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Authorization": "Basic " + base64.b64encode(login.encode()).decode(),
        }
        lines = [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join(["GET /api/live/ws HTTP/1.1", *lines, "", ""])
        connection.sendall(request.encode())
        answer = connection.makefile("rb")
        status = answer.readline().decode().strip()
        while answer.readline().strip():
            pass
        if " 101 " not in status:
            print(status)
            return
        connection.sendall(frame('{"id":1,"connect":{}}'))
        kind, length = answer.read(2)
        if length == 126:
            (length,) = struct.unpack("!H", answer.read(2))
        print("101", hex(kind), answer.read(length).decode())


main(*sys.argv[1:])
