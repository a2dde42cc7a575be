"""Replicas as far as there is room, gangs whole or not at all: one transaction each."""

from __future__ import annotations

from typing import Any

import pytest
from console_racing import at_once
from django.db import transaction

from balancer_core.placement import Load, Spread
from console.actions import SYSTEM, Conflict
from console.events.models import Event
from console.live.picture import picture
from console.placements import ledger
from console.placements.actions.commit import FitsNowhere
from console.placements.actions.place import Place
from console.placements.actions.together import PlaceGang, PlaceReplicas, Together
from console.placements.models import Decision, Placement

URL = "/api/v1/placements/"
GOOD = {"kind": "service", "name": "web", "demand": {"cpu": 1}}


def job(name: str = "j", cpu: float = 1.0, **parts: Any) -> Load:
    return Load(kind="job", name=name, demand={"cpu": cpu}, **parts)


@pytest.fixture
def zones(cluster: Any) -> Any:
    """One host of four cores in each of three zones."""
    for zone in "abc":
        cluster.add(f"{zone}1", {"zone": zone}, cpu=4.0)
    return cluster


def test_replicas_are_numbered_and_belong_together(api: Any, zones: Any) -> None:
    """201 with each of them; their decisions share an identity by which both lists find them."""
    answer = api.operator.post(URL, {**GOOD, "replicas": 3, "spread": [{"level": "zone"}]})

    said = answer.json()
    assert (answer.status_code, said["wanted"], said["refused"], said["decision"]) == (201, 3, None, None)
    assert [each["name"] for each in said["placements"]] == ["web-1", "web-2", "web-3"]
    assert {each["host"] for each in said["placements"]} == {"a1", "b1", "c1"}
    assert {each["group"] for each in said["placements"]} == {"web"}
    for url in (URL, "/api/v1/decisions/"):
        assert api.viewer.get(url, {"together": said["together"]}).json()["count"] == 3
    assert len(set(Event.objects.filter(action="placement.place").values_list("act", flat=True))) == 1


def test_replicas_go_as_far_as_there_is_room(api: Any, zones: Any) -> None:
    """What fits is placed, and the first that does not says why; a second call counts the first's."""
    asked = {**GOOD, "replicas": 5, "spread": [{"level": "zone"}]}
    first, second = (api.operator.post(URL, asked) for _ in range(2))

    said = first.json()
    assert (first.status_code, len(said["placements"]), said["wanted"]) == (201, 3, 5)
    assert "full failure domain" in said["refused"]
    kept = api.viewer.get(f"/api/v1/decisions/{said['decision']}/").json()
    assert (kept["name"], kept["outcome"], kept["together"]) == ("web-4", "refused", said["together"])
    assert (second.status_code, second.json()["type"]) == (409, "fits-nowhere")
    assert Placement.objects.count() == 3
    assert ledger.drift() == {}


def test_a_gang_is_placed_whole(api: Any, zones: Any) -> None:
    """In the order given, whatever order was found to fit; loads of its groups see each other."""
    loads = [
        {"kind": "job", "name": f"w{n}", "demand": {"cpu": cpu}, "group": "g", "apart": [{"group": "g"}]}
        for n, cpu in enumerate((1, 4, 2))
    ]

    said = api.operator.post(URL, {"gang": loads}).json()

    assert [each["name"] for each in said["placements"]] == ["w0", "w1", "w2"]
    assert {each["host"] for each in said["placements"]} == {"a1", "b1", "c1"}
    assert Decision.objects.filter(together=said["together"]).count() == 3


def test_a_gang_that_does_not_fit_leaves_nothing(api: Any, zones: Any) -> None:
    """409 with the decision of the one that has no place; it alone is kept, and nothing is reserved."""
    loads = [{**GOOD, "name": f"w{n}", "demand": {"cpu": 3}} for n in range(4)]

    answer = api.operator.post(URL, {"gang": loads})

    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (409, "fits-nowhere")
    assert problem["detail"].startswith("Nothing of the gang of 4 is placed")
    kept = Decision.objects.get()
    assert (str(kept.pk), kept.outcome, kept.together) == (problem["decision"], "refused", None)
    assert {each["host"] for each in problem["hosts"]} == {"a1", "b1", "c1"}
    assert (Placement.objects.count(), ledger.totals()["cpu"]) == (0, (12.0, 0.0))


def test_a_gang_whose_room_was_taken_is_decided_anew(zones: Any) -> None:
    """As another process took it: the picture is read again inside the transaction, and it still fits."""
    from console.fleet.models import Host

    with transaction.atomic():
        assert ledger.reserve(Host.objects.get(name="a1").pk, {"cpu": 3.0})

    placed = PlaceGang([job(f"w{n}", 2.0) for n in range(4)]).run(SYSTEM)

    assert {each.host.name for each in placed.placements} == {"b1", "c1"}
    assert ledger.drift() == {("a1", "cpu"): 3.0}


def test_a_defect_in_the_middle_leaves_nothing(zones: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third reservation fails as a database does: neither rows nor reservations remain."""
    real, calls = ledger.reserve, []

    def fail(*args: Any) -> bool:
        calls.append(args)
        if len(calls) == 3:
            raise RuntimeError("defect")
        return real(*args)

    monkeypatch.setattr(ledger, "reserve", fail)
    with pytest.raises(RuntimeError):
        PlaceGang([job(f"w{n}") for n in range(4)]).run(SYSTEM)

    assert (Placement.objects.count(), Decision.objects.count(), ledger.totals()["cpu"][1]) == (0, 0, 0.0)


def test_gangs_at_once_are_whole_or_absent(zones: Any) -> None:
    """Six gangs of four for room for three: no half one, nothing above capacity, beside single loads."""
    works: list[Any] = [
        lambda g=g: PlaceGang([job(f"g{g}-{n}", 1.0, group=f"gang{g}") for n in range(4)]).run(SYSTEM)
        for g in range(6)
    ]
    works += [lambda n=n: Place(job(f"s{n}", 0.1)).run(SYSTEM) for n in range(3)]

    results = at_once(*works)

    assert all(isinstance(each, Together | Placement | FitsNowhere) for each in results), results
    sizes = [Placement.objects.filter(group=f"gang{g}").count() for g in range(6)]
    assert set(sizes) <= {0, 4}
    assert sum(sizes) >= 8
    assert ledger.drift() == {}
    assert all(reserved <= capacity for capacity, reserved in ledger.totals().values())


def test_replicas_at_once_fill_and_do_not_overdraw(zones: Any) -> None:
    """Four calls of six for twelve rooms: twelve are placed."""
    results = at_once(*(lambda n=n: PlaceReplicas(job(f"r{n}"), 6).run(SYSTEM) for n in range(4)))

    assert sum(len(each.placements) for each in results if isinstance(each, Together)) == 12
    assert ledger.totals()["cpu"] == (12.0, 12.0)


def test_the_picture_shows_a_gang_at_once(zones: Any) -> None:
    """This process needs no sweep to know what it has just placed."""
    PlaceGang([job(f"w{n}", 4.0) for n in range(3)]).run(SYSTEM)

    assert picture.view()[0].reserved[:, 0].tolist() == [4.0, 4.0, 4.0]


@pytest.mark.parametrize("form", ["gang", "replicas"])
def test_a_repeat_with_its_key_gives_the_same(api: Any, zones: Any, form: str) -> None:
    """Also at once, also where only a part had room; another request with that key is a conflict."""
    body = {"gang": [{**GOOD, "name": n} for n in "xyz"]} if form == "gang" else {**GOOD, "replicas": 20}
    other = {"gang": [GOOD, GOOD]} if form == "gang" else {**GOOD, "replicas": 2}

    first, second = (api.operator.post(URL, body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    third = api.operator.post(URL, other, headers={"Idempotency-Key": "k"})
    alone = api.operator.post(URL, GOOD, headers={"Idempotency-Key": "k"})

    assert first.json() == second.json()
    assert Placement.objects.count() == (3 if form == "gang" else 12)
    assert [(each.status_code, each.json()["type"]) for each in (third, alone)] == [(409, "key-reused")] * 2


def test_the_same_key_at_once_gives_one_set(zones: Any) -> None:
    """Of several at once, one is placed and the others are told where."""
    results = at_once(*(lambda: PlaceReplicas(job(), 3, request_key="k").run(SYSTEM) for _ in range(5)))

    assert {tuple(each.pk for each in result.placements) for result in results} == {
        tuple(Placement.objects.order_by("name").values_list("pk", flat=True))
    }
    with pytest.raises(Conflict):
        PlaceGang([job(), job()], request_key="k").run(SYSTEM)


def test_rules_of_a_gang_hold_beside_what_is_held(zones: Any) -> None:
    """The group's held placements are counted with the gang's own."""
    spread = (Spread("zone", {}, max_per_domain=2),)
    Place(job("held", 0.1, group="g", spread=spread, pin_hosts=frozenset({"a1"}))).run(SYSTEM)

    placed = PlaceGang([job(f"w{n}", 0.1, group="g", spread=spread) for n in range(5)]).run(SYSTEM)
    with pytest.raises(FitsNowhere):
        PlaceGang([job("w6", 0.1, group="g", spread=spread)]).run(SYSTEM)

    assert sorted(each.host.name for each in placed.placements) == ["a1", "b1", "b1", "c1", "c1"]
