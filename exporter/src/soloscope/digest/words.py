"""Numbers, money, dates and plurals in English, whatever the host's locale. Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from soloscope.counts.model import weekday

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from soloscope.counts.model import Number

__all__ = ["amount", "clock", "day_name", "plural", "readable", "short_date"]

UNKNOWN = "?"

_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
# Grafana names units `currencyUSD`, `s`, `percentunit` …; these stand at the number.
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}
_ATTACHED = {"percent": " %", "s": " s", "ms": " ms", "bytes": " bytes"}


def amount(value: Number | None, unit: str = "") -> str:
    """A number as people write it: `1,234`, `0.25`, `$40`, `12 %`; `?` when unknown.

    `unit` is Grafana's name of it.
    """
    if value is None:
        return UNKNOWN
    if unit == "percentunit":
        value, unit = value * 100, "percent"
    if unit.startswith("currency"):
        code = unit.removeprefix("currency")
        sign = "-" if value < 0 else ""
        # Cents matter in 40.50, and not in 40.
        text = _figure(abs(value), 2 if abs(value) != int(abs(value)) else 0)
        if code in _SIGNS:
            return f"{sign}{_SIGNS[code]}{text}"
        return f"{sign}{text} {code}"
    if unit == "percent":
        return f"{_percent(value)} %"
    return f"{_figure(value)}{_ATTACHED.get(unit, '')}"


def _figure(value: Number, places: int | None = None) -> str:
    if places is not None:
        return f"{value:,.{places}f}"
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def _percent(value: Number) -> str:
    """Never 100 or 0 for what is not quite that: 99.96 is `99.9`."""
    if 99 < value < 100:
        return f"{min(value, 99.9):.1f}"
    if 0 < value < 1:
        return f"{max(value, 0.1):.1f}"
    return f"{value:,.0f}"


def plural(value: Number | None, one: str, many: str) -> str:
    """The number and its noun: `1 failure`, `0 failures`, `? failures`."""
    return f"{amount(value)} {one if value == 1 else many}"


def readable(key: str) -> str:
    """A key such as `past_tense` as people write it: `Past tense`."""
    text = key.replace("_", " ").strip() or key
    return text[:1].upper() + text[1:]


def short_date(day: date) -> str:
    """`Tue 17 Nov`."""
    return f"{weekday(day)} {day.day} {_MONTHS[day.month - 1]}"


def day_name(day: date, today: date) -> str:
    """What `day` is on the date `today`: `yesterday`, or `on Tue 17 Nov`."""
    if day == today:
        return "today"
    if day == today - timedelta(days=1):
        return "yesterday"
    return f"on {short_date(day)}"


def clock(at: float, zone: ZoneInfo) -> str:
    """The time of day in `zone` at a Unix time: `02:10`."""
    return f"{datetime.fromtimestamp(at, zone):%H:%M}"
