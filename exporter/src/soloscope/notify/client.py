"""What other commands ask of `soloscope notify`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from soloscope.backends.http import NoAnswer, base_url, fetch
from soloscope.errors import OTHER_SHAPE, BackendUnavailable, SoloscopeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from soloscope.config import Config

__all__ = ["find", "post"]

TIMEOUT = 10.0


def _call(
    config: Config, query: str, body: object = None
) -> tuple[int, dict[str, Any]]:
    notify = config.notify
    if notify is None:
        raise SoloscopeError(
            "no phone is configured: set services.soloscope.notify.whatsapp, or a "
            "channel under services.soloscope.notify.channels"
        )
    where = f"{base_url(notify)}/api/v1/messages"
    headers = {"Authorization": f"Bearer {notify.token.read()}"}
    try:
        method = "GET" if body is None else "POST"
        answer = fetch(where + query, TIMEOUT, headers, method=method, body=body)
    except NoAnswer as failed:
        raise BackendUnavailable(
            f"{where}: {failed}; does soloscope-notify run?"
        ) from None
    try:
        value = json.loads(answer.body)
    except OTHER_SHAPE:
        value = {}
    if answer.status not in (200, 404):
        said = value.get("error") if isinstance(value, dict) else None
        text = said or answer.body[:200].decode("utf-8", "replace").strip()
        raise BackendUnavailable(f"{where}: answered {answer.status}: {text}")
    return answer.status, value if isinstance(value, dict) else {}


def post(config: Config, message: Mapping[str, Any]) -> dict[str, Any]:
    """Hand over a message (intake.message): its `id`, and whether it is a `repeat`.

    Raises SoloscopeError when it is not on disk afterwards.
    """
    return _call(config, "", message)[1]


def find(config: Config, **by: str) -> dict[str, Any] | None:
    """What has become of the newest message with this `id`, `key`, `canary` or
    `rehearsal`: its `state` and its `deliveries`; None when there is none.

    Raises SoloscopeError when `soloscope notify` does not answer.
    """
    status, value = _call(config, "?" + urlencode(by))
    return value if status == 200 else None
