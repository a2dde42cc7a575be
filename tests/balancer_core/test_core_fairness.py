"""Dominant-resource fairness: the paper's example, and its promises on random instances."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from balancer_core.cluster import Cluster
from balancer_core.fairness import InvalidTenant, Turns, dominant_share, fill, serve, tenant_fair
from balancer_core.load import Load

CLOSE = 1 + 1e-9

#: Of 9 cores and 18 GiB: one tenant's loads need 1 and 4, the other's 3 and 1 (section 4.1 of the paper).
TOTAL = np.array([9.0, 18.0])
PAPER = {"a": np.array([1.0, 4.0]), "b": np.array([3.0, 1.0])}

amount = st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 7.0])


@st.composite
def instances(
    draw: st.DrawFn,
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]], dict[str, float]]:
    """Up to five tenants over up to four resources, each asking for something; and their weights."""
    width, tenants = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    total = np.array(draw(st.lists(st.sampled_from([1.0, 5.0, 40.0]), min_size=width, max_size=width)))
    rows = st.lists(amount, min_size=width, max_size=width).filter(any)
    demands = {f"t{number}": np.array(draw(rows)) for number in range(tenants)}
    return total, demands, {name: draw(st.sampled_from([1.0, 2.0, 0.5])) for name in demands}


def test_the_papers_example() -> None:
    """Three of one, two of the other; both hold two thirds of their dominant resource."""
    counts = fill(TOTAL, PAPER)
    assert counts == pytest.approx({"a": 3.0, "b": 2.0})
    shares = [dominant_share(counts[name] * PAPER[name], TOTAL) for name in PAPER]
    assert [1, 0] == [resource for _, resource in shares]
    assert [share for share, _ in shares] == pytest.approx([2 / 3, 2 / 3])


def test_whole_loads_are_served_in_the_papers_order() -> None:
    """b, a, a, b, a; the tie at the start goes to the first named."""
    queues = {"b": [PAPER["b"]] * 2, "a": [PAPER["a"]] * 3}
    assert [("b", 0), ("a", 0), ("a", 1), ("b", 1), ("a", 2)] == serve(TOTAL, queues)


def test_who_leaves_is_called_no_more() -> None:
    """Whatever of his waited; the others' turns go on."""
    turns = Turns(TOTAL, {"a": 3, "b": 2})

    assert turns.call() == ("a", 0)
    turns.leave("a")

    assert [("b", 0), ("b", 1), None] == [turns.call() for _ in range(3)]


@given(instances())
def test_sharing_incentive(instance: tuple[Any, ...]) -> None:
    """Everyone runs at least what its weight's part of every resource would run."""
    total, demands, weights = instance
    counts, whole = fill(total, demands, weights), sum(weights.values())
    for name, demand in demands.items():
        alone = (
            min(has / asks for has, asks in zip(total, demand, strict=True) if asks) * weights[name] / whole
        )
        assert counts[name] * CLOSE >= alone


@given(instances())
def test_pareto_efficiency(instance: tuple[Any, ...]) -> None:
    """Nothing is given twice, and everyone needs something that is used up."""
    total, demands, weights = instance
    counts = fill(total, demands, weights)
    used = sum(counts[name] * demand for name, demand in demands.items())
    assert (used <= total * CLOSE).all()
    spent = used * CLOSE >= total
    assert all((spent & (demand > 0)).any() for demand in demands.values())


@given(instances())
def test_envy_freeness(instance: tuple[Any, ...]) -> None:
    """With another's part, scaled to its own weight, no one could run more than with its own."""
    total, demands, weights = instance
    counts = fill(total, demands, weights)
    for mine, demand in demands.items():
        for theirs, other in demands.items():
            part = counts[theirs] * other * weights[mine] / weights[theirs]
            instead = min(has / asks for has, asks in zip(part, demand, strict=True) if asks)
            assert instead <= counts[mine] * CLOSE + 1e-12


@given(instances(), st.data())
def test_claiming_more_does_not_help(instance: tuple[Any, ...], data: st.DataObject) -> None:
    """Strategy-proofness: a tenant that asks for another shape runs no more of what it needs."""
    total, demands, weights = instance
    liar = data.draw(st.sampled_from(sorted(demands)))
    lie = demands[liar] * np.array([data.draw(st.sampled_from([1.0, 2.0, 5.0])) for _ in total])
    part = fill(total, demands | {liar: lie}, weights)[liar] * lie
    runs = min(has / asks for has, asks in zip(part, demands[liar], strict=True) if asks)
    assert runs <= fill(total, demands, weights)[liar] * CLOSE


@given(instances(), st.data())
def test_the_next_served_always_holds_the_smallest_share(
    instance: tuple[Any, ...], data: st.DataObject
) -> None:
    """Replayed step by step; everything is served once, each queue in its order."""
    total, demands, weights = instance
    queues = {name: [demand] * data.draw(st.integers(0, 4)) for name, demand in demands.items()}
    held = dict.fromkeys(queues, total * 0)
    served: Counter[str] = Counter()
    for name, position in serve(total, queues, None, weights):
        assert served[name] == position
        waiting = [each for each in queues if served[each] < len(queues[each])]
        shares = {each: dominant_share(held[each], total)[0] / weights[each] for each in waiting}
        assert shares[name] == min(shares.values())
        held[name] = held[name] + queues[name][position]
        served[name] += 1
    assert {name: len(queue) for name, queue in queues.items()} == {name: served[name] for name in queues}


def test_a_batch_is_ordered_fairly_between_its_tenants() -> None:
    """A tenant that holds much waits; within a tenant the higher priority comes first."""
    cluster = Cluster()
    cluster.add_host("h", {"cpu": 10, "memory": 100})
    cluster.add_host("gone", {"cpu": 1000}, flags=4)
    loads = [Load("job", f"j{n}", {"cpu": 1}, priority=int(n == 2)) for n in range(5)]
    tenants = ["a", "a", "a", "b", "b"]
    assert [2, 3, 0, 4, 1] == tenant_fair(cluster.snapshot(), loads, tenants)
    assert [3, 4, 2, 0, 1] == tenant_fair(cluster.snapshot(), loads, tenants, {"a": {"memory": 50}})
    assert [2, 3, 0, 1, 4] == tenant_fair(cluster.snapshot(), loads, tenants, weights={"a": 3.0})
    assert [] == tenant_fair(cluster.snapshot(), [], [])


def test_what_nobody_has_is_served_last_and_filled_with_nothing() -> None:
    """A demand for a resource of which there is none holds nobody else up."""
    demands = {"a": np.array([1.0, 1.0]), "b": np.array([1.0, 0.0]), "idle": np.zeros(2)}
    assert {"a": 0.0, "b": 4.0, "idle": 0.0} == fill(np.array([4.0, 0.0]), demands)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: fill(TOTAL, PAPER, {"a": 0.0}), "weights.a"),
        (lambda: fill(TOTAL, PAPER, {"a": float("nan")}), "weights.a"),
        (lambda: fill(TOTAL, {"a": np.array([1.0])}), "demands.a"),
        (lambda: fill(TOTAL, {"a": np.array([1.0, np.nan])}), "demands.a"),
        (lambda: fill(TOTAL * -1, PAPER), "total"),
        (lambda: serve(TOTAL, {"a": [TOTAL[:1]]}), "queues.a.0"),
        (lambda: serve(TOTAL, {"a": [TOTAL]}, {"a": TOTAL * np.inf}), "held.a"),
        (lambda: tenant_fair(Cluster().snapshot(), [], ["a"]), "tenants"),
        (lambda: tenant_fair(Cluster().snapshot(), [], [], {"a": {"cpu": -1}}), "held.a.cpu"),
    ],
)
def test_wrong_figures_name_their_field(call: Any, field: str) -> None:
    """Typed, before anything is shared out."""
    with pytest.raises(InvalidTenant) as refused:
        call()
    assert field == refused.value.field


def test_a_tenant_without_a_name_is_one_like_others() -> None:
    """Loads that name no tenant share a queue, and all of them get their turns."""
    total, one = np.array([10.0]), np.array([1.0])

    assert serve(total, {"": [one] * 3, "a": [one]}) == [("", 0), ("a", 0), ("", 1), ("", 2)]
