"""What the canary does, and where it looks for it. A leg that fails says why.

Each leg is a function of the run's id and its end (monotonic seconds). It returns when
everything is found, and raises Lost with what is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from soloscope import log
from soloscope.backends import metrics_text
from soloscope.backends.alertmanager import AlertmanagerApi
from soloscope.backends.http import base_url
from soloscope.backends.loki import LokiApi
from soloscope.backends.prometheus import PrometheusApi
from soloscope.errors import BackendUnavailable, SoloscopeError

if TYPE_CHECKING:
    from soloscope.config import Config

__all__ = ["Lost", "Run", "alert", "count", "flush_failures", "log_line"]

T = TypeVar("T")

#: Seconds between two questions, and for the answer to one.
POLL = 0.5
ANSWER = 5.0

UNIT = "soloscope-canary.service"
ALERT = "SoloscopeCanary"
RUNS = "soloscope_canary_runs_total"

_DISK_FULL = "loki_ingester_wal_disk_full_failures_total"
_FLUSH = "loki_ingester_chunks_flush_failures_total"
_WRITTEN = "loki_ingester_wal_records_logged_total"


class Lost(SoloscopeError):  # noqa: N818 (reads as a state)
    """It was not found in time, or not whole."""


class Run(NamedTuple):
    """One run: its id, its number, and when it gives up (monotonic seconds)."""

    id: str
    number: int
    end: float


def _until(run: Run, missing: str, look: Callable[[], T | None]) -> T:
    """What `look` finds. Raises Lost with `missing`, or with the last error."""
    why = missing
    while True:
        try:
            found = look()
        except BackendUnavailable as error:
            why = f"{missing}: {error}"
        else:
            why = missing
            if found:
                return found
        if time.monotonic() > run.end:
            raise Lost(why)
        time.sleep(POLL)


# --- a line -------------------------------------------------------------------------


def log_line(config: Config, run: Run) -> None:
    """A line printed is found in Loki, and Loki wrote it to its disk.

    With a full disk Loki takes and shows lines that a restart would lose: only its
    counters tell (the write-ahead log's records, and its failures).
    """
    base = base_url(config.loki)
    before = _until(run, "Loki shows no metrics", lambda: _counters(base))
    log.event("canary", "A line to be found in Loki", canary=run.id)
    loki = LokiApi(base, ANSWER)
    query = f'{{unit="{UNIT}"}} |= "{run.id}"'

    def look() -> bool:
        now = time.time()
        return bool(loki.lines(query, now - 600, now + 60, 1))

    _until(run, "a line printed did not reach Loki", look)
    after = _until(run, "Loki shows no metrics", lambda: _counters(base))
    if after[_DISK_FULL] > before[_DISK_FULL]:
        raise Lost("Loki takes lines, but cannot write them: its disk is full")
    if after[_WRITTEN] <= before[_WRITTEN]:
        raise Lost("Loki takes lines, but writes none to its disk")


def _counters(base: str) -> dict[str, float]:
    wanted = (_DISK_FULL, _FLUSH, _WRITTEN)
    found = dict.fromkeys(wanted, 0.0)
    for one in metrics_text.read(base, ANSWER, *wanted):
        found[one.name] += one.value
    return found


def flush_failures(config: Config) -> float | None:
    """Loki's count of chunks that it could not flush; None without an answer."""
    try:
        return _counters(base_url(config.loki))[_FLUSH]
    except BackendUnavailable:
        return None


# --- a count ------------------------------------------------------------------------


def count(config: Config, run: Run) -> None:
    """The run's number is found in Prometheus, and each app's Redis was read with it.

    Without Prometheus `soloscope serve` is asked itself.
    """
    apps = {name for name, app in config.apps.items() if app.redis is not None}

    def shown(name: str) -> dict[str, float]:
        if config.prometheus.enable:
            api = PrometheusApi(base_url(config.prometheus), ANSWER)
            found = [(one.labels, one.value) for one in api.instant(name)]
        else:
            base = base_url(config.exporter)
            samples = metrics_text.read(base, ANSWER, name)
            found = [(one.labels, one.value) for one in samples]
        return {labels.get("app", ""): value for labels, value in found}

    where = "Prometheus" if config.prometheus.enable else "soloscope serve"
    _until(
        run,
        f"a count made did not reach {where}",
        lambda: run.number in shown(RUNS).values(),
    )
    # One scrape has both.
    up = shown("soloscope_up")
    unread = sorted(name for name in apps if up.get(name) != 1)
    if unread:
        raise Lost(f"the Redis of {', '.join(unread)} cannot be read")


# --- an alert -----------------------------------------------------------------------


def alert(config: Config, run: Run) -> None:
    """An alert raised reaches the outbox of `soloscope notify`, which does not send it.

    Without `notify` the alert is looked for in Alertmanager.
    """
    api = AlertmanagerApi(base_url(config.alertmanager), ANSWER)
    labels = {"alertname": ALERT, "severity": "info", "canary": run.id}
    texts = {"summary": "A test of the path of alerts, which is never sent"}
    start = datetime.now(UTC)
    # It is over by itself when the run is.
    end = start + timedelta(seconds=run.end - time.monotonic() + 1)

    def fired() -> bool:
        api.fire(labels, texts, start, end)
        return True

    _until(run, "Alertmanager takes no alert", fired)
    if config.notify is not None:
        from soloscope.notify.client import find

        where = "the outbox of soloscope notify"

        def arrived() -> bool:
            return find(config, canary=run.id) is not None
    else:
        where = "Alertmanager's list"

        def arrived() -> bool:
            return any(one.labels.get("canary") == run.id for one in api.alerts())

    _until(run, f"an alert raised did not reach {where}", arrived)
