"""The scene of jobs: what arrives, and how fair it went."""

from __future__ import annotations

import math
import random

import pytest

from bench.jobs.mixed import MIX, jain, mixture
from bench.jobs.scene import Piece, Run


def test_the_mixture_comes_as_often_as_is_asked_for() -> None:
    """Poisson arrivals at the rate, each kind as often as its part; all at once at no rate; alike for one seed."""
    pieces = mixture(20_000, 5.0, random.Random(5))

    assert len(pieces) / pieces[-1].at_s == pytest.approx(5.0, rel=0.05)
    assert [piece.at_s for piece in pieces] == sorted(piece.at_s for piece in pieces)
    assert {piece.tenant for piece in pieces} == {tenant for tenant, _, _ in MIX}
    assert sum(piece.tenant == "web" for piece in pieces) / len(pieces) == pytest.approx(0.7, abs=0.02)
    assert {piece.at_s for piece in mixture(50, math.inf, random.Random(5))} == {0.0}
    assert pieces == mixture(20_000, 5.0, random.Random(5))


def test_jains_index_is_one_where_tenants_fare_alike() -> None:
    """And falls to one over their number where only one is served; a killed job never was."""
    pieces = [Piece(0.0, "a", cpu_s=1.0), Piece(0.0, "b", cpu_s=1.0)]

    assert jain(pieces, Run(4.0, [2.0, 2.0], 0, 0.0)) == pytest.approx(1.0)
    assert jain(pieces, Run(4.0, [1.0, None], 1, 0.0)) == pytest.approx(0.5)
    assert 0.5 < jain(pieces, Run(4.0, [1.0, 4.0], 0, 0.0)) < 1.0
