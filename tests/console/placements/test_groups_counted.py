"""Groups: the server counts where they are, and nobody who places at the same moment makes a count untrue."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from console_racing import at_once

from balancer_core.placement import Company, Load, Spread
from console.actions import SYSTEM
from console.placements import ledger
from console.placements.actions.commit import FitsNowhere
from console.placements.actions.place import Place
from console.placements.actions.place_many import PlaceMany
from console.placements.actions.release import Release
from console.placements.actions.together import PlaceReplicas
from console.placements.groups import Counts
from console.placements.models import Decision, Placement

URL = "/api/v1/placements/"


def member(name: str = "m", group: str = "g", cpu: float = 0.5, **parts: Any) -> Load:
    return Load(kind="service", name=name, demand={"cpu": cpu}, group=group, **parts)


def by_zone(skew: int = 1) -> tuple[Spread, ...]:
    return (Spread("zone", {}, max_skew=skew),)


def held(group: str = "g") -> Counter[str]:
    """Zone to number of the group's held placements."""
    found = Placement.objects.filter(group=group, state="held").select_related("host")
    return Counter(each.host.labels.get("zone", "-") for each in found)


@pytest.fixture
def zones(cluster: Any) -> Any:
    """Zone a is large and idle, b and c are small and busy: without a rule everything goes to a."""
    for name in ("a1", "a2"):
        cluster.add(name, {"zone": "a"}, cpu=64.0)
    for zone in "bc":
        cluster.add(f"{zone}1", {"zone": zone}, cpu=8.0, used={"cpu": 6.0})
    return cluster


def test_calls_one_after_the_other_are_spread(api: Any, zones: Any) -> None:
    """Three loads of a group in three calls lie in three zones; one of another group is not counted."""
    body = {"kind": "service", "demand": {"cpu": 1}, "spread": [{"level": "zone"}]}

    hosts = [
        api.operator.post(URL, {**body, "name": f"r{n}", "group": "web"}).json()["host"] for n in range(3)
    ]
    fourth = api.operator.post(URL, {**body, "name": "r3", "group": "web"})
    other = api.operator.post(URL, {**body, "name": "o", "group": "other"})

    assert {host[0] for host in hosts} == {"a", "b", "c"}
    assert (fourth.status_code, other.status_code) == (409, 201)
    assert "zone a already holds 1 of the group" in str(fourth.json()["hosts"])
    assert {"web": 3} == {
        each["group"]: 3 for each in api.viewer.get(URL, {"group": "web"}).json()["results"]
    }
    asked = api.viewer.get(f"/api/v1/decisions/{fourth.json()['decision']}/").json()["asked"]
    assert asked["spread"][0]["taken"] == {"a": 1, "b": 1, "c": 1}


def test_what_was_released_is_not_counted(zones: Any) -> None:
    """Its zone is free again."""
    first = Place(member(spread=(Spread("zone", {}),))).run(SYSTEM)
    Release(first.pk).run(SYSTEM)

    assert Place(member(spread=(Spread("zone", {}),))).run(SYSTEM).host.name == first.host.name


def test_stated_counts_go_before_counted_ones(zones: Any) -> None:
    """A caller who knows better is believed."""
    Place(member()).run(SYSTEM)

    placed = Place(member(spread=(Spread("zone", {"b": 1, "c": 1}),))).run(SYSTEM)

    assert placed.host.name.startswith("a")


def test_near_and_apart_are_counted_by_their_own_group(zones: Any) -> None:
    """Of the group that they name, not of the load's."""
    Place(member("db", "db", pin_hosts=frozenset({"b1"}))).run(SYSTEM)
    near, apart = ((Company("db", {}, "zone"),), (Company("db", {}, "zone"), Company("web", {}, "host")))

    beside = Place(member("web", "web", near=near)).run(SYSTEM)
    away = [Place(member(f"a{n}", "", apart=apart)).run(SYSTEM).host.name for n in range(2)]

    assert beside.host.name == "b1"
    assert {name[0] for name in away} <= {"a", "c"}
    with pytest.raises(FitsNowhere) as refused:
        Place(member("far", "", near=near, apart=(Company("web", {}, "host"),))).run(SYSTEM)
    assert refused.value.decision.rejected["not_apart"] == 1


def test_a_host_without_the_label_is_in_no_domain(zones: Any) -> None:
    """Counted by its name, not by a zone that it has not."""
    zones.add("bare", cpu=64.0)
    Place(member(pin_hosts=frozenset({"bare"}))).run(SYSTEM)
    counts = Counts.read({"g", "nobody"})

    assert (counts.by("g", "zone"), counts.by("g", "host"), counts.by("nobody", "host")) == (
        {},
        {"bare": 1},
        {},
    )


@pytest.mark.parametrize("rule", ["skew", "most"])
def test_races_never_break_the_spread(zones: Any, rule: str) -> None:
    """Twelve at once, each in a call of its own: at every moment the rule held, so it holds at the end."""
    spread = by_zone() if rule == "skew" else (Spread("zone", {}, max_per_domain=2),)

    results = at_once(*(lambda n=n: Place(member(f"m{n}", spread=spread)).run(SYSTEM) for n in range(12)))

    zones_held = held()
    assert all(isinstance(each, Placement | FitsNowhere) for each in results), results
    if rule == "skew":
        assert zones_held == {"a": 4, "b": 4, "c": 4}
    else:
        assert zones_held == {"a": 2, "b": 2, "c": 2}
    assert sum(isinstance(each, Placement) for each in results) == sum(zones_held.values())
    assert ledger.drift() == {}


def test_races_of_all_forms_keep_the_skew(zones: Any) -> None:
    """Single loads, lists, replicas and loads of other groups, all at the same moment."""
    works: list[Any] = [lambda n=n: Place(member(f"s{n}", spread=by_zone())).run(SYSTEM) for n in range(4)]
    works += [lambda: PlaceMany([member(f"l{n}", spread=by_zone()) for n in range(4)]).run(SYSTEM)] * 2
    works += [lambda n=n: PlaceReplicas(member(f"r{n}", spread=by_zone()), 3).run(SYSTEM) for n in range(2)]
    works += [lambda n=n: Place(member(f"o{n}", f"other{n}")).run(SYSTEM) for n in range(3)]

    results = at_once(*works)

    assert not [each for each in results if isinstance(each, Exception)]
    assert sum(held().values()) == 18
    assert max(held().values()) - min(held().values()) <= 1
    assert ledger.drift() == {}


def test_races_for_company_never_meet(zones: Any) -> None:
    """Two groups that must be apart, placed at once from both sides: no zone has both."""
    works = [
        lambda n=n, own=own, other=other: Place(
            member(f"{own}{n}", own, apart=(Company(other, {}, "zone"),))
        ).run(SYSTEM)
        for n in range(4)
        for own, other in (("red", "blue"), ("blue", "red"))
    ]

    results = at_once(*works)

    assert all(isinstance(each, Placement | FitsNowhere) for each in results), results
    assert set(held("red")) & set(held("blue")) == set()
    assert set(held("red")) or set(held("blue"))


def test_a_list_counts_its_earlier_loads(zones: Any) -> None:
    """And what was held before; a plain load between them is placed as ever."""
    Place(member("first", spread=(Spread("zone", {}),))).run(SYSTEM)
    loads = [member(f"m{n}", spread=(Spread("zone", {}),)) for n in range(3)]
    loads.insert(1, Load("job", "plain", {"cpu": 1.0}))

    results = PlaceMany(loads).run(SYSTEM)

    assert [isinstance(each, Placement) for each in results] == [True, True, True, False]
    assert held() == {"a": 1, "b": 1, "c": 1}
    assert results[3].decision.rejected["domain_full"] == 4
    assert Decision.objects.get(pk=results[3].decision_id).group == "g"


def test_a_list_that_loses_a_race_still_keeps_the_rule(zones: Any) -> None:
    """Room that another process took: the load goes elsewhere, and those after it are counted anew."""
    from django.db import transaction

    from console.fleet.models import Host

    with transaction.atomic():  # as another process: this one's picture does not hear of it
        for name in ("a1", "a2"):
            assert ledger.reserve(Host.objects.get(name=name).pk, {"cpu": 64.0})

    results = PlaceMany([member(f"m{n}", spread=by_zone(2)) for n in range(5)]).run(SYSTEM)

    assert [isinstance(each, Placement) for each in results] == [True] * 4 + [False]
    assert held() == {"b": 2, "c": 2}


def test_a_group_is_one_thing_however_it_is_called(api: Any, zones: Any) -> None:
    """Markup, quotes, emoji and blanks are names like others."""
    for group in ("<script>alert(1)</script>", "a'b\"c", "ü 🎯 ", " ", "%s", "g" * 200):
        body = {
            "kind": "job",
            "name": "j",
            "demand": {"cpu": 0.1},
            "group": group,
            "spread": [{"level": "zone"}],
        }
        hosts = {api.operator.post(URL, body).json()["host"][0] for _ in range(3)}
        assert hosts == {"a", "b", "c"}, group
        assert api.viewer.get(URL, {"group": group}).json()["count"] == 3 or group.strip() != group
