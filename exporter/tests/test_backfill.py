"""History for Prometheus: the days and ramps, and a real Prometheus that loads them."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import redis
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families

from exporting import parse, soloscope_serve
from running import answers, free_port, program, redis_server, running, until
from soloscope.backends.prometheus import PrometheusApi
from soloscope.backfill import plan as backfill
from soloscope.backfill.blocks import MARK, Refused
from soloscope.commands import backfill as command
from soloscope.config import Config
from soloscope.counts.model import DayValues, Snapshot, midnight, today

HOUR = 3600.0
TARGET = {"job": "soloscope", "instance": "127.0.0.1:9847"}


def app_of(zone: str = "UTC", **given: Any) -> Any:
    given = {"counters": {"orders": {}}, **given}
    shop = {"timeZone": zone, "redis": {"url": "redis://127.0.0.1:1"}, **given}
    return parse({"apps": {"shop": shop}}).apps["shop"]


def snapshot(app: Any, days: Mapping[date, DayValues]) -> Snapshot:
    latest = sorted(days, reverse=True)
    return Snapshot(
        app,
        up=True,
        today=days[latest[0]],
        midnight=midnight(latest[0], app.zone),
        days=tuple(days[day] for day in latest),
    )


def counts(first: date, *values: int) -> dict[date, DayValues]:
    days = [first + timedelta(days=n) for n in range(len(values))]
    return {
        day: DayValues(day, counters={"orders": value})
        for day, value in zip(days, values, strict=True)
    }


def samples(text: str) -> list[tuple[str, dict[str, str], float, float]]:
    """Every sample: name, labels, Unix time, value."""
    # The strict parser says whether this is OpenMetrics, but it (0.26) loses samples
    # of a summary; the lenient one reads timestamps as milliseconds.
    for _ in openmetrics(text):  # type: ignore[no-untyped-call]
        pass
    return [
        (s.name, s.labels, float(s.timestamp or 0) * 1000, s.value)
        for family in text_string_to_metric_families(text)
        for s in family.samples
    ]


# --- which days ---------------------------------------------------------------------


def test_only_days_that_are_closed_settled_and_unknown() -> None:
    zone = ZoneInfo("UTC")
    days = [date(2025, 11, 14) + timedelta(days=n) for n in range(5)]
    at = midnight(date(2025, 11, 18), zone)

    def chosen(now: float, known: float | None = None, oldest: float = 0.0) -> int:
        return len(backfill.days_to_write(days, zone, now, known, oldest))

    assert chosen(at + 12 * HOUR) == 4, "the 18th is still open"
    assert chosen(at + 3 * HOUR) == 4
    assert chosen(at + 3 * HOUR - 1) == 3, "the 17th is not settled"
    assert chosen(at + 12 * HOUR, known=at + 11 * HOUR) == 4
    assert chosen(at + 12 * HOUR, known=at - 9 * HOUR) == 3, "the 17th is half known"
    assert chosen(at + 12 * HOUR, known=midnight(days[0], zone)) == 0
    # The 14th and 15th ended before what is kept begins.
    assert chosen(at + 12 * HOUR, oldest=midnight(days[2], zone)) == 2


def test_leading_days_without_a_count_are_left_out() -> None:
    app = app_of()
    days = counts(date(2025, 11, 10), 0, 0, 7, 0, 3, 1)
    made = backfill.plan(snapshot(app, days), sorted(days)[:-1], TARGET)
    assert made is not None
    assert [str(day) for day in made.days] == ["2025-11-12", "2025-11-13", "2025-11-14"]
    empty = counts(date(2025, 11, 10), 0, 0, 5)
    assert backfill.plan(snapshot(app, empty), sorted(empty)[:-1], TARGET) is None


# --- the ramps ----------------------------------------------------------------------


def test_a_ramp_byte_for_byte() -> None:
    app = app_of()
    days = counts(date(2025, 11, 17), 359, 1)
    made = backfill.plan(snapshot(app, days), [date(2025, 11, 17)], TARGET)
    assert made is not None
    lines = "".join(backfill.text([made])).splitlines()
    start = (
        'soloscope_count_total{app="shop",instance="127.0.0.1:9847",'
        'job="soloscope",name="orders"} '
    )
    at = 1763337600
    assert lines[1] == "# TYPE soloscope_count counter"
    assert lines[2:5] == [
        f"{start}0.0 {at}",
        f"{start}1.0 {at + 240}",
        f"{start}2.0 {at + 480}",
    ]
    assert lines[-3:] == [
        f"{start}359.0 {at + 86160}",
        f"{start}0.0 {at + 86400}",
        "# EOF",
    ]


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (date(2025, 10, 25), 24),
        (date(2025, 10, 26), 25),
        (date(2025, 3, 30), 23),
        (date(2024, 2, 29), 24),
    ],
)
def test_days_of_23_to_25_hours(day: date, hours: int) -> None:
    app = app_of("Europe/Berlin")
    days = counts(day, 1000, 1)
    made = backfill.plan(snapshot(app, days), [day], TARGET)
    assert made is not None
    found = samples("".join(backfill.text([made])))
    assert len(found) == hours * 15 + 1
    assert found[0][2] == midnight(day, app.zone)
    assert found[-1][2] == found[0][2] + hours * HOUR
    values = [value for *_, value in found]
    assert values[0] == 0
    assert values[-2:] == [1000, 0]
    assert values[:-1] == sorted(values[:-1])


def test_the_windows_together_are_the_whole() -> None:
    app = app_of("Asia/Tokyo")
    days = counts(date(2025, 11, 10), 5, 0, 100_000, 7, 9, 1)
    made = backfill.plan(snapshot(app, days), sorted(days)[:-1], TARGET)
    assert made is not None
    spans = backfill.windows([made])
    parts = [samples("".join(backfill.text([made], *span))) for span in spans]
    assert all(low % backfill.BLOCK == 0 for low, _ in spans)
    for (low, high), part in zip(spans, parts, strict=True):
        assert all(low <= at < high for _, _, at, _ in part)
    whole = samples("".join(backfill.text([made])))
    assert [one for part in parts for one in part] == whole
    assert len(whole) == 5 * 360 + 1


def test_every_kind_of_count() -> None:
    app = app_of(
        breakdowns={"kinds": {}},
        uniques={"users": {}},
        timings={"openai": {}},
    )
    first, second = date(2025, 11, 17), date(2025, 11, 18)
    odd = 'a "b"\\\n'
    days = {
        first: DayValues(
            first,
            counters={"orders": 12},
            breakdowns={"kinds": {odd: 4, "gone": 9}},
            uniques={"users": 3},
            timings={"openai": (8, 1500)},
        ),
        # The keys are those exported today.
        second: DayValues(second, breakdowns={"kinds": {odd: 0, "new": 1}}),
    }
    made = backfill.plan(snapshot(app, days), [first], TARGET)
    assert made is not None
    found = samples("".join(backfill.text([made])))
    last = midnight(second, app.zone) - backfill.STEP
    totals = {
        (name, labels["name"], labels.get("key", "")): value
        for name, labels, at, value in found
        if at == last
    }
    assert totals == {
        ("soloscope_count_total", "orders", ""): 12,
        ("soloscope_breakdown_total", "kinds", odd): 4,
        ("soloscope_breakdown_total", "kinds", "new"): 0,
        ("soloscope_unique", "users", ""): 3,
        ("soloscope_timing_seconds_count", "openai", ""): 8,
        ("soloscope_timing_seconds_sum", "openai", ""): 1.5,
    }
    assert {labels["job"] for _, labels, _, _ in found} == {"soloscope"}


# --- refusing -----------------------------------------------------------------------


def arguments(**given: Any) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    made = parser.parse_args([])
    vars(made).update(given)
    return made


def test_without_prometheus_nothing_is_written(tmp_path: Path) -> None:
    with redis_server(tmp_path) as path:
        made = parse(
            {
                "prometheus": {"port": free_port()},
                "apps": {
                    "shop": {
                        # Yesterday is written some hours after midnight.
                        "timeZone": zone_where_it_is(12),
                        "redis": {"url": f"unix://{path}"},
                        "counters": {"orders": {}},
                    }
                },
            }
        )
        with pytest.raises(Refused, match="Prometheus must be running"):
            command.run(made, arguments(data_dir=tmp_path))
        with pytest.raises(Refused, match="no app with a Redis"):
            command.run(made, arguments(app="other"))
        # The text alone needs no Prometheus.
        fill(path, "shop", made.apps["shop"].zone, [5, 6])
        out = tmp_path / "out.om"
        assert command.run(made, arguments(output=str(out))) == 0
        text = out.read_text()
        assert text.endswith("# EOF\n")
        assert f'instance="127.0.0.1:{made.exporter.port}"' in text
        with pytest.raises(Refused, match="No such file or directory"):
            command.run(made, arguments(output=str(tmp_path / "no" / "out")))


# --- the real thing -----------------------------------------------------------------


def fill(path: Path, prefix: str, zone: ZoneInfo, values: list[int]) -> None:
    """Counts of the last days, the last value for today; `metrics:` when no prefix."""
    with redis.Redis(unix_socket_path=str(path), protocol=2) as client:
        start = "metrics" if prefix == "shop" else prefix
        now = today(time.time(), zone)
        for age, value in enumerate(reversed(values)):
            day = now - timedelta(days=age)
            client.set(f"{start}:{day}:orders", value, ex=30 * 86400)
            client.hset(f"{start}:{day}:kinds", mapping={"a": value * 2})
            client.hset(
                f"{start}:{day}:openai", mapping={"count": value, "ms": value * 500}
            )


def zone_where_it_is(hour: int) -> str:
    """A zone without daylight saving in which it is `hour` o'clock now."""
    offset = (hour - datetime.now(UTC).hour + 12) % 24 - 12
    # The sign of these names is the other way round.
    return f"Etc/GMT{-offset:+d}" if offset else "UTC"


def test_a_real_prometheus_is_right_across_the_seam(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prometheus = program("prometheus")
    program("promtool")
    port = free_port()
    data = tmp_path / "data"
    # Far more today than yesterday: without a zero between them the reset is lost.
    noon = [n % 7 * 10 + 3 for n in range(24)] + [400]
    evening = [0, 0, 0, 50, 1, 0, 7, 2]
    declared: dict[str, Any] = {"counters": {"orders": {}}, "timings": {"openai": {}}}
    declared["breakdowns"] = {"kinds": {}}
    with redis_server(tmp_path) as path:
        value = {
            "prometheus": {"port": port},
            # So many days are more steps than one query to Prometheus may have.
            "exporter": {"history": 60},
            "apps": {
                "noon": {
                    "timeZone": zone_where_it_is(12),
                    "redis": {"url": f"unix://{path}", "prefix": "noon:"},
                    **declared,
                },
                "evening": {
                    "timeZone": zone_where_it_is(19),
                    "redis": {"url": f"unix://{path}", "prefix": "evening:"},
                    **declared,
                },
            },
        }
        config = parse(value)
        fill(path, "noon", config.apps["noon"].zone, noon)
        fill(path, "evening", config.apps["evening"].zone, evening)
        with soloscope_serve(tmp_path, value) as exporter:
            instance = exporter.url.removeprefix("http://")
            (tmp_path / "prometheus.yml").write_text(
                json.dumps(
                    {
                        "global": {"scrape_interval": "1s"},
                        "scrape_configs": [
                            {
                                "job_name": "soloscope",
                                "static_configs": [{"targets": [instance]}],
                            }
                        ],
                    }
                )
            )
            argv = [
                prometheus,
                f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={data}",
                "--storage.tsdb.retention.time=30d",
                f"--web.listen-address=127.0.0.1:{port}",
            ]
            with running(argv, tmp_path / "prometheus.log"):
                api = PrometheusApi.of(config)
                up = f"http://127.0.0.1:{port}/-/ready"
                until("Prometheus is ready", lambda: answers(up))
                until(
                    "a scrape",
                    lambda: len(api.instant("soloscope_count_total")) == 2,
                )
                assert command.run(config, arguments()) == 0
                assert "24 days" in capsys.readouterr().err
                with pytest.raises(Refused, match="done for noon, evening"):
                    command.run(config, arguments())
                check_history(api, config, {"noon": noon, "evening": evening})
                # Without the marker, Prometheus itself shows that it has these days.
                (data / MARK).unlink()
                with pytest.raises(Refused):
                    command.run(config, arguments())
                told = capsys.readouterr().err
                assert told.count("Prometheus has its counts since") == 2
                left = [p.name for p in data.iterdir() if "backfill" in p.name]
                assert left == []
    if os.getuid() == 0:
        owners = {p.stat().st_uid for p in data.rglob("*")}
        assert owners == {data.stat().st_uid}


def leading_zeros(values: list[int]) -> int:
    return next(n for n, value in enumerate(values) if value)


def check_history(
    api: PrometheusApi, config: Config, values: Mapping[str, list[int]]
) -> None:
    """Each day by itself and all of them together, with the queries of a dashboard."""
    until(
        "Prometheus has loaded the blocks",
        lambda: (
            len(api.instant("count_over_time(soloscope_count_total[2d] offset 1d)"))
            == 2
        ),
        seconds=130,
    )
    now = time.time()
    for name, per_day in values.items():
        app = config.apps[name]
        day = today(now, app.zone)
        series = f'soloscope_count_total{{app="{name}",name="orders"}}'
        assert len(api.instant(f"count by (instance,job) ({series})")) == 1
        for age, value in enumerate(reversed(per_day[:-1]), start=1):
            end = midnight(day - timedelta(days=age - 1), app.zone)
            found = api.instant(f"increase({series}[1d])", end)
            if age >= len(per_day) - leading_zeros(per_day):
                assert found == [], "days before the first count are left out"
                continue
            assert found[0].value == pytest.approx(value, rel=0.003, abs=0.05), age
        start = midnight(day - timedelta(days=len(per_day) - 1), app.zone)
        seconds = int(now - start) + 60
        (total,) = api.instant(f"increase({series}[{seconds}s])", now)
        assert total.value == pytest.approx(sum(per_day), rel=0.003)
        (total,) = api.instant(f"increase({series}[30d])", now)
        assert total.value == pytest.approx(sum(per_day), rel=0.003)
        ms = f'soloscope_timing_seconds_sum{{app="{name}"}}'
        (spent,) = api.instant(f"increase({ms}[{seconds}s])", now)
        assert spent.value == pytest.approx(sum(per_day) / 2, rel=0.003)
        keyed = f'soloscope_breakdown_total{{app="{name}",key="a"}}'
        (keys,) = api.instant(f"increase({keyed}[{seconds}s])", now)
        assert keys.value == pytest.approx(sum(per_day) * 2, rel=0.003)
