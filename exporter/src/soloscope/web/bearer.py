"""The token that a request must have (RFC 6750)."""

from __future__ import annotations

import hmac
import logging
from typing import TYPE_CHECKING

from soloscope.errors import SecretUnavailable
from soloscope.log import Pauses, event
from soloscope.web.application import Request, Response

if TYPE_CHECKING:
    from soloscope.secret import Secret

__all__ = ["Bearer"]

TOKEN_PAUSE = 300.0
"""Seconds until it is logged again that the token cannot be read."""


class Bearer:
    """Compares the token of requests with a secret, which is read each time."""

    def __init__(self, token: Secret) -> None:
        self._token = token
        self._pauses = Pauses()

    def refused(self, request: Request) -> Response | None:
        """The answer to a request without the token; None to one that has it."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            expected = self._token.read()
        except SecretUnavailable as error:
            if self._pauses.over("token_unavailable", TOKEN_PAUSE):
                event("token_unavailable", str(error), level=logging.ERROR)
        else:
            # WSGI decodes a header's bytes as Latin-1.
            sent = given.strip().encode("latin-1", "replace")
            same = hmac.compare_digest(sent, expected.encode())
            if same and scheme.lower() == "bearer":
                return None
        return Response(
            b"A valid token is needed.\n",
            401,
            headers={"WWW-Authenticate": 'Bearer realm="soloscope"'},
        )
