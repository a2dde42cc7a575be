"""Many loads in one decision: they fit together, pack better than one at a time, and each says why."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from core_strategies import DIMENSIONS, NOW, clusters, loads
from hypothesis import given
from hypothesis import strategies as st

from balancer_core.batch import decide_many
from balancer_core.cluster import Cluster, Snapshot
from balancer_core.cost.curves import doubt, free_share, price
from balancer_core.decision import Decision
from balancer_core.fairness import dominant_share
from balancer_core.filters import FILTERS
from balancer_core.load import InvalidLoad, Load, Spread
from balancer_core.placement import decide
from balancer_core.question import Question


def rack(*cores: float) -> Cluster:
    """Hosts h0, h1, ... with so many cores."""
    cluster = Cluster()
    for number, has in enumerate(cores):
        cluster.add_host(f"h{number}", {"cpu": has})
    return cluster


def job(cores: float = 1.0, **parts: Any) -> Load:
    """A job of so many cores."""
    return Load(**({"kind": "job", "name": f"j{cores:g}", "demand": {"cpu": cores}} | parts))


def hosts(decisions: list[Decision]) -> list[str | None]:
    """Where they go."""
    return [decision.host for decision in decisions]


def one_at_a_time(snapshot: Snapshot, some: list[Load], now: float) -> list[str | None]:
    """Each on its own in the order given, what the earlier ones took on top of what is measured."""
    draft = replace(snapshot, reserved=snapshot.reserved.copy(), used=snapshot.used.copy())
    found = []
    for load in some:
        host = decide(draft, load, now).host
        found.append(host)
        if host is not None:
            for column in (draft.reserved, draft.used):
                column[draft.rows[host]] += draft.dimensions.vector(load.demand)
    return found


def cost(snapshot: Snapshot, some: list[Load], placed: list[str | None], now: float) -> float:
    """What the whole cluster costs with these loads on these hosts: the sum of all prices."""
    occupied = np.maximum(snapshot.reserved, snapshot.used)
    for load, host in zip(some, placed, strict=True):
        occupied[snapshot.rows[str(host)]] += snapshot.dimensions.vector(load.demand)
    total = 0.0
    for row in range(len(snapshot)):
        doubtful = doubt(now - float(snapshot.reported_at[row]))
        for r, has in enumerate(snapshot.capacity[row].tolist()):
            kind = int(snapshot.dimensions.kinds[r])
            total += price(kind, free_share(float(occupied[row, r]), has, doubtful))
    return total


def test_many_loads_in_one_call_see_each_other() -> None:
    """Each takes its part of the room, and the last is refused; the snapshot stays as it was."""
    snapshot = rack(2, 2).snapshot()
    decisions = decide_many(snapshot, [job(name=f"j{n}") for n in range(5)], 1.0)
    assert ["h0", "h1", "h0", "h1", None] == hosts(decisions)
    assert snapshot.reserved.sum() == 0.0
    assert decisions[0].batch == "One of 5 decided together, number 1 in turn."


def test_large_ones_go_first_whatever_the_order_given() -> None:
    """One at a time the small ones leave no whole host; together all three find a place."""
    snapshot, some = rack(4, 4).snapshot(), [job(1.0), job(1.0), job(4.0)]
    assert ["h0", "h1", None] == one_at_a_time(snapshot, some, 1.0)
    assert ["h1", "h1", "h0"] == hosts(decide_many(snapshot, some, 1.0))


def test_room_is_made_by_moving_others_of_the_batch() -> None:
    """The one that goes first takes the large host; it leaves again, and says so."""
    snapshot = rack(8, 4).snapshot()
    first, large = job(1.0, priority=9), job(8.0)
    decisions = decide_many(snapshot, [first, large], 1.0)
    assert ["h1", "h0"] == hosts(decisions)
    assert decisions[0].batch.endswith("moved from h0 for the others' sake.")
    assert decisions[0].sentence.startswith("h1 takes it: it ")
    assert "the only one of 2 hosts that can" in decisions[0].sentence


def test_nothing_is_left_behind_where_no_room_can_be_made() -> None:
    """The move that would help needs a host that is not there: all stays as it was."""
    snapshot = rack(8, 0.5).snapshot()
    decisions = decide_many(snapshot, [job(1.0, priority=9), job(8.0)], 1.0)
    assert ["h0", None] == hosts(decisions)
    assert {"no_room": 1, "too_small": 1} == dict(decisions[1].rejected)


def test_members_of_a_group_count_each_other() -> None:
    """Three of a group, at most one a host, in one call."""
    some = [job(1.0, name=f"r{n}", group="db", spread=(Spread("host", {}),)) for n in range(4)]
    decisions = decide_many(rack(64, 2, 2).snapshot(), some, 1.0)
    assert {"h0", "h1", "h2"} == set(hosts(decisions)[:3])
    assert decisions[3].host is None
    assert {"domain_full": 3} == dict(decisions[3].rejected)


def test_tenants_take_turns_by_dominant_share() -> None:
    """Five cores, two tenants, of whom one put ten jobs first: three and two, not five and none."""
    many = [job(1.0, name=f"a{n}", tenant="a", policy="tenant_fair") for n in range(10)]
    few = [job(1.0, name=f"b{n}", tenant="b", policy="tenant_fair") for n in range(2)]
    decisions = decide_many(rack(5).snapshot(), [*many, *few], 1.0)
    assert [3, 2] == [sum(each.placed for each in part) for part in (decisions[:10], decisions[10:])]
    assert "by the dominant shares of the tenants, its own being 'b'" in decisions[10].batch


def test_a_tenant_that_holds_much_waits_and_a_heavy_one_gets_more() -> None:
    """What is held counts, and a weight of two gives twice as much."""
    asked = [
        job(1.0, name=f"{tenant}{n}", tenant=tenant, policy="tenant_fair", options={"tenant_weight": weight})
        for n in range(9)
        for tenant, weight in (("a", 1), ("b", 2))
    ]
    decisions = decide_many(rack(9).snapshot(), asked, 1.0)
    assert [3, 6] == [sum(each.placed for each in decisions[part::2]) for part in (0, 1)]
    decisions = decide_many(rack(9).snapshot(), asked, 1.0, held={"b": {"cpu": 100.0}})
    assert [9, 0] == [sum(each.placed for each in decisions[part::2]) for part in (0, 1)]


@given(clusters(), st.lists(loads(), max_size=6))
def test_safety_what_is_placed_fits_together(cluster: Cluster, some: list[Load]) -> None:
    """Committed in the order given, no host is met without room, and each passes every rule as stated."""
    some = [replace(load, group="") for load in some]
    for load, decision in zip(some, decide_many(cluster.snapshot(), some, NOW), strict=True):
        assert decision == Decision.from_dict(json.loads(json.dumps(decision.to_dict(), allow_nan=False)))
        if decision.host is not None:
            question = Question.put(cluster.snapshot(), load, NOW)
            verdicts = [rule.judge(question) for rule in FILTERS.values()]
            assert not any(verdict[cluster.row(decision.host)] for verdict in verdicts if verdict is not None)
            cluster.reserve(decision.host, DIMENSIONS.vector(load.demand))


@given(st.integers(0, 2**32))
def test_safety_a_batch_costs_no_more_than_one_at_a_time_in_its_order(seed: int) -> None:
    """With spread, the whole cluster's cost is at most that of the same loads one by one, largest first."""
    rng = np.random.default_rng(seed)
    cluster = Cluster(DIMENSIONS)
    for number in range(8):
        has = {name: float(rng.choice([4.0, 8.0, 32.0])) for name in DIMENSIONS.names}
        cluster.add_host(f"h{number}", has)
        cluster.report(f"h{number}", {name: amount * rng.random() * 0.5 for name, amount in has.items()}, NOW)
    some = [
        job(name=f"j{n}", demand={name: float(rng.random()) for name in DIMENSIONS.names}) for n in range(20)
    ]
    usual = np.median(cluster.snapshot().capacity, axis=0)
    by_size = sorted(some, key=lambda load: -float((DIMENSIONS.vector(load.demand) / usual).max()))
    snapshot = cluster.snapshot()
    one_by_one = one_at_a_time(snapshot, by_size, NOW)
    decisions = decide_many(snapshot, some, NOW)
    assert all(one_by_one)
    assert all(decision.placed for decision in decisions)
    together = cost(snapshot, some, hosts(decisions), NOW)
    assert together <= cost(snapshot, by_size, one_by_one, NOW) * (1 + 1e-9)
    # Where nothing more can be gained, each is where it costs least beside all the others.
    assert all(decision.ranking[0] == decision.host for decision in decisions)


@given(st.integers(0, 2**32))
def test_liveness_a_batch_places_as_much_as_one_at_a_time(seed: int) -> None:
    """On a cluster that is too small for all, at least as large a part of it is held."""
    rng = np.random.default_rng(seed)
    cluster = rack(*rng.choice([2.0, 4.0, 8.0], 5).tolist())
    some = [job(float(cores), name=f"j{n}") for n, cores in enumerate(rng.choice([0.5, 1, 3, 4, 5], 14))]
    snapshot = cluster.snapshot()
    alone = one_at_a_time(snapshot, some, 1.0)
    together = hosts(decide_many(snapshot, some, 1.0))
    held = [
        sum(load.demand["cpu"] for load, host in zip(some, found, strict=True) if host is not None)
        for found in (alone, together)
    ]
    assert held[0] <= held[1]


def test_a_dominant_share_is_of_what_the_cluster_has() -> None:
    """The turn's figure: one core of five."""
    share, resource = dominant_share(np.array([1.0]), np.array([5.0]))
    assert (0.2, 0) == (share, resource)


@pytest.mark.parametrize(
    ("some", "top", "field", "code"),
    [
        ([job(), job(demand={"gpu": 1})], 5, "1.demand.gpu", "unknown_resource"),
        ([job()], 17, "top", "out_of_range"),
        ([job()] * 10_001, 5, "loads", "out_of_range"),
    ],
)
def test_a_wrong_batch_decides_nothing(some: list[Load], top: int, field: str, code: str) -> None:
    """The error names the load's position and field."""
    with pytest.raises(InvalidLoad) as refused:
        decide_many(rack(2).snapshot(), some, 1.0, top)
    assert (field, code) == (refused.value.field, refused.value.code)
