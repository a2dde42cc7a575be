"""Bytes moved beside evenness, drawn: a line a resource, from how things are to as even as can be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from console.storage.search import Point

#: The drawing's own units; it is stretched to the room that there is.
WIDTH, HEIGHT = 600, 180
_INSET = 8


@dataclass(frozen=True)
class Line:
    """One resource's. points: as SVG has them; dots: at each of them; chosen: where the plan itself lies."""

    resource: str
    points: str
    dots: str
    chosen: str


@dataclass(frozen=True)
class Chart:
    """top: the fullest over the mean at the upper edge; at the lower one it is 1. most: bytes at the right edge."""

    lines: list[Line]
    top: float
    most: float
    said: str


def chart(before: Mapping[str, float], frontier: Sequence[Point]) -> Chart | None:
    """before: for each resource the fullest host over the mean as things are. None where nothing is to be drawn."""
    if not frontier:
        return None
    most = max(point["bytes"] for point in frontier)
    top = max(1.01, *before.values(), *(peak for point in frontier for peak in point["after"].values()))

    def at(moved: float, peak: float) -> tuple[float, float]:
        x = _INSET + (WIDTH - 2 * _INSET) * (moved / most if most else 0.0)
        # Logarithmic: one resource may be ten times its mean, another a tenth above it.
        return x, _INSET + (HEIGHT - 2 * _INSET) * (1.0 - math.log(max(peak, 1.0)) / math.log(top))

    lines = []
    for resource, was in before.items():
        places = [at(0.0, was), *(at(point["bytes"], point["after"][resource]) for point in frontier)]
        own = [place for place, point in zip(places[1:], frontier, strict=True) if point["chosen"]]
        lines.append(
            Line(resource, " ".join(f"{x:.1f},{y:.1f}" for x, y in places), _dots(places), _dots(own))
        )
    said = "; ".join(
        ", ".join(f"{resource} {peak:.2f}" for resource, peak in point["after"].items())
        + f" for {100 * point['share']:.1f} % of all bytes"
        for point in frontier
    )
    return Chart(lines, top, most, f"The fullest host over the mean: {said}")


def _dots(places: Sequence[tuple[float, float]]) -> str:
    """Lines without length, which round ends make dots of however the drawing is stretched."""
    return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places)
