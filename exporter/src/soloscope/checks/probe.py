"""`soloscope probe`: checks the outside APIs that need a key, once, and writes the
results to a file for `soloscope serve`.

It is a separate process because it has the keys: WhatsApp's Graph API, OpenAI
and Stripe are all URLs that take `Authorization: Bearer KEY`. A key is read at each
use, sent to its own URL only (redirects are not followed), and never shown: neither
the answer's body nor the text of an unexpected error is kept: both may quote it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from soloscope.checks import results
from soloscope.checks.kinds import expect, get
from soloscope.checks.model import CheckFailed
from soloscope.checks.results import Probed
from soloscope.config import Check, Config
from soloscope.errors import SecretUnavailable

__all__ = ["ask", "probe"]

# A check is due again after this share of its interval: the timer is not exact, and
# a check must not miss every second run for that.
DUE = 0.9
AT_ONCE = 8


def declared(config: Config) -> Iterator[tuple[str, str, Check]]:
    """App, name and declaration of every check that runs here."""
    for app in config.apps.values():
        for name, check in app.checks.items():
            if check.kind == "api":
                yield app.name, name, check


def ask(check: Check, now: Callable[[], float] = time.time) -> Probed:
    """Check one API. Never raises: an error is a result."""
    try:
        key = None if check.key is None else check.key.read()
        outcome = expect(
            get(check.url, check.timeout, key),
            status=check.status,
            body=check.body,
            max_seconds=check.max_seconds,
        )
    except CheckFailed as failed:
        return Probed(False, str(failed), now(), failed.seconds)
    except SecretUnavailable as unavailable:
        return Probed(False, str(unavailable), now())
    except Exception as error:  # noqa: BLE001 (one API must not hide the others)
        return Probed(False, f"could not be asked ({type(error).__name__})", now())
    return Probed(True, outcome.detail, now(), outcome.seconds)


def probe(
    config: Config, *, everything: bool = False, now: Callable[[], float] = time.time
) -> dict[str, dict[str, Probed]]:
    """Run the checks that are due and write the file; returns all results.

    The timer uses the shortest interval; the other checks keep their result until
    their own interval is over. `everything` runs all. Raises SoloscopeError when the
    file cannot be written.
    """
    if config.probe is None:
        return {}
    path = config.probe.result_file
    try:
        before = results.read(path)
    except (OSError, ValueError):
        before = {}
    found: dict[str, dict[str, Probed]] = {}
    due: list[tuple[str, str, Check]] = []
    for app, name, check in declared(config):
        old = before.get(app, {}).get(name)
        if everything or old is None or abs(now() - old.at) >= DUE * check.interval:
            due.append((app, name, check))
        else:
            found.setdefault(app, {})[name] = old
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = pool.map(lambda one: ask(one[2], now), due)
        for (app, name, _), answer in zip(due, answers, strict=True):
            found.setdefault(app, {})[name] = answer
    results.write(path, found)
    return found
