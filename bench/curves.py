"""The picture of many rows at once: p99 against load, a line for each way to choose. Plain SVG, light and dark."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape

from bench.drawing import opening, shape
from bench.table import amount

#: The picture's name, what it shows, and the rows that it is made of.
NAME: Final = "B1.p99"
SHOWS: Final = "p99 against load"
_ROW: Final = re.compile(r"B1\.p99\.(\d+)\.vs_(\w+)")
#: How each way is named and drawn. Lines differ in dash and mark as well as in colour.
WAYS: Final = {
    "ours": ("Steelyard, weights learnt", "", "circle"),
    "perfect_picker": ("our picker, perfect weights", "6 4", "circle"),
    "envoy_lr_weights": ("Envoy LEAST_REQUEST, perfect weights", "6 4", "square"),
    "haproxy_leastconn_weights": ("HAProxy leastconn, perfect weights", "6 4", "diamond"),
    "haproxy_leastconn": ("HAProxy leastconn", "", "diamond"),
    "envoy_lr": ("Envoy LEAST_REQUEST", "", "square"),
    "envoy_rr": ("Envoy ROUND_ROBIN", "2 4", "square"),
}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 800, 400, 56, 290, 44, 48
LABEL_PX: Final = 18.0
#: Where the axis of p99 may begin and end, and its lines, in ms.
_STEPS: Final = [step * 10.0**decade for decade in range(-3, 7) for step in (1, 2, 5)]


@dataclass(frozen=True, slots=True)
class Curve:
    """One way's p99 in ms, by load in per cent, loads ascending."""

    way: str
    points: Sequence[tuple[int, float]]


def curves(rows: Iterable[dict[str, Any]]) -> list[Curve]:
    """What the rows of B1.p99 say, in the order of WAYS; ours is in all of them and the same in those of a load."""
    found: dict[str, dict[int, float]] = {way: {} for way in WAYS}
    for row in rows:
        named = _ROW.fullmatch(row["id"])
        if named and named[2] in found:
            load = int(named[1])
            found["ours"][load] = row["ours"]
            found[named[2]][load] = row["peer_value"]
    return [Curve(way, sorted(points.items())) for way, points in found.items() if points]


def draw(rows: Iterable[dict[str, Any]]) -> str | None:
    """The picture as SVG text; None where no row has a point for it. The axis of p99 is logarithmic."""
    rows = [row for row in rows if _ROW.fullmatch(row["id"])]
    found = curves(rows)
    if not found:
        return None
    title = "p99 against load, six unequal hosts"
    if any(row["fast"] for row in rows):
        title += " (short rounds)"
    axes = _Axes.around(found)
    parts = [
        *opening(WIDTH, HEIGHT, _sentence(found)),
        f'<text x="0" y="18" font-weight="600">{title}</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 8}" class="quiet">load, % of what the hosts can serve; p99 in ms</text>',
        *axes.lines(),
    ]
    # Ours is the first of them and lies above the others.
    for curve in reversed(found):
        parts += _line(curve, axes)
    return "\n".join([*parts, *_labels(found, axes), "</svg>"]) + "\n"


@dataclass(frozen=True, slots=True)
class _Axes:
    """Where a load and a p99 lie in the picture; both ends of either axis."""

    loads: Sequence[int]
    low_ms: float
    high_ms: float

    @classmethod
    def around(cls, found: Sequence[Curve]) -> _Axes:
        values = [value for curve in found for _, value in curve.points]
        loads = sorted({load for curve in found for load, _ in curve.points})
        low_ms = max(step for step in _STEPS if step <= min(values))
        return cls(loads, low_ms, min(step for step in _STEPS if step > max(values)))

    def x(self, load: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * load / 100

    def y(self, value_ms: float) -> float:
        high, low = math.log10(self.high_ms), math.log10(self.low_ms)
        part = (math.log10(value_ms) - low) / (high - low)
        return HEIGHT - FOOT - part * (HEIGHT - FOOT - TOP)

    def lines(self) -> list[str]:
        """The grid, and the loads below it."""
        right = WIDTH - RIGHT
        parts = []
        for value in _STEPS:
            if self.low_ms <= value <= self.high_ms:
                y = self.y(value)
                parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
                parts.append(
                    f'<text x="{LEFT - 8}" y="{y + 4.5:.1f}" text-anchor="end" class="quiet">{amount(value)}</text>'
                )
        parts += [
            f'<text x="{self.x(load):.1f}" y="{HEIGHT - FOOT + 18}" text-anchor="middle" class="quiet">{load} %</text>'
            for load in self.loads
        ]
        return parts


def _line(curve: Curve, axes: _Axes) -> list[str]:
    name, dash, mark = WAYS[curve.way]
    whose = "ours" if curve.way == "ours" else "peer"
    at = [(axes.x(load), axes.y(value)) for load, value in curve.points]
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    parts = [f'<polyline class="{whose} line" stroke-dasharray="{dash}" points="{drawn}"/>']
    for (x, y), (load, value) in zip(at, curve.points, strict=True):
        title = f"<title>{escape(name)}: {amount(value)} ms at {load} %</title>"
        parts.append(f'<path class="{whose} mark" d="{shape(mark, x, y)}">{title}</path>')
    return parts


def _labels(found: Sequence[Curve], axes: _Axes) -> list[str]:
    """Each line's name beside its last point, moved apart where they would meet."""
    ends = sorted(
        ((axes.y(curve.points[-1][1]), axes.x(curve.points[-1][0]), curve) for curve in found),
        key=lambda end: end[0],
    )
    places = [end[0] for end in ends]
    for number in range(1, len(places)):
        places[number] = max(places[number], places[number - 1] + LABEL_PX)
    beyond = max(0.0, places[-1] - (HEIGHT - FOOT))
    x, parts = WIDTH - RIGHT + 24, []
    for place, (y, end_x, curve) in zip(places, ends, strict=True):
        text_y = place - beyond
        whose = "ours" if curve.way == "ours" else "peer"
        parts += [
            f'<line class="lead" x1="{end_x + 6:.1f}" y1="{y:.1f}" x2="{x - 4}" y2="{text_y:.1f}"/>',
            f'<text class="{whose}" x="{x}" y="{text_y + 4.5:.1f}">{escape(WAYS[curve.way][0])}</text>',
        ]
    return parts


def _sentence(found: Sequence[Curve]) -> str:
    """All of it in words."""
    return "; ".join(
        f"{WAYS[curve.way][0]}: "
        + ", ".join(f"{amount(value)} ms at {load} %" for load, value in curve.points)
        for curve in found
    )
