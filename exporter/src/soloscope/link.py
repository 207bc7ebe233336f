"""One connection to a Redis server that runs prepared bytes in one round trip.

redis-py opens the connection (TCP, TLS, unix socket, user and password) and its
parser reads the answers. The pipeline on top of it is left out: it costs as much as
all the parsing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from soloscope.errors import BackendUnavailable, SecretUnavailable

if TYPE_CHECKING:
    from soloscope.config import Redis

__all__ = ["Failure", "Link", "pack"]

TIMEOUT = 1.0
"""Seconds to connect, and seconds to wait for more bytes."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that Redis answered to one command, for example WRONGTYPE."""

    message: str


def pack(*arguments: bytes) -> bytes:
    """One command in Redis' own protocol (https://redis.io/docs, "RESP")."""
    parts = [b"*%d\r\n" % len(arguments)]
    parts += [b"$%d\r\n%s\r\n" % (len(a), a) for a in arguments]
    return b"".join(parts)


class Link:
    """A connection that is opened at need and closed by every error."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._connection: Any = None
        self.opened = 0
        """How often a connection was opened: a change means another server may be
        answering."""

    def run(self, commands: Sequence[bytes]) -> list[Any]:
        """Send all commands at once and return one reply for each.

        A reply is bytes, int, list, None, or Failure. Raises BackendUnavailable when
        the server is away, silent for a second, loading, or refuses the login. There
        is no retry: an idle connection that the server has closed is opened anew
        before anything is sent, and what fails later is told.
        """
        # Importing redis costs more than all else at start-up.
        from redis.exceptions import RedisError, ResponseError

        replies: list[Any] = []
        try:
            connection = self._connected()
            connection.send_packed_command([b"".join(commands)], check_health=False)
            read = connection.read_response
            for _ in commands:
                try:
                    replies.append(read())
                except ResponseError as error:
                    replies.append(Failure(str(error)))
        except (RedisError, OSError) as error:
            self.close()
            raise BackendUnavailable(self._describe(error)) from None
        except SecretUnavailable as error:
            self.close()
            raise BackendUnavailable(str(error)) from None
        except BaseException:
            # Replies that nobody read would answer the next question.
            self.close()
            raise
        return replies

    def close(self) -> None:
        """Close the connection; the next `run` opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _describe(self, error: Exception) -> str:
        """The error with the server's address, and never with a password."""
        text = str(error).strip().splitlines()
        why = text[0] if text else type(error).__name__
        return f"{self._redis.url.server}: {why}"

    def _connected(self) -> Any:
        from redis.exceptions import RedisError

        connection = self._connection
        if connection is not None:
            # Bytes or an end of file on an idle connection: Redis was restarted or
            # closed it. Asking costs one poll, and saves a scrape.
            try:
                if not connection.can_read(0):
                    return connection
            except (RedisError, OSError):
                pass
            self.close()
        self._connection = connection = _connection(self._redis)
        connection.connect()
        self.opened += 1
        return connection


def _connection(settings: Redis) -> Any:
    """A redis-py connection that is not opened yet."""
    from inspect import signature

    import redis.connection as redis_connection
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # redis-py's constructors are not annotated.
    lib: Any = redis_connection
    url = settings.url
    options: dict[str, Any] = {
        "db": url.db,
        "username": url.username,
        "password": settings.password.read() if settings.password else None,
        "socket_timeout": TIMEOUT,
        "socket_connect_timeout": TIMEOUT,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        # RESP3, the default since redis-py 8, reads maps 1.2 to 1.7 times slower.
        "protocol": 2,
    }
    # No CLIENT SETINFO, which a user with few rights may not run. redis-py 7 has
    # renamed the option.
    known = signature(lib.AbstractConnection.__init__).parameters
    if "driver_info" in known:
        options["driver_info"] = None
    else:
        options["lib_name"] = options["lib_version"] = None
    if url.path is not None:
        return lib.UnixDomainSocketConnection(path=url.path, **options)
    options |= {"host": url.host, "port": url.port, "socket_keepalive": True}
    if url.scheme == "rediss":
        return lib.SSLConnection(**options)
    return lib.Connection(**options)
