"""Preemption proposals: the cheapest that would make room, and nothing done about it."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer_core.cluster import CORDONED, Cluster
from balancer_core.load import InvalidLoad, Load
from balancer_core.placement import decide
from balancer_core.preemption import Held, propose_preemption


def filled(held: list[Held], **cores: float) -> Cluster:
    """Hosts with so many cores, on which these are reserved."""
    cluster = Cluster()
    for name, has in cores.items():
        cluster.add_host(name, {"cpu": has, "memory": 100})
    for each in held:
        cluster.reserve(each.host, cluster.dimensions.vector(each.demand))
    return cluster


def urgent(cores: float, **parts: Any) -> Load:
    """A load of priority 10."""
    return Load(**({"kind": "job", "name": "urgent", "demand": {"cpu": cores}, "priority": 10} | parts))


def test_the_lowest_priority_leaves_even_if_it_is_more() -> None:
    """Two of priority 0 rather than one of priority 5; the sentence says what it would take."""
    held = [Held("a", "one", {"cpu": 2}), Held("b", "one", {"cpu": 2}), Held("c", "two", {"cpu": 4}, 5)]
    proposal = propose_preemption(filled(held, one=4, two=4).snapshot(), urgent(4), held, 1.0)
    assert proposal.best is not None
    assert ("one", ("a", "b"), 0, 2.0, True) == (
        proposal.best.host,
        proposal.best.leaving,
        proposal.best.priority,
        proposal.best.cost,
        proposal.best.exact,
    )
    assert ["two"] == [each.host for each in proposal.alternatives]
    assert (
        "urgent would fit on one if a, b left, at a cost of 2; the highest priority to leave is 0, below 10. "
        "Nothing has been moved." == proposal.sentence
    )
    assert "one" == json.loads(json.dumps(proposal.to_dict()))["best"]["host"]


def test_among_equal_priorities_the_cheaper_set_leaves() -> None:
    """One that is large and cheap rather than two, and only what is needed."""
    held = [
        Held("a", "h", {"cpu": 1}, cost=2),
        Held("b", "h", {"cpu": 1}, cost=2),
        Held("c", "h", {"cpu": 2}, cost=3),
    ]
    proposal = propose_preemption(filled(held, h=4).snapshot(), urgent(2), held, 1.0)
    assert proposal.best is not None
    assert ("c",) == proposal.best.leaving


def test_equal_and_higher_priorities_never_leave() -> None:
    """Nothing is proposed, and why is said."""
    held = [Held("a", "h", {"cpu": 4}, 10)]
    proposal = propose_preemption(filled(held, h=4).snapshot(), urgent(2), held, 1.0)
    assert (True, None) == (proposal.needed, proposal.best)
    assert "none of what has a lower priority than 10 could make it" in proposal.sentence


def test_nothing_leaves_where_there_is_room() -> None:
    """The load just goes there."""
    held = [Held("a", "h", {"cpu": 2})]
    proposal = propose_preemption(filled(held, h=4).snapshot(), urgent(2), held, 1.0)
    assert (False, None) == (proposal.needed, proposal.best)


def test_hosts_that_another_rule_refuses_are_left_alone() -> None:
    """A cordoned host's loads need not leave for what could not come."""
    held = [Held("a", "shut", {"cpu": 4}), Held("b", "open", {"cpu": 4}, 7)]
    cluster = filled(held, shut=4, open=4)
    cluster.set_flags("shut", CORDONED)
    proposal = propose_preemption(cluster.snapshot(), urgent(2), held, 1.0)
    assert proposal.best is not None
    assert ("open", ()) == (proposal.best.host, proposal.alternatives)


def test_memory_that_nobody_asked_for_does_not_leave() -> None:
    """Measured use beyond what the held loads asked for stays in the way."""
    held = [Held("a", "h", {"memory": 50})]
    cluster = filled(held, h=4)
    cluster.report("h", {"memory": 95}, 0.0)
    snapshot = cluster.snapshot()
    assert propose_preemption(snapshot, urgent(0, demand={"memory": 60}), held, 1.0).best is None
    assert propose_preemption(snapshot, urgent(0, demand={"memory": 50}), held, 1.0).best is not None


def test_many_held_loads_are_answered_greedily_and_it_says_so() -> None:
    """Forty small ones: enough of them leave, none needlessly."""
    held = [Held(f"h{n:02}", "h", {"cpu": 1}, n % 3, 1.0 + n % 2) for n in range(40)]
    proposal = propose_preemption(filled(held, h=40).snapshot(), urgent(15), held, 1.0)
    assert proposal.best is not None
    assert (15, False, 1) == (len(proposal.best.leaving), proposal.best.exact, proposal.best.priority)


sizes = st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0])
held_loads = st.lists(
    st.tuples(sizes, st.integers(0, 3), st.sampled_from([1.0, 2.0, 5.0])), min_size=1, max_size=6
)


@settings(max_examples=40)
@given(held_loads, sizes)
def test_the_proposal_is_the_cheapest_there_is_and_the_load_then_fits(
    given_loads: list[tuple[float, int, float]], asked: float
) -> None:
    """Against every set, written down once more; carried out by hand, the load is placed."""
    held = [
        Held(f"x{n}", "h", {"cpu": size}, priority, cost)
        for n, (size, priority, cost) in enumerate(given_loads)
    ]
    total = sum(size for size, _, _ in given_loads)
    cluster = filled(held, h=total)
    load = urgent(asked, priority=2)
    proposal = propose_preemption(cluster.snapshot(), load, held, 1.0)
    able = [each for each in held if each.priority < 2]
    prices = [
        (max(each.priority for each in chosen), sum(each.cost for each in chosen))
        for size in range(1, len(able) + 1)
        for chosen in combinations(able, size)
        if sum(each.demand["cpu"] for each in chosen) >= asked
    ]
    if not prices:
        assert proposal.best is None
        return
    assert proposal.best is not None
    assert min(prices) == (proposal.best.priority, proposal.best.cost)
    for each in held:
        if each.name in proposal.best.leaving:
            cluster.release("h", cluster.dimensions.vector(each.demand))
    assert "h" == decide(cluster.snapshot(), load, 1.0).host


@pytest.mark.parametrize(
    ("held", "field"),
    [
        (Held("a", "gone", {"cpu": 1}), "held.0.host"),
        (Held("a", "h", {"cpu": -1}), "held.0.demand.cpu"),
        (Held("a", "h", {"heat": 1}), "held.0.demand.heat"),
        (Held("a", "h", {"cpu": 1}, cost=0.0), "held.0.cost"),
        (Held("a", "h", {"cpu": 1}, cost=float("nan")), "held.0.cost"),
    ],
)
def test_a_wrong_held_load_names_its_field(held: Held, field: str) -> None:
    """Typed, with its position."""
    with pytest.raises(InvalidLoad) as refused:
        propose_preemption(filled([], h=4).snapshot(), urgent(9), [held], 1.0)
    assert field == refused.value.field
