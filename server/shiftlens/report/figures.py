"""Charts as the template draws them: inline SVG, in units of the drawing, y downwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 420
"""Of the part of a chart that has data; the labels of the axes stand outside."""
HEIGHT = 120
_GAP = 0.2
"""The part of a bar's room that stays empty."""
_MOST_POINTS = 2_000


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a bar, with the name of its look."""

    look: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: what stands below it, what it says when pointed at, and its pieces from below."""

    label: str
    says: str
    x: float
    width: float
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class BarChart:
    """Bars of shares from 0 to 1, or of parts of the greatest. `top` is what the upper end of the axis stands for."""

    title: str
    bars: tuple[Bar, ...]
    top: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """A line over positions, as pieces that are broken where nothing is known; `zero` is where the axis of 0 is."""

    title: str
    look: str
    lines: tuple[str, ...]
    zero: float
    top: str
    bottom: str
    last: str


def bar_chart(title: str, bars: Sequence[tuple[str, str, Sequence[tuple[str, float]]]], top: float = 1.0) -> BarChart:
    """Bars of (label, what it says, pieces of (look, value)); `top` is the value of the upper end."""
    room = WIDTH / max(1, len(bars))
    made = []
    for number, (label, says, pieces) in enumerate(bars):
        segments, at = [], 0.0
        for look, value in pieces:
            height = HEIGHT * value / top if top > 0 else 0.0
            segments.append(Segment(look, _short(HEIGHT - at - height), _short(height)))
            at += height
        x = room * (number + _GAP / 2)
        made.append(Bar(label, says, _short(x), _short(room * (1 - _GAP)), tuple(segments)))
    return BarChart(title, tuple(made), f"{top:.0%}")


def line_chart(title: str, look: str, values: Sequence[float], labels: tuple[str, str] = ("", "")) -> LineChart | None:
    """A line through values in their order, what is not finite left out; None where there are none. `labels` are the
    unit of the values, and what stands below the last one."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return None
    top, bottom = max(0.0, *known), min(0.0, *known)
    span = (top - bottom) or 1.0

    def height(value: float) -> float:
        return _short(HEIGHT * (top - value) / span)

    lines: list[list[str]] = [[]]
    step = WIDTH / max(1, len(values) - 1)
    for number, value in _thinned(values):
        if math.isfinite(value):
            lines[-1].append(f"{_short(step * number)},{height(value)}")
        elif lines[-1]:
            lines.append([])
    # A point alone would not be drawn.
    drawn = tuple(" ".join(line if len(line) > 1 else line * 2) for line in lines if line)
    unit, last = labels
    return LineChart(title, look, drawn, height(0.0), f"{top:.3g}{unit}", f"{bottom:.3g}{unit}", last)


def _thinned(values: Sequence[float]) -> list[tuple[int, float]]:
    """At most so many points as can be seen: of a run of several that would be one, the greatest in size."""
    size = -(-len(values) // _MOST_POINTS)
    if size <= 1:
        return list(enumerate(values))
    found = []
    for first in range(0, len(values), size):
        run = [(at, values[at]) for at in range(first, min(first + size, len(values)))]
        known = [each for each in run if math.isfinite(each[1])]
        found.append(max(known, key=lambda each: abs(each[1])) if known else run[0])
    return found


def _short(value: float) -> float:
    return round(value, 2)
