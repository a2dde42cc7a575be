"""Every constraint of a load over REST: it holds, it is kept with the decision, and a mistake names its field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.placements.asked import MOST_NAMED
from console.placements.models import Decision, Placement

URL = "/api/v1/placements/"
GOOD = {"kind": "job", "name": "j", "demand": {"cpu": 1}}


@pytest.fixture
def zones(cluster: Any) -> Any:
    """Two hosts in zone a, one in b, one in no zone."""
    cluster.add("a1", {"zone": "a"})
    cluster.add("a2", {"zone": "a"})
    cluster.add("b1", {"zone": "b"})
    cluster.add("none")
    return cluster


HOLDS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "pin": ({"pin_hosts": ["b1"]}, {"b1"}),
    "tenant": ({"tenant": "ops", "policy": "tenant_fair", "pin_hosts": ["a2"]}, {"a2"}),
    "pin and exclude": ({"pin_hosts": ["b1", "a1"], "exclude_hosts": ["b1"]}, set()),
    "spread as stated": ({"spread": [{"level": "zone", "taken": {"a": 1}}]}, {"b1"}),
    "skew as stated": ({"spread": [{"level": "zone", "taken": {"a": 2, "b": 0}, "max_skew": 1}]}, {"b1"}),
    "near": ({"near": [{"group": "db", "level": "zone", "found": {"b": 1}}]}, {"b1"}),
    "apart": ({"apart": [{"group": "db", "level": "zone", "found": {"a": 1}}]}, {"b1"}),
    "near by host": ({"near": [{"group": "db", "found": {"a2": 3}}]}, {"a2"}),
    "prefer": ({"prefer": [{"level": "zone", "value": "b", "weight": 100}]}, {"b1"}),
    "prefer a host": ({"prefer": [{"level": "host", "value": "none", "weight": 100}]}, {"none"}),
    "apart if possible": ({"apart": [{"group": "d", "level": "host", "found": {"a1": 1, "a2": 1, "b1": 1},
                                      "weight": 50}]}, {"none"}),
    "options": ({"options": {"weights": {"cpu": 2}}}, {"a1", "a2", "b1", "none"}),
}  # fmt: skip


@pytest.mark.parametrize("name", HOLDS)
def test_a_constraint_holds_and_is_kept(api: Any, zones: Any, name: str) -> None:
    """The only host that it allows is chosen, and the decision says what was asked."""
    change, allowed = HOLDS[name]

    answer = api.operator.post(URL, {**GOOD, **change})

    if not allowed:
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "pin_hosts")
        return
    assert answer.json()["host"] in allowed
    asked = api.viewer.get(f"/api/v1/decisions/{answer.json()['decision']}/").json()["asked"]
    assert set(asked) == set(change) - {"policy"}
    listed = api.operator.post(URL, [{**GOOD, **change}]).json()[0]
    assert listed["host"] in allowed


def test_an_unmet_preference_is_charged_and_shown(api: Any, zones: Any) -> None:
    """The decision's candidates say which wishes they do not meet, and what that cost."""
    wish = {"level": "zone", "value": "c", "weight": 0.5}

    placed = api.operator.post(URL, {**GOOD, "prefer": [wish]}).json()

    document = api.viewer.get(f"/api/v1/decisions/{placed['decision']}/").json()["document"]
    assert [{"preference": "zone c", "cost": 0.5}] == document["candidates"][0]["unmet"]


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "spread's field": ({"spread": [{"level": "zone", "max_skw": 1}]}, "spread.0.max_skw"),
    "second spread": ({"spread": [{"level": "zone"}, {"level": ""}]}, "spread.1.level"),
    "skew of nothing": ({"spread": [{"level": "zone", "max_skew": 0}]}, "spread.0.max_skew"),
    "taken too many": ({"spread": [{"level": "zone", "taken": {"a": 10**10}}]}, "spread.0.taken"),
    "taken below none": ({"spread": [{"level": "zone", "taken": {"a": -1}}]}, "spread.0.taken.a"),
    "nine spreads": ({"spread": [{"level": "zone"}] * 9}, "spread"),
    "company without group": ({"near": [{"level": "zone"}]}, "near.0.group"),
    "company's weight": ({"apart": [{"group": "g", "weight": -1}]}, "apart.0.weight"),
    "weight above the most": ({"prefer": [{"level": "zone", "value": "a", "weight": 1001}]}, "prefer.0.weight"),
    "weight not a number": ({"prefer": [{"level": "zone", "value": "a", "weight": "NaN"}]}, "prefer.0.weight"),
    "preference without weight": ({"prefer": [{"level": "zone", "value": "a"}]}, "prefer.0.weight"),
    "too many wishes": ({"prefer": [{"level": "zone", "value": "a", "weight": 1}] * 7}, "prefer"),
    "found below none": ({"near": [{"group": "g", "found": {"a": -2}}]}, "near.0.found.a"),
    "near and apart": ({"near": [{"group": "g"}], "apart": [{"group": "g"}]}, "apart.0"),
    "priority": ({"priority": 1_000_001}, "priority"),
    "priority a part": ({"priority": 1.5}, "priority"),
    "group too long": ({"group": "g" * 201}, "group"),
    "tenant too long": ({"tenant": "t" * 201}, "tenant"),
    "option unknown": ({"options": {"colour": 1}}, "options.colour"),
    "option's value": ({"options": {"weights": {"cpu": -1}}}, "options.weights.cpu"),
    "option's resource": ({"options": {"weights": {"warp": 1}}}, "options.weights.warp"),
    "options a list": ({"options": []}, "options"),
    "pin a text": ({"pin_hosts": "web-1"}, "pin_hosts"),
}  # fmt: skip


@pytest.mark.parametrize("name", INVALID)
@pytest.mark.parametrize("form", ["alone", "list", "gang", "replicas", "preemption"])
def test_a_wrong_constraint_names_its_field(api: Any, cluster: Any, name: str, form: str) -> None:
    """400 with the exact field, in every form of asking; nothing is kept."""
    cluster.add("web-1")
    change, field = INVALID[name]
    wrong = {**GOOD, **change}
    body: Any = {"list": [GOOD, wrong], "gang": {"gang": [GOOD, wrong]}}.get(form, wrong)
    if form == "replicas":
        body = {**wrong, "replicas": 2}
    url = URL + "preemption/" if form == "preemption" else URL

    answer = api.operator.post(url, body)

    before = {"list": "1.", "gang": "gang.1."}.get(form, "")
    assert (answer.status_code, answer["content-type"]) == (400, "application/problem+json")
    assert [before + field] == [error["field"] for error in answer.json()["errors"]]
    assert not Decision.objects.exists()


FORMS = {
    "replicas none": ({**GOOD, "replicas": 0}, "replicas"),
    "replicas too many": ({**GOOD, "replicas": 201}, "replicas"),
    "replicas in a list": ([GOOD, {**GOOD, "replicas": 2}], "1.replicas"),
    "replicas in a gang": ({"gang": [{**GOOD, "replicas": 2}]}, "gang.0.replicas"),
    "gang of nobody": ({"gang": []}, "gang"),
    "gang too large": ({"gang": [GOOD] * 201}, "gang"),
    "gang no list": ({"gang": GOOD}, "gang"),
    "gang and more": ({"gang": [GOOD], "all": True}, "all"),
    "replicas' name too long": ({**GOOD, "name": "n" * 199, "replicas": 2}, "name"),
    "gang's resource": ({"gang": [GOOD, {**GOOD, "demand": {"warp": 1}}]}, "gang.1.demand.warp"),
    "grouped resource": ({**GOOD, "group": "g", "demand": {"warp": 1}}, "demand.warp"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_a_wrong_form_names_its_field(api: Any, cluster: Any, name: str) -> None:
    """Of gangs, replicas and lists."""
    cluster.add("web-1")
    body, field = FORMS[name]

    answer = api.operator.post(URL, body)

    assert (answer.status_code, answer["content-type"]) == (400, "application/problem+json")
    assert field == answer.json()["errors"][0]["field"]
    assert not Decision.objects.exists()


_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_NAMES = (
    "spread",
    "near",
    "apart",
    "prefer",
    "group",
    "priority",
    "options",
    "pin_hosts",
    "replicas",
    "gang",
)


def test_whatever_is_sent_is_an_answer(api: Any, cluster: Any) -> None:
    """Any JSON in any field: 201, 400 or 409, never a defect, and the ledger stays true."""
    from console.placements import ledger

    cluster.add("web-1", {"zone": "a"}, cpu=1e6)

    @settings(max_examples=120, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(st.sampled_from(_NAMES), _ANY, min_size=1, max_size=3), st.booleans())
    def ask(change: dict[str, Any], in_list: bool) -> None:
        load = {**GOOD, "demand": {"cpu": 0.001}, **change}
        body = [load] if in_list else load
        assert api.operator.post(URL, body).status_code in (201, 400, 409)

    ask()
    assert ledger.drift() == {}


def test_long_lists_are_kept_cut(api: Any, cluster: Any) -> None:
    """A caller that excludes thousands does not fill the table of decisions."""
    cluster.add("web-1")

    placed = api.operator.post(URL, {**GOOD, "exclude_hosts": [f"h{n}" for n in range(1000)]}).json()

    asked = Decision.objects.get(pk=placed["decision"]).asked
    assert (len(asked["exclude_hosts"]), asked["exclude_hosts_more"]) == (MOST_NAMED, 1000 - MOST_NAMED)


def test_a_plain_load_asks_no_further_question(
    api: Any, cluster: Any, django_assert_num_queries: Any
) -> None:
    """Token twice, begin, host, its touch, ledger, three rows, commit: groups cost a load without one nothing."""
    queries = 10
    cluster.add("web-1")
    api.operator.post(URL, GOOD)

    with django_assert_num_queries(queries):
        plain = api.operator.post(URL, GOOD)
    with django_assert_num_queries(queries):
        api.operator.post(URL, {**GOOD, "pin_hosts": ["web-1"], "priority": 3, "spread": [{"level": "host"}]})

    assert Decision.objects.get(pk=plain.json()["decision"]).asked is None
    assert list(Placement.objects.order_by("created_at").values_list("group", "priority")) == [
        ("", 0), ("", 0), ("", 3),
    ]  # fmt: skip
