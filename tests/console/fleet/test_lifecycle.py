"""Hosts out of use and back, over REST as operators do it."""

from __future__ import annotations

from typing import Any

import pytest

from balancer_core.placement import Load
from console.actions import SYSTEM
from console.events.models import Event
from console.fleet.actions.lifecycle import MarkFound, MarkLost
from console.fleet.models import Host
from console.live.picture import picture
from console.placements.actions.commit import FitsNowhere
from console.placements.actions.place import Place
from console.placements.actions.release import Release

JOB = Load(kind="job", name="j", demand={"cpu": 1.0})


def verb(api: Any, name: str, reason: str = "") -> int:
    return api.operator.post(f"/api/v1/hosts/web-1/{name}/", {"reason": reason}).status_code


def test_out_of_use_and_back(api: Any, cluster: Any) -> None:
    """Each step once; a second time is a conflict; each with its reason in the audit trail."""
    cluster.add("web-1")

    assert [verb(api, "cordon", "disk") for _ in range(2)] == [200, 409]
    assert api.viewer.get("/api/v1/hosts/web-1/").json()["state"] == "cordoned"
    assert [verb(api, "drain") for _ in range(2)] == [200, 409]
    assert [verb(api, "uncordon") for _ in range(2)] == [200, 409]

    trail = Event.objects.filter(subject="web-1", actor="a-operator").order_by("id")
    assert [each.action for each in trail] == ["host.cordon", "host.drain", "host.uncordon"]
    assert (trail[0].reason, trail[0].before, trail[0].after) == (
        "disk",
        {"state": "active"},
        {"state": "cordoned"},
    )


@pytest.mark.parametrize("out", ["cordon", "drain"])
def test_nothing_new_comes_to_a_host_that_is_out_of_use(api: Any, cluster: Any, out: str) -> None:
    """Even before this process's picture has heard of it."""
    cluster.add("web-1")
    verb(api, out)

    with pytest.raises(FitsNowhere):
        Place(JOB).run(SYSTEM)


def test_a_host_in_use_is_not_removed(api: Any, cluster: Any) -> None:
    """409 while it holds something; afterwards 204, and its name, ledger and history's rows are free."""
    cluster.add("web-1")
    placed = Place(JOB).run(SYSTEM)
    remove = "/api/v1/hosts/web-1/remove/"

    assert api.admin.post(remove, {}).status_code == 409
    assert api.operator.post(remove, {}).status_code == 403
    Release(placed.pk).run(SYSTEM)
    assert [api.admin.post(remove, {}).status_code for _ in range(2)] == [204, 404]

    assert not Host.objects.exists()
    picture.load()
    assert picture.names() == []
    cluster.credentials.clear()
    assert cluster.add("web-1")


def test_a_lost_host_is_found_again(cluster: Any) -> None:
    """Said twice, recorded once."""
    cluster.add("web-1")
    for _ in range(2):
        MarkLost("web-1", reason="silent").run(SYSTEM)
    picture.load()
    with pytest.raises(FitsNowhere):
        Place(JOB).run(SYSTEM)
    for _ in range(2):
        MarkFound("web-1").run(SYSTEM)
    picture.load()

    assert Place(JOB).run(SYSTEM).host.name == "web-1"
    assert (
        1
        == Event.objects.filter(action="host.lost").count()
        == Event.objects.filter(action="host.found").count()
    )


def test_a_host_shows_what_it_has_promises_and_uses(api: Any, cluster: Any) -> None:
    """Used is null for a host that has not reported."""
    cluster.add("web-1", used={"cpu": 2.0})
    Place(JOB).run(SYSTEM)

    shown = api.viewer.get("/api/v1/hosts/web-1/").json()
    assert shown["resources"][0] == {"resource": "cpu", "capacity": 8.0, "reserved": 1.0, "used": 2.0}
    assert 0 <= shown["report_age_s"] < 10
    picture.__init__()  # type: ignore[misc]  (a process that has just started)
    picture.load()
    silent = api.viewer.get("/api/v1/hosts/web-1/").json()
    assert (silent["report_age_s"], silent["resources"][0]["used"]) == (None, None)


def test_a_reason_is_at_most_so_long(api: Any, cluster: Any) -> None:
    """400 with the field, not an error of the database."""
    cluster.add("web-1")

    assert verb(api, "cordon", "x" * 501) == 400
    assert verb(api, "cordon", "x" * 500) == 200
