"""Packing many loads at once: nothing is lost, nothing overflows, small cases are optimal, bad input is refused."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from balancer_core._kernels import bins_reference
from balancer_core.packing import InvalidPacking, Packing, best_order, pack, place_each
from balancer_core.packing.batch import start, usual_steps
from balancer_core.packing.bins import LARGEST, hosts_used, placeable
from balancer_core.packing.bound import by_conflict, by_volume, least_hosts

Whole = NDArray[np.int64]
CAPACITY = 12


@st.composite
def batches(draw: st.DrawFn, most: int = 24) -> tuple[Whole, Whole]:
    """Unequal hosts, some of them nearly full, and loads of which some fit nowhere."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    wide = draw(st.integers(1, 4))
    free = chance.integers(0, CAPACITY, (draw(st.integers(0, 10)), wide))
    return free, chance.integers(0, draw(st.integers(1, CAPACITY)), (draw(st.integers(0, most)), wide))


@st.composite
def equal_batches(draw: st.DrawFn, most: int = 24) -> tuple[Whole, Whole]:
    """As many equal hosts as loads, each of which fits one."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    loads, wide = draw(st.integers(1, most)), draw(st.integers(1, 4))
    sizes = chance.integers(0, draw(st.integers(1, CAPACITY)) + 1, (loads, wide))
    return np.full((loads, wide), CAPACITY), sizes


def holds(free: Whole, sizes: Whole, packing: Packing) -> None:
    """Every load has at most one host, and no host more than it has room for."""
    assert packing.rows.shape == (len(sizes),)
    held = np.zeros_like(free)
    for size, row in zip(sizes, packing.rows.tolist(), strict=True):
        assert -1 <= row < len(free)
        if row >= 0:
            held[row] += size
    assert (held <= free).all()
    assert packing.hosts == len({row for row in packing.rows.tolist() if row >= 0})
    assert packing.placed == sum(row >= 0 for row in packing.rows.tolist())


def fewest(sizes: Whole, capacity: int) -> int:
    """The optimum, by trying every set of loads as the bin of the first load that is left."""
    loads = range(len(sizes))
    known: dict[frozenset[int], int] = {frozenset(): 0}

    def needed(left: frozenset[int]) -> int:
        if left not in known:
            first, *others = sorted(left)
            known[left] = 1 + min(
                needed(left - {first, *others_taken})
                for count in range(len(others) + 1)
                for others_taken in combinations(others, count)
                if (sizes[[first, *others_taken]].sum(axis=0) <= capacity).all()
            )
        return known[left]

    return needed(frozenset(loads))


@given(batches(), st.integers(0, 2**32))
def test_nothing_overflows_on_any_hosts(batch: tuple[Whole, Whole], seed: int) -> None:
    """Batch, in listed order by each rule, and in an order of ours."""
    free, sizes = batch
    before = free.copy(), sizes.copy()
    holds(free, sizes, pack(free, sizes, random.Random(seed), steps=60))
    for rule in ("first_fit", "best_fit", "least_part"):
        holds(free, sizes, place_each(free, sizes, rule=rule))
    order = best_order(free, sizes, random.Random(seed), rounds=6)
    holds(free, sizes, place_each(free, sizes, order, "first_fit"))
    assert np.array_equal(free, before[0])
    assert np.array_equal(sizes, before[1])


@given(batches(), st.integers(0, 2**32))
def test_the_search_never_ends_worse_than_it_began(batch: tuple[Whole, Whole], seed: int) -> None:
    """More loads placed, or as many on no more hosts."""
    free, sizes = batch
    began = start(free, sizes)
    packing = pack(free, sizes, random.Random(seed), steps=100)
    assert packing.steps <= 100
    assert (-packing.placed, packing.hosts) <= (-int((began >= 0).sum()), hosts_used(began))
    assert np.array_equal(pack(free, sizes, random.Random(seed), steps=0).rows, began)


@given(batches())
def test_a_load_that_fits_somewhere_is_left_out_only_for_others(batch: tuple[Whole, Whole]) -> None:
    """Once all are placed that can be, no host has room for one that was not."""
    free, sizes = batch
    packing = pack(free, sizes, random.Random(1), steps=50)
    left = free.copy()
    for size, row in zip(sizes, packing.rows.tolist(), strict=True):
        if row >= 0:
            left[row] -= size
    for size in sizes[packing.rows < 0]:
        assert not (size <= left).all(axis=1).any()


@settings(max_examples=40)
@given(equal_batches(most=8), st.integers(0, 2**32))
def test_small_batches_are_packed_as_well_as_can_be(batch: tuple[Whole, Whole], seed: int) -> None:
    """The search finds the optimum of up to eight loads, no bound is above it, and no order is below it."""
    free, sizes = batch
    optimum = fewest(sizes, CAPACITY)
    packing = pack(free, sizes, random.Random(seed))
    assert packing.bound <= optimum == packing.hosts
    assert place_each(free, sizes, best_order(free, sizes, random.Random(seed)), "first_fit").hosts >= optimum


@given(equal_batches(), st.integers(0, 2**32))
def test_a_seed_has_one_answer(batch: tuple[Whole, Whole], seed: int) -> None:
    """Rows and orders are the same again."""
    free, sizes = batch
    one, other = (pack(free, sizes, random.Random(seed), steps=200) for _ in range(2))
    assert one.rows.tolist() == other.rows.tolist()
    assert (one.hosts, one.bound, one.steps) == (other.hosts, other.bound, other.steps)
    orders = [best_order(free, sizes, random.Random(seed), rounds=9).tolist() for _ in range(2)]
    assert orders[0] == orders[1]


@given(equal_batches(most=60), st.integers(0, 2**32))
def test_more_rounds_need_no_more_hosts(batch: tuple[Whole, Whole], seed: int) -> None:
    """Among equal hosts, loads that shared a host and come together need no more by first fit."""
    free, sizes = batch
    used = [
        place_each(free, sizes, best_order(free, sizes, random.Random(seed), rounds), "first_fit").hosts
        for rounds in (0, 1, 2, 3, 12)
    ]
    assert used == sorted(used, reverse=True)


@given(batches(), st.integers(0, 2**32))
def test_more_rounds_are_no_worse_on_unequal_hosts(batch: tuple[Whole, Whole], seed: int) -> None:
    """A round that leaves more loads out, or takes more hosts for as many, is forgotten."""
    free, sizes = batch
    found = []
    for rounds in (0, 1, 2, 3, 4, 5):
        order = best_order(free, sizes, random.Random(seed), rounds)
        packing = place_each(free, sizes, order, "first_fit")
        found.append((-packing.placed, packing.hosts))
    assert found == sorted(found, reverse=True)


@given(equal_batches())
def test_the_start_is_no_worse_than_filling_by_the_plain_rules(batch: tuple[Whole, Whole]) -> None:
    """Dot product and distance, all resources alike."""
    free, sizes = batch
    alike = [1.0 / CAPACITY**2] * free.shape[1]
    for by_distance in (False, True):
        plain = bins_reference.fill(free.tolist(), sizes.tolist(), alike, by_distance)
        assert hosts_used(start(free, sizes)) <= len(set(plain))


@given(batches())
def test_bounds_are_below_every_packing_of_all(batch: tuple[Whole, Whole]) -> None:
    """Where all that fit anywhere were placed, they use at least as many hosts as each bound says."""
    free, sizes = batch
    able = placeable(free, sizes)
    packing = pack(free, sizes, random.Random(3), steps=50)
    if packing.placed == able.sum() > 0:
        assert by_volume(free, sizes[able]) <= packing.hosts
        assert by_conflict(free, sizes[able]) <= packing.hosts
        assert packing.bound == least_hosts(free, sizes[able])


def test_conflicts_bound_where_volume_does_not() -> None:
    """Three loads of which no two share a host, large in different resources: volume alone says two."""
    sizes = np.array([[7, 7, 1], [7, 1, 7], [1, 7, 7]])
    free = np.full((3, 3), CAPACITY)
    assert (by_volume(free, sizes), by_conflict(free, sizes)) == (2, 3)


def test_ejection_finds_what_filling_misses() -> None:
    """Six hosts take eighteen loads cut from six full ones; that is found from any seed."""
    chance = np.random.default_rng(4)
    cuts = np.sort(chance.integers(1, 1000, (6, 2, 3)), axis=1)
    parts = np.stack([cuts[:, 0], cuts[:, 1] - cuts[:, 0], 1000 - cuts[:, 1]], axis=1)
    sizes = parts.reshape(18, 3)
    free = np.full((18, 3), 1000)
    assert hosts_used(start(free, sizes)) > 6
    for seed in range(3):
        assert pack(free, sizes, random.Random(seed), steps=20_000).hosts == 6


def test_loads_are_pressed_onto_hosts_that_are_partly_full() -> None:
    """Two hosts have exactly room for four loads, which filling by match alone does not see."""
    free = np.array([[10], [9]])
    sizes = np.array([[8], [5], [4], [2]])
    packing = pack(free, sizes, random.Random(0))
    assert packing.placed == 4
    assert {frozenset(np.flatnonzero(packing.rows == row)) for row in (0, 1)} == {
        frozenset({0, 3}),
        frozenset({1, 2}),
    }


def test_a_load_larger_than_every_host_is_left_out_alone() -> None:
    """The others are packed as if it were not there."""
    packing = pack(np.full((3, 2), 10), np.array([[11, 1], [5, 5], [5, 5]]), random.Random(0))
    assert packing.rows[0] == -1
    assert packing.rows[1] == packing.rows[2] >= 0
    assert (packing.hosts, packing.bound, packing.placed) == (1, 1, 2)


def test_a_load_may_take_a_whole_host() -> None:
    """What asks for exactly what a host has free fits it, and counts for the bound."""
    free, sizes = np.array([[3, 9], [7, 4]]), np.array([[7, 4], [4, 7], [3, 9]])
    assert placeable(free, sizes).tolist() == [True, False, True]
    packing = pack(free, sizes, random.Random(0))
    assert (packing.rows.tolist(), packing.bound) == ([1, -1, 0], 2)


def test_nothing_to_pack_or_nowhere() -> None:
    """No loads use no host; without hosts every load is left out."""
    none = pack(np.full((2, 2), 5), np.empty((0, 2)), random.Random(0))
    assert (none.rows.tolist(), none.hosts, none.bound) == ([], 0, 0)
    nowhere = pack(np.empty((0, 2)), np.full((2, 2), 5), random.Random(0))
    assert (nowhere.rows.tolist(), nowhere.hosts, nowhere.placed) == ([-1, -1], 0, 0)
    assert best_order(np.empty((0, 2)), np.full((2, 2), 5), random.Random(0)).tolist() == [0, 1]


def test_the_search_is_bounded_whatever_comes() -> None:
    """A step looks through all loads, so that more loads have fewer steps each; without a number, that is all."""
    assert [usual_steps(loads) for loads in (0, 1, 100)] == [0, 200, 20_000]
    assert all(loads * usual_steps(loads) <= 2**26 for loads in (10**3, 10**4, 10**5))
    chance = np.random.default_rng(9)
    sizes = chance.integers(1, 60, (30, 3))
    assert pack(np.full((30, 3), 100), sizes, random.Random(0)).steps <= usual_steps(30)


def test_a_packing_cannot_be_changed() -> None:
    """Its rows are read-only."""
    packing = pack(np.full((2, 1), 5), np.full((2, 1), 5), random.Random(0))
    with pytest.raises(ValueError, match="read-only"):
        packing.rows[0] = 1


GOOD = np.full((2, 2), 5)


@pytest.mark.parametrize(
    ("free", "sizes", "field", "code"),
    [
        (GOOD, np.array([[1.0, np.nan]]), "sizes", "not_finite"),
        (np.array([[np.inf, 1.0]]), GOOD, "free", "not_finite"),
        (GOOD, np.array([[1, -1]]), "sizes", "negative"),
        (np.array([[-1, 1]]), GOOD, "free", "negative"),
        (GOOD, np.array([[0.5, 1.0]]), "sizes", "not_whole"),
        (GOOD, np.array([[LARGEST * 2, 1]]), "sizes", "too_large"),
        (np.full((2**10, 2), LARGEST), GOOD, "free", "too_large"),
        (GOOD, np.ones((2, 3)), "sizes", "shape"),
        (GOOD, np.ones(2), "sizes", "shape"),
        (np.ones((2, 0)), np.ones((2, 0)), "free", "shape"),
        (np.ones((2, 65)), np.ones((2, 65)), "free", "shape"),
        (GOOD, np.array([["1", "2"]]), "sizes", "not_numbers"),
        (GOOD, np.array([[True, False]]), "sizes", "not_numbers"),
    ],
)
def test_bad_input_is_refused_by_field(free: Whole, sizes: Whole, field: str, code: str) -> None:
    """All three ways to pack name the field, and say the same."""
    for call in (
        lambda: pack(free, sizes, random.Random(0)),
        lambda: place_each(free, sizes),
        lambda: best_order(free, sizes, random.Random(0)),
    ):
        with pytest.raises(InvalidPacking) as refused:
            call()
        assert (refused.value.field, refused.value.code) == (field, code)


def test_bad_options_are_refused_by_field() -> None:
    """Steps and rounds below none, a rule that there is not, an order that isn't one."""
    calls = {
        "steps": lambda: pack(GOOD, GOOD, random.Random(0), steps=-1),
        "rounds": lambda: best_order(GOOD, GOOD, random.Random(0), rounds=-1),
        "rule": lambda: place_each(GOOD, GOOD, rule="worst"),
        "order": lambda: place_each(GOOD, GOOD, np.array([0, 0])),
    }
    for field, call in calls.items():
        with pytest.raises(InvalidPacking) as refused:
            call()
        assert refused.value.field == field
