"""One connection to a Redis server that runs several commands in one round trip.

redis-py's connections without its client: a pipeline of the client takes twice the
time, and a scrape's commands are fixed. RESP2, which every server supports.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from redis.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import InvalidResponse, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeout

from soloscope.errors import BackendUnavailable, SecretUnavailable

if TYPE_CHECKING:
    from soloscope.config import Redis

__all__ = ["Command", "RedisClient"]

TIMEOUT = 1.0
"""Seconds to connect, and seconds to wait for more bytes."""

TOTAL = 3.0
"""Seconds for all replies to one `run`, looked at before each reply."""

Command = Sequence[bytes | str | int]

# redis-py sends CLIENT SETINFO by default, which a user with few rights may not
# run: it would fill the server's ACL LOG. Before redis-py 7.2 the options were two.
_UNNAMED: dict[str, Any] = (
    {"driver_info": None}
    if "driver_info" in inspect.signature(AbstractConnection).parameters
    else {"lib_name": None, "lib_version": None}
)


class RedisClient:
    """A connection that is opened on demand and closed after every error."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._connection: Any = None  # redis-py annotates it only partly
        self.opened = 0
        """How often a connection was opened: a change means another server may be
        answering."""

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """Send all commands at once and return one reply for each.

        A reply is bytes, int, list or None; a command that the server refuses has a
        redis.exceptions.ResponseError. Raises BackendUnavailable, with redis-py's
        exception as `cause`, when the server is down, silent for TIMEOUT seconds,
        or refuses the login. No command is sent twice: an idle connection that the
        server has closed is reopened before anything is sent.
        """
        try:
            connection = self._open()
            # A server that refuses a client sends the reason and closes: it is read
            # although sending fails, which `send_packed_command` would prevent.
            with suppress(ConnectionError):
                connection._sock.sendall(b"".join(connection.pack_commands(commands)))
            end = monotonic() + TOTAL
            return [_reply(connection, end) for _ in commands]
        except SecretUnavailable as error:
            self.close()
            raise self.unavailable(str(error)) from None
        except (RedisError, OSError, UnicodeError) as error:
            self.close()
            raise self.unavailable(_why(error), error) from None
        except BaseException:
            # Unread replies would be taken for those of the next commands.
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next `run` opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def unavailable(
        self, why: str, cause: Exception | None = None
    ) -> BackendUnavailable:
        """An error that names the server; the address contains no password."""
        return BackendUnavailable(f"{self._redis.url.server}: {why}", cause)

    def _open(self) -> Any:
        """The open connection, or a new one where the server has ended it."""
        if self._connection is not None:
            # Unexpected bytes, or the end of the connection.
            try:
                ended = self._connection.can_read(0)
            except RedisError:
                ended = True
            if not ended:
                return self._connection
            self.close()
        url, password = self._redis.url, self._redis.password
        options: dict[str, Any] = {
            "protocol": 2,
            "socket_timeout": TIMEOUT,
            "socket_connect_timeout": TIMEOUT,
            "username": url.username,
            "password": password.read() if password is not None else None,
            "db": url.db,
            **_UNNAMED,
        }
        kind: Any = UnixDomainSocketConnection
        if url.path is not None:
            options["path"] = url.path
        else:
            kind = SSLConnection if url.scheme == "rediss" else Connection
            options |= {"host": url.host, "port": url.port, "socket_keepalive": True}
            if kind is SSLConnection:
                # The CA certificates are the system's, or those in $SSL_CERT_FILE.
                options["ssl_check_hostname"] = True
        connection = kind(**options)
        # Set at once, so that `close` finds it after any error.
        self._connection = connection
        connection.connect()
        self.opened += 1
        return connection


class _DripsError(RedisError):
    """Every part came in time, but the reply did not end."""


def _reply(connection: Any, end: float) -> Any:
    if monotonic() > end:
        raise _DripsError(f"no whole answer within {TOTAL:g} s")
    try:
        return connection.read_response(disconnect_on_error=False)
    except ResponseError as error:
        return error


def _why(error: Exception) -> str:
    """The error's text for a person; redis-py's own text contains the address."""
    if isinstance(error, (RedisTimeout, TimeoutError)):
        return f"no answer within {TIMEOUT:g} s"
    if isinstance(error, InvalidResponse):
        return f"is no Redis: {error}"
    if isinstance(error, UnicodeError):
        return "no such host"
    return getattr(error.__context__, "strerror", None) or str(error)
