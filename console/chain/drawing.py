"""Where everything stands on the picture: a column for each kind, what leads left and what is led to right of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from console.chain.graph import COLUMNS, Chain, Edge, Node

#: Of the picture's own units, which are CSS pixels where there is room for all of it.
CARD_WIDTH: Final = 176
BETWEEN: Final = 46
HEAD: Final = 36
GAP: Final = 14
#: Above the cards, between lines that pass columns by.
LANE: Final = 9
LINE: Final = 18
PADDING: Final = 8
ROW: Final = 23
INVITATION_LINES: Final = 3
BAR_WIDTH: Final = 146
#: A line's width is this at its least and at its most; each tenfold rate makes it so much wider.
THINNEST, THICKEST, WIDER = 1.25, 7.0, 1.5
WIDTH: Final = len(COLUMNS) * CARD_WIDTH + (len(COLUMNS) - 1) * BETWEEN + 2


@dataclass(frozen=True, slots=True)
class Card:
    """A node, or where node is None the invitation of a column. Coordinates are of its upper left corner."""

    column: str
    x: float
    y: float
    height: float
    node: Node | None = None
    width: float = CARD_WIDTH


@dataclass(frozen=True, slots=True)
class Line:
    """An edge as a path. label_x, label_y: where its figure ends, beside what it leads to."""

    edge: Edge
    path: str
    width: float
    label_x: float
    label_y: float


@dataclass(frozen=True, slots=True)
class Picture:
    """heads: (x, label) of the columns."""

    height: float
    heads: Sequence[tuple[float, str]]
    cards: Sequence[Card] = field(default_factory=list)
    lines: Sequence[Line] = field(default_factory=list)
    width: float = WIDTH


def draw(chain: Chain) -> Picture:
    """The picture of a chain. O(nodes log nodes + edges)."""
    places: dict[str, Card] = {}
    invitations: list[Card] = []
    lanes = _lanes(chain)
    top = HEAD + len(lanes) * LANE
    tall = 0.0
    for number, column in enumerate(chain.columns):
        x = 1 + number * (CARD_WIDTH + BETWEEN)
        y: float = top
        nodes = [node for node in chain.nodes if node.column == column.key]
        for node in _untangled(nodes, chain.edges, places):
            card = Card(column.key, x, y, _height(node), node)
            places[node.id] = card
            y += card.height + GAP
        if column.missing:
            card = Card(column.key, x, y, 2 * PADDING + INVITATION_LINES * LINE)
            invitations.append(card)
            y += card.height + GAP
        tall = max(tall, y)
    lines = [_line(edge, places, lanes) for edge in chain.edges]
    heads = [(1 + n * (CARD_WIDTH + BETWEEN), each.label) for n, each in enumerate(chain.columns)]
    return Picture(tall, heads, [*places.values(), *invitations], lines)


def thickness(rate_per_s: float | None) -> float:
    """Of a line that carries so much: by the figure's length, because rates differ by powers of ten."""
    if not rate_per_s or rate_per_s < 0:
        return THINNEST
    return round(min(THINNEST + WIDER * math.log10(1 + rate_per_s), THICKEST), 2)


def _untangled(nodes: Sequence[Node], edges: Sequence[Edge], places: Mapping[str, Card]) -> list[Node]:
    """The column's nodes at the height of what leads to them, so that few lines cross; then by name."""
    heights: dict[str, list[float]] = {}
    for edge in edges:
        if edge.source in places:
            heights.setdefault(edge.target, []).append(places[edge.source].y)
    return sorted(nodes, key=lambda node: (_mean(heights.get(node.id)), node.label, node.id))


def _mean(values: Sequence[float] | None) -> float:
    return sum(values) / len(values) if values else math.inf


def _height(node: Node) -> float:
    if node.column == "names":
        return 2 * PADDING + 2 * LINE
    # Label, detail, figures, and the mark's line, which is kept free: a mark that comes moves nothing.
    rows = len(node.parts) + (node.part_count > len(node.parts))
    return 2 * PADDING + 4 * LINE + rows * ROW


def _lanes(chain: Chain) -> dict[str, float]:
    """Source -> the height at which its lines pass by columns that they do not lead to: behind those columns' cards a
    line would look as if it came from them."""
    order = {column.key: number for number, column in enumerate(chain.columns)}
    columns = {node.id: order[node.column] for node in chain.nodes}
    passing = {e.source for e in chain.edges if abs(columns[e.target] - columns[e.source]) > 1}
    return {source: HEAD - 4 + number * LANE for number, source in enumerate(sorted(passing))}


def _line(edge: Edge, places: Mapping[str, Card], lanes: Mapping[str, float]) -> Line:
    source, target = places[edge.source], places[edge.target]
    # At the label's height: a tall card's middle is far from its name.
    y1, y2 = (card.y + PADDING + LINE * 0.75 for card in (source, target))
    out, into = source.x + source.width, target.x
    if source.x == target.x:
        bulge = out + BETWEEN * 0.7
        path = f"M{out:.1f} {y1:.1f}C{bulge:.1f} {y1:.1f} {bulge:.1f} {y2 + 10:.1f} {out:.1f} {y2 + 10:.1f}"
        # Below its end: in the middle it would stand on the figures of what leads to the next column.
        label = out + BETWEEN - 2, y2 + 26
    else:
        if source.x > target.x:
            out, into = source.x, target.x + target.width
        if abs(into - out) > BETWEEN + 1:
            path = _passing(out, y1, into, y2, lanes[edge.source])
        else:
            bend = (into - out) / 2
            path = f"M{out:.1f} {y1:.1f}C{out + bend:.1f} {y1:.1f} {into - bend:.1f} {y2:.1f} {into:.1f} {y2:.1f}"
        label = into - 5, y2 - 6
    return Line(edge, path, thickness(edge.flow.rate_per_s if edge.flow else None), *label)


def _passing(out: float, y1: float, into: float, y2: float, lane: float) -> str:
    """Up into the lane within one gap between columns, and down from it within another."""
    gap = math.copysign(BETWEEN, into - out)
    half = gap / 2
    up = f"M{out:.1f} {y1:.1f}C{out + half:.1f} {y1:.1f} {out + half:.1f} {lane:.1f} {out + gap:.1f} {lane:.1f}"
    down = f"C{into - half:.1f} {lane:.1f} {into - half:.1f} {y2:.1f} {into:.1f} {y2:.1f}"
    return f"{up}H{into - gap:.1f}{down}"
