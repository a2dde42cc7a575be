"""POST /api/v1/placements/: what is asked wrongly gets 400 with the field, what fits nowhere 409 with the
reasons."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from console.live.picture import picture
from console.placements.models import Decision, Placement

URL = "/api/v1/placements/"
GOOD = {"kind": "job", "name": "j", "demand": {"cpu": 1}}

INVALID = {
    "kind": ({"kind": "cat"}, "kind"),
    "no name": ({"name": None}, "name"),
    "name with space": ({"name": "a b"}, "name"),
    "name too long": ({"name": "n" * 201}, "name"),
    "no demand": ({"demand": None}, "demand"),
    "demand a list": ({"demand": [1]}, "demand"),
    "NaN as text": ({"demand": {"cpu": "NaN"}}, "demand.cpu"),
    "infinity as text": ({"demand": {"cpu": "Infinity"}}, "demand.cpu"),
    "negative": ({"demand": {"cpu": -1}}, "demand.cpu"),
    "too large": ({"demand": {"cpu": 1e300}}, "demand.cpu"),
    "not a number": ({"demand": {"cpu": "two"}}, "demand.cpu"),
    "unknown resource": ({"demand": {"warp": 1}}, "demand.warp"),
    "label's key": ({"labels": {"a b": "c"}}, "labels"),
    "label's value": ({"labels": {"zone": "a b"}}, "labels.zone"),
    "label's value too long": ({"labels": {"zone": "z" * 64}}, "labels.zone"),
    "unknown policy": ({"policy": "best"}, "policy"),
    "unknown field": ({"colour": "red"}, "colour"),
    "spread without level": ({"spread": [{}]}, "spread.0.level"),
    "spread too wide": ({"spread": [{"level": "zone", "max_per_domain": 0}]}, "spread.0.max_per_domain"),
    "excluded hosts": ({"exclude_hosts": "web-1"}, "exclude_hosts"),
}


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_load_is_refused_naming_the_field(api: Any, cluster: Any, name: str) -> None:
    """400, a problem document with the field, nothing kept; alone and inside a list, where its position
    leads."""
    cluster.add("web-1")
    change, field = INVALID[name]

    answer = api.operator.post(URL, {**GOOD, **change})
    listed = api.operator.post(URL, [GOOD, {**GOOD, **change}])

    assert (answer.status_code, answer["content-type"]) == (400, "application/problem+json")
    assert [field] == [error["field"] for error in answer.json()["errors"]]
    assert (400, [f"1.{field}"]) == (
        listed.status_code,
        [error["field"] for error in listed.json()["errors"]],
    )
    assert not Decision.objects.exists()


BROKEN = [
    b'{"kind": "job", "name": "j", "demand": {"cpu": NaN}}', b"{", b'"x"', b"7", b"\xff", b'{"\\ud800": 1}',
    b'{"kind": "job", "name": "\\u0000", "demand": {"cpu": 1}}', b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: str(body[:20]))
def test_a_body_that_is_no_load_is_refused(api: Any, body: bytes) -> None:
    """Bare NaN, broken JSON, bytes that are no text, half characters, NUL, a nest without end, and JSON
    that is neither object nor list."""
    answer = api.operator.generic("POST", URL, body, content_type="application/json")

    assert (answer.status_code, answer["content-type"]) == (400, "application/problem+json")


def test_a_placement_shows_where_and_why(api: Any, cluster: Any) -> None:
    """201 with host, address and the sentence; the decision is kept and can be looked at."""
    cluster.add("web-1", address="127.0.7.1")

    placed = api.operator.post(URL, GOOD).json()

    assert (placed["host"], placed["address"], placed["state"]) == ("web-1", "127.0.7.1", "held")
    decision = api.viewer.get(f"/api/v1/decisions/{placed['decision']}/").json()
    assert placed["sentence"] == decision["document"]["sentence"]
    assert "web-1" in decision["sentence"]
    assert [placed["id"]] == [each["id"] for each in api.viewer.get(URL, {"host": "web-1"}).json()["results"]]


def test_what_fits_nowhere_gets_the_reason_of_each_host(api: Any, cluster: Any) -> None:
    """409 with, per host, a code and a sentence; the refusal is kept with the same words."""
    cluster.add("full", cpu=0.5)
    cluster.add("cordoned")
    api.operator.post("/api/v1/hosts/cordoned/cordon/", {"reason": "disk"})
    picture.load()

    answer = api.operator.post(URL, GOOD)

    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (409, "fits-nowhere")
    assert {h["host"]: h["code"] for h in problem["hosts"]} == {"full": "too_small", "cordoned": "cordoned"}
    assert all(host["reason"] for host in problem["hosts"])
    kept = api.viewer.get(f"/api/v1/decisions/{problem['decision']}/").json()
    assert ("refused", "", problem["detail"]) == (kept["outcome"], kept["host"], kept["sentence"])


def test_a_list_places_what_fits_and_says_why_not_the_rest(api: Any, cluster: Any) -> None:
    """Each has its own answer; equal ones take the room in the order in which they stand."""
    cluster.add("web-1", cpu=3.0)
    loads = [{**GOOD, "name": f"j{n}", "demand": {"cpu": cpu}} for n, cpu in enumerate((2, 2, 1, 1))]

    answer = api.operator.post(URL, loads)

    assert answer.status_code == 201
    assert [each.get("host") for each in answer.json()] == ["web-1", None, "web-1", None]
    assert "cpu" in answer.json()[1]["refused"]
    assert cluster.reserved("web-1") == 3.0
    assert sorted(Decision.objects.values_list("outcome", flat=True)) == [
        "placed",
        "placed",
        "refused",
        "refused",
    ]
    third = api.viewer.get(f"/api/v1/decisions/{answer.json()[2]['decision']}/").json()["document"]
    assert third["batch"] == "One of 4 decided together, number 3 in turn."
    assert api.operator.post(URL, loads).status_code == 409


def test_a_list_is_placed_in_chunks(api: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """More loads than one transaction takes are all placed, and the audit trail has a line for each."""
    from console.events.models import Event
    from console.placements.actions.place_many import PlaceMany

    monkeypatch.setattr(PlaceMany, "CHUNK", 3)
    cluster.add("web-1")

    answer = api.operator.post(URL, [{**GOOD, "name": f"j{n}", "demand": {"cpu": 0.1}} for n in range(8)])

    assert [f"j{n}" for n in range(8)] == [each["name"] for each in answer.json()]
    assert Event.objects.filter(action="placement.place").values("subject").distinct().count() == 8
    assert pytest.approx(0.8) == cluster.reserved("web-1")


def test_a_list_with_one_invalid_load_places_nothing(
    api: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the invalid one stands in a later chunk and only the cluster knows that its resource is
    unknown."""
    from console.placements.actions.place_many import PlaceMany

    monkeypatch.setattr(PlaceMany, "CHUNK", 1)
    cluster.add("web-1")

    answer = api.operator.post(URL, [GOOD, GOOD, {**GOOD, "demand": {"gpu": 1}}])

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "2.demand.gpu")
    assert not Placement.objects.exists()


@pytest.mark.parametrize("count", [0, 10_001])
def test_a_list_holds_one_to_ten_thousand_loads(api: Any, count: int) -> None:
    """More is refused before anything is looked at."""
    answer = api.operator.post(URL, [GOOD] * count)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "length")


def test_releasing_gives_the_room_back(api: Any, cluster: Any) -> None:
    """Once; a repeat says the same; what does not exist is 404."""
    cluster.add("web-1")
    placed = api.operator.post(URL, GOOD).json()["id"]

    answers = [api.operator.post(f"{URL}{placed}/release/") for _ in range(2)]

    assert [(each.status_code, each.json()["state"]) for each in answers] == [(200, "released")] * 2
    assert cluster.reserved("web-1") == 0.0
    assert api.operator.post(f"{URL}{uuid.uuid4()}/release/").status_code == 404


def test_labels_and_exclusions_are_kept(api: Any, cluster: Any) -> None:
    """A host without the label, or excluded by name, is not chosen."""
    cluster.add("a", labels={"zone": "a"})
    cluster.add("b", labels={"zone": "b"})
    cluster.add("b2", labels={"zone": "b"})

    placed = api.operator.post(URL, {**GOOD, "labels": {"zone": "b"}, "exclude_hosts": ["b"]}).json()

    assert placed["host"] == "b2"
