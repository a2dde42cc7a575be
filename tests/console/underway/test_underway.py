"""What is under way: drains, copies, jobs, lost hosts, from the real state and for the role that looks."""

from __future__ import annotations

from typing import Any

import pytest

from balancer_core.placement import Load
from console.accounts.models import Role
from console.actions import SYSTEM
from console.fleet.actions.lifecycle import Drain, MarkLost, Uncordon
from console.underway import sources
from console.underway.sources import gather
from console.underway.watch import Watch


def by_key() -> dict[str, Any]:
    return {task.key: task for task in gather()}


def test_a_drain_tells_how_far_it_is(cluster: Any) -> None:
    """Placements that left since it began, of those that were there; then empty; then back in use, gone."""
    from console.placements.actions.place import Place
    from console.placements.actions.release import Release

    cluster.add("web-1")
    placed = [Place(Load("job", f"j{n}", {"cpu": 1.0})).run(SYSTEM) for n in range(3)]
    Release(placed[0].pk).run(SYSTEM)
    Drain("web-1").run(SYSTEM)
    begun = by_key()["drain web-1"]
    Release(placed[1].pk).run(SYSTEM)
    half = by_key()["drain web-1"]
    Release(placed[2].pk).run(SYSTEM)
    empty = by_key()["drain web-1"]
    Uncordon("web-1").run(SYSTEM)

    assert (begun.done, begun.total) == (0, 2)
    assert (half.done, half.total, half.percent) == (1, 2, 50.0)
    assert half.detail == "1 placement left"
    assert (empty.title, empty.detail) == ("web-1 is empty", "safe to power off")
    assert gather() == []


def test_copies_jobs_and_lost_hosts_are_told(cluster: Any) -> None:
    """Each with its page and its log; what is only to be known stands behind what runs."""
    from console.jobs.actions.submit import Submit
    from console.storage.actions.shards import CreateShard

    cluster.add("web-1")
    cluster.add("web-2")
    CreateShard("photos", 2**20, "web-1", "photos").run(SYSTEM)
    Submit("demo.add", demand={"cpu": 0.5}).run(SYSTEM)
    MarkLost("web-2", "silent").run(SYSTEM)
    found = by_key()

    assert found["shard photos"].detail.startswith("0 of ")
    assert found["jobs"].path == "/jobs/"
    assert found["lost web-2"].notice
    assert found["lost web-2"].log == "/events/?subject_kind=host&subject=web-2"
    assert list(found)[-1] == "lost web-2"


def test_many_drains_take_no_more_queries(cluster: Any, django_assert_max_num_queries: Any) -> None:
    """The number of questions does not grow with the hosts; those beyond the most are one line."""
    for number in range(sources.MOST + 2):
        cluster.add(f"web-{number}")
        Drain(f"web-{number}").run(SYSTEM)
    with django_assert_max_num_queries(10):
        found = gather()

    assert len(found) == sources.MOST + 1
    assert any(task.title == "Further hosts are draining" for task in found)


def test_changes_are_told_once_and_in_the_role(cluster: Any) -> None:
    """The version rises with a change only; a viewer's button is disabled with the reason."""
    cluster.add("web-1")
    Drain("web-1").run(SYSTEM)
    watch = Watch()
    watch.look()
    first = watch.version
    watch.look()

    assert watch.version == first
    assert "Asks for the role operator" in watch.rendered(Role.VIEWER)
    assert "Asks for" not in watch.rendered(Role.OPERATOR)
    assert 'data-ends="hosts/web-1/uncordon/"' in watch.rendered(Role.OPERATOR)


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_page_and_api_tell_the_same(role: str, api: Any, user: Any, cluster: Any) -> None:
    """The page works without scripts, with its forms; the API has where to end it."""
    from django.test import Client

    client = Client()
    client.force_login(user(role))
    assert "Nothing is under way" in client.get("/underway/").content.decode()
    cluster.add("web-1")
    Drain("web-1").run(SYSTEM)
    text = client.get("/underway/").content.decode()
    told = getattr(api, role).get("/api/v1/underway/").json()

    assert "web-1 is empty" in text
    assert ("Asks for the role operator" in text) == (role == "viewer")
    assert told[0]["cancel"]["api"] == "hosts/web-1/uncordon/"
