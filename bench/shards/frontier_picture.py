"""The picture of B4.frontier: how uneven against how many bytes moved, ours and each peer on the same height."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape

from bench.drawing import opening, shape
from bench.shards.frontier import PEERS, Peer
from bench.table import amount

NAME: Final = "B4.frontier"
SHOWS: Final = "bytes moved against unevenness"
PANELS: Final = {"bytes": "bytes alone", "three": "bytes, operations and network at once"}
TITLE: Final = "What evenness costs, 322 disks: ours asked for what each peer came to"
AXES: Final = "% of all bytes moved; up: the fullest over the mean, above the least that is possible, %"
WIDTH, HEIGHT, LEFT, TOP, FOOT, BETWEEN = 860, 380, 62, 62, 48, 60
LABEL_PX: Final = 15.0
#: Of a panel's width.
PLOT: Final = 0.55
#: Above the least that is possible; the axis has a line for each.
STEPS: Final = (0.001, 0.01, 0.1, 1.0)


@dataclass(frozen=True, slots=True)
class Pair:
    """A peer, and ours that became as even. Both in per cent of bytes moved."""

    peer: Peer
    ours_pct: float


def pairs(rows: Iterable[dict[str, Any]], panel: str) -> list[Pair]:
    """What the rows say of a panel, the least even first."""
    found = [
        Pair(peer, row["ours"])
        for row in rows
        for peer in [PEERS.get(row["id"].removeprefix(f"{NAME}."))]
        if peer and row["id"].startswith(f"{NAME}.{panel}.")
    ]
    return sorted(found, key=lambda pair: -pair.peer.excess)


def draw(rows: Iterable[dict[str, Any]]) -> str | None:
    """The picture as SVG text; None where no row has a point for it. The axis of unevenness is logarithmic."""
    rows = list(rows)
    found = {panel: pairs(rows, panel) for panel in PANELS}
    if not any(found.values()):
        return None
    parts = [
        *opening(WIDTH, HEIGHT, _sentence(found)),
        f'<text x="0" y="18" font-weight="600">{TITLE}</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 8}" class="quiet">{AXES}</text>',
    ]
    wide = (WIDTH - LEFT - BETWEEN * (len(PANELS) - 1)) / len(PANELS)
    for number, (panel, title) in enumerate(PANELS.items()):
        # Names stand beside the plot.
        parts += _panel(LEFT + number * (wide + BETWEEN), PLOT * wide, title, found[panel])
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(left: float, wide: float, title: str, found: Sequence[Pair]) -> list[str]:
    most = 10.0 * math.ceil(max([1.0, *(pair.peer.moved_pct for pair in found)]) / 10.0)

    def x(moved_pct: float) -> float:
        return left + wide * min(moved_pct / most, 1.0)

    def y(excess: float) -> float:
        low, high = math.log10(STEPS[0]), math.log10(STEPS[-1])
        part = (math.log10(min(max(excess, STEPS[0]), STEPS[-1])) - low) / (high - low)
        return HEIGHT - FOOT - part * (HEIGHT - FOOT - TOP)

    parts = [f'<text x="{left:.0f}" y="{TOP - 16}">{title}</text>']
    for step in STEPS:
        parts += [
            f'<line class="grid" x1="{left:.1f}" y1="{y(step):.1f}" x2="{left + wide:.1f}" y2="{y(step):.1f}"/>',
            f'<text x="{left - 8:.1f}" y="{y(step) + 4.5:.1f}" text-anchor="end" class="quiet">{100 * step:g}</text>',
        ]
    for value in (0.0, most / 2, most):
        at = f'x="{x(value):.1f}" y="{HEIGHT - FOOT + 18}" text-anchor="middle"'
        parts.append(f'<text {at} class="quiet">{value:g}</text>')
    last = -math.inf
    for pair in found:
        theirs, height = x(pair.peer.moved_pct), y(pair.peer.excess)
        # Names of peers that are as even as each other stand below each other.
        last = max(last + LABEL_PX, height + 4.5)
        title = f"<title>{escape(pair.peer.name)}: {amount(pair.peer.moved_pct)} %</title>"
        ends = f'x1="{x(pair.ours_pct):.1f}" y1="{height:.1f}" x2="{theirs:.1f}" y2="{height:.1f}"'
        parts += [
            f'<line class="lead" {ends}/>',
            f'<path class="peer mark" d="{shape("square", theirs, height)}">{title}</path>',
            f'<text class="quiet" x="{theirs + 8:.1f}" y="{last:.1f}">{escape(pair.peer.name)}</text>',
        ]
    ours = [(x(pair.ours_pct), y(pair.peer.excess)) for pair in found]
    drawn = " ".join(f"{across:.1f},{up:.1f}" for across, up in ours)
    parts.append(f'<polyline class="ours line" points="{drawn}"/>')
    for place, pair in zip(ours, found, strict=True):
        title = f"<title>Steelyard: {amount(pair.ours_pct)} %</title>"
        parts.append(f'<path class="ours mark" d="{shape("circle", *place)}">{title}</path>')
    return parts


def _sentence(found: dict[str, list[Pair]]) -> str:
    """All of it in words."""
    return ". ".join(
        f"{PANELS[panel].capitalize()}: "
        + "; ".join(
            f"Steelyard {amount(pair.ours_pct)} % of bytes moved, {pair.peer.name} {amount(pair.peer.moved_pct)} %"
            for pair in pairs_
        )
        for panel, pairs_ in found.items()
        if pairs_
    )
