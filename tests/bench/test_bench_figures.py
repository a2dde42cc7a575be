"""Samples, their medians and ranges, and the turns they are taken in."""

from __future__ import annotations

import math

import pytest

from bench.figures import Compared, Figure, in_turn


def test_a_figure_is_the_median_and_its_range() -> None:
    """One wild round moves the range, not the figure."""
    assert Figure(3.0, 1.0, 90.0, 5) == Figure.of([2.0, 90.0, 1.0, 4.0, 3.0])


@pytest.mark.parametrize("samples", [[], [1.0, math.nan], [math.inf]])
def test_a_figure_needs_finite_samples(samples: list[float]) -> None:
    """Nothing, NaN and infinity have no median."""
    with pytest.raises(ValueError, match="samples"):
        Figure.of(samples)


def test_the_ratio_is_of_rounds_not_of_medians() -> None:
    """A machine that slows down for both sides in a round leaves that round's ratio as it was."""
    compared = Compared.of([10.0, 20.0, 2.0], [20.0, 40.0, 4.0])

    assert Figure(0.5, 0.5, 0.5, 3) == compared.ratio
    assert 10.0 == compared.ours.value
    assert compared.peer is not None
    assert 20.0 == compared.peer.value


def test_without_a_peer_there_is_no_ratio() -> None:
    """A figure may stand alone."""
    compared = Compared.of([1.0, 2.0])

    assert compared.peer is None
    assert compared.ratio is None


def test_both_sides_need_every_round() -> None:
    """A round with one side only compares nothing."""
    with pytest.raises(ValueError, match="rounds"):
        Compared.of([1.0, 2.0], [1.0])


async def test_rounds_are_taken_in_turn() -> None:
    """A B A B, so that what disturbs the machine disturbs both."""
    taken: list[str] = []

    async def take(side: str) -> int:
        taken.append(side)
        return len(taken)

    ours, peer = await in_turn(3, lambda: take("a"), lambda: take("b"))

    assert ["a", "b", "a", "b", "a", "b"] == taken
    assert ([1, 3, 5], [2, 4, 6]) == (ours, peer)
