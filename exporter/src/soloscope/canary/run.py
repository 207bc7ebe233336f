"""One run of the canary: its legs side by side, the heartbeat, and the results."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from soloscope.backends.http import NoAnswer, fetch
from soloscope.canary import legs, results
from soloscope.canary.legs import Lost, Run
from soloscope.canary.results import Leg, Results
from soloscope.errors import SoloscopeError

if TYPE_CHECKING:
    from soloscope.config import Canary, Config
    from soloscope.secret import Secret

__all__ = ["canary"]

#: Seconds for the outside heartbeat.
HEARTBEAT = 15.0


def canary(config: Config, declared: Canary) -> Results:
    """Run every leg that the host has, and write the results.

    Raises SoloscopeError when the file of results cannot be written.
    """
    before = results.read(declared.state_file)
    started = Results(before.runs + 1, time.time(), before.flush_failures, before.legs)
    # `serve` shows it from now on.
    results.write(declared.state_file, started)
    run = Run(uuid.uuid4().hex, started.runs, time.monotonic() + declared.timeout)
    todo: dict[str, Callable[[], None]] = {
        "log": partial(_log, config, run, before.flush_failures),
        "count": partial(legs.count, config, run),
    }
    if config.alertmanager.enable:
        todo["alert"] = partial(legs.alert, config, run)
    with ThreadPoolExecutor(len(todo)) as pool:
        waiting = {name: pool.submit(_timed, leg) for name, leg in todo.items()}
        done = {name: future.result() for name, future in waiting.items()}
    # Whoever watches from outside hears that all is well, or nothing.
    if declared.heartbeat is not None and all(leg.ok for leg in done.values()):
        done["heartbeat"] = _timed(partial(_beat, declared.heartbeat))
    made = Results(started.runs, started.at, legs.flush_failures(config), done)
    results.write(declared.state_file, made)
    return made


def _timed(leg: Callable[[], None]) -> Leg:
    begun = time.monotonic()
    try:
        leg()
    except SoloscopeError as error:
        return Leg(ok=False, seconds=time.monotonic() - begun, detail=str(error))
    return Leg(ok=True, seconds=time.monotonic() - begun)


def _log(config: Config, run: Run, flush_failures: float | None) -> None:
    legs.log_line(config, run)
    now = legs.flush_failures(config)
    # A counter that is lower than before began anew.
    if now and flush_failures is not None and now > flush_failures:
        raise Lost("Loki cannot write chunks to its disk")


def _beat(url: Secret) -> None:
    try:
        answer = fetch(url.read(), HEARTBEAT)
    except NoAnswer as error:
        raise Lost(f"the heartbeat's address: {error}") from None
    if not 200 <= answer.status < 300:
        raise Lost(f"the heartbeat's address answered {answer.status}")
