"""The scene of jobs: what arrives, and how fair it went."""

from __future__ import annotations

import random

import pytest

from bench.jobs.mixed import MIX, jain, mixture
from bench.jobs.scene import Piece, Run


def test_the_mixture_asks_for_what_is_offered() -> None:
    """In the long run, in arrivals that only rise; the same seed gives the same."""
    pieces = mixture(20_000, 0.8, random.Random(5))
    cpu_s = sum(piece.cpu_s for piece in pieces)

    assert cpu_s / pieces[-1].at_s == pytest.approx(0.8, rel=0.05)
    assert [piece.at_s for piece in pieces] == sorted(piece.at_s for piece in pieces)
    assert {piece.tenant for piece in pieces} == {tenant for tenant, _, _ in MIX}
    assert pieces == mixture(20_000, 0.8, random.Random(5))


def test_jains_index_is_one_where_tenants_fare_alike() -> None:
    """And falls to one over their number where only one is served; a killed job never was."""
    pieces = [Piece(0.0, "a", cpu_s=1.0), Piece(0.0, "b", cpu_s=1.0)]

    assert jain(pieces, Run(4.0, [2.0, 2.0], 0, 0.0)) == pytest.approx(1.0)
    assert jain(pieces, Run(4.0, [1.0, None], 1, 0.0)) == pytest.approx(0.5)
    assert 0.5 < jain(pieces, Run(4.0, [1.0, 4.0], 0, 0.0)) < 1.0
