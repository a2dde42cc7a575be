"""Plans of moves for shards: every prefix legal, few bytes, what must leave leaves, and what can't is said."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shards_cases import RACK, Judge, cluster, clusters

from balancer_core.rebalance import chunks
from balancer_core.shards import (
    Goal,
    InvalidShards,
    Limits,
    Plan,
    Shards,
    frontier,
    holdable,
    peak,
    plan,
    retrace,
)

LIMITS = Limits(bytes_s=10.0, per_host=2, together=4)
EVEN = Goal((1.05, math.inf))


def made(shards: Shards, goal: Goal = EVEN, looks: int = 2, seed: int = 1, limits: Limits = LIMITS) -> Plan:
    return plan(shards, goal, chunks(looks), seed, limits)


@settings(max_examples=60, deadline=None)
@given(shards=clusters(), seed=st.integers(0, 9), per_host=st.integers(1, 3), together=st.integers(1, 5))
def test_every_prefix_of_a_plan_is_legal(shards: Shards, seed: int, per_host: int, together: int) -> None:
    """Domains, ceilings, caps and sources hold at every moment, recounted by a judge of its own; and what is
    gone is empty unless it is said why not."""
    limits = Limits(10.0, per_host, together)

    found = made(shards, Goal((1.1, 1.3)), seed=seed, limits=limits)

    Judge(shards, limits).replay(found.schedule)
    leaving = np.flatnonzero(shards.leave)
    assert {int(i) for i in leaving if found.at[i] == shards.home[i]} == set(found.stay)
    assert not shards.leave[shards.home == found.at].any() or found.stay
    moved = np.flatnonzero(found.at != shards.home)
    assert sorted(step.replica for step in found.schedule.steps) == moved.tolist()
    assert found.moved == pytest.approx(float(shards.sizes[moved].sum()))


@settings(max_examples=30, deadline=None)
@given(shards=clusters(), seed=st.integers(0, 9))
def test_the_same_question_has_the_same_plan(shards: Shards, seed: int) -> None:
    """Whenever it is asked."""
    first, second = (made(shards, seed=seed) for _ in range(2))

    assert first.schedule == second.schedule
    assert first.sentence == second.sentence


def test_a_drain_moves_only_what_is_on_the_host() -> None:
    """Nothing else moves, and the others are no fuller than the fullest was."""
    sizes = [[10, 10]] * 9
    homes = [[g % 4, (g + 1) % 4] for g in range(9)]
    shards = cluster(5, 5, sizes, homes, drained=[0])

    found = made(shards, Goal.as_now(shards))

    on_host = int(shards.sizes[shards.home == 0].sum())
    assert (on_host, ()) == (found.moved, found.stay)
    assert not (found.at == 0).any()
    assert found.after[0] <= max(found.before[0], 1.0) + 1e-9


def test_a_new_host_is_filled_with_no_more_than_its_share() -> None:
    """One byte moves once: what leaves the full is what the new one lacks."""
    sizes = [[1]] * 80
    shards = cluster(5, 5, sizes, [[g % 4] for g in range(80)])

    found = made(shards, Goal((1.0, math.inf)))

    assert found.after[0] == pytest.approx(1.0)
    assert (16, 16) == (found.moves, int((found.at == 4).sum()))


def test_what_is_lost_is_made_anew_from_another_copy() -> None:
    """The source of a lost replica's move is where another of its group is."""
    shards = cluster(3, 3, [[10, 10]], [[0, 1]], lost=[0])

    found = made(shards)

    (step,) = found.schedule.steps
    assert (0, 1, 2) == (step.replica, step.source, step.target)


def test_what_has_no_place_stays_and_is_said() -> None:
    """Two racks, one copy in each: a drain of a rack's only host has nowhere to go."""
    shards = cluster(2, 2, [[10, 10]], [[0, 1]], drained=[0], apart=RACK)

    found = made(shards)

    assert ((0,), 0) == (found.stay, found.moves)
    assert "no place that their rules allow" in found.sentence


def test_a_full_target_is_not_overfilled_on_the_way() -> None:
    """The room of a copy under way counts, so what exchanges places in full hosts is left out or waits."""
    shards = cluster(3, 3, [[40], [40], [40]], [[0], [0], [1]], capacity=100.0, ceiling=0.8)

    found = made(shards, Goal((1.0, math.inf)))

    Judge(shards, LIMITS).replay(found.schedule)
    assert found.after[0] == pytest.approx(1.0)


def test_time_follows_the_limits() -> None:
    """Four moves off one host, two at once, each at half of its bandwidth."""
    shards = cluster(3, 3, [[10]] * 4, [[0]] * 4, drained=[0])

    found = made(shards, limits=Limits(bytes_s=10.0, per_host=2, together=9))

    assert found.schedule.takes_s == pytest.approx(4.0)
    assert [0.0, 0.0, 2.0, 2.0] == [step.starts_s for step in found.schedule.steps]


def test_nothing_moves_where_all_is_even_enough() -> None:
    """And the plan says so."""
    shards = cluster(2, 2, [[10], [10]], [[0], [1]])

    assert "Nothing moves" in made(shards).sentence
    assert made(shards).moves == 0


def test_the_peaks_of_a_plan_are_those_of_its_end() -> None:
    """Recounted."""
    shards = cluster(4, 4, [[g + 1.0] for g in range(20)], [[0]] * 20, capacity=300.0)

    found = made(shards, Goal((1.1, 1.5)), looks=4)

    used = np.bincount(found.at, weights=shards.sizes, minlength=4)
    assert found.after[0] == pytest.approx(used.max() / used.mean())
    assert found.after[0] <= 1.1
    assert peak(shards, 1, found.at) <= 1.5


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"home": np.array([9], dtype=np.int32)}, "home"),
        ({"demand": np.array([[np.nan, 1.0]])}, "demand"),
        ({"demand": np.array([[-1.0, 1.0]])}, "demand"),
        ({"demand": np.array([[1.0]])}, "demand"),
        ({"apart": np.array([7], dtype=np.int32)}, "apart"),
        ({"gone": np.array([True, False])}, "gone"),
        ({"lost": np.array([True, False])}, "gone"),
        ({"domain": np.zeros((2, 3), dtype=np.int32)}, "domain"),
        ({"resources": ()}, "resources"),
    ],
)
def test_shards_that_mean_nothing_are_refused(change: dict[str, object], field: str) -> None:
    """With the name of the field."""
    whole = cluster(2, 2, [[10]], [[0]])
    columns = {name: getattr(whole, name) for name in Shards.__dataclass_fields__}

    with pytest.raises(InvalidShards) as refusal:
        Shards(**{**columns, **change})  # type: ignore[arg-type]

    assert refusal.value.field == field


def test_goals_and_limits_that_mean_nothing_are_refused() -> None:
    """Below the mean nobody can be; a rate and counts are above nothing."""
    shards = cluster(2, 2, [[10]], [[0]])
    for wrong in (
        lambda: Goal((0.5, 1.0)), lambda: Goal((math.nan, 1.0)), lambda: Goal((1.0, 1.0), price=0.0),
        lambda: Limits(0.0), lambda: Limits(math.inf), lambda: Limits(1.0, 0), lambda: made(shards, Goal((1.0,))),
    ):  # fmt: skip
        with pytest.raises(InvalidShards):
            wrong()


@settings(max_examples=40, deadline=None)
@given(shards=clusters(), seed=st.integers(0, 9))
def test_a_plan_is_taken_back_as_far_as_it_is_legal(shards: Shards, seed: int) -> None:
    """From where the plan led back to where things were: every step legal, nothing to a place that takes nothing, and
    what does not return is said."""
    found = made(shards, Goal((1.1, 1.3)), seed=seed)
    # What was lost is there again once it was made anew.
    settled = replace(shards, home=found.at)

    back = retrace(settled, shards.home, LIMITS)

    Judge(settled, LIMITS).replay(back.schedule)
    away = np.flatnonzero(found.at != shards.home)
    returned = {step.replica for step in back.schedule.steps}
    closed = {int(i) for i in away if not shards.accepts[shards.home[i]]}
    assert returned <= set(away.tolist()) - closed
    assert set(away.tolist()) == returned | closed | back.schedule.left_out.keys()
    assert ("takes nothing now" in back.sentence) == bool(closed)


def test_an_assignment_of_another_shape_is_refused() -> None:
    """With the field's name."""
    shards = cluster(3, 3, [[1]] * 2, [[0], [1]])
    for wrong in (np.zeros(1, np.int32), np.array([0, 9], np.int32)):
        with pytest.raises(InvalidShards) as refused:
            retrace(shards, wrong, LIMITS)
        assert refused.value.field == "wanted"


@given(rooms=st.lists(st.integers(0, 9), min_size=1, max_size=6), pieces=st.integers(1, 4))
def test_what_domains_can_hold_is_what_filling_them_shows(rooms: list[int], pieces: int) -> None:
    """Unit pieces, each shard's in domains of their own, put where most room is left: that fills as much as can be.
    Whole shards are what fluid ones are, rounded down."""
    left, shards = list(rooms), 0
    while (
        len(fullest := sorted((i for i in range(len(left)) if left[i] > 0), key=lambda i: -left[i])) >= pieces
    ):
        for i in fullest[:pieces]:
            left[i] -= 1
        shards += 1

    assert shards == int(holdable(rooms, pieces) / pieces + 1e-9)


def test_no_pieces_and_no_room_are_refused() -> None:
    """With the field's name."""
    for rooms, pieces, field in (([1.0], 0, "pieces"), ([-1.0], 1, "rooms"), ([math.nan], 1, "rooms")):
        with pytest.raises(InvalidShards) as refused:
            holdable(rooms, pieces)
        assert refused.value.field == field


@given(
    costs=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 1)),
        min_size=1,
        max_size=8,
    )
)
def test_plans_that_another_betters_are_not_worth_a_look(costs: list[tuple[int, int, int, int]]) -> None:
    """The frontier: what is kept is bettered by none, what is left out by one that is kept."""
    some = made(cluster(2, 2, [[10]], [[0]]))
    plans = [
        replace(some, moved=float(moved), after=(1.0 + 0.1 * one, 1.0 + 0.1 * two), stay=(0,) * stay)
        for moved, one, two, stay in costs
    ]

    kept = frontier(plans)

    def betters(one: int, other: int) -> bool:
        return all(mine <= theirs for mine, theirs in zip(costs[one], costs[other], strict=True))

    assert [costs[number][0] for number in kept] == sorted(costs[number][0] for number in kept)
    for number in range(len(plans)):
        bettered = any(betters(other, number) for other in kept if other != number)
        assert bettered != (number in kept)
