"""Growth as an SVG of four panels, written by hand: no library, the same everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

__all__ = ["growth"]

_Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 430, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 34, 44
# Colours of Okabe and Ito, which colour-blind people tell apart.
_COLOURS = {
    "soloscope": "#0072b2",
    "rex min": "#d55e00",
    "rex min by pattern": "#cc79a7",
}
_TITLES = {
    "days": ("days of history", False),
    "names": ("names (counters, today)", True),
    "apps": ("apps (50 counters, 20 breakdowns each, today)", False),
    "foreign keys": ("foreign keys in the same database (today)", True),
}


def _number(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    if value >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:g}"


def _decades(low: float, high: float) -> tuple[int, int]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return first, max(last, first + 1)


def _x_axis(
    points: _Points, *, log: bool
) -> tuple[Callable[[float], float], list[float]]:
    """How an x becomes a fraction of the width, and the ticks."""
    xs = sorted({x for x, _ in points})
    if log:
        low, high = _decades(xs[0], xs[-1])
        ticks = [10.0**n for n in range(low, high + 1)]
        return (lambda x: (math.log10(x) - low) / (high - low)), ticks
    step = next((s for s in (1, 2, 5, 10, 15, 30, 60) if xs[-1] / s <= 7), 60)
    top = math.ceil(xs[-1] / step) * step
    return (lambda x: x / top), [float(n) for n in range(0, top + 1, step)]


def _panel(name: str, lines: Mapping[str, _Points]) -> str:
    label, log = _TITLES.get(name, (name, False))
    points = [point for line in lines.values() for point in line]
    across, ticks = _x_axis(points, log=log)
    low, high = _decades(min(y for _, y in points), max(y for _, y in points))
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        up = (math.log10(y) - low) / (high - low)
        return _LEFT + across(x) * width, _TOP + (1 - up) * height

    out = [f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>']
    for n in range(low, high + 1):
        _, y = place(ticks[0], 10.0**n)
        out.append(
            f'<path class="g" d="M{_LEFT} {y:.1f}h{width}"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{10.0**n:g}</text>"
        )
    for tick in ticks:
        x, _ = place(tick, 10.0**low)
        out.append(
            f'<path class="g" d="M{x:.1f} {_TOP}v{height}"/>'
            f'<text x="{x:.1f}" y="{_TOP + height + 16}" text-anchor="middle">'
            f"{_number(tick)}</text>"
        )
    for line, drawn in lines.items():
        colour = _COLOURS.get(line, "#000")
        places = [place(x, y) for x, y in drawn]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        out.append(f'<path class="l" stroke="{colour}" d="M{path}"/>')
        out += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
            for x, y in places
        ]
    out.append(
        f'<text x="{_LEFT}" y="18" class="t">{escape(label)}</text>'
        f'<text x="{_LEFT + width / 2:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">'
        f"{escape(name)}</text>"
        f'<text transform="translate(14 {_TOP + height / 2:.0f}) rotate(-90)" '
        'text-anchor="middle">ms per scrape</text>'
    )
    return "".join(out)


def growth(dimensions: Mapping[str, Mapping[str, _Points]]) -> str:
    """The panels, two in a row, with a legend below. Times are on a log scale."""
    panels = list(dimensions.items())
    rows = math.ceil(len(panels) / 2)
    width, height = 2 * _WIDTH, rows * _HEIGHT + 34
    seen = dict.fromkeys(line for _, lines in panels for line in lines)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" '
        'aria-label="Milliseconds per scrape, by '
        + escape(", ".join(dimensions), quote=True)
        + '">',
        "<style>text{font:12px sans-serif;fill:#333}.t{font-weight:bold}"
        ".g{stroke:#ddd;fill:none}.l{stroke-width:2;fill:none}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for i, (name, lines) in enumerate(panels):
        x, y = i % 2 * _WIDTH, i // 2 * _HEIGHT
        out.append(f'<g transform="translate({x} {y})">{_panel(name, lines)}</g>')
    for i, line in enumerate(seen):
        x = _LEFT + i * 210
        colour = _COLOURS.get(line, "#000")
        out.append(
            f'<circle cx="{x}" cy="{height - 16}" r="5" fill="{colour}"/>'
            f'<text x="{x + 10}" y="{height - 12}">{escape(line)}</text>'
        )
    out.append("</svg>\n")
    return "\n".join(out)
