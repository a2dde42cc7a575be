"""What a load may ask of where it goes: pins, skew, company and preferences, each on a cluster whose answer
is plain."""

from __future__ import annotations

from typing import Any

import pytest

from balancer_core.cluster import CORDONED, Cluster
from balancer_core.decision import Decision, Unmet
from balancer_core.placement import Company, InvalidLoad, Load, Preference, Spread, decide


def rack() -> Cluster:
    """Zones a, b, c with two hosts each (a1, a2, ...) and one host, lone, without a zone; all alike and
    idle."""
    cluster = Cluster()
    for name in ("a1", "a2", "b1", "b2", "c1", "c2", "lone"):
        cluster.add_host(name, {"cpu": 4}, {"zone": name[0]} if name != "lone" else {})
        cluster.report(name, {}, 0.0)
    return cluster


def ask(cluster: Cluster, **parts: Any) -> Decision:
    """The decision for a job of one core with these constraints."""
    return decide(
        cluster.snapshot(), Load(**({"kind": "job", "name": "j", "demand": {"cpu": 1.0}} | parts)), 1.0, 16
    )


def reasons(decision: Decision) -> dict[str, str]:
    """Host to sentence."""
    return {rejection.host: rejection.reason for rejection in decision.rejections}


def test_a_pinned_load_goes_nowhere_else() -> None:
    """Only the named hosts are candidates; a name that is not there yet is waited for."""
    decision = ask(rack(), pin_hosts=frozenset({"b2", "c1", "later"}))
    assert (("b2", "c1"), {"not_pinned": 5}) == (decision.ranking, dict(decision.rejected))
    refused = ask(rack(), pin_hosts=frozenset({"later"}))
    assert "None of 7 hosts can take job j: 7 other than it is pinned to." in refused.sentence


def test_a_skew_sends_the_next_to_the_emptiest_zones() -> None:
    """Two in a, one in b, none in c: with a skew of one only c takes it, with two also b."""
    taken = {"a": 2, "b": 1}
    one = ask(rack(), spread=(Spread("zone", taken, max_skew=1),))
    assert ("c1", "c2") == one.ranking
    assert {"too_skewed": 4, "domain_unknown": 1} == dict(one.rejected)
    assert (
        "zone a holds 2 of the group and the emptiest zone 0; with one more it would be ahead by more than 1."
        == reasons(one)["a1"]
    )
    assert {"b1", "b2", "c1", "c2"} == set(ask(rack(), spread=(Spread("zone", taken, max_skew=2),)).ranking)


def test_a_zone_where_nothing_could_go_holds_nobody_back() -> None:
    """With all of c cordoned the emptiest zone is b."""
    cluster = rack()
    for name in ("c1", "c2"):
        cluster.set_flags(name, CORDONED)
    assert ("b1", "b2") == ask(cluster, spread=(Spread("zone", {"a": 2, "b": 1}, max_skew=1),)).ranking


def test_a_skew_and_a_limit_hold_together() -> None:
    """Nothing is ahead, but each zone is full."""
    decision = ask(rack(), spread=(Spread("zone", dict.fromkeys("abc", 2), 2, 1),))
    assert {"domain_full": 6, "domain_unknown": 1} == dict(decision.rejected)
    assert ("free a place in zone a",) == decision.changes[0].steps


def test_near_and_apart_are_rules_by_host_and_by_zone() -> None:
    """Beside the cache by zone, but not on its host."""
    cache = {"b1": 1}
    near = Company("cache", {"b": 1}, "zone")
    decision = ask(rack(), near=(near,), apart=(Company("cache", cache),))
    assert ("b2",) == decision.ranking
    assert {"not_near": 4, "not_apart": 1, "company_unknown": 1} == dict(decision.rejected)
    assert "zone a holds none of cache, which the load must be near to." == reasons(decision)["a1"]
    assert "host b1 holds 1 of cache, which the load must be apart from." == reasons(decision)["b1"]
    assert (
        "The host has no label zone, so it is not known whether cache is near." == reasons(decision)["lone"]
    )


def test_a_refusal_for_company_says_what_would_help() -> None:
    """The way out names what would have to come or go."""
    cluster = Cluster()
    cluster.add_host("only", {"cpu": 4})
    refused = ask(cluster, near=(Company("cache", {}),), apart=(Company("noise", {"only": 3}),))
    assert ("bring cache to host only, move noise away from host only",) == refused.changes[0].steps


def test_the_first_of_a_group_that_keeps_together_may_go_anywhere() -> None:
    """There is nobody yet to be near to; the second has to follow."""
    first = ask(rack(), group="db", near=(Company("db", {}),))
    assert 7 == first.feasible
    assert ("c2",) == ask(rack(), group="db", near=(Company("db", {"c2": 1}),)).ranking


def test_a_preference_wins_among_equals_and_yields_to_cost() -> None:
    """All alike: the preferred zone. Its hosts busy: the charge is less than the queue."""
    prefer = (Preference("zone", "c", 0.5),)
    decision = ask(rack(), prefer=prefer)
    assert ("c1", "c2", "a1") == decision.ranking[:3]
    assert ((), (Unmet("zone c", 0.5),)) == (decision.candidates[0].unmet, decision.candidates[2].unmet)
    assert decision.candidates[2].margin == pytest.approx(0.5)
    cluster = rack()
    for name in ("c1", "c2"):
        cluster.report(name, {"cpu": 3.5}, 0.0)
    busy = ask(cluster, prefer=prefer)
    assert "a1" == busy.host
    assert "zone c was preferred, which counts 0.50 against it" in busy.sentence
    assert busy == Decision.from_dict(busy.to_dict())


def test_a_host_can_be_preferred_and_company_wished_for() -> None:
    """Stay where you are, near what you read from, away from what is loud."""
    assert "b2" == ask(rack(), prefer=(Preference("host", "b2", 0.01),)).host
    wishes = {
        "near": (Company("data", {"b": 2}, "zone", 0.2),),
        "apart": (Company("noise", {"b1": 1}, weight=0.1),),
    }
    decision = ask(rack(), **wishes)
    assert (("b2", "b1"), 7) == (decision.ranking[:2], decision.feasible)
    assert (Unmet("apart from noise by host", 0.1),) == decision.candidates[1].unmet


def test_a_decision_of_before_preferences_is_still_read() -> None:
    """Stored documents lack the field."""
    decision = ask(rack())
    plain = decision.to_dict()
    for candidate in plain["candidates"]:
        del candidate["unmet"]
    assert decision == Decision.from_dict(plain)


NEAR, APART = (Company("x", {}),), (Company("x", {}, "zone"),)


@pytest.mark.parametrize(
    ("parts", "field", "code"),
    [
        (
            {"pin_hosts": frozenset({"a1", "b1"}), "exclude_hosts": frozenset({"b1"})},
            "pin_hosts",
            "contradiction",
        ),
        ({"near": NEAR, "apart": NEAR}, "apart.0", "contradiction"),
        ({"near": NEAR, "apart": APART}, "apart.0", "contradiction"),
        ({"pin_hosts": "a1"}, "pin_hosts", "invalid_host"),
        ({"near": ("x",)}, "near", "invalid_near"),
        ({"apart": NEAR * 17}, "apart", "invalid_apart"),
        ({"prefer": (Preference("zone", "a", 1),) * 7}, "prefer", "too_many"),
        ({"prefer": NEAR}, "prefer", "invalid_prefer"),
        ({"group": "g" * 201}, "group", "invalid_name"),
        ({"priority": 1.5}, "priority", "out_of_range"),
        ({"priority": 10**7}, "priority", "out_of_range"),
    ],
)
def test_contradictions_and_mistakes_name_their_field(parts: dict[str, Any], field: str, code: str) -> None:
    """Typed, when the load is made."""
    with pytest.raises(InvalidLoad) as refused:
        ask(rack(), **parts)
    assert (field, code) == (refused.value.field, refused.value.code)


def test_near_by_zone_and_apart_by_host_is_no_contradiction() -> None:
    """Nor is one that is only wished for."""
    assert 0 == ask(rack(), near=APART, apart=NEAR).feasible
    assert ask(rack(), near=(Company("x", {"a1": 1}),), apart=(Company("x", {"a1": 1}, weight=1.0),)).placed


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: Spread("zone", {}, max_skew=0), "spread.max_skew"),
        (lambda: Spread("zone", {"a": 10**10}), "spread.taken"),
        (lambda: Company("", {}), "company.group"),
        (lambda: Company("x", {"a": -1}), "company.found"),
        (lambda: Company("x", {}, ""), "company.level"),
        (lambda: Company("x", {}, "zone", float("nan")), "company.weight"),
        (lambda: Preference("", "a", 1), "prefer.level"),
        (lambda: Preference("zone", None, 1), "prefer.value"),  # type: ignore[arg-type]
        (lambda: Preference("zone", "a", 1001), "prefer.weight"),
    ],
)
def test_a_wrong_constraint_is_refused(build: Any, field: str) -> None:
    """Levels and groups are words, counts are whole, weights are bounded."""
    with pytest.raises(InvalidLoad) as refused:
        build()
    assert field == refused.value.field
