"""Plan: the question over page, API and command; before and after, what would stop, and applying it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.urls import reverse

from balancer_core.load import Company, Load, Preference, Spread
from balancer_core.whatif import Change, HostLoad
from console.actions import SYSTEM
from console.events.models import Event
from console.fleet.models import Host
from console.live.picture import picture
from console.placements.actions.place import Place
from console.placements.models import Placement
from console.plans.actions.apply import ApplyPlan
from console.plans.drawn import MOST_TILES, changed_most, sides
from console.plans.held import held_placements
from console.plans.plan import plan

HOSTILE = "<script>alert(1)</script>"


def place(name: str, host: str = "", **more: Any) -> Placement:
    here = frozenset({host}) if host else frozenset()
    return Place(Load("job", name, {"cpu": 1.0}, pin_hosts=here, **more)).run(SYSTEM)


def state(name: str) -> str:
    return str(Host.objects.get(name=name).state)


def test_drain_says_what_moves_where_and_what_stops(browsers: Any, furnished: Any) -> None:
    """The sentence, both pictures, the moves, and the service that nothing else would carry."""
    held = Placement.objects.get(name="report").host.name
    place("stuck", held)
    Host.objects.exclude(name=held).filter(name__startswith="web").update(state="draining")
    picture.load()
    answer = browsers.viewer.get(reverse("plans"), {"drain": held})
    page = answer.content.decode()
    moves = {move.name: move.target for move in answer.context["outcome"].moves}

    assert "report" in moves
    assert moves["report"] != held
    assert [each.name for each in answer.context["outcome"].stranded] == ["stuck"]
    assert "Before" in page
    assert "After" in page
    assert f"steelyard plan --drain {held}" in page
    assert Placement.objects.get(name="report").host.name == held
    assert not Event.objects.filter(action="plan.apply").exists()


def test_services_that_would_stop_together_are_named(cluster: Any, browsers: Any, furnished: Any) -> None:
    """Each host alone leaves the other; both leave nobody."""
    url = reverse("plans")
    alone = browsers.viewer.get(url, {"drain": "web-1"}).content.decode()
    both = browsers.viewer.get(url, {"drain": "web-1, web-2"}).content.decode()

    assert "draining stops that traffic" not in alone
    assert "for shop: draining stops that traffic" in both


def test_viewer_sees_why_apply_is_not_theirs_and_operator_drains_all_or_none(
    browsers: Any, furnished: Any
) -> None:
    """One act; a host that cannot be drained leaves the other as it is."""
    page = browsers.viewer.get(reverse("plans"), {"drain": "web-1"}).content.decode()
    refused = browsers.viewer.post(reverse("apply-plan"), {"drain": ["web-1"]})
    Host.objects.filter(name="web-2").update(state="draining")
    none = browsers.operator.post(reverse("apply-plan"), {"drain": ["db-1", "web-2"]}, follow=True)
    untouched = state("db-1")
    done = browsers.operator.post(
        reverse("apply-plan"), {"drain": ["db-1", "web-1"], "reason": "new disks"}, follow=True
    )
    acts = {event.act for event in Event.objects.filter(reason="new disks")}

    assert "Asks for the role operator; you have the role viewer." in page
    assert refused.status_code == 403
    assert "no host was drained" in none.content.decode()
    assert untouched == "active"
    assert "Draining: db-1, web-1." in done.content.decode()
    assert [state("db-1"), state("web-1")] == ["draining", "draining"]
    assert len(acts) == 1
    assert Event.objects.get(action="plan.apply").after == {"drain": ["db-1", "web-1"]}


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"remove": "db-1"}, "drain it first"),
        ({"times": "2"}, "Load is what callers ask"),
        ({"policy": "pack"}, "no action moves a load"),
        ({"add": "2", "like": "db-1"}, "Hosts join by their own agents"),
    ],
)
def test_what_no_action_does_is_disabled_with_its_reason(
    query: dict[str, str], why: str, browsers: Any, furnished: Any
) -> None:
    """The button stands there and says what is missing."""
    page = browsers.operator.get(reverse("plans"), query).content.decode()

    assert why in page
    assert '<button class="button grave" disabled aria-describedby="why-apply">' in page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"drain": "nobody"}, "there is no host called"),
        ({"drain": HOSTILE}, "there is no host called"),
        ({"times": "lots"}, "is not a number"),
        ({"times": "nan"}, "is not a number"),
        ({"times": "0"}, "is not a factor"),
        ({"policy": "best"}, "it is none of"),
        ({"add": "2"}, "which?"),
        ({"add": "2", "like": HOSTILE}, "no host is called"),
        ({"add": "-1", "like": "web-1"}, "a number of hosts"),
        ({"times": "2", "margin": "abc"}, "is not a number"),
        ({"drain": "web-1\x00"}, "would move"),
    ],
)
def test_what_cannot_be_asked_says_so(
    query: dict[str, str], said: str, browsers: Any, furnished: Any
) -> None:
    """The field and the reason, the form as it was filled in, and nothing of it as markup."""
    answer = browsers.viewer.get(reverse("plans"), query)
    page = answer.content.decode()

    assert answer.status_code == 200
    assert said in page
    assert "<script>alert" not in page


def test_api_answers_the_same_question(api: Any, cluster: Any) -> None:
    """A viewer may ask; the figures, moves and reasons are there; what is wrong names its field."""
    for name in ("web-1", "web-2"):
        cluster.add(name)
    place("j1", "web-1")
    moved = place("j2")
    ask = "/api/v1/plans/"
    answer = api.viewer.post(ask, {"drain": [moved.host.name], "times": 1.0}).json()
    more = {
        "name": "n",
        "capacity": {"cpu": 8, "memory": 2**34},
        "labels": {"zone": "z"},
    }
    grown = api.viewer.post(ask, {"add": [more], "times": 3}).json()

    assert [each["name"] for each in answer["moves"]] == ["j2"]
    assert answer["appliable"]
    assert grown["after"]["hosts"] == 3
    assert grown["why_not"].startswith("Hosts join")
    for wrong, field in (
        ({"drain": ["nobody"]}, "drain"),
        ({"times": 0}, "times"),
        ({"dain": []}, "dain"),
        ({"add": [{"name": "web-1", "capacity": {"cpu": 1}}]}, "add.0.name"),
    ):
        refused = api.viewer.post(ask, wrong)
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["field"] == field


def test_api_applies_only_for_operators(api: Any, cluster: Any) -> None:
    """403, 400 for no host, 404 for one that is not there, and then it is drained."""
    cluster.add("web-1")
    url = "/api/v1/plans/apply/"

    assert api.viewer.post(url, {"drain": ["web-1"]}).status_code == 403
    assert api.operator.post(url, {"drain": []}).status_code == 400
    assert api.operator.post(url, {"drain": ["web-1", "nobody"]}).status_code == 404
    assert state("web-1") == "active"
    assert api.operator.post(url, {"drain": ["web-1"]}).json() == {"drained": ["web-1"]}
    assert state("web-1") == "draining"


def test_preview_of_a_drain_is_there_before_it(browsers: Any, furnished: Any) -> None:
    """The dialog asks for it; the answer names loads and targets; a host that is gone is 404."""
    held = Placement.objects.get(name="report").host.name
    page = browsers.operator.get(reverse("host", args=[held])).content.decode()
    answer = browsers.viewer.get(reverse("drain-preview", args=[held])).json()

    assert f'<drain-preview src="/plans/drain/{held}/">' in page.partition('id="confirm-drain"')[2]
    assert "report" in [move["name"] for move in answer["moves"]]
    assert browsers.viewer.get(reverse("drain-preview", args=["nobody"])).status_code == 404


def test_loads_are_asked_as_they_were(cluster: Any) -> None:
    """What a placement asked comes back from its decision, but for the counts of its groups."""
    cluster.add("web-1", {"zone": "a"})
    load = Load(
        "service", "shop", {"cpu": 0.5}, labels={"zone": "a"}, exclude_hosts=frozenset({"x"}), group="g",
        priority=3, tenant="t", policy="pack", options={"weights": {"cpu": 2.0}},
        spread=(Spread("zone", {}, None, 2),), near=(Company("g", {}, "zone", 0.5),),
        prefer=(Preference("zone", "b", 1.0),),
    )  # fmt: skip
    Place(load).run(SYSTEM)
    [held], more = held_placements()

    assert held.load == load
    assert (held.host, held.why_not, more) == ("web-1", "", 0)


def test_load_whose_request_was_cut_is_not_judged(cluster: Any) -> None:
    """It is said, with how much is missing; no place is made up."""
    cluster.add("web-1")
    cluster.add("web-2")
    many = frozenset(f"h{number}" for number in range(120))
    placed = Place(Load("job", "picky", {"cpu": 1.0}, exclude_hosts=many)).run(SYSTEM)
    found = plan(Change(drain=frozenset({placed.host.name}))).outcome

    assert [(each.name, each.judged) for each in found.stranded] == [("picky", False)]
    assert '"not on" of 20 hosts more' in found.stranded[0].reason


def test_only_what_a_drain_concerns_is_read(cluster: Any, django_assert_max_num_queries: Any) -> None:
    """The host's own, and the other members of their groups, which count where they stand."""
    for name in ("web-1", "web-2", "web-3"):
        cluster.add(name)
    rule = (Spread("host", {}),)
    place("mine", "web-1", group="g")
    place("theirs", "web-2", group="g")
    place("other", "web-2")
    grouped = Place(Load("job", "spread", {"cpu": 0.1}, group="g", spread=rule)).run(SYSTEM)
    with django_assert_max_num_queries(8):
        found = plan(Change(drain=frozenset({grouped.host.name}))).outcome
    names = {each.name for each in held_placements({"web-1"})[0]}

    assert names == {"mine", "theirs", "spread"}
    assert [each.name for each in found.stranded] == ["spread"]


def test_pictures_have_one_scale_and_no_tiles_for_thousands() -> None:
    """Counts by tenths; above 400 hosts the columns alone; the hosts that change most come first."""
    hosts = [
        HostLoad("a", 0.05, 0.95),
        HostLoad("b", 0.05, 0.05),
        HostLoad("c", 0.5, None),
        HostLoad("n", None, 1.2),
    ]
    before, after = sides(hosts)
    many, _ = sides([HostLoad(f"h{n}", 0.1, 0.1) for n in range(MOST_TILES + 1)])

    assert [column.count for column in before.columns] == [2, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert [column.count for column in after.columns] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert [tile.ramp for tile in after.tiles] == [5, 0, None, 5]
    assert [each.host for each in changed_most(hosts)] == ["n", "a", "c"]
    assert many.tiles == []
    assert (before.wide, before.rows) == (12, 1)


def test_apply_refuses_more_hosts_than_one_look_takes(cluster: Any) -> None:
    """Before anything is drained."""
    from console.actions import Invalid

    with pytest.raises(Invalid):
        ApplyPlan([f"h{n}" for n in range(201)]).run(SYSTEM)


def test_hostile_names_of_loads_stay_text(browsers: Any, furnished: Any) -> None:
    """What a caller named a load is data on the page and in the answer."""
    placement = Placement.objects.get(name="report")
    Placement.objects.filter(pk=placement.pk).update(name=HOSTILE)
    page = browsers.viewer.get(reverse("plans"), {"drain": placement.host.name}).content.decode()
    preview = browsers.viewer.get(reverse("drain-preview", args=[placement.host.name]))

    assert "<script>alert" not in page
    assert preview["Content-Type"] == "application/json"
    assert HOSTILE in json.dumps(preview.json())
