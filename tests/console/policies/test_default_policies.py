"""Default policies: set and gone back to by policy administrators, kept as versions, and what placements go by."""

from __future__ import annotations

from typing import Any

import pytest

from balancer_core.policies import POLICIES
from console.actions import SYSTEM
from console.events.models import Event
from console.fleet.models import Host
from console.jobs.actions.place import PlaceWaiting
from console.jobs.actions.submit import Submit
from console.live.picture import picture
from console.placements.models import Decision
from console.policies.actions.defaults import SetDefaultPolicy
from console.policies.defaults import Default, defaults
from console.policies.models import PolicyVersion
from console.storage.actions.shards import CreateShard

URL = "/api/v1/policy-defaults/job/"
PLACEMENTS = "/api/v1/placements/"
LOAD = {"kind": "job", "name": "j", "demand": {"cpu": 1}}
PACK = {"policy": "pack", "options": {"weights": {"cpu": 2.0}}, "reason": "nights are for batches"}


def decision_of(answer: Any) -> Decision:
    return Decision.objects.get(pk=answer.json()["decision"])


def test_a_load_that_names_no_policy_goes_by_the_default(api: Any, cluster: Any) -> None:
    """With the default's options, and the decision says which version it was; what names a policy is left alone."""
    cluster.add("web-1")
    assert api.policy_admin.put(URL, PACK).json()["version"] == 1

    plain = decision_of(api.operator.post(PLACEMENTS, LOAD))
    named = decision_of(api.operator.post(PLACEMENTS, {**LOAD, "policy": "balanced"}))
    other = decision_of(api.operator.post(PLACEMENTS, {**LOAD, "kind": "service"}))
    own = decision_of(api.operator.post(PLACEMENTS, {**LOAD, "options": {"weights": {"memory": 3}}}))

    assert (plain.policy, plain.asked) == ("pack", {"options": PACK["options"], "default_version": 1})
    assert (named.policy, named.asked) == ("balanced", None)
    assert (other.policy, other.asked) == ("spread", None)
    assert (own.policy, own.asked["options"]) == ("pack", {"weights": {"memory": 3}})


def test_lists_gangs_and_replicas_go_by_the_default_too(api: Any, cluster: Any) -> None:
    """Each load by that of its kind."""
    cluster.add("web-1")
    api.policy_admin.put(URL, PACK)
    listed = [LOAD, {**LOAD, "kind": "service", "name": "s"}]
    api.operator.post(PLACEMENTS, listed)
    api.operator.post(PLACEMENTS, {"gang": [{**LOAD, "name": "g"}]})
    api.operator.post(PLACEMENTS, {**LOAD, "name": "r", "replicas": 2})

    assert dict(Decision.objects.values_list("name", "policy")) == {
        "j": "pack", "s": "spread", "g": "pack", "r-1": "pack", "r-2": "pack",
    }  # fmt: skip


def test_jobs_and_shards_go_by_theirs(cluster: Any) -> None:
    """A job that waits goes by what holds when it is placed, not by what held when it was handed in."""
    Submit("demo.add", demand={"cpu": 1.0}).run(SYSTEM)
    SetDefaultPolicy("job", "pack", reason="r").run(SYSTEM)
    SetDefaultPolicy("shard", "balanced", reason="r").run(SYSTEM)
    cluster.add("web-1")
    cluster.add("web-2")
    PlaceWaiting().run(SYSTEM)
    CreateShard("photos", 10, "web-1", "tree").run(SYSTEM)

    placed = Decision.objects.filter(outcome="placed").values_list("kind", "policy")
    assert {("job", "pack"), ("shard", "balanced")} == set(placed)


def test_a_placement_asks_the_database_nothing_more(
    api: Any, cluster: Any, django_assert_num_queries: Any
) -> None:
    """As many queries as before anybody changed a default (test_constraint_requests says which)."""
    cluster.add("web-1")
    api.policy_admin.put(URL, PACK)
    api.operator.post(PLACEMENTS, LOAD)

    with django_assert_num_queries(10):
        answer = api.operator.post(PLACEMENTS, LOAD)

    assert decision_of(answer).policy == "pack"


def test_each_change_is_a_version_and_an_event(api: Any, cluster: Any) -> None:
    """Who, when, why, before and after; going back is a version of its own."""
    api.policy_admin.put(URL, PACK)
    api.admin.put(URL, {"policy": "balanced", "reason": "trying"})
    back = api.policy_admin.post(f"{URL}restore/", {"version": 1, "reason": "it was better"}).json()

    versions = api.viewer.get(f"{URL}versions/").json()["results"]
    assert [
        (3, "pack", 1, "a-policy-admin"),
        (2, "balanced", None, "a-admin"),
        (1, "pack", None, "a-policy-admin"),
    ] == [(each["version"], each["policy"], each["restored"], each["made_by"]) for each in versions]
    assert back["options"] == PACK["options"] and defaults.of("job").version == 3
    event = Event.objects.filter(subject_kind="policy").first()
    assert (event.action, event.actor, event.reason) == ("policy.restore", "a-policy-admin", "it was better")
    assert event.before == {"policy": "balanced", "options": {}, "version": 2}
    assert event.after == {"policy": "pack", "options": PACK["options"], "version": 3, "restored": 1}


def test_version_0_is_what_was_built_in(api: Any, cluster: Any) -> None:
    """It is shown before any change, and can be gone back to."""
    assert {"spread"} == {each["policy"] for each in api.viewer.get("/api/v1/policy-defaults/").json()}
    api.policy_admin.put(URL, PACK)
    back = api.policy_admin.post(f"{URL}restore/", {"version": 0, "reason": "r"}).json()

    assert (back["policy"], back["options"], back["restored"]) == ("spread", {}, 0)


REFUSED = {
    "unknown policy": ({"policy": "best"}, 400, "policy"),
    "unknown option": ({"options": {"colour": 1}}, 400, "options.colour"),
    "unknown resource": ({"options": {"weights": {"warp": 1}}}, 400, "options.weights.warp"),
    "weight too large": ({"options": {"weights": {"cpu": 1e9}}}, 400, "options.weights.cpu"),
    "no reason": ({"reason": " "}, 400, "reason"),
    "NUL in the reason": ({"reason": "a\0b"}, 400, None),
    "unknown field": ({"colour": "red"}, 400, "colour"),
    "overtaken": ({"based_on": 7}, 409, None),
}  # fmt: skip


@pytest.mark.parametrize("which", REFUSED)
def test_what_no_placement_could_go_by_is_refused(api: Any, cluster: Any, which: str) -> None:
    """Naming the field, and nothing is kept."""
    change, status, field = REFUSED[which]
    answer = api.policy_admin.put(URL, {**PACK, **change})

    assert answer.status_code == status
    assert [field] == [each["field"] for each in answer.json().get("errors", [{"field": None}])]
    assert not PolicyVersion.objects.exists()


def test_nothing_is_changed_twice_nor_by_others(api: Any, cluster: Any) -> None:
    """The same again is no version; operators are refused with the role that is asked; unknown kinds are not there."""
    api.policy_admin.put(URL, PACK)
    refused = api.operator.put(URL, {**PACK, "policy": "spread"})

    assert api.policy_admin.put(URL, PACK).json()["type"] == "same"
    assert (refused.status_code, "role policy-admin" in refused.json()["detail"]) == (403, True)
    assert api.policy_admin.put("/api/v1/policy-defaults/cat/", PACK).status_code == 404
    assert api.policy_admin.post(f"{URL}restore/", {"version": 9, "reason": "r"}).status_code == 404
    assert PolicyVersion.objects.count() == 1


def test_another_process_learns_of_it_by_reading(cluster: Any) -> None:
    """And what it reads late never undoes what it knows."""
    SetDefaultPolicy("job", "pack", reason="r").run(SYSTEM)
    defaults.__init__()  # type: ignore[misc]
    defaults.load()
    assert defaults.of("job") == Default("pack", {}, 1)
    late = PolicyVersion.objects.get()
    SetDefaultPolicy("job", "balanced", reason="r").run(SYSTEM)
    defaults.take(late)

    assert defaults.of("job") == Default("balanced", {}, 2)


def test_weights_of_a_resource_that_is_gone_refuse_nothing(api: Any, cluster: Any) -> None:
    """The last host with a gpu leaves; loads that name no policy are still placed."""
    cluster.add("gpu-1", gpu=2.0)
    SetDefaultPolicy("job", "pack", {"weights": {"gpu": 5.0, "cpu": 2.0}}, reason="r").run(SYSTEM)
    picture.__init__()  # type: ignore[misc]
    Host.objects.all().delete()
    cluster.add("web-1")
    answer = api.operator.post(PLACEMENTS, LOAD)

    assert answer.status_code == 201
    assert decision_of(answer).asked["options"] == {"weights": {"cpu": 2.0}}


def test_a_policy_that_is_gone_refuses_with_its_name(
    api: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is placed silently by another one: callers are told, jobs wait and say why."""
    cluster.add("web-1")
    job = Submit("demo.add", demand={"cpu": 999.0}).run(SYSTEM)
    SetDefaultPolicy("job", "pack", reason="r").run(SYSTEM)
    monkeypatch.delitem(POLICIES, "pack")
    answer = api.operator.post(PLACEMENTS, LOAD)
    PlaceWaiting().run(SYSTEM)
    job.refresh_from_db()

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "policy")
    assert "'pack' is none of" in answer.json()["detail"]
    assert (job.state, "'pack' is none of" in job.waiting_for) == ("queued", True)
