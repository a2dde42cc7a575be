"""Rebalancing as a whole: the optimum where it can be known, allowed always, the same again, within the budget."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from rebalance_cases import draw, reference_breaches, reference_cost

from balancer_core.errors import InvalidInput
from balancer_core.rebalance import Problem, breach, chunks, cost_of, rebalance


@pytest.mark.parametrize("seed", range(10))
def test_tiny_problems_are_solved_to_the_optimum(seed: int) -> None:
    """No assignment of all there are is allowed and cheaper."""
    problem = draw(seed, 3, 7)
    cheapest = min(
        reference_cost(problem, list(at))
        for at in product(range(problem.hosts), repeat=problem.loads)
        if not any(reference_breaches(problem, list(at)).values())
    )
    assert cheapest == rebalance(problem, chunks(20), 1).after.total


@pytest.mark.parametrize("seed", range(6))
def test_a_plan_breaks_no_rule_and_adds_up(seed: int) -> None:
    """At any budget: allowed, not dearer, its terms and its moves those of the assignment."""
    problem = draw(seed, 8, 60)
    for count in (0, 1, 3, 9):
        plan = rebalance(problem, chunks(count), seed)
        at = plan.assignment.tolist()
        assert not any(reference_breaches(problem, at).values())
        assert reference_cost(problem, at) == plan.after.total <= plan.before.total
        assert cost_of(problem, plan.assignment) == plan.after
        moved = {load for load in range(problem.loads) if at[load] != problem.current[load]}
        assert moved == {move.load for move in plan.moves}
        for move in plan.moves:
            stays = at.copy()
            stays[move.load] = move.source
            assert (move.source, move.target) == (problem.current[move.load], at[move.load])
            assert move.gain == reference_cost(problem, stays) - plan.after.total
        assert [move.gain for move in plan.moves] == sorted((move.gain for move in plan.moves), reverse=True)


def test_the_same_seed_gives_the_same_plan_and_another_one_may_not() -> None:
    """Nothing but the arguments decides."""
    problem = draw(5, 20, 600)
    plans = [rebalance(problem, chunks(20), seed).assignment.tolist() for seed in (7, 7, 8, 9, 10)]
    assert plans[0] == plans[1]
    assert any(plan != plans[0] for plan in plans[2:])


def test_the_budget_is_asked_until_it_is_spent_and_never_after() -> None:
    """Each answer below 1 buys a bounded number of steps; with none, all loads stay."""
    answers = [0.0, 0.1, 0.5, 0.99, 1.0]
    asked = iter(answers)
    rebalance(draw(2, 5, 20), lambda: next(asked), 1)
    assert next(asked, None) is None
    plan = rebalance(draw(2, 5, 20), lambda: 1.0, 1)
    assert plan.moves == ()
    assert plan.after == plan.before
    assert plan.sentence.startswith("All ")


def test_a_plan_says_what_it_saves() -> None:
    """Two loads on one host above its safety, and an empty one beside it."""
    problem = two_hosts()
    plan = rebalance(problem, chunks(2), 1)
    assert sorted(plan.assignment.tolist()) == [0, 1]
    assert plan.sentence == (
        "1 of 2 loads move, and the cost goes from 80 to 23 (71.2 % less). "
        "Most is saved on use above safety (60); moving costs 3."
    )
    assert [move.gain for move in plan.moves] == [57]


def two_hosts(**changed: object) -> Problem:
    """Two loads of 6 on one of two hosts with a capacity of 12 and 4 too much for its safety."""
    fields: dict[str, object] = {
        "capacity": [[12], [12]],
        "safety": [[4], [6]],
        "load_weight": [10],
        "transient": [0],
        "domain": [0, 1],
        "zone": [0, 0],
        "demand": [[6], [6]],
        "group": [0, 1],
        "current": [0, 0],
        "spread": [1, 1],
        "needs": [],
        "move_cost": [1, 1],
        "route_cost": [[0, 2], [2, 0]],
    } | changed
    fields["needs"] = np.array(fields["needs"], dtype=np.int64).reshape(-1, 2)
    return Problem(**fields)


def test_transient_use_needs_room_on_both_hosts() -> None:
    """What is copied stays where it comes from until all is done, so that a change of places may not fit."""
    fields = {"current": [0, 1], "demand": [[12], [6]], "safety": [[6], [12]]}
    free = rebalance(two_hosts(**fields), chunks(2), 1)
    held = rebalance(two_hosts(**fields, transient=[1]), chunks(2), 1)
    assert free.assignment.tolist() == [1, 0]
    assert held.moves == ()


def test_nothing_to_move_or_nowhere_to_go_is_no_error() -> None:
    """No loads, or one host."""
    one = two_hosts(capacity=[[12]], safety=[[8]], domain=[0], zone=[0], route_cost=[[0]])
    assert rebalance(one, chunks(2), 1).moves == ()
    none = two_hosts(
        demand=np.zeros((0, 1), dtype=np.int64), group=[], current=[], move_cost=[], spread=[0, 0]
    )
    assert rebalance(none, chunks(2), 1).moves == ()


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, True])
def test_a_seed_that_is_none_is_refused(seed: object) -> None:
    """By name."""
    with pytest.raises(InvalidInput, match="seed"):
        rebalance(two_hosts(), chunks(1), seed)  # type: ignore[arg-type]


def test_the_rules_hold_on_a_problem_that_must_pass_through_broken_ones() -> None:
    """A group and the one it needs can only change zone together; annealing finds that, and the plan is
    allowed."""
    problem = two_hosts(zone=[0, 1], needs=[(0, 1), (1, 0)], safety=[[0], [12]])
    plan = rebalance(problem, chunks(10), 1)
    assert breach(problem, plan.assignment) is None
    assert plan.assignment.tolist() == [1, 1]
