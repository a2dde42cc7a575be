"""The picture of p99 against load: every way's line, said in words too, and drawn of what there is."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench.curves import NAME, WAYS, Curve, curves, draw
from bench.page import page
from bench.registry import BENCHMARKS


def row(identity: str, ours: float, theirs: float, *, fast: bool = False) -> dict[str, Any]:
    """What the picture and the page read of a row."""
    return {
        "id": identity, "ours": ours, "peer_value": theirs, "ratio": ours / theirs, "fast": fast, "unit": "ms",
        "limit": {}, "peer": "somebody", "command": "make bench",
    }  # fmt: skip


def tails() -> list[str]:
    """The ids of all rows that have a point in the picture."""
    return [each for each in BENCHMARKS["bench.traffic.tails"] if each.startswith("B1.p99.")]


def test_every_row_of_the_tail_has_its_point() -> None:
    """Four loads and seven ways: no registered row is left out, and no other row is taken in."""
    rows = [row(identity, 10.0, 20.0 + number) for number, identity in enumerate(tails())]
    found = curves([*rows, row("B1.four_envoys.vs_envoy_lr", 1.0, 2.0)])

    assert list(WAYS) == [each.way for each in found]
    assert all([30, 60, 80, 92] == [load for load, _ in each.points] for each in found)
    assert Curve("ours", [(load, 10.0) for load in (30, 60, 80, 92)]) == found[0]


@pytest.mark.parametrize("loads", [(60,), (30, 60, 80, 92)])
def test_the_picture_says_each_line_in_words(loads: tuple[int, ...]) -> None:
    """Well-formed; read out, every way has its figures; none of the names lies on another."""
    wanted = [identity for identity in tails() if int(identity.split(".")[2]) in loads]
    drawn = draw([row(identity, 80.0, 81.0 + number) for number, identity in enumerate(wanted)])
    assert drawn is not None
    root = ET.fromstring(drawn)
    spoken = root.get("aria-label") or ""
    names = {name for name, _, _ in WAYS.values()}
    places = [float(each.get("y", "nan")) for each in root if each.text in names]

    assert all(name in spoken for name in names)
    assert "Steelyard, weights learnt: 80 ms at 60 %" in spoken or loads != (60,)
    assert len(places) == len(names)
    assert min(below - above for above, below in zip(sorted(places), sorted(places)[1:], strict=False)) >= 17
    assert max(places) < float(root.get("height", "0"))


def test_lines_differ_without_their_colour() -> None:
    """No two ways have the same dash and the same mark."""
    drawn = [(dash, mark) for name, dash, mark in WAYS.values()]

    # Ours is thick and named in bold beside its twin with perfect weights.
    assert len(set(drawn)) == len(drawn)


def test_short_rounds_are_said() -> None:
    """Figures that say little must not look like the others."""
    assert "(short rounds)" in (draw([row("B1.p99.60.vs_envoy_lr", 80.0, 490.0, fast=True)]) or "")
    assert "(short rounds)" not in (draw([row("B1.p99.60.vs_envoy_lr", 80.0, 490.0)]) or "")


def test_without_rows_there_is_no_picture_and_the_page_shows_none() -> None:
    """And with one the page begins with it."""
    other, one = row("B2.growth", 2.0, 3.0), row("B1.p99.60.vs_envoy_lr", 80.0, 490.0)

    assert draw([other]) is None
    assert f"{NAME}.svg" not in page([other])
    assert f"]({NAME}.svg)" in page([one])
