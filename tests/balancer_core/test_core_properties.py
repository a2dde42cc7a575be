"""What holds for every cluster and load.

Safety: something bad never happens. Liveness: something good does.
"""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from core_strategies import DIMENSIONS, NOW, clusters, loads
from hypothesis import given

from balancer_core.cluster import Cluster, Snapshot
from balancer_core.decision import Decision
from balancer_core.filters import FILTERS
from balancer_core.load import Company, Load, Spread
from balancer_core.placement import decide
from balancer_core.question import Question
from balancer_core.resources import CAPACITY


def domain(snapshot: Snapshot, level: str, row: int) -> str | None:
    """A host's failure domain."""
    return snapshot.names[row] if level == "host" else snapshot.labels.rows[row].get(level)


def labelled(snapshot: Snapshot, load: Load, row: int) -> bool:
    """Whether a host carries the load's labels."""
    return all(snapshot.labels.rows[row].get(key) == value for key, value in load.labels.items())


def level_with(snapshot: Snapshot, load: Load, spread: Spread, row: int) -> bool:
    """Whether a spread allows one more in a host's domain."""
    place = domain(snapshot, spread.level, row)
    if place is None:
        return False
    after = spread.taken.get(place, 0) + 1
    if spread.max_per_domain is not None and after > spread.max_per_domain:
        return False
    open_rows = [
        each for each in range(len(snapshot)) if not snapshot.flags[each] and labelled(snapshot, load, each)
    ]
    known = {domain(snapshot, spread.level, each) for each in open_rows} - {None}
    least = min(spread.taken.get(str(each), 0) for each in known)
    return spread.max_skew is None or after - least <= spread.max_skew


def in_company(snapshot: Snapshot, load: Load, company: Company, near: bool, row: int) -> bool:
    """Whether a host's domain holds, or does not hold, what the load is to be near to or apart from."""
    place = domain(snapshot, company.level, row)
    if place is None:
        return False
    if near and company.group == load.group and not any(company.found.values()):
        return True
    return (company.found.get(place, 0) > 0) == near


def may_take(snapshot: Snapshot, load: Load, row: int) -> bool:
    """Whether a host may take a load, said once more and without the rules' code."""
    if snapshot.flags[row] or snapshot.names[row] in load.exclude_hosts or not labelled(snapshot, load, row):
        return False
    if load.pin_hosts and snapshot.names[row] not in load.pin_hosts:
        return False
    if not all(level_with(snapshot, load, spread, row) for spread in load.spread):
        return False
    for company, near in [(each, True) for each in load.near] + [(each, False) for each in load.apart]:
        if company.weight is None and not in_company(snapshot, load, company, near, row):
            return False
    for name, asks in load.demand.items():
        r = DIMENSIONS.index(name)
        holds = snapshot.reserved[row, r]
        if DIMENSIONS.kinds[r] == CAPACITY:
            holds = max(holds, snapshot.used[row, r])
        if asks > 0 and holds + asks > snapshot.capacity[row, r]:
            return False
    return True


@given(clusters(), loads())
def test_safety_no_candidate_breaks_a_rule(cluster: Cluster, load: Load) -> None:
    """Every host of the ranking has room, no flag, the labels, and is neither excluded nor in a full
    domain."""
    snapshot = cluster.snapshot()
    for host in decide(snapshot, load, NOW).ranking:
        assert may_take(snapshot, load, snapshot.rows[host])


@given(clusters(), loads())
def test_safety_deciding_changes_nothing(cluster: Cluster, load: Load) -> None:
    """The same question has the same answer, and the snapshot is as it was."""
    snapshot = cluster.snapshot()
    before = [column.tobytes() for column in (snapshot.capacity, snapshot.reserved, snapshot.used)]
    assert decide(snapshot, load, NOW) == decide(snapshot, load, NOW)
    assert before == [column.tobytes() for column in (snapshot.capacity, snapshot.reserved, snapshot.used)]


@given(clusters(), loads())
def test_safety_a_decision_is_immutable_and_survives_json(cluster: Cluster, load: Load) -> None:
    """What is stored and shown is what was decided."""
    decision = decide(cluster.snapshot(), load, NOW)
    assert decision == Decision.from_dict(json.loads(json.dumps(decision.to_dict(), allow_nan=False)))
    with pytest.raises(FrozenInstanceError):
        decision.host = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        decision.rejected["lost"] = 1  # type: ignore[index]


@given(clusters(), loads())
def test_liveness_if_a_host_may_take_it_one_does(cluster: Cluster, load: Load) -> None:
    """The number of feasible hosts is exact, and a load is refused only when it is zero."""
    snapshot = cluster.snapshot()
    decision = decide(snapshot, load, NOW)
    able = sum(may_take(snapshot, load, row) for row in range(len(snapshot)))
    assert (able, able > 0) == (decision.feasible, decision.placed)


@given(clusters(), loads())
def test_liveness_every_refused_host_has_a_reason_and_every_refusal_a_way_out(
    cluster: Cluster, load: Load
) -> None:
    """Rules and kernel agree on who was refused; a refusal with hosts says what would have to change."""
    snapshot = cluster.snapshot()
    decision = decide(snapshot, load, NOW)
    refused = {snapshot.names[row] for row in range(len(snapshot)) if not may_take(snapshot, load, row)}
    assert refused == {rejection.host for rejection in decision.rejections}
    assert len(refused) == sum(decision.rejected.values())
    assert all(rejection.reason for rejection in decision.rejections)
    if refused and not decision.placed:
        assert all(step for change in decision.changes for step in change.steps)
        assert decision.changes


@given(clusters(), loads())
def test_the_best_candidate_has_the_least_total_and_its_terms_sum_to_it(cluster: Cluster, load: Load) -> None:
    """The ranking is sorted, margins count from the winner, and no part of a score is hidden."""
    decision = decide(cluster.snapshot(), load, NOW)
    totals = [candidate.total for candidate in decision.candidates]
    assert sorted(totals) == totals
    for candidate in decision.candidates:
        assert candidate.total - totals[0] == candidate.margin
        total = 0.0
        for term in candidate.terms:
            total += term.cost
        charged = 0.0
        for missed in candidate.unmet:
            charged += missed.cost
        assert candidate.total == total + charged


@given(clusters(), loads())
def test_preferences_change_the_order_and_nothing_else(cluster: Cluster, load: Load) -> None:
    """As many hosts can take the load, and each costs what it did plus what it is charged."""
    snapshot = cluster.snapshot()
    wishes = (("near", load.near), ("apart", load.apart))
    rules = {name: tuple(each for each in given if each.weight is None) for name, given in wishes}
    bare = decide(snapshot, replace(load, prefer=(), **rules), NOW, top=16)
    wishful = decide(snapshot, load, NOW, top=16)
    assert bare.feasible == wishful.feasible
    before = {candidate.host: candidate for candidate in bare.candidates}
    assert before.keys() == set(wishful.ranking)
    for candidate in wishful.candidates:
        charged = sum(missed.cost for missed in candidate.unmet)
        assert before[candidate.host].total + charged == candidate.total


@given(clusters(), loads())
def test_each_rule_judges_every_host_or_none(cluster: Cluster, load: Load) -> None:
    """A verdict is a position among the rule's reasons."""
    question = Question.put(cluster.snapshot(), load, NOW)
    for rule in FILTERS.values():
        verdict = rule.judge(question)
        if verdict is not None:
            assert (len(cluster), np.uint8) == (len(verdict), verdict.dtype)
            assert (verdict <= len(rule.REASONS)).all()
        assert rule.REASONS.keys() == rule.PHRASES.keys()
