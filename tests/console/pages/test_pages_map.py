"""The map's page and what its links are drawn from: who carries the same as a host."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from balancer_core.placement import Load
from console.actions import SYSTEM
from console.placements.actions.place import Place


def shared(browsers: Any, host: str) -> dict[tuple[str, str], list[str]]:
    """What the page's endpoint says of a host, by kind and name."""
    answer = browsers.viewer.get(reverse("host-siblings", args=[host]))
    assert answer.status_code == 200
    return {(each["kind"], each["name"]): each["hosts"] for each in answer.json()["shared"]}


def test_siblings_are_those_that_carry_the_same(browsers: Any, furnished: Any) -> None:
    """A service's other endpoints, a shard's other copies and its source; not the host itself."""
    told = shared(browsers, "web-1")
    (copy,) = told["shard", "photos"]

    assert told["service", "shop"] == ["web-2"]
    assert shared(browsers, copy)["shard", "photos"] == ["web-1"]
    assert all("web-1" not in hosts for hosts in told.values())


def test_loads_of_one_name_are_siblings_until_they_are_released(browsers: Any, cluster: Any) -> None:
    """Two of a job on two hosts; a released one is nobody's sibling."""
    from console.placements.actions.release import Release

    cluster.add("a-1", {}, used={"cpu": 1.0})
    cluster.add("b-1", {}, used={"cpu": 1.0})
    here, there = (
        Place(Load("job", "nightly", {"cpu": 0.5}, pin_hosts=frozenset({host}))).run(SYSTEM)
        for host in ("a-1", "b-1")
    )
    assert (here.host.name, there.host.name) == ("a-1", "b-1")
    assert shared(browsers, "a-1")["job", "nightly"] == ["b-1"]
    Release(there.pk).run(SYSTEM)

    assert shared(browsers, "a-1")["job", "nightly"] == []
    assert shared(browsers, "b-1") == {}


def test_siblings_cost_few_questions(
    browsers: Any, furnished: Any, django_assert_max_num_queries: Any
) -> None:
    """However much the host carries: ten queries with the session and its user."""
    with django_assert_max_num_queries(11):
        browsers.viewer.get(reverse("host-siblings", args=["web-1"]))


def test_siblings_of_nobody_and_for_nobody(browsers: Any, furnished: Any) -> None:
    """A host that is gone is 404; without a session it leads to the login."""
    assert browsers.viewer.get(reverse("host-siblings", args=["nobody"])).status_code == 404
    assert browsers.anonymous.get(reverse("host-siblings", args=["web-1"])).status_code == 302


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ("group=rack&colour=headroom&size=cores", ["rack", "headroom", "cores"]),
        ("group=state&colour=zone", ["state", "zone", ""]),
        ("group=&colour=&size=nonsense", ["", "worst", ""]),
        ("group=%3Cscript%3Ealert(1)", ["&lt;script&gt;alert(1)", "worst", ""]),
    ],
)
def test_a_url_is_a_view(query: str, chosen: list[str], browsers: Any, furnished: Any) -> None:
    """What the URL asks for is what the map is told and the form shows, whatever it is."""
    text = browsers.viewer.get(f"/?{query}").content.decode()
    group, colour, size = chosen

    assert f'<cluster-map group="{group}" colour="{colour}" size="{size}"' in text
    assert text.count(" selected>") == 3
