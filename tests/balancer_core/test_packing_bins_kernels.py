"""The compiled rules of packing equal the reference, and the compiled search refuses what it cannot mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from balancer_core._kernels import bins_reference, fill, improve, place_all

Whole = NDArray[np.int64]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Whole, Whole, NDArray[np.float64], np.random.Generator]:
    """Hosts and loads with many ties and zeros, and weights of which some are zero."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    wide, largest = draw(st.integers(1, 5)), draw(st.sampled_from([4, 9, 1000]))
    free = chance.integers(
        draw(st.sampled_from([0, largest // 2])), largest + 1, (draw(st.integers(0, 12)), wide)
    )
    part = draw(st.sampled_from([1, 2, 3]))
    sizes = chance.integers(0, largest // part + 1, (draw(st.integers(0, 40)), wide))
    return free, sizes, chance.choice([0.0, 0.25, 1.0 / 3.0, 1.0], wide), chance


@settings(max_examples=200)
@given(cases(), st.booleans())
def test_filling_equals_the_reference(
    case: tuple[Whole, Whole, NDArray[np.float64], np.random.Generator], by_distance: bool
) -> None:
    """Row by row, ties included."""
    free, sizes, weights, _ = case
    rows = np.empty(len(sizes), dtype=np.int64)
    fill(free, sizes, weights, by_distance, np.empty_like(free), np.empty_like(rows), rows)
    expected = bins_reference.fill(free.tolist(), sizes.tolist(), weights.tolist(), by_distance)
    assert expected == rows.tolist()


@settings(max_examples=200)
@given(cases(), st.integers(0, 2))
def test_placing_one_by_one_equals_the_reference(
    case: tuple[Whole, Whole, NDArray[np.float64], np.random.Generator], rule: int
) -> None:
    """Row by row in any order, ties included; what is left is what was free less what was placed."""
    free, sizes, weights, chance = case
    order = chance.permutation(len(sizes))
    rows, left = np.full(len(sizes), -1, dtype=np.int64), free.copy()
    place_all(sizes, order, weights, rule, left, np.empty(len(free), dtype=np.int64), rows)
    expected = bins_reference.place_all(free.tolist(), sizes.tolist(), order.tolist(), weights.tolist(), rule)
    assert expected == rows.tolist()
    for host in range(len(free)):
        assert (free[host] - sizes[rows == host].sum(axis=0)).tolist() == left[host].tolist()


def whole(*shape: int) -> Whole:
    """Ones."""
    return np.ones(shape, dtype=np.int64)


def test_columns_that_disagree_are_refused() -> None:
    """Nothing is read beyond an array's end."""
    weights = np.ones(2)
    with pytest.raises(ValueError, match="disagree"):
        fill(whole(3, 2), whole(4, 1), weights, False, whole(3, 2), whole(4), whole(4))
    with pytest.raises(ValueError, match="disagree"):
        fill(whole(3, 2), whole(4, 2), weights, False, whole(3, 2), whole(3), whole(4))
    with pytest.raises(ValueError, match="disagree"):
        place_all(whole(4, 2), whole(4), weights, 0, whole(3, 2), whole(2), whole(4))
    with pytest.raises(ValueError, match="order"):
        place_all(whole(4, 2), whole(4) * 4, weights, 0, whole(3, 2), whole(3), whole(4))


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"sizes": whole(4, 3)}, "disagree"),
        ({"weights": np.ones(3)}, "disagree"),
        ({"rows": whole(4) * 3}, "rows"),
        ({"rows": whole(4) * -2}, "rows"),
        ({"heat": 0.0}, "heat"),
        ({"heat": float("nan")}, "heat"),
        ({"turn": 0}, "turn"),
        ({"swaps": -1}, "swaps"),
        ({"free": whole(3, 65), "sizes": whole(4, 65)}, "resources"),
    ],
)
def test_the_search_refuses_what_it_cannot_mean(changed: dict[str, Any], match: str) -> None:
    """Shapes, rows that are no hosts, settings out of range."""
    given = {
        "free": whole(3, 2) * 4,
        "sizes": whole(4, 2),
        "weights": np.ones(4),
        "bound": 1,
        "steps": 10,
        "turn": 5,
        "swaps": 1,
        "heat": 0.1,
        "seed": 1,
        "rows": np.zeros(4, dtype=np.int64),
    }
    assert improve(**given) == 0
    with pytest.raises(ValueError, match=match):
        improve(**(given | changed))
