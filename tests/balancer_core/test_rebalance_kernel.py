"""The kernel of rebalancing says what a move changes as the definition says it, on thousands of random moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rebalance_cases import draw, reference_breaches, reference_cost

from balancer_core._kernels.reassign import Search
from balancer_core.rebalance import breach, cost_of
from balancer_core.rebalance.columns import Columns


def search_of(seed: int, hosts: int = 6, loads: int = 24) -> tuple[object, Search]:
    """A problem and a search over it."""
    problem = draw(seed, hosts, loads)
    return problem, Search(Columns.of(problem), float(problem.group_weight), seed)


@pytest.mark.parametrize("seed", range(24))
def test_changes_totals_and_rules_are_those_of_a_full_evaluation(seed: int) -> None:
    """Hundreds of shifts and exchanges, allowed or not: the change said before, the total and the rules after."""
    problem, search = search_of(seed)
    chance = np.random.default_rng(seed)
    at = problem.current.tolist()
    for _ in range(120):
        load, other, host = (
            int(chance.integers(0, each)) for each in (problem.loads, problem.loads, problem.hosts)
        )
        wanted = at.copy()
        if chance.random() < 0.5:
            wanted[load] = host
            change, done = search.change_by_shift(load, host), search.shift(load, host)
        else:
            wanted[load], wanted[other] = at[other], at[load]
            change, done = search.change_by_exchange(load, other), search.exchange(load, other)
        assert reference_cost(problem, wanted) - reference_cost(problem, at) == change
        assert done == (reference_breaches(problem, wanted)["shared"] == 0)
        at = wanted if done else at
        broken = reference_breaches(problem, at)
        assert search.assignment.tolist() == at
        assert search.total == reference_cost(problem, at) == cost_of(problem, np.array(at)).total
        assert (search.short_hosts, search.broken) == (broken["short"], broken["missing"] + broken["unmet"])
        assert (breach(problem, np.array(at)) is None) == (not any(broken.values()))


@pytest.mark.parametrize("firm", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_annealing_keeps_the_books_and_only_allowed_bests(seed: int, firm: bool) -> None:
    """After thousands of steps, hot and cold, pressed and taken back: books right, the best allowed and no
    dearer than the start."""
    problem, search = search_of(seed, 5, 30)
    for temperature in (100.0, 10.0, 0.1):
        search.anneal(temperature, 0.5, 3.0, 0.1, firm, firm, 3000)
        search.press(2.0, 16.0)
        at = search.assignment
        broken = reference_breaches(problem, at.tolist())
        assert search.total == cost_of(problem, at).total
        assert broken["shared"] == 0
        assert (search.short_hosts, search.broken) == (broken["short"], broken["missing"] + broken["unmet"])
        assert not firm or not any(broken.values())
        best = search.best
        assert breach(problem, best) is None
        assert search.best_total == cost_of(problem, best).total <= cost_of(problem, problem.current).total
    search.go_back()
    assert search.assignment.tolist() == search.best.tolist()
    assert search.total == search.best_total
    assert search.short_hosts == search.broken == 0


def test_the_price_of_what_is_held_twice_keeps_loads_where_they_were() -> None:
    """At a price beyond the temperature only loads that leave nothing behind move; without one, others do too."""
    for price, stay in ((1e9, True), (0.0, False)):
        problem, search = search_of(11)
        leaves = (problem.demand * problem.transient).any(axis=1)
        search.anneal(100.0, 0.0, 0.0, price, False, False, 5000)
        moved = search.assignment != problem.current
        assert moved[~leaves].any()
        assert moved[leaves].any() != stay


def test_placing_all_at_once_is_moving_one_by_one() -> None:
    """Also where loads of a group change places."""
    problem, search = search_of(3)
    search.anneal(1000.0, 0.0, 0.0, 0.0, False, False, 5000)
    at, (_, fresh) = search.assignment, search_of(3)
    fresh.place(at)
    assert fresh.total == search.total
    assert [fresh.shift(load, host) for load in range(problem.loads) for host in range(2)] == [
        search.shift(load, host) for load in range(problem.loads) for host in range(2)
    ]


def test_input_that_would_lead_beyond_the_columns_is_refused() -> None:
    """Rows out of range, shapes that disagree, prices below zero."""
    problem, search = search_of(1)
    columns = Columns.of(problem)
    for name, value in (
        ("group", columns.group + 1000),
        ("current", columns.current - 1000),
        ("needs_from", columns.needs_from[:-1]),
        ("demand", columns.demand[:, :-1]),
        ("needed_from", columns.needed_from[::-1]),
    ):
        with pytest.raises(ValueError, match=r"range|disagree|order"):
            Search(replace(columns, **{name: value}), 0.0, 1)
    for load, host in ((-1, 0), (problem.loads, 0), (0, -1), (0, problem.hosts)):
        with pytest.raises(ValueError, match="no such"):
            search.shift(load, host)
    with pytest.raises(ValueError, match="negative"):
        search.anneal(-1.0, 0.0, 0.0, 0.0, False, False, 1)
    with pytest.raises(ValueError, match="negative"):
        search.anneal(1.0, 0.0, 0.0, -1.0, False, False, 1)
    with pytest.raises(ValueError, match="strain"):
        search.press(0.5, 2.0)
    with pytest.raises(ValueError, match="host"):
        search.place(np.full(problem.loads, problem.hosts))
