"""Replicas and gangs: each sees the others, and a gang is placed whole or not at all."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from core_strategies import DIMENSIONS, NOW, clusters, loads
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer_core.cluster import Cluster
from balancer_core.filters import FILTERS
from balancer_core.groups import decide_gang, decide_replicas
from balancer_core.load import Company, InvalidLoad, Load, Spread
from balancer_core.question import Question


def rack(*cores: float) -> Cluster:
    """Hosts h0, h1, ... with so many cores, zones a and b in turn."""
    cluster = Cluster()
    for number, has in enumerate(cores):
        cluster.add_host(f"h{number}", {"cpu": has}, {"zone": "ab"[number % 2]})
    return cluster


def job(cores: float = 1.0, **parts: Any) -> Load:
    """A job of so many cores."""
    return Load(**({"kind": "job", "name": f"j{cores:g}", "demand": {"cpu": cores}} | parts))


def test_replicas_spread_over_zones_by_themselves() -> None:
    """Four replicas with a skew of one: two in each zone although zone a has the larger hosts."""
    snapshot = rack(32, 4, 32, 4).snapshot()
    decisions = decide_replicas(snapshot, job(spread=(Spread("zone", {}, max_skew=1),)), 4, 1.0)
    zones = Counter(snapshot.labels.rows[snapshot.rows[str(each.host)]]["zone"] for each in decisions)
    assert {"a": 2, "b": 2} == dict(zones)
    assert ["j1-1", "j1-2", "j1-3", "j1-4"] == [decision.name for decision in decisions]


def test_replicas_count_who_is_there_already_and_stop_at_the_first_refusal() -> None:
    """One a host, one host taken: two find a place, the third says why not."""
    decisions = decide_replicas(rack(4, 4, 4).snapshot(), job(spread=(Spread("host", {"h1": 1}),)), 5, 1.0)
    assert ["h0", "h2", None] == [decision.host for decision in decisions]
    assert {"domain_full": 3} == dict(decisions[-1].rejected)


def test_a_gang_is_placed_although_its_order_is_unlucky() -> None:
    """The small ones would take the large host's room first; the large one goes first in the second try."""
    gang = decide_gang(rack(4, 2).snapshot(), [job(2.0), job(4.0)], 1.0)
    assert (True, 2) == (gang.placed, gang.tries)
    assert ["h1", "h0"] == [decision.host for decision in gang.decisions]
    assert "All 2 of the gang have a place, on 2 hosts." == gang.sentence


def test_a_gang_that_does_not_fit_places_nothing_and_says_who_blocks() -> None:
    """Two hosts, three loads that each need one."""
    gang = decide_gang(rack(4, 4).snapshot(), [job(3.0, name=f"m{n}") for n in range(3)], 1.0)
    assert (False, ()) == (gang.placed, gang.decisions)
    assert gang.blocking is not None
    assert {"no_room": 2} == dict(gang.blocking.rejected)
    assert gang.sentence.startswith(
        "Nothing of the gang of 3 is placed (8 orders tried). None of 2 hosts can"
    )
    assert not json.loads(json.dumps(gang.to_dict()))["placed"]


def test_a_gang_with_an_impossible_member_is_tried_twice_at_most() -> None:
    """Once it is first and refused, no order helps."""
    gang = decide_gang(rack(4).snapshot(), [job(1.0), job(9.0)], 1.0)
    assert (False, 2) == (gang.placed, gang.tries)


def test_members_of_a_gang_keep_near_and_apart_of_each_other() -> None:
    """A database, its cache on the same host, and a second database on another."""
    database = job(2.0, name="db", group="db", apart=(Company("db", {}),))
    cache = job(1.0, name="cache", group="cache", near=(Company("db", {}),))
    gang = decide_gang(rack(4, 4).snapshot(), [database, cache, database], 1.0)
    first, beside, second = (decision.host for decision in gang.decisions)
    assert gang.placed
    assert first != second
    assert beside in {first, second}


@settings(max_examples=25)
@given(clusters(), st.lists(loads(), min_size=1, max_size=4))
def test_safety_a_gang_breaks_no_rule_of_any_member(cluster: Cluster, members: list[Load]) -> None:
    """Reserving one after the other meets no host without room; each host passes every rule as stated."""
    gang = decide_gang(cluster.snapshot(), members, NOW)
    assert len(gang.decisions) == (len(members) if gang.placed else 0)
    for load, decision in zip(members, gang.decisions, strict=False):
        assert decision.host is not None
        question = Question.put(cluster.snapshot(), load, NOW)
        for name in ("healthy", "schedulable", "excluded", "pinned", "labels"):
            verdict = FILTERS[name].judge(question)
            assert verdict is None or verdict[cluster.row(decision.host)] == 0
        cluster.reserve(decision.host, DIMENSIONS.vector(load.demand))
    snapshot = cluster.snapshot()
    for decision in gang.decisions:
        row = snapshot.rows[str(decision.host)]
        asked = DIMENSIONS.vector(dict(decision.demand)) > 0
        assert (snapshot.reserved[row] <= snapshot.capacity[row] * (1 + 1e-12))[asked].all()


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (lambda snapshot: decide_replicas(snapshot, job(), 0, 1.0), "replicas"),
        (lambda snapshot: decide_replicas(snapshot, job(), True, 1.0), "replicas"),
        (lambda snapshot: decide_gang(snapshot, [], 1.0), "loads"),
        (lambda snapshot: decide_gang(snapshot, [job(), job(demand={"heat": 1.0})], 1.0), "1.demand.heat"),
    ],
)
def test_a_wrong_group_names_its_field(ask: Any, field: str) -> None:
    """Before anything is decided."""
    with pytest.raises(InvalidLoad) as refused:
        ask(rack(4).snapshot())
    assert field == refused.value.field
