"""The one currency."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer_core.cost.curves import DOUBT_CAP, doubt, free_share, price
from balancer_core.resources import CAPACITY, RATE


@given(st.sampled_from([RATE, CAPACITY]), st.floats(-2, 1), st.floats(-2, 1))
def test_more_in_use_never_costs_less(kind: int, one: float, other: float) -> None:
    """The price falls as the free share rises, also past the limit."""
    fuller, emptier = sorted((one, other))
    assert price(kind, fuller) >= price(kind, emptier)


def test_a_rate_costs_what_a_queue_holds() -> None:
    """Half in use costs 1, nine tenths 9, and the tangent goes on where the queue would be endless."""
    assert price(RATE, 0.5) == 1.0
    assert pytest.approx(9.0) == price(RATE, 0.1)
    assert pytest.approx(19.0) == price(RATE, 0.05)
    assert math.isfinite(price(RATE, -1.0))


def test_a_capacity_is_flat_then_a_cliff() -> None:
    """From empty to 85 % costs less than from 95 % to full by far."""
    assert price(CAPACITY, 0.15) - price(CAPACITY, 1.0) < 0.1
    assert price(CAPACITY, 0.0) - price(CAPACITY, 0.05) > 10.0


@pytest.mark.parametrize(
    ("age_s", "share"),
    [(0.0, 0.0), (5.0, 0.0), (15.0, 0.1), (1e9, DOUBT_CAP), (math.inf, DOUBT_CAP), (-3.0, 0.0)],
)
def test_doubt_grows_with_age_and_is_capped(age_s: float, share: float) -> None:
    """Fresh reports are believed, old ones leave part of the free room doubtful, none leaves the full
    doubt."""
    assert pytest.approx(share) == doubt(age_s)


@given(st.floats(0, 2), st.floats(0, 100), st.floats(0, 100))
def test_doubt_never_makes_a_host_look_emptier(occupied: float, one: float, other: float) -> None:
    """An older report never shows more free room, and doubt alone never fills a host."""
    younger, older = sorted((one, other))
    believed, doubted = free_share(occupied, 1.0, doubt(younger)), free_share(occupied, 1.0, doubt(older))
    assert doubted <= believed
    assert (doubted > 0) == (believed > 0)
