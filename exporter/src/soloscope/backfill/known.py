"""What Prometheus says about itself, and which days it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from soloscope.backends.prometheus import PrometheusApi
from soloscope.config import Config, duration

__all__ = ["JOB", "STEP", "Server", "ask", "guessed_target"]

JOB = "soloscope"

STEP = 300.0
"""Seconds; a query sees five minutes back, so no sample falls between two steps."""

_MOST_STEPS = 10_000
"""Prometheus refuses a range query with more than 11,000 of them."""

_COUNTS = (
    "soloscope_count_total|soloscope_breakdown_total|soloscope_unique"
    "|soloscope_timing_seconds_count"
)


@dataclass(frozen=True, slots=True)
class Server:
    """What Prometheus says about itself. Times are in seconds, None is unknown.

    `target` has the labels that the scrape of our exporter gets, None without one.
    `first_known`: the first moment, by app, for which it has counts.
    """

    target: Mapping[str, str] | None
    data: Path | None
    retention: float | None
    first_known: Mapping[str, float]


def guessed_target(config: Config) -> dict[str, str]:
    """The labels that the scrape gets as the module declares it."""
    exporter = config.exporter
    return {"job": JOB, "instance": f"{exporter.listen_address}:{exporter.port}"}


def ask(config: Config, apps: Iterable[str], now: float) -> Server:
    """Ask Prometheus about `apps`. Raises BackendUnavailable."""
    api = PrometheusApi.of(config)
    flags = api.get("status/flags")
    data = Path(str(flags.get("storage.tsdb.path", "")))
    kept = api.get("status/runtimeinfo").get("storageRetention", "")
    oldest = now - max(config.exporter.history, 31) * 86400
    first = {name: _first_known(api, name, oldest, now) for name in apps}
    return Server(
        target=_target(api),
        data=data if data.is_absolute() else None,
        # "30d", "1h30m or 5GB", or only a size.
        retention=duration(str(kept).partition(" or ")[0]),
        first_known={name: at for name, at in first.items() if at is not None},
    )


def _target(api: PrometheusApi) -> dict[str, str] | None:
    targets = api.get("targets", state="active")
    with api.understood("targets"):
        for one in targets["activeTargets"]:
            if one["scrapePool"] == JOB:
                return {str(k): str(v) for k, v in one["labels"].items()}
    return None


def _first_known(
    api: PrometheusApi, app: str, oldest: float, now: float
) -> float | None:
    """The first moment since `oldest` for which there are counts of `app`."""
    query = f'count({{__name__=~"{_COUNTS}",app="{app}"}})'
    start = oldest - oldest % STEP
    while start <= now:
        end = min(start + _MOST_STEPS * STEP, now)
        found = [sample.at for sample in api.span(query, start, end, STEP)]
        if found:
            return min(found) - STEP
        start += (_MOST_STEPS + 1) * STEP
    return None
