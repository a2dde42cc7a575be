"""Where things stand on the picture: nothing over another, every line between its cards."""

from __future__ import annotations

import re

import pytest

from console.chain.drawing import CARD_WIDTH, THICKEST, THINNEST, WIDTH, draw, thickness
from console.chain.graph import build
from console.chain.inputs import EndpointKnown, EngineKnown, Known, ServiceKnown
from console.engines.target.settings import settings_of

ENDS = tuple(EndpointKnown(f"h{n}", 80, "healthy", rate_per_s=1.0, errors_per_s=0.0) for n in range(3))
SPLIT = settings_of({"http": {"destinations": [{"service": "a"}, {"service": "b"}, {"service": "old"}]}})
KNOWN = Known(
    (
        ServiceKnown("a", tier="application", endpoints=ENDS),
        ServiceKnown("b", endpoints=ENDS * 4),
        ServiceKnown("old", tier="web", endpoints=ENDS),
        ServiceKnown("shop", listen="127.0.0.1:80", settings=SPLIT),
        ServiceKnown("redis", protocol="tcp", tier="cache", listen="127.0.0.1:81", endpoints=ENDS),
        ServiceKnown("pg", protocol="tcp", tier="database", listen="127.0.0.1:82", endpoints=ENDS),
    ),
    (EngineKnown("e1"), EngineKnown("e2")),
)
PICTURE = draw(build(KNOWN))


def test_cards_stand_beside_and_below_each_other() -> None:
    """In their columns, within the picture."""
    for card in PICTURE.cards:
        assert card.x + card.width <= WIDTH
        assert card.y + card.height <= PICTURE.height
        for other in PICTURE.cards:
            apart = card.x != other.x or card.y >= other.y + other.height or other.y >= card.y + card.height
            assert card is other or apart


def test_every_line_is_between_its_cards() -> None:
    """It begins at its source's edge and ends at its target's; none runs behind a stranger."""
    cards = {card.node.id: card for card in PICTURE.cards if card.node}
    assert len(PICTURE.lines) == len(build(KNOWN).edges)
    for line in PICTURE.lines:
        source, target = cards[line.edge.source], cards[line.edge.target]
        points = [float(each) for each in re.findall(r"-?[\d.]+", line.path)]
        assert points[0] in (source.x, source.x + CARD_WIDTH)
        assert points[-2] in (target.x, target.x + CARD_WIDTH)
        assert source.y < points[1] < source.y + source.height
        assert target.y < points[-1] < target.y + target.height
        # What passes columns by does so above all cards.
        if "H" in line.path:
            lane = float(line.path.partition("H")[0].rpartition(" ")[2])
            assert lane < min(card.y for card in PICTURE.cards)


def test_empty_columns_have_their_invitation() -> None:
    """At the top, and nobody else there."""
    empty = draw(build(Known()))

    assert ["names", "balancers", "web", "application", "cache", "database"] == [
        card.column for card in empty.cards
    ]
    assert {None} == {card.node for card in empty.cards}


@pytest.mark.parametrize(("rate", "least", "most"), [(None, THINNEST, THINNEST), (0.0, THINNEST, THINNEST),
                                                     (10.0, 2.5, 3.0), (1e12, THICKEST, THICKEST)])  # fmt: skip
def test_a_line_is_as_wide_as_what_flows(rate: float | None, least: float, most: float) -> None:
    """Never wider than its gap, never gone."""
    assert least <= thickness(rate) <= most
