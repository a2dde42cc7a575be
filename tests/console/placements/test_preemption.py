"""What would have to leave: proposed where it would help, and nothing leaves."""

from __future__ import annotations

from typing import Any

import pytest

from balancer_core.placement import Load
from console.actions import SYSTEM
from console.placements import proposals
from console.placements.actions.commit import FitsNowhere
from console.placements.actions.place import Place
from console.placements.actions.release import Release
from console.placements.models import Decision, Placement

URL = "/api/v1/placements/"
URGENT = {"kind": "job", "name": "urgent", "demand": {"cpu": 4}, "priority": 10}


def held(name: str, cpu: float, priority: int = 0, host: str = "") -> Placement:
    pinned = frozenset({host} if host else ())
    return Place(Load("job", name, {"cpu": cpu}, priority=priority, pin_hosts=pinned)).run(SYSTEM)


@pytest.fixture
def full(cluster: Any) -> list[Placement]:
    """Two hosts of four cores: on one two of priority 0, on two one of priority 5."""
    cluster.add("one", cpu=4.0)
    cluster.add("two", cpu=4.0)
    return [held("same", 2.0, 0, "one"), held("same", 2.0, 0, "one"), held("c", 4.0, 5, "two")]


def test_a_refusal_says_what_would_have_to_leave(api: Any, full: list[Placement]) -> None:
    """In the answer and in the kept decision, by identity, since names repeat; nothing has moved."""
    answer = api.operator.post(URL, URGENT)

    problem = answer.json()
    best = problem["preemption"]["best"]
    assert (answer.status_code, best["host"], best["priority"], best["cost"]) == (409, "one", 0, 2.0)
    assert {each["placement"] for each in best["leaving"]} == {str(each.pk) for each in full[:2]}
    assert "if same, same left" in problem["preemption"]["sentence"]
    kept = api.viewer.get(f"/api/v1/decisions/{problem['decision']}/").json()
    assert kept["preemption"] == problem["preemption"]
    assert Placement.objects.filter(state="held").count() == 3


def test_after_what_was_proposed_has_left_it_fits(api: Any, full: list[Placement]) -> None:
    """The proposal is true."""
    best = api.operator.post(URL, URGENT).json()["preemption"]["best"]
    for each in best["leaving"]:
        api.operator.post(f"{URL}{each['placement']}/release/")

    assert api.operator.post(URL, URGENT).json()["host"] == best["host"]


@pytest.mark.parametrize(
    "change",
    [{"priority": 0}, {"priority": -5}, {"demand": {"cpu": 5}}, {"labels": {"zone": "x"}}],
    ids=lambda change: next(iter(change)),
)
def test_where_nothing_would_help_nothing_is_proposed(api: Any, full: list[Placement], change: Any) -> None:
    """Nobody of a lower priority, a host too small, or another rule: the refusal is as ever."""
    problem = api.operator.post(URL, {**URGENT, **change}).json()

    assert problem["type"] == "fits-nowhere"
    assert "preemption" not in problem
    assert Decision.objects.get(pk=problem["decision"]).preemption is None


def test_a_proposal_can_be_asked_for(api: Any, full: list[Placement]) -> None:
    """By a viewer, for a load that has room and for one that has none; nothing is kept."""
    decisions = Decision.objects.count()

    proposal = api.viewer.post(f"{URL}preemption/", URGENT).json()
    fits = api.viewer.post(f"{URL}preemption/", {**URGENT, "demand": {"memory": 1}}).json()
    never = api.viewer.post(f"{URL}preemption/", {**URGENT, "demand": {"cpu": 99}}).json()

    assert [each["host"] for each in (proposal["best"], *proposal["alternatives"])] == ["one", "two"]
    assert (fits["needed"], fits["best"]) == (False, None)
    assert (never["needed"], never["best"]) == (True, None)
    assert (proposal["hosts_able"], proposal["hosts_weighed"]) == (2, 2)
    assert Decision.objects.count() == decisions
    refused = api.viewer.post(f"{URL}preemption/", {**URGENT, "replicas": 2})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "replicas")


def test_counted_rules_hold_for_proposals(api: Any, full: list[Placement]) -> None:
    """A host in a full failure domain is not proposed, whatever would leave it."""
    Release(full[2].pk).run(SYSTEM)
    group = {"group": "g", "spread": [{"level": "host"}]}
    api.operator.post(URL, {**URGENT, **group, "demand": {"cpu": 1}})  # lies on two

    proposal = api.viewer.post(f"{URL}preemption/", {**URGENT, **group}).json()

    assert proposal["best"]["host"] == "one"
    assert "two" not in {each["host"] for each in proposal["alternatives"]}


def test_of_many_hosts_the_nearest_are_weighed(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that lack least; a host that another rule forbids takes no one's turn."""
    monkeypatch.setattr(proposals, "MOST_HOSTS", 2)
    for number in range(4):
        cluster.add(f"h{number}", cpu=4.0)
        for part in range(number + 1):
            held(f"p{number}{part}", 1.0, 0, f"h{number}")
    load = Load("job", "urgent", {"cpu": 4.0}, priority=1, exclude_hosts=frozenset({"h0"}))

    proposal = proposals.propose(load)

    assert (proposal["hosts_able"], proposal["hosts_weighed"]) == (4, 2)
    assert [each["host"] for each in (proposal["best"], *proposal["alternatives"])] == ["h1", "h2"]


def test_a_load_of_a_gang_is_told_too(cluster: Any) -> None:
    """The one that has no place, where something could leave for it."""
    from console.placements.actions.together import PlaceGang

    cluster.add("one", cpu=4.0)
    held("low", 4.0)
    loads = [Load("job", f"g{n}", {"cpu": 2.0}, priority=3) for n in range(2)]

    with pytest.raises(FitsNowhere) as refused:
        PlaceGang(loads).run(SYSTEM)

    assert refused.value.preemption is not None
    assert refused.value.preemption["best"]["leaving"][0]["name"] == "low"
